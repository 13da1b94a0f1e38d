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
  bench: TestContext,
  name: string,
  init: ReadOptions,
  expected: string | Uint8Array,
): Promise<void> {
  const why = `${name} ${JSON.stringify(init)}`;
  same(await bench.bytes(name, init), expected, why);
  same(await gather(bench.storage.read(bench.at(name), init)), expected, `${why} streamed`);
  same(await gather(bench.storage.read(bench.at(name), { ...init, parallel: 3 })), expected, `${why} in parallel`);
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
    async run(bench) {
      await bench.write("x", DIGITS);
      await reads(bench, "x", {}, DIGITS);
      assert.equal(await bench.storage.text(bench.at("x")), DIGITS);
      await bench.write("binary", Uint8Array.of(0xff, 0xfe));
      await expectRejection(bench.storage.text(bench.at("binary")), "Corrupt");
    },
  },
  {
    id: "R02",
    title: "a range in the middle",
    async run(bench) {
      await bench.write("x", DIGITS);
      await reads(bench, "x", { start: 3, end: 7 }, "3456");
      await reads(bench, "x", { start: 0, end: 1 }, "0");
      await reads(bench, "x", { start: 4, end: 4 }, "");
    },
  },
  {
    id: "R03",
    title: "from an offset to the end",
    async run(bench) {
      await bench.write("x", DIGITS);
      await reads(bench, "x", { start: 8 }, "89");
    },
  },
  {
    id: "R07",
    title: "an end past the object is clamped",
    async run(bench) {
      await bench.write("x", DIGITS);
      await reads(bench, "x", { start: 8, end: 11 }, "89");
      await reads(bench, "x", { end: 2 ** 40 }, DIGITS);
    },
  },
  {
    id: "R08",
    title: "a start at or past the end returns no bytes",
    async run(bench) {
      await bench.write("x", DIGITS);
      for (const start of [10, 11, 2 ** 40]) {
        await reads(bench, "x", { start }, "");
        await reads(bench, "x", { start, end: start + 1 }, "");
      }
    },
  },
  {
    id: "R09",
    title: "negative, reversed, fractional and endless ranges are InvalidArgument",
    async run(bench) {
      for (const range of BAD_RANGES) {
        await expectRejection(bench.bytes("none", range), "InvalidArgument", JSON.stringify(range));
        await expectRejection(
          gather(bench.storage.read(bench.at("none"), range)),
          "InvalidArgument",
          JSON.stringify(range),
        );
        await expectRejection(
          bench.storage.ranges(bench.at("none"), [range]),
          "InvalidArgument",
          JSON.stringify(range),
        );
      }
      await expectRejection(bench.bytes("none", { parallel: 0 }), "InvalidArgument");
    },
  },
  {
    id: "R10",
    title: "ranges of an empty object are empty",
    async run(bench) {
      await bench.write("x", "");
      for (const init of [{}, { start: 0 }, { start: 0, end: 5 }, { start: 3 }, { end: 0 }]) {
        await reads(bench, "x", init, "");
      }
    },
  },
  {
    id: "R11",
    title: "a missing object is NotFound, and the error names it",
    async run(bench) {
      await bench.fill(["y", "xy"]);
      const at = bench.at("x");
      await expectRejection(bench.bytes("x"), "NotFound");
      await expectRejection(bench.stat("x"), "NotFound");
      await expectRejection(bench.bytes("x", { start: 1, end: 1 }), "NotFound");
      await expectRejection(gather(bench.storage.read(at)), "NotFound");
      await expectRejection(bench.storage.ranges(at, [{}]), "NotFound");
      const error = await bench.bytes("x").catch((error: unknown) => error);
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
    async run(bench) {
      const at = bench.elsewhere();
      await expectRejection(bench.storage.bytes(at), "NotFound");
      await expectRejection(bench.storage.stat(at), "NotFound");
      await expectRejection(bench.storage.write(at, "1"), "NotFound");
      await expectRejection(bench.entries(at), "NotFound");
      await expectRejection(bench.storage.bytes(at), "NotFound");
    },
  },
  {
    id: "R13",
    title: "reading a directory is NotFound",
    async run(bench) {
      await bench.write("d/e/x", "1");
      for (const name of ["d", "d/e"]) {
        await expectRejection(bench.bytes(name), "NotFound");
        await expectRejection(bench.stat(name), "NotFound");
        await bench.missing(name);
      }
    },
  },
  {
    id: "R14",
    title: "an abort in the middle of a body rejects at once with the reason",
    async run(bench) {
      await bench.write("x", noise(4 * RANGE));
      for (const parallel of [1, 3]) {
        const abort = new AbortController();
        const reason = new Error("enough");
        const body = bench.storage.read(bench.at("x"), { signal: abort.signal, parallel })[Symbol.asyncIterator]();
        await body.next();
        abort.abort(reason);
        const next = Promise.race([body.next(), sleep(1000).then(() => assert.fail("still waiting after 1 s"))]);
        await rejectsWith(next, reason);
      }
      assert.equal((await bench.bytes("x", { end: 10 })).byteLength, 10);
    },
  },
  {
    id: "R15",
    title: "unread or partly read bodies do not block later reads",
    async run(bench) {
      await bench.write("x", noise(2 * MIB));
      for (let i = 0; i < 150; i++) {
        bench.storage.read(bench.at("x"));
        for await (const _ of bench.storage.read(bench.at("x"))) break;
      }
      await Promise.all(Array.from({ length: 20 }, () => bench.bytes("x", { start: 1, end: 3 })));
    },
  },
  {
    id: "R18",
    title: "the web stream and the Node stream return the same bytes, and can be abandoned",
    async run(bench) {
      const data = noise(3 * MIB + 7);
      await bench.write("x", data);
      const web = bench.storage.readable(bench.at("x"));
      same(Buffer.from(await new Response(web as never).arrayBuffer()), data, "web");
      const node = Readable.from(bench.storage.read(bench.at("x")));
      same(Buffer.concat((await node.toArray()) as Uint8Array[]), data, "node");
      const left = bench.storage.readable(bench.at("x")).getReader();
      assert.equal((await left.read()).done, false);
      await left.cancel();
    },
  },
];
