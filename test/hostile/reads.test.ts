/** What was asked for is what is handed on: ranges, one version, and never a part for the whole. */
import { buffer } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { openStorage, type Storage } from "../../src/index.js";
import { openDriver } from "../support/s3.js";
import { type Asked, CLOUDS, type Cloud, codeOf, hostile, on, type Reply } from "./support.js";

const head = (cloud: Cloud, more: Record<string, string> = {}) => ({ ...cloud.good.read.headers, ...more });
const ranged = (cloud: Cloud, status: number, range: string | undefined, body: string): Reply => ({
  status,
  headers: head(cloud, range === undefined ? {} : { "content-range": range }),
  body,
});

describe.each(CLOUDS)("$name", (cloud) => {
  const RANGE = { start: 2, end: 5 };
  test.each<[string, object, number, string | undefined, string, string | undefined]>([
    ["a range", RANGE, 206, "bytes 2-4/10", "234", "234"],
    ["a range as 200 that says where it starts", RANGE, 200, "bytes 2-4/10", "234", "234"],
    ["an open range", { start: 8 }, 206, "bytes 8-9/10", "89", "89"],
    ["the end of the object", { start: 8, end: 50 }, 206, "bytes 8-9/10", "89", "89"],
    ["a range of an empty object", { start: 0, end: 5 }, 206, "bytes 0--1/0", "", ""],
    ["the whole object", {}, 200, undefined, "0123456789", "0123456789"],
    ["the whole object that says so", {}, 200, "bytes 0-9/10", "0123456789", "0123456789"],
    ["the whole object for a range", RANGE, 200, undefined, "0123456789", undefined],
    ["a range for the whole object", {}, 206, "bytes 0-4/10", "01234", undefined],
    ["all bytes as a range for the whole object", {}, 206, "bytes 0-9/10", "0123456789", undefined],
    ["a range as 200 for the whole object", {}, 200, "bytes 0-4/10", "01234", undefined],
    ["another range", RANGE, 206, "bytes 3-5/10", "345", undefined],
    ["a shorter range", RANGE, 206, "bytes 2-3/10", "23", undefined],
    ["a longer range", RANGE, 206, "bytes 2-9/10", "23456789", undefined],
    ["a range without its place", RANGE, 206, undefined, "234", undefined],
    ["a range of unknown size", RANGE, 206, "bytes 2-4/*", "234", undefined],
    ["a range in other units", RANGE, 206, "items 2-4/10", "234", undefined],
    ["a range as 203", RANGE, 203, "bytes 2-4/10", "234", undefined],
  ])("%s", async (_, options, status, range, body, expected) => {
    const { subject } = await on(cloud, () => ranged(cloud, status, range, body));
    const text = subject.text("k", options);
    if (expected !== undefined) return expect(await text).toBe(expected);
    expect(await codeOf(subject, text)).toBe("Unsupported");
  });

  test.each([["neither version nor time", {}]])("an answer with %s is about no object", async (_, headers) => {
    const { subject } = await on(cloud, () => ({ headers: { ...headers, "content-length": "1" }, body: "x" }));
    expect(await codeOf(subject, subject.text("k"))).toBe("Unsupported");
  });

  test("a time that is none is Corrupt", async () => {
    const { subject } = await on(cloud, () => ({ headers: head(cloud, { "last-modified": "soon" }), body: "x" }));
    expect(await codeOf(subject, subject.text("k"))).toBe("Corrupt");
  });
});

