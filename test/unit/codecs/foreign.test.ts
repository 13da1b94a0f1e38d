/** Valid files in forms that are rare: read as the reference tools read them, or refused as Unsupported with the reason. */
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { codecs } from "../../../src/codecs/index.js";
import { CompressedSource } from "../../../src/codecs/stream.js";
import { decode as fallbackDecode } from "../../../src/codecs/zstd/fallback-decode.js";
import { collect, single } from "../../../src/streams.js";

type Name = Parameters<typeof codecs.get>[0];
const decode = (name: Name, data: Uint8Array) => collect(codecs.get(name).decode(single(data)));
const int = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer);

describe("what is valid and not supported says so", () => {
  test("an lz4 frame of the legacy format", async () => {
    const legacy = Buffer.concat([int(0x184c2102, 5), Buffer.from("\x40text", "latin1")]);
    await expect(decode("lz4", legacy)).rejects.toMatchObject({
      code: "Unsupported",
      message: expect.stringContaining("legacy frame"),
    });
  });
  test("xz with a delta filter", async () => {
    // python3 -c 'lzma.compress(b"x" * 1000, filters=[{"id": lzma.FILTER_DELTA, "dist": 4}, {"id": lzma.FILTER_LZMA2}])'
    const hex =
      "fd377a585a000004e6d6b4460201030103210116978f71fce003e7000e5d003c687c37ffe0ff5c38f09ab52f000000008558cd6b4dd7f2c1" +
      "00012ae8070000002a4611e0b1c467fb020000000004595a";
    await expect(decode("xz", Buffer.from(hex, "hex"))).rejects.toMatchObject({
      code: "Unsupported",
      message: expect.stringContaining("filter"),
    });
  });
  test("a zip with bytes before its first member", async () => {
    const archive = Buffer.concat([
      Buffer.from("#!/bin/sh\n"),
      await collect(codecs.get("zip").encode(single(Buffer.from("a")))),
    ]);
    await expect(decode("zip", archive)).rejects.toMatchObject({
      code: "Unsupported",
      message: expect.stringContaining("10 bytes before the first member"),
    });
    await expect(decode("zip", Buffer.from("no zip"))).rejects.toMatchObject({ code: "Corrupt" });
  });
});

describe("a zstd file of skippable frames only", () => {
  const skippable = Buffer.concat([int(0x184d2a50, 3), Buffer.from("abc"), int(0x184d2a5f, 0)]);
  test("is empty, as zstd says", async () => {
    expect(await decode("zstd", skippable)).toHaveLength(0);
    expect(await collect(fallbackDecode(new CompressedSource("zstd", single(skippable))))).toHaveLength(0);
  });
  test("is truncated where it is not complete, and so is no file at all", async () => {
    for (const data of [skippable.subarray(0, 9), Buffer.alloc(0)])
      await expect(decode("zstd", data)).rejects.toMatchObject({ code: "Corrupt" });
  });
});

describe("a stored zip member of unknown length", () => {
  const short = (...values: number[]) => Buffer.from(Uint16Array.from(values).buffer);
  /** As Python's zipfile writes to a pipe: bit 3, no sizes before the content. */
  function archive(content: Buffer): Buffer {
    const sums = int(crc32(content), content.byteLength, content.byteLength);
    const local = Buffer.concat([int(0x04034b50), short(20, 8, 0, 0, 33), int(0, 0, 0), short(1, 0), Buffer.from("a")]);
    const descriptor = Buffer.concat([int(0x08074b50), sums]);
    const central = Buffer.concat([
      int(0x02014b50),
      short(20, 20, 8, 0, 0, 33),
      sums,
      short(1, 0, 0, 0, 0),
      int(0, 0),
      Buffer.from("a"),
    ]);
    const at = local.byteLength + content.byteLength + descriptor.byteLength;
    const end = Buffer.concat([int(0x06054b50), short(0, 0, 1, 1), int(central.byteLength, at), short(0)]);
    return Buffer.concat([local, content, descriptor, central, end]);
  }
  test.each([
    ["that begins with a signature", Buffer.from("PK\x07\x08content", "latin1")],
    [
      "that begins with the descriptor of an empty member",
      Buffer.concat([int(0x08074b50, 0, 0, 0), Buffer.from("rest")]),
    ],
    ["that is such a descriptor", int(0x08074b50, 0, 0, 0)],
    ["that ends in a signature", Buffer.from("contentPK\x07\x08", "latin1")],
    ["that is empty", Buffer.alloc(0)],
  ])("%s is read whole", async (_, content) => {
    const whole = archive(content);
    expect(Buffer.from(await decode("zip", whole)).toString("latin1")).toEqual(content.toString("latin1"));
    const pieces = (async function* () {
      for (const byte of whole) yield Uint8Array.of(byte);
    })();
    expect(Buffer.from(await collect(codecs.get("zip").decode(pieces))).toString("latin1")).toEqual(
      content.toString("latin1"),
    );
  });
});
