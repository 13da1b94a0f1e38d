import assert from "node:assert/strict";
import type { CodecName } from "../../codecs/codec.js";
import type { Spec } from "../bench.js";
import { broken, expectRejection, gather, MIB, noise, rejectsWith, same, stream } from "../bench.js";

const CODECS: readonly CodecName[] = ["gzip", "zip"];

export const compressionCases: readonly Spec[] = [
  {
    id: "Z02",
    title: "infer uses the last suffix in any case; objects without one are stored unencoded",
    async run(context) {
      const text = "text ".repeat(500);
      for (const name of ["x.gz", "x.JSON.GZ", "x.tar.gz", "x.zip"]) {
        await context.write(name, text, { compression: "infer" });
        assert.ok((await context.stat(name)).size < text.length, name);
        assert.equal(await context.storage.text(context.at(name), { compression: "infer" }), text);
      }
      for (const name of ["x.gz.json", "gz", "x.unheard-of"]) {
        await context.write(name, text, { compression: "infer" });
        await context.holds(name, text);
      }
      await expectRejection(context.write("y", text, { compression: "rar" as never }), [
        "InvalidArgument",
        "Unsupported",
      ]);
      await context.missing("y");
    },
  },
  {
    id: "Z03",
    title: "a truncated object is Corrupt, never a short success",
    async run(context) {
      for (const compression of CODECS) {
        await context.write("x", noise(100_000), { compression });
        const stored = await context.bytes("x");
        for (const cut of [1, 9, stored.byteLength >> 1, stored.byteLength - 1]) {
          await context.write("cut", stored.subarray(0, stored.byteLength - cut));
          await expectRejection(context.bytes("cut", { compression }), "Corrupt", `${compression} less ${cut}`);
        }
      }
    },
  },
  {
    id: "Z05",
    title: "an object with a changed byte is Corrupt",
    async run(context) {
      for (const compression of CODECS) {
        await context.write("x", noise(10_000), { compression });
        const stored = Uint8Array.from(await context.bytes("x"));
        stored[stored.byteLength >> 1]! ^= 1;
        await context.write("changed", stored);
        await expectRejection(context.bytes("changed", { compression }), "Corrupt", compression);
      }
    },
  },
  {
    id: "Z06",
    title: "decoding more than maxDecodedBytes is TooLarge",
    async run(context) {
      for (const compression of CODECS) {
        await context.write("x", new Uint8Array(2 * MIB), { compression });
        await expectRejection(
          context.bytes("x", { compression, maxDecodedBytes: 2 * MIB - 1 }),
          "TooLarge",
          compression,
        );
        same(await context.bytes("x", { compression, maxDecodedBytes: 2 * MIB }), new Uint8Array(2 * MIB), compression);
      }
    },
  },
  {
    id: "Z07",
    title: "a compressed write whose body throws stores nothing",
    async run(context) {
      const error = new Error("the source broke");
      for (const compression of CODECS) {
        for (const size of [0, 100, 20 * MIB]) {
          await rejectsWith(context.write("x", broken(noise(size), error), { compression }), error);
        }
      }
      assert.deepEqual(await context.all(), []);
    },
  },
  {
    id: "Z08",
    title: "a compressed write is complete once it resolves, for any chunk sizes",
    async run(context) {
      for (const compression of CODECS) {
        for (const size of [0, 1, 65_535, 65_536, 65_537, 10 * MIB]) {
          const data = noise(size);
          await context.write("x", stream(data, Math.max(1, size >> 3)), { compression });
          same(await gather(context.storage.read(context.at("x"), { compression })), data, `${compression} ${size}`);
        }
        await context.write("sized", noise(1000), { compression, size: 1000 });
        same(await context.bytes("sized", { compression }), noise(1000), compression);
        await expectRejection(context.write("lied", noise(1000), { compression, size: 999 }), "InvalidArgument");
        await context.missing("lied");
      }
    },
  },
  {
    id: "Z09",
    title: "a range of decoded data is rejected",
    async run(context) {
      await context.write("x.gz", "text", { compression: "infer" });
      for (const options of [{ start: 1 }, { end: 2 }, { start: 0, end: 2 }]) {
        await expectRejection(context.bytes("x.gz", { ...options, compression: "infer" }), [
          "Unsupported",
          "InvalidArgument",
        ]);
      }
    },
  },
];
