import { describe, expect, it } from "vitest";
import type { CodecName } from "../../src/codecs/codec.js";
import { isStorageError } from "../../src/errors.js";
import { decode, decodeZstdInTypeScript, sha256, vectorBytes, vectors } from "../support/codecs.js";

/** Small files with a checksum of the content, one of each kind of container. */
const FILES = [
  "records.gz",
  "named.gz",
  "records.zip",
  "deflated-seek-z32.zip",
  "deflated-noseek-z64.zip",
  "stored-noseek-z32.zip",
  "stored-noseek-z64.zip",
  "records.bz2",
  "records.xz",
  "check-crc32.xz",
  "check-sha256.xz",
  "records.lzma",
  "checked.zst",
  "checked.lz4",
  "records.snappy",
];
const FLIPS = [0x01, 0x80, 0xff];
/** Formats in which nothing at all is empty content. */
const EMPTY_IS_VALID: readonly CodecName[] = ["gzip", "snappy"];

/** "same" content, an "error" of a kind that damage may give, or what else happened. */
async function outcome(name: CodecName, data: Uint8Array, expected: string): Promise<string> {
  try {
    return sha256(await decode(name, data)) === expected ? "same" : "other content";
  } catch (error) {
    const known = isStorageError(error) && ["Corrupt", "Unsupported", "TooLarge"].includes(error.code);
    return known ? "error" : String(error);
  }
}

const files = FILES.map((file) => vectors.find((vector) => vector.file === file)!);

describe.each(files)("Z03 Z05 $file, damaged", ({ codec, file, sha256: expected }) => {
  const whole = vectorBytes(file);

  it("is an error wherever it is cut", async () => {
    const wrong: string[] = [];
    const first = EMPTY_IS_VALID.includes(codec) ? 1 : 0;
    for (let length = first; length < whole.byteLength; length++) {
      // A snappy stream has no end: what is cut between chunks is a valid stream.
      if (codec === "snappy" && length === 10) continue;
      const result = await outcome(codec, whole.subarray(0, length), expected);
      if (result !== "error") wrong.push(`${length}: ${result}`);
    }
    expect(wrong).toEqual([]);
  });

  it("is an error or the same content whichever byte is flipped", async () => {
    const wrong: string[] = [];
    for (let at = 0; at < whole.byteLength; at++) {
      for (const flip of FLIPS) {
        // A snappy chunk whose type becomes a skippable one is skipped: the format says so.
        if (codec === "snappy" && at === 10 && flip >= 0x80) continue;
        const damaged = Buffer.from(whole);
        damaged[at]! ^= flip;
        const result = await outcome(codec, damaged, expected);
        if (result !== "same" && result !== "error") wrong.push(`${at} ^ ${flip}: ${result}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe("Z03 Z05 zstd in TypeScript, damaged", () => {
  const whole = vectorBytes("checked.zst");
  const { sha256: expected } = vectors.find(({ file }) => file === "checked.zst")!;

  it("is an error wherever it is cut and an error or the same content whichever byte is flipped", async () => {
    const read = async (data: Uint8Array) => {
      try {
        return sha256(await decodeZstdInTypeScript(data)) === expected;
      } catch (error) {
        if (isStorageError(error)) return undefined;
        throw error;
      }
    };
    for (let at = 0; at < whole.byteLength; at++) {
      expect(await read(whole.subarray(0, at))).toBeUndefined();
      for (const flip of FLIPS) {
        const damaged = Buffer.from(whole);
        damaged[at]! ^= flip;
        expect(await read(damaged)).not.toBe(false);
      }
    }
  });
});