describe("an object without an ETag", () => {
  const s3 = CLOUDS[0]!;
  const MIB = 2 ** 20;

  /** Answers ranges of `size` bytes, of version after version. */
  function changing(size: number, cutAfter?: number) {
    let version = 0;
    return ({ headers }: Asked): Reply => {
      version += 1;
      const [, from = "0", to = ""] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "") ?? [];
      const [start, end] = [Number(from), to === "" ? size : Math.min(size, Number(to) + 1)];
      const told = { "last-modified": new Date(version * 1e6).toUTCString(), "x-amz-version-id": `v${version}` };
      const range: Record<string, string> = headers.range
        ? { "content-range": `bytes ${start}-${end - 1}/${size}` }
        : {};
      const reply = { status: headers.range ? 206 : 200, headers: { ...told, ...range } };
      return { ...reply, body: Buffer.alloc(end - start, String(version)), ...(cutAfter && { cutAfter }) };
    };
  }

  async function storageOn(script: (asked: Asked) => Reply): Promise<{ storage: Storage; asked: Asked[] }> {
    const { endpoint, asked } = await hostile(script);
    const { driver } = await s3.open(endpoint);
    return { storage: openStorage({ drivers: [{ schemes: ["x"], open: () => driver }], env: {} }), asked };
  }

  test("is not taken up again where its line broke: that would mix two versions", async () => {
    const { storage, asked } = await storageOn(changing(MIB, 1000));
    await expect(storage.bytes("x://bucket/k")).rejects.toMatchObject({ code: "Unavailable" });
    expect(asked.length).toBe(1);
    await storage.close();
  });

  test.each<{ parallel?: number }>([{}, { parallel: 4 }])(
    "is read in one request, whatever is asked for (%o)",
    async (options) => {
      const { storage } = await storageOn(changing(20 * MIB));
      const data = await storage.bytes("x://bucket/k", options);
      expect(data.byteLength).toBe(20 * MIB);
      expect(new Set(data).size).toBe(1);
      const streamed = await buffer(storage.read("x://bucket/k", options));
      expect([streamed.byteLength, new Set(streamed).size]).toEqual([20 * MIB, 1]);
      await storage.close();
    },
  );

  test("gives ranges that are far apart not at all, and near ones from one request", async () => {
    const { storage } = await storageOn(changing(40 * MIB));
    const far = [
      { start: 0, end: 10 },
      { start: 30 * MIB, end: 30 * MIB + 10 },
    ];
    await expect(storage.ranges("x://bucket/k", far)).rejects.toMatchObject({ code: "Unsupported" });
    const near = await storage.ranges("x://bucket/k", [far[0]!, { start: 20, end: 30 }]);
    expect(near.map(({ byteLength }) => byteLength)).toEqual([10, 10]);
    await storage.close();
  });
});

describe("a checksum on S3 is of all bytes where the answer says so, whatever the upload has asked for", () => {
  const s3 = CLOUDS[0]!;
  const ofOthers = "AAAAAA==";

  test.each<[string, Record<string, string>, string | undefined]>([
    ["FULL_OBJECT", { "x-amz-checksum-type": "FULL_OBJECT" }, "Corrupt"],
    ["FULL_OBJECT of parts", { "x-amz-checksum-type": "FULL_OBJECT", etag: '"e-2"' }, "Corrupt"],
    ["nothing, of one part", {}, "Corrupt"],
    ["nothing, of several parts", { etag: '"e-2"' }, undefined],
    ["COMPOSITE", { "x-amz-checksum-type": "COMPOSITE" }, undefined],
    ["something new", { "x-amz-checksum-type": "SOMETHING" }, undefined],
  ])("%s", async (_, headers, code) => {
    const { subject } = await on(s3, () => ({
      headers: head(s3, { "x-amz-checksum-crc32": ofOthers, ...headers }),
      body: "0123456789",
    }));
    expect(await codeOf(subject, subject.text("k"))).toBe(code);
  });
});

test.each(["generic", "versitygw", "seaweedfs", "rclone"])(
  "%s promises no conditions, and sends none",
  async (provider) => {
    const { endpoint, asked } = await hostile(({ method }) =>
      method === "DELETE" ? { status: 204 } : { body: "<DeleteResult/>" },
    );
    const extra = { endpoint_url: endpoint, provider };
    const subject = await openDriver("bucket", { type: "aws", login: "user", password: "secret", extra });
    for (const condition of [{ ifAbsent: true }, { ifMatch: '"e"' }]) {
      expect(await codeOf(subject, subject.write("k", "x", condition))).toBe("Unsupported");
    }
    expect(asked).toEqual([]);
    await subject.delete("a", "b");
    expect(asked.map(({ method }) => method)).toEqual(provider === "generic" ? ["DELETE", "DELETE"] : ["POST"]);
    await subject.driver.close();
  },
);
