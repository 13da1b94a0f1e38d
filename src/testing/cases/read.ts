import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { isStorageError } from "../../errors.js";
import type { Range, ReadInit } from "../../fs/options.js";
import { type Bench, gather, MIB, noise, refused, rejectsWith, same } from "../bench.js";
import type { Spec } from "../spec.js";

/** Bytes of one range of a parallel read. */
const RANGE = 8 * MIB;
const DIGITS = "0123456789";

/** The range is the same by `bytes`, `read`, and in parallel. */
async function reads(bench: Bench, name: string, init: ReadInit, expected: string | Uint8Array): Promise<void> {
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
      await refused(bench.storage.text(bench.at("binary")), "Corrupt");
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
    title: "a start at or past the end yields no bytes",
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
        await refused(bench.bytes("none", range), "InvalidArgument", JSON.stringify(range));
        await refused(gather(bench.storage.read(bench.at("none"), range)), "InvalidArgument", JSON.stringify(range));
        await refused(bench.storage.ranges(bench.at("none"), [range]), "InvalidArgument", JSON.stringify(range));
      }
      await refused(bench.bytes("none", { parallel: 0 }), "InvalidArgument");
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
    title: "a missing object is NotFound, and the error says which",
    async run(bench) {
      await bench.fill(["y", "xy"]);
      const at = bench.at("x");
      await refused(bench.bytes("x"), "NotFound");
      await refused(bench.stat("x"), "NotFound");
      await refused(bench.bytes("x", { start: 1, end: 1 }), "NotFound");
      await refused(gather(bench.storage.read(at)), "NotFound");
      await refused(bench.storage.ranges(at, [{}]), "NotFound");
      const error = await bench.bytes("x").catch((error: unknown) => error);
      assert.ok(isStorageError(error));
      assert.equal(error.op, "read");
      assert.equal(error.path, String(at));
      assert.ok(error.message.includes(String(at)));
    },
  },
  {
    id: "R12",
    title: "a missing bucket is NotFound, and a read or write makes none",
    needs: ["buckets"],
    async run(bench) {
      const at = bench.elsewhere();
      await refused(bench.storage.bytes(at), "NotFound");
      await refused(bench.storage.stat(at), "NotFound");
      await refused(bench.storage.write(at, "1"), "NotFound");
      await refused(bench.entries(at), "NotFound");
      await refused(bench.storage.bytes(at), "NotFound");
    },
  },
  {
    id: "R13",
    title: "what is only a directory is NotFound",
    async run(bench) {
      await bench.write("d/e/x", "1");
      for (const name of ["d", "d/e"]) {
        await refused(bench.bytes(name), "NotFound");
        await refused(bench.stat(name), "NotFound");
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
    title: "bodies that nobody reads, or not to the end, keep nothing from later reads",
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
    title: "the web stream and the Node stream have the same bytes, and can be left",
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
  {
    id: "R19",
    title: "ranges: apart, adjacent, overlapping, equal, unsorted and none, in the order asked for",
    async run(bench) {
      const data = noise(5 * MIB);
      await bench.write("x", data);
      const apart = { start: 4 * MIB, end: 4 * MIB + 10 };
      const asked = [
        apart,
        { start: 0, end: 5 },
        { start: 5, end: 9 },
        { start: 3, end: 8 },
        apart,
        { start: 7, end: 7 },
      ];
      const answers = await bench.storage.ranges(bench.at("x"), asked);
      assert.equal(answers.length, asked.length);
      for (const [i, { start, end }] of asked.entries()) same(answers[i]!, data.subarray(start, end), `range ${i}`);
      assert.deepEqual(await bench.storage.ranges(bench.at("x"), []), []);
      same((await bench.storage.ranges(bench.at("x"), [{}]))[0]!, data, "all");
    },
  },
  {
    id: "R21",
    title: "a range past the end is empty or clamped and spoils no other",
    async run(bench) {
      await bench.write("x", DIGITS);
      const asked = [{ start: 50, end: 60 }, { start: 1, end: 2 }, { start: 8, end: 60 }, { start: 10 }];
      const answers = await bench.storage.ranges(bench.at("x"), asked);
      assert.deepEqual(
        answers.map((answer) => Buffer.from(answer).toString()),
        ["", "1", "89", ""],
      );
    },
  },
  {
    id: "R22",
    title: "an object that is replaced while it is read: its first version whole, or ObjectChanged, never a mix",
    async run(bench) {
      const [old, fresh] = [noise(3 * RANGE, 1), noise(3 * RANGE, 2)];
      for (const parallel of [1, 3]) {
        await bench.write("x", old);
        let read = 0;
        try {
          for await (const chunk of bench.storage.read(bench.at("x"), { parallel })) {
            if (read === 0) await bench.write("x", fresh);
            same(chunk, old.subarray(read, read + chunk.byteLength), `at ${read}`);
            read += chunk.byteLength;
          }
          assert.equal(read, old.byteLength);
        } catch (error) {
          if (!isStorageError(error, "ObjectChanged")) throw error;
        }
      }
    },
  },
  {
    id: "R23",
    title: "a version can be read, listed and restored after it was replaced or deleted; a deleted version is NotFound",
    needs: ["versions"],
    async run(bench) {
      const at = bench.at("x");
      await bench.write("x", "first");
      const { version: first } = await bench.stat("x");
      await bench.write("x", "second");
      await bench.storage.delete(at);
      assert.ok(first !== undefined, "no version in the info");
      assert.equal(await bench.storage.text(at, { version: first }), "first");
      assert.equal((await bench.storage.stat(at, { version: first })).size, 5);
      const versions = await bench.entries(bench.base, { versions: true, recursive: true });
      const files = versions.filter(({ deleted }) => !deleted);
      assert.deepEqual(
        files.map(({ size }) => size),
        [6, 5],
      );
      assert.equal(files[1]!.version, first);
      await bench.storage.delete(at, { version: first });
      await refused(bench.storage.bytes(at, { version: first }), "NotFound");
    },
    async without(bench) {
      await bench.write("x", "1");
      await refused(bench.bytes("x", { version: "1" }), "Unsupported");
      await refused(bench.storage.stat(bench.at("x"), { version: "1" }), "Unsupported");
      await refused(bench.storage.delete(bench.at("x"), { version: "1" }), "Unsupported");
      await refused(bench.entries(bench.base, { versions: true }), "Unsupported");
      await bench.holds("x", "1");
    },
  },
  {
    id: "R24",
    title: "a parallel read equals a serial one at every size around a range",
    async run(bench) {
      const data = noise(2 * RANGE + 3);
      for (const size of [0, 1, RANGE - 1, RANGE, RANGE + 1, 2 * RANGE + 3]) {
        await bench.write("x", data.subarray(0, size));
        const at = bench.at("x");
        same(await gather(bench.storage.read(at, { parallel: 4 })), data.subarray(0, size), `${size} streamed`);
        same(await bench.bytes("x", { parallel: 4 }), data.subarray(0, size), `${size}`);
        same(
          await bench.bytes("x", { parallel: 2, start: 5, end: size + 5 }),
          data.subarray(5, size),
          `${size} from 5`,
        );
      }
    },
  },
];
