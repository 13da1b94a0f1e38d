import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { WriteOptions } from "../../fs/index.js";
import { expectRejection, MIB, noise, type Spec, stream } from "../bench.js";

const TEXT = "123456789";
/** Published check values: https://reveng.sourceforge.io/crc-catalogue/all.htm (CRC-32/ISCSI), RFC 1321 and FIPS 180-2. */
const SUMS: readonly NonNullable<WriteOptions["checksum"]>[] = [
  { crc32c: "e3069283" },
  { crc32c: "4waSgw==" },
  { md5: "25f9e794323b453885f5181f1b624d0b" },
  { md5: "JfnnlDI7RTiF9RgfG2JNCw==" },
  { sha256: "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225" },
  { sha256: createHash("sha256").update(TEXT).digest() },
];
/** In parts on every store. */
const LARGE = noise(9 * MIB);

function sumsOf(data: Uint8Array): NonNullable<WriteOptions["checksum"]>[] {
  return [
    { md5: createHash("md5").update(data).digest("hex") },
    { sha256: createHash("sha256").update(data).digest("hex") },
  ];
}

export const checksumCases: readonly Spec[] = [
  {
    id: "W30",
    title: "a write with the checksum of its bytes is stored: crc32c, md5 and sha256, in hex, base64 and bytes",
    async run(context) {
      for (const checksum of SUMS) {
        await context.write("x", TEXT, { checksum });
        await context.write("y", [TEXT.slice(0, 4), TEXT.slice(4)], { checksum });
        await context.holds("x", TEXT);
        await context.holds("y", TEXT);
        await context.storage.delete([context.at("x"), context.at("y")]);
      }
      for (const checksum of sumsOf(LARGE)) {
        await context.write("large", LARGE, { checksum });
        await context.write("streamed", stream(LARGE), { checksum });
        await context.holds("streamed", LARGE);
        await context.storage.delete([context.at("large"), context.at("streamed")]);
      }
      await context.write("empty", "", { checksum: { crc32c: "00000000" } });
    },
  },
  {
    id: "W31",
    title: "bytes with another checksum are Corrupt: the object stays as it was, and nothing is left behind",
    async run(context) {
      const other = Buffer.from(TEXT.replace("5", "6"));
      for (const checksum of SUMS) {
        await context.keepsOld(() => expectRejection(context.write("x", other, { checksum }), "Corrupt"));
        await context.keepsOld(() => expectRejection(context.write("x", stream(other), { checksum }), "Corrupt"));
      }
      for (const checksum of sumsOf(LARGE.subarray(1))) {
        await context.keepsOld(() => expectRejection(context.write("x", LARGE, { checksum }), "Corrupt"));
        await context.keepsOld(() => expectRejection(context.write("x", stream(LARGE), { checksum }), "Corrupt"));
      }
    },
  },
  {
    id: "W32",
    title: "what is no checksum is refused by name before anything is written",
    async run(context) {
      const wrong: [unknown, RegExp][] = [
        [{}, /exactly one/],
        [{ md5: "25f9e794323b453885f5181f1b624d0b", crc32c: "e3069283" }, /exactly one/],
        [{ md5: "e3069283" }, /checksum\.md5/],
        [{ crc32c: "4waSgw" }, /checksum\.crc32c/],
        [{ sha256: "not base64!" }, /checksum\.sha256/],
        [{ sha256: 1 }, /checksum\.sha256/],
        [{ sha1: "00" }, /sha1/],
        ["e3069283", /checksum/],
      ];
      for (const [checksum, message] of wrong) {
        const work = context.write("x", TEXT, { checksum: checksum as never });
        await expectRejection(work, "InvalidArgument", JSON.stringify(checksum));
        await assert.rejects(work, message);
      }
      const packed = context.write("x", TEXT, { checksum: { crc32c: "e3069283" }, compression: "gzip" });
      await expectRejection(packed, "Unsupported");
      await context.missing("x");
    },
  },
];
