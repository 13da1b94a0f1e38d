import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { CodecName } from "../../src/codecs/codec.js";
import { codecs } from "../../src/codecs/index.js";
import { decode, encode, vectorBytes } from "../support/codecs.js";
import { ANSWERS } from "../support/codecs-answers.js";

/** A small file of each format, with the content "x". */
const FILES: Record<CodecName, Buffer> = {
  zip: vectorBytes("byte.zip"),
  gzip: vectorBytes("byte.gz"),
  bz2: vectorBytes("byte.bz2"),
  xz: vectorBytes("byte.xz"),
  lzma: vectorBytes("byte.lzma"),
  zstd: vectorBytes("byte.zst"),
  lz4: vectorBytes("byte.lz4"),
  snappy: vectorBytes("byte.snappy"),
};

async function answer(name: CodecName, data: Uint8Array): Promise<string> {
  try {
    return (await decode(name, data)).toString();
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe.each(codecs.names)("%s reads strictly", (name) => {
  const one = FILES[name];
  const row = ANSWERS[name];

  it(`Z04 twice, one behind the other: ${JSON.stringify(row.twice)}`, async () => {
    expect(await answer(name, Buffer.concat([one, one]))).toBe(row.twice);
  });

  it(`no bytes at all: ${JSON.stringify(row.empty)}`, async () => {
    expect(await answer(name, Buffer.alloc(0))).toBe(row.empty);
  });

  it(`Z04 zeros behind the end: ${JSON.stringify(row.zeros)}`, async () => {
    expect(await answer(name, Buffer.concat([one, Buffer.alloc(8)]))).toBe(row.zeros);
  });

  it(`Z04 garbage behind the end: ${JSON.stringify(row.garbage)}`, async () => {
    for (const garbage of ["z", "garbage", "\x1f", "BZ", "PK\x03\x04", "\xfe\x03", "x".repeat(300)]) {
      expect(await answer(name, Buffer.concat([one, Buffer.from(garbage, "latin1")]))).toBe(row.garbage);
    }
  });

  it("says at which compressed byte it is wrong", async () => {
    const damaged = Buffer.from(one);
    damaged.fill(0xee, one.byteLength - 3);
    await expect(decode(name, damaged)).rejects.toThrow(/at compressed byte \d+/);
    await expect(decode(name, one.subarray(0, -1))).rejects.toThrow(`at compressed byte ${one.byteLength - 1}`);
  });
});

describe("gzip headers", () => {
  const member = FILES.gzip;
  const flagged = (flags: number, ...parts: (number[] | string)[]) => {
    const head = Buffer.from(member.subarray(0, 10));
    head[3] = flags;
    return Buffer.concat([
      head,
      ...parts.map((part) => Buffer.from(part as string, "latin1")),
      member.subarray(member.length - 11),
    ]);
  };

  it("reads extra field, name, comment and the header's own CRC", async () => {
    const head = flagged(0b11110, [3, 0, 1, 2, 3], "name\0", "comment\0").subarray(0, 10 + 5 + 5 + 8);
    const sum = crc32(head) & 0xffff;
    const data = flagged(0b11110, [3, 0, 1, 2, 3], "name\0", "comment\0", [sum & 255, sum >> 8]);
    expect((await decode("gzip", data, {}, 1)).toString()).toBe("x");
    data[28]! ^= 1;
    await expect(decode("gzip", data)).rejects.toMatchObject({ code: "Corrupt" });
  });

  it("refuses reserved flags and unknown methods", async () => {
    await expect(decode("gzip", flagged(0x20))).rejects.toMatchObject({ code: "Corrupt" });
    const other = Buffer.from(member);
    other[2] = 7;
    await expect(decode("gzip", other)).rejects.toMatchObject({ code: "Corrupt" });
  });

  it("refuses garbage behind zeros, and zeros before the first member", async () => {
    await expect(decode("gzip", Buffer.concat([member, Buffer.alloc(9), Buffer.from("z")]))).rejects.toMatchObject({
      code: "Corrupt",
    });
    await expect(decode("gzip", Buffer.concat([Buffer.alloc(4), member]))).rejects.toMatchObject({ code: "Corrupt" });
  });
});

describe("zip archives", () => {
  it("refuses an archive without members, an encrypted one and an unknown method", async () => {
    const empty = Buffer.from(`PK\x05\x06${"\0".repeat(18)}`, "latin1");
    await expect(decode("zip", empty)).rejects.toMatchObject({ code: "Corrupt" });
    const encrypted = Buffer.from(FILES.zip);
    encrypted[6]! |= 1;
    await expect(decode("zip", encrypted)).rejects.toMatchObject({ code: "Unsupported" });
    const other = Buffer.from(FILES.zip);
    other[8] = 12;
    await expect(decode("zip", other)).rejects.toMatchObject({ code: "Unsupported" });
  });

  it("refuses an archive whose directory is missing, tells of another member, or counts them wrongly", async () => {
    const whole = vectorBytes("members-noseek.zip");
    const directory = whole.indexOf("PK\x01\x02");
    const second = whole.indexOf("PK\x01\x02", directory + 4);
    await expect(decode("zip", whole.subarray(0, directory))).rejects.toMatchObject({ code: "Corrupt" });
    const without = Buffer.concat([whole.subarray(0, directory), whole.subarray(second)]);
    await expect(decode("zip", without)).rejects.toThrow(/Corrupt|Unsupported/);
    const miscounted = Buffer.from(whole);
    miscounted[whole.lastIndexOf("PK\x05\x06") + 10]! += 1;
    await expect(decode("zip", miscounted)).rejects.toMatchObject({ code: "Corrupt" });
  });

  it("writes one deflated member `file` of 1980 with a data descriptor, as readers of streams expect it", async () => {
    const archive = Buffer.from(await encode("zip", Buffer.from("content")));
    expect(archive.subarray(0, 14).toString("hex")).toBe("504b0304140008000800000021000000".slice(0, 28));
    expect(archive.subarray(30, 34).toString()).toBe("file");
  });
});
