import assert from "node:assert/strict";
import type { CodecName } from "../../codecs/codec.js";
import type { Spec } from "../bench.js";
import { broken, expectRejection, gather, MIB, noise, rejectsWith, same, stream } from "../bench.js";

const CODECS: readonly CodecName[] = ["gzip", "zip"];

export const compressionCases: readonly Spec[] = [
  {
    id: "Z02",
    title: "infer uses the last suffix in any case; objects without one are stored unencoded",
    async run(bench) {
      const text = "text ".repeat(500);
      for (const name of ["x.gz", "x.JSON.GZ", "x.tar.gz", "x.zip"]) {
        await bench.write(name, text, { compression: "infer" });
        assert.ok((await bench.stat(name)).size < text.length, name);
        assert.equal(await bench.storage.text(bench.at(name), { compression: "infer" }), text);
      }
      for (const name of ["x.gz.json", "gz", "x.unheard-of"]) {
        await bench.write(name, text, { compression: "infer" });
        await bench.holds(name, text);
      }
      await expectRejection(bench.write("y", text, { compression: "rar" as never }), [
        "InvalidArgument",
        "Unsupported",
      ]);
      await bench.missing("y");
    },
  },
  {
    id: "Z03",
    title: "a truncated object is Corrupt, never a short success",
    async run(bench) {
      for (const compression of CODECS) {
        await bench.write("x", noise(100_000), { compression });
        const stored = await bench.bytes("x");
        for (const cut of [1, 9, stored.byteLength >> 1, stored.byteLength - 1]) {
          await bench.write("cut", stored.subarray(0, stored.byteLength - cut));
          await expectRejection(bench.bytes("cut", { compression }), "Corrupt", `${compression} less ${cut}`);
        }
      }
    },
  },
  {
    id: "Z05",
    title: "an object with a changed byte is Corrupt",
    async run(bench) {
      for (const compression of CODECS) {
        await bench.write("x", noise(10_000), { compression });
        const stored = Uint8Array.from(await bench.bytes("x"));
        stored[stored.byteLength >> 1]! ^= 1;
        await bench.write("changed", stored);
        await expectRejection(bench.bytes("changed", { compression }), "Corrupt", compression);
      }
    },
  },
  {
    id: "Z06",
    title: "decoding more than maxDecodedBytes is TooLarge",
    async run(bench) {
      for (const compression of CODECS) {
        await bench.write("x", new Uint8Array(2 * MIB), { compression });
        await expectRejection(bench.bytes("x", { compression, maxDecodedBytes: 2 * MIB - 1 }), "TooLarge", compression);
        same(await bench.bytes("x", { compression, maxDecodedBytes: 2 * MIB }), new Uint8Array(2 * MIB), compression);
      }
    },
  },
  {
    id: "Z07",
    title: "a compressed write whose body throws stores nothing",
    async run(bench) {
      const error = new Error("the source broke");
      for (const compression of CODECS) {
        for (const size of [0, 100, 20 * MIB]) {
          await rejectsWith(bench.write("x", broken(noise(size), error), { compression }), error);
        }
      }
      assert.deepEqual(await bench.all(), []);
    },
  },
  {
    id: "Z08",
    title: "a compressed write is complete once it resolves, for any chunk sizes",
    async run(bench) {
      for (const compression of CODECS) {
        for (const size of [0, 1, 65_535, 65_536, 65_537, 10 * MIB]) {
          const data = noise(size);
          await bench.write("x", stream(data, Math.max(1, size >> 3)), { compression });
          same(await gather(bench.storage.read(bench.at("x"), { compression })), data, `${compression} ${size}`);
        }
        await bench.write("sized", noise(1000), { compression, size: 1000 });
        same(await bench.bytes("sized", { compression }), noise(1000), compression);
        await expectRejection(bench.write("lied", noise(1000), { compression, size: 999 }), "InvalidArgument");
        await bench.missing("lied");
      }
    },
  },
  {
    id: "Z09",
    title: "a range of decoded data is rejected",
    async run(bench) {
      await bench.write("x.gz", "text", { compression: "infer" });
      for (const init of [{ start: 1 }, { end: 2 }, { start: 0, end: 2 }]) {
        await expectRejection(bench.bytes("x.gz", { ...init, compression: "infer" }), [
          "Unsupported",
          "InvalidArgument",
        ]);
      }
    },
  },
];
