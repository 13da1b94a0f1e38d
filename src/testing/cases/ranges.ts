import assert from "node:assert/strict";
import { isStorageError } from "../../errors.js";
import type { Spec } from "../bench.js";
import { expectRejection, gather, MIB, noise, same } from "../bench.js";

/** Bytes of one range of a parallel read. */
const RANGE = 8 * MIB;
const DIGITS = "0123456789";

export const rangeCases: readonly Spec[] = [
  {
    id: "R19",
    title: "ranges: separate, adjacent, overlapping, equal, unsorted and none, in the requested order",
    async run(context) {
      const data = noise(5 * MIB);
      await context.write("x", data);
      const apart = { start: 4 * MIB, end: 4 * MIB + 10 };
      const asked = [
        apart,
        { start: 0, end: 5 },
        { start: 5, end: 9 },
        { start: 3, end: 8 },
        apart,
        { start: 7, end: 7 },
      ];
      const answers = await context.storage.ranges(context.at("x"), asked);
      assert.equal(answers.length, asked.length);
      for (const [i, { start, end }] of asked.entries()) same(answers[i]!, data.subarray(start, end), `range ${i}`);
      assert.deepEqual(await context.storage.ranges(context.at("x"), []), []);
      same((await context.storage.ranges(context.at("x"), [{}]))[0]!, data, "all");
    },
  },
  {
    id: "R21",
    title: "a range past the end is empty or clamped and does not affect the others",
    async run(context) {
      await context.write("x", DIGITS);
      const asked = [{ start: 50, end: 60 }, { start: 1, end: 2 }, { start: 8, end: 60 }, { start: 10 }];
      const answers = await context.storage.ranges(context.at("x"), asked);
      assert.deepEqual(
        answers.map((answer) => Buffer.from(answer).toString()),
        ["", "1", "89", ""],
      );
    },
  },
  {
    id: "R22",
    title:
      "reading an object that is replaced meanwhile returns its first version in full, or ObjectChanged, never a mix",
    async run(context) {
      const [old, fresh] = [noise(3 * RANGE, 1), noise(3 * RANGE, 2)];
      for (const parallel of [1, 3]) {
        await context.write("x", old);
        let read = 0;
        try {
          for await (const chunk of context.storage.read(context.at("x"), { parallel })) {
            if (read === 0) await context.write("x", fresh);
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
    title: "a version can be read, listed and restored after a replacement or deletion; a deleted version is NotFound",
    needs: ["versions"],
    async run(context) {
      const at = context.at("x");
      await context.write("x", "first");
      const { version: first } = await context.stat("x");
      await context.write("x", "second");
      await context.storage.delete(at);
      assert.ok(first !== undefined, "no version in the info");
      assert.equal(await context.storage.text(at, { version: first }), "first");
      assert.equal((await context.storage.stat(at, { version: first })).size, 5);
      const versions = await context.entries(context.base, { versions: true, recursive: true });
      const files = versions.filter(({ deleted }) => !deleted);
      assert.deepEqual(
        files.map(({ size }) => size),
        [6, 5],
      );
      assert.equal(files[1]!.version, first);
      await context.storage.delete(at, { version: first });
      await expectRejection(context.storage.bytes(at, { version: first }), "NotFound");
    },
    async without(context) {
      await context.write("x", "1");
      await expectRejection(context.bytes("x", { version: "1" }), "Unsupported");
      await expectRejection(context.storage.stat(context.at("x"), { version: "1" }), "Unsupported");
      await expectRejection(context.storage.delete(context.at("x"), { version: "1" }), "Unsupported");
      await expectRejection(context.entries(context.base, { versions: true }), "Unsupported");
      await context.holds("x", "1");
    },
  },
  {
    id: "R25",
    title: "last: the last bytes, everything of a smaller object, none for 0; of a stream, an array, a text and get",
    async run(context) {
      const at = context.at("x");
      await context.write("x", DIGITS);
      for (const last of [1, 3, 9, 10, 11, 5000]) {
        const expected = DIGITS.slice(-last);
        same(await context.bytes("x", { last }), expected, `bytes ${last}`);
        same(await gather(context.storage.read(at, { last })), expected, `read ${last}`);
        same(await context.bytes("x", { last, parallel: 3 }), expected, `parallel ${last}`);
        assert.equal(await context.storage.text(at, { last }), expected);
        const object = await context.storage.get(at, { last });
        assert.equal(object.info.size, 10);
        assert.equal(await object.text(), expected);
      }
      const { etag } = await context.stat("x");
      assert.equal(await context.storage.text(at, { last: 2, ifMatch: etag }), "89");
      same(await context.bytes("x", { last: 0 }), "", "none");
      same(await gather(context.storage.read(at, { last: 0 })), "", "none");
      await expectRejection(context.bytes("missing", { last: 0 }), "NotFound");
      await expectRejection(context.bytes("missing", { last: 5 }), "NotFound");
      await context.write("x", "");
      for (const last of [0, 1, 5]) same(await context.bytes("x", { last }), "", `${last} of an empty object`);
      const data = noise(9 * MIB);
      await context.write("x", data);
      same(await context.bytes("x", { last: 8 * MIB + 1 }), data.subarray(MIB - 1), "large");
      await expectRejection(context.bytes("x", { last: 5, ifMatch: etag }), "PreconditionFailed");
    },
  },
  {
    id: "R26",
    title: "last with start or end, and a last that is no count, are InvalidArgument; of compressed data Unsupported",
    async run(context) {
      const none = context.at("none");
      for (const options of [
        { last: -1 },
        { last: 1.5 },
        { last: Number.NaN },
        { last: 1, start: 0 },
        { last: 1, end: 5 },
      ]) {
        await expectRejection(context.bytes("none", options), "InvalidArgument", JSON.stringify(options));
        await expectRejection(gather(context.storage.read(none, options)), "InvalidArgument", JSON.stringify(options));
        await expectRejection(context.storage.text(none, options), "InvalidArgument", JSON.stringify(options));
        await expectRejection(context.storage.get(none, options), "InvalidArgument", JSON.stringify(options));
      }
      await expectRejection(context.bytes("none", { last: 1, compression: "gzip" }), "Unsupported");
    },
  },
  {
    id: "R24",
    title: "a parallel read equals a serial one at every size around a range",
    async run(context) {
      const data = noise(2 * RANGE + 3);
      for (const size of [0, 1, RANGE - 1, RANGE, RANGE + 1, 2 * RANGE + 3]) {
        await context.write("x", data.subarray(0, size));
        const at = context.at("x");
        same(await gather(context.storage.read(at, { parallel: 4 })), data.subarray(0, size), `${size} streamed`);
        same(await context.bytes("x", { parallel: 4 }), data.subarray(0, size), `${size}`);
        same(
          await context.bytes("x", { parallel: 2, start: 5, end: size + 5 }),
          data.subarray(5, size),
          `${size} from 5`,
        );
      }
    },
  },
];
