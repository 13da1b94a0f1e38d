/** Input without output is bounded, whatever the format. */
import { describe, expect, test } from "vitest";
import type { CodecName } from "../../../src/codecs/codec.js";
import { codecs } from "../../../src/codecs/index.js";
import { isStorageError } from "../../../src/errors.js";
import type { ByteStream } from "../../../src/streams.js";

/** Formats whose streams can be joined. */
const JOINED: readonly CodecName[] = ["gzip", "bz2", "xz", "zstd", "lz4", "snappy"];
const skippable = (magic: number) => {
  const frame = Buffer.alloc(8);
  frame.writeUInt32LE(magic, 0);
  return frame;
};

async function encoded(name: CodecName, data: Uint8Array): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of codecs.get(name).encode(once(data))) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* once(data: Uint8Array): ByteStream {
  yield data;
}

/** Returns the number of decoded bytes. */
async function decoded(name: CodecName, data: Uint8Array): Promise<number> {
  let length = 0;
  for await (const chunk of codecs.get(name).decode(once(data))) length += chunk.byteLength;
  return length;
}

const repeated = (data: Buffer, count: number) => Buffer.concat(Array(count).fill(data));

/** Snappy's encoder writes nothing for no data, but its stream identifier alone is a valid stream. */
async function emptyStream(name: CodecName): Promise<Buffer> {
  return name === "snappy" ? (await encoded(name, Buffer.from("x"))).subarray(0, 10) : encoded(name, new Uint8Array(0));
}

describe.each(JOINED)("%s", (name) => {
  test("10,001 streams in a row without content are Corrupt", async () => {
    const empty = await emptyStream(name);
    const error = await decoded(name, repeated(empty, 10_001)).catch((thrown: unknown) => thrown);
    expect(isStorageError(error, "Corrupt"), String(error)).toBe(true);
    expect(String(error)).toContain("too many empty members");
  });

  test("empty streams between others, and more than 10,000 with content, are read", async () => {
    const [empty, full] = [await emptyStream(name), await encoded(name, Buffer.from("x"))];
    expect(await decoded(name, repeated(Buffer.concat([empty, full]), 6000))).toBe(6000);
  });
});

test.each([
  ["zstd", 0x184d2a50],
  ["lz4", 0x184d2a50],
] as const)("skippable frames of %s are bounded too", async (name, magic) => {
  const data = Buffer.concat([repeated(skippable(magic), 10_001), await encoded(name, Buffer.from("x"))]);
  await expect(decoded(name, data)).rejects.toMatchObject({ code: "Corrupt" });
});
