/** Digests in the names of objects. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { defineSerializer, type XComObjectStorageBackendOptions } from "../../../src/xcom.js";
import { BASE, canWrite, make as makeBackend, OWNER, TI, world } from "../../support/xcom-world.js";

const DIGEST = /~sha256-([0-9a-f]{64})/;
const ALL = [null, "zip", "gzip", "bz2", "xz", "lzma", "zstd", "lz4"] as const;
const CODECS = ALL.filter((one) => canWrite(one));

const make = (options: Partial<XComObjectStorageBackendOptions> = {}, existing = world()) =>
  makeBackend({ digest: true, ...options }, existing);

const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");
const small = { a: [1, "é"] };
/** These take seconds for a large value. */
const SLOW = ["bz2", "xz", "lzma"];
/** More than is kept between hashing and writing. */
const large = Array.from({ length: 30_000 }, (_, i) => `${sha256(Buffer.from(String(i)))} é`);

describe("digest", () => {
  test.each(CODECS)("with %s the name has that of the stored bytes, which come back", async (compression) => {
    for (const layout of ["ti", "uuid"] as const) {
      for (const value of SLOW.includes(compression ?? "") ? [small] : [small, large]) {
        const { backend, storage, calls } = make({ layout, compression });
        const row = String(await backend.storeValue(OWNER, "k", value));
        expect(DIGEST.exec(row)?.[1]).toBe(sha256(await storage.bytes(row)));
        expect(await backend.loadValue(row, { owner: OWNER })).toEqual(value);
        expect(calls.filter((call) => call.startsWith("write"))).toHaveLength(1);
      }
    }
  });

  test("other bytes under the name are Corrupt, also those of a valid object, by a reader without the option", async () => {
    for (const compression of CODECS) {
      const existing = world();
      const { backend, storage } = make({ compression, layout: "uuid" }, existing);
      const row = String(await backend.storeValue(OWNER, "k", small));
      const other = String(await backend.storeValue(OWNER, "k", { a: [2] }));
      await storage.copy(other, row);
      const reader = make({ digest: false, threshold: -1, onMissing: "reference" }, existing).backend;
      await expect(reader.loadValue(row)).rejects.toMatchObject({ code: "Corrupt" });
      await storage.write(row, Buffer.concat([await storage.bytes(row), Buffer.from("tail")]));
      await expect(reader.loadValue(row)).rejects.toMatchObject({ code: "Corrupt" });
    }
  });

  test("bytes that a serializer does not read are checked all the same", async () => {
    const first = defineSerializer<Buffer>({
      name: "test.first@1",
      suffix: ".first",
      test: (value) => Buffer.isBuffer(value),
      async *encode(value) {
        yield value;
      },
      async decode(body) {
        for await (const chunk of body) return Buffer.from(chunk.subarray(0, 1));
        return Buffer.alloc(0);
      },
    });
    const { backend, storage } = make({ serializers: [first] });
    const row = String(await backend.storeValue(OWNER, "k", Buffer.alloc(2_000_000, 7)));
    expect(await backend.loadValue(row)).toEqual(Buffer.from([7]));
    const changed = Buffer.alloc(2_000_000, 7);
    changed[1_999_999] = 8;
    await storage.write(row, changed);
    await expect(backend.loadValue(row)).rejects.toMatchObject({ code: "Corrupt" });
  });

  test("a missing object is NotFound, looked for once more when it is compressed", async () => {
    const { backend, storage, calls } = make({ compression: "gzip" });
    const row = String(await backend.storeValue(OWNER, "k", small));
    await storage.delete(row);
    calls.length = 0;
    await expect(backend.loadValue(row)).rejects.toMatchObject({ code: "NotFound" });
    expect(calls.filter((call) => call.startsWith("read"))).toHaveLength(2);
  });

  test("a value that changes between hashing and writing is refused, and nothing is stored", async () => {
    let calls = 0;
    const fickle = defineSerializer<Buffer>({
      name: "test.fickle@1",
      suffix: ".fickle",
      test: (value) => Buffer.isBuffer(value),
      async *encode(value) {
        yield Buffer.alloc(value.byteLength, ++calls);
      },
      decode: async () => Buffer.alloc(0),
    });
    const { backend, storage } = make({ serializers: [fickle] });
    await expect(backend.storeValue(OWNER, "k", Buffer.alloc(2_000_000))).rejects.toThrow(
      /changed while it was stored/,
    );
    for await (const entry of storage.list(BASE, { recursive: true })) expect(entry).toBeUndefined();
  });

  test.each([150, 163, 164, 200, 300])("a key of %i characters gives a name of at most 240 bytes", async (length) => {
    for (const keyTemplate of [undefined, "{dag_id}/{run_id}/{task_id}/{map_index}/{key}_data_{uuid}.json"]) {
      const { backend } = make({ compression: "lzma", keyTemplate });
      const row = String(await backend.storeValue(OWNER, "k".repeat(length), small));
      const name = row.slice(row.lastIndexOf("/") + 1);
      expect(name.length).toBeLessThanOrEqual(240);
      expect(DIGEST.test(name)).toBe(true);
      if (length === 150 && !keyTemplate) expect(name).toContain("k".repeat(length));
      expect(await backend.loadValue(row, { owner: OWNER })).toEqual(small);
    }
  });

  test("a key that looks like a digest is not taken for one", async () => {
    const key = `k~sha256-${"0".repeat(64)}`;
    for (const digest of [true, false]) {
      const { backend } = make({ digest });
      expect(await backend.loadValue(await backend.storeValue(OWNER, key, small))).toEqual(small);
    }
    const existing = world();
    const overwritten = make({ digest: false }, existing).backend;
    const row = await overwritten.storeValue({ ...OWNER, tiId: TI }, "k", 1);
    await existing.storage.copy(row as string, (row as string).replace("k.json", `${key}.json`));
    expect(await overwritten.loadValue((row as string).replace("k.json", `${key}.json`))).toBe(1);
  });

  test("a value has a name of its own, not the task instance's, which a second value overwrites", async () => {
    const { backend } = make();
    const owner = { ...OWNER, tiId: TI };
    const [one, two] = [await backend.storeValue(owner, "k", small), await backend.storeValue(owner, "k", small)];
    expect(one).toMatch(/\/write-[0-9a-f-]{36}\/k~sha256-/);
    expect(two).not.toBe(one);
    expect(await backend.loadValue(one, { owner })).toEqual(small);
  });

  test("options that contradict it are refused when the backend is made", () => {
    expect(() => make({ threshold: -1 })).toThrow(/give a threshold >= 0/);
    const keyTemplate = "{dag_id}/{run_id}/{task_id}/{map_index}/{key}.json";
    expect(() => make({ keyTemplate })).toThrow(/add \{uuid\} to keyTemplate/);
  });

  test("aborting ends it while it is hashed", async () => {
    const endless = defineSerializer<Buffer>({
      name: "test.endless@1",
      suffix: ".endless",
      test: (value) => Buffer.isBuffer(value),
      async *encode() {
        for (;;) yield Buffer.alloc(1000);
      },
      decode: () => new Promise<Buffer>(() => {}),
    });
    const { backend } = make({ serializers: [endless], maxDecodedBytes: Number.MAX_SAFE_INTEGER });
    const signal = AbortSignal.timeout(50);
    await expect(backend.storeValue(OWNER, "k", Buffer.alloc(1), { signal })).rejects.toMatchObject({
      name: "TimeoutError",
    });
  });
});
