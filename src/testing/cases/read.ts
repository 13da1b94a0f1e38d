import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { isStorageError } from "../../errors.js";
import type { Range, ReadOptions } from "../../fs/index.js";
import type { Spec, TestContext } from "../bench.js";
import { expectRejection, gather, MIB, noise, rejectsWith, same } from "../bench.js";

/** Bytes of one range of a parallel read. */
const RANGE = 8 * MIB;
const DIGITS = "0123456789";

/** Checks that `bytes`, `read` and a parallel read return the same range. */
async function reads(
  context: TestContext,
  name: string,
  options: ReadOptions,
  expected: string | Uint8Array,
): Promise<void> {
  const why = `${name} ${JSON.stringify(options)}`;
  same(await context.bytes(name, options), expected, why);
  same(await gather(context.storage.read(context.at(name), options)), expected, `${why} streamed`);
  same(
    await gather(context.storage.read(context.at(name), { ...options, parallel: 3 })),
    expected,
    `${why} in parallel`,
  );
}

const BAD_RANGES: readonly Range[] = [
  { start: -1 },
  { end: -1 },
  { start: 2, end: 1 },
  { start: 0.5 },
  { end: Number.NaN },
  { start: Number.POSITIVE_INFINITY },
  { end: 2 ** 53 },
  { start: "1" as never },
];

export const readCases: readonly Spec[] = [
  {
    id: "R01",
    title: "the whole object, as bytes, text and streams",
    async run(context) {
      await context.write("x", DIGITS);
      await reads(context, "x", {}, DIGITS);
      assert.equal(await context.storage.text(context.at("x")), DIGITS);
      await context.write("binary", Uint8Array.of(0xff, 0xfe));
      await expectRejection(context.storage.text(context.at("binary")), "Corrupt");
    },
  },
  {
    id: "R02",
    title: "a range in the middle",
    async run(context) {
      await context.write("x", DIGITS);
      await reads(context, "x", { start: 3, end: 7 }, "3456");
      await reads(context, "x", { start: 0, end: 1 }, "0");
      await reads(context, "x", { start: 4, end: 4 }, "");
    },
  },
  {
    id: "R03",
    title: "from an offset to the end",
    async run(context) {
      await context.write("x", DIGITS);
      await reads(context, "x", { start: 8 }, "89");
    },
  },
  {
    id: "R07",
    title: "an end past the object is clamped",
    async run(context) {
      await context.write("x", DIGITS);
      await reads(context, "x", { start: 8, end: 11 }, "89");
      await reads(context, "x", { end: 2 ** 40 }, DIGITS);
    },
  },
  {
    id: "R08",
    title: "a start at or past the end returns no bytes",
    async run(context) {
      await context.write("x", DIGITS);
      for (const start of [10, 11, 2 ** 40]) {
        await reads(context, "x", { start }, "");
        await reads(context, "x", { start, end: start + 1 }, "");
      }
    },
  },
  {
    id: "R09",
    title: "negative, reversed, fractional and endless ranges are InvalidArgument",
    async run(context) {
      for (const range of BAD_RANGES) {
        await expectRejection(context.bytes("none", range), "InvalidArgument", JSON.stringify(range));
        await expectRejection(
          gather(context.storage.read(context.at("none"), range)),
          "InvalidArgument",
          JSON.stringify(range),
        );
        await expectRejection(
          context.storage.ranges(context.at("none"), [range]),
          "InvalidArgument",
          JSON.stringify(range),
        );
      }
      await expectRejection(context.bytes("none", { parallel: 0 }), "InvalidArgument");
    },
  },
  {
    id: "R10",
    title: "ranges of an empty object are empty",
    async run(context) {
      await context.write("x", "");
      for (const options of [{}, { start: 0 }, { start: 0, end: 5 }, { start: 3 }, { end: 0 }]) {
        await reads(context, "x", options, "");
      }
    },
  },
  {
    id: "R11",
    title: "a missing object is NotFound, and the error names it",
    async run(context) {
      await context.fill(["y", "xy"]);
      const at = context.at("x");
      await expectRejection(context.bytes("x"), "NotFound");
      await expectRejection(context.stat("x"), "NotFound");
      await expectRejection(context.bytes("x", { start: 1, end: 1 }), "NotFound");
      await expectRejection(gather(context.storage.read(at)), "NotFound");
      await expectRejection(context.storage.ranges(at, [{}]), "NotFound");
      const error = await context.bytes("x").catch((error: unknown) => error);
      assert.ok(isStorageError(error));
      assert.equal(error.op, "read");
      assert.equal(error.path, String(at));
      assert.ok(error.message.includes(String(at)));
    },
  },
  {
    id: "R12",
    title: "a missing bucket is NotFound, and a read or write creates none",
    needs: ["buckets"],
    async run(context) {
      const at = context.elsewhere();
      await expectRejection(context.storage.bytes(at), "NotFound");
      await expectRejection(context.storage.stat(at), "NotFound");
      await expectRejection(context.storage.write(at, "1"), "NotFound");
      await expectRejection(context.entries(at), "NotFound");
      await expectRejection(context.storage.bytes(at), "NotFound");
    },
  },
  {
    id: "R13",
    title: "reading a directory is NotFound",
    async run(context) {
      await context.write("d/e/x", "1");
      for (const name of ["d", "d/e"]) {
        await expectRejection(context.bytes(name), "NotFound");
        await expectRejection(context.stat(name), "NotFound");
        await context.missing(name);
      }
    },
  },
  {
    id: "R14",
    title: "an abort in the middle of a body rejects at once with the reason",
    async run(context) {
      await context.write("x", noise(4 * RANGE));
      for (const parallel of [1, 3]) {
        const abort = new AbortController();
        const reason = new Error("enough");
        const body = context.storage.read(context.at("x"), { signal: abort.signal, parallel })[Symbol.asyncIterator]();
        await body.next();
        abort.abort(reason);
        const next = Promise.race([body.next(), sleep(1000).then(() => assert.fail("still waiting after 1 s"))]);
        await rejectsWith(next, reason);
      }
      assert.equal((await context.bytes("x", { end: 10 })).byteLength, 10);
    },
  },
  {
    id: "R15",
    title: "unread or partly read bodies do not block later reads",
    async run(context) {
      await context.write("x", noise(2 * MIB));
      for (let i = 0; i < 150; i++) {
        context.storage.read(context.at("x"));
        for await (const _ of context.storage.read(context.at("x"))) break;
      }
      await Promise.all(Array.from({ length: 20 }, () => context.bytes("x", { start: 1, end: 3 })));
    },
  },
  {
    id: "R18",
    title: "the web stream and the Node stream return the same bytes, and can be abandoned",
    async run(context) {
      const data = noise(3 * MIB + 7);
      await context.write("x", data);
      const web = context.storage.readable(context.at("x"));
      same(Buffer.from(await new Response(web as never).arrayBuffer()), data, "web");
      const node = Readable.from(context.storage.read(context.at("x")));
      same(Buffer.concat((await node.toArray()) as Uint8Array[]), data, "node");
      const left = context.storage.readable(context.at("x")).getReader();
      assert.equal((await left.read()).done, false);
      await left.cancel();
    },
  },
];
