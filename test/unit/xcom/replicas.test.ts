/** One value in several stores: MinIO first, Azurite and a folder behind it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import type { ErrorCode } from "../../../src/errors.js";
import type { Storage } from "../../../src/fs/storage.js";
import type { XComObjectStorageBackendOptions } from "../../../src/objectstore-backend.js";
import { openStorage } from "../../../src/open.js";
import { StoragePath } from "../../../src/path.js";
import { type ReplicaOptions, type Replicas, replicate } from "../../../src/xcom/layers/replicate.js";
import { describeOn, server, useBucket } from "../../servers/use.js";
import { all } from "../../support/all.js";
import { answer, type FaultProxy, faultProxy } from "../../support/faults.js";
import { through } from "../../support/proxy.js";
import { type World, world } from "../../support/xcom-world.js";

const OWNER = { dagId: "sales", runId: "run_1", taskId: "extract", tiId: "019b1c2d-0000-7000-8000-000000000001" };
const BIG = { rows: Array.from({ length: 200 }, (_, id) => ({ id, text: `row ${id}` })) };
const FORBIDDEN = answer(403, { body: "<Error><Code>AccessDenied</Code><Message>no</Message></Error>" });
const OUT_OF_REACH = answer(503, { body: "<Error><Code>SlowDown</Code><Message>later</Message></Error>" });

await describeOn("minio", "replicas", (minio) => {
  const primary = useBucket(minio);
  let folder: string;
  let proxy: FaultProxy;
  let storage: Storage;
  let bases: StoragePath[];
  let failures: unknown[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "stowage-replicas-"));
    proxy = await faultProxy(minio.endpoint);
    const here = through(minio, proxy).connection;
    const patient = { ...here, extra: { ...here.extra, config_kwargs: { retries: { max_attempts: 1 } } } };
    storage = openStorage({ connections: { near: patient, here: minio.connection }, env: {} });
    const id = folder.slice(-6);
    bases = [`s3://near@${primary().name}/${id}/xcom`, `file://${folder}/replica`].map(StoragePath.parse);
    failures = [];
  });
  afterEach(async () => {
    await storage.close();
    await proxy.close();
    await rm(folder, { recursive: true, force: true });
  });

  const at = (path: StoragePath | string, more: Partial<XComObjectStorageBackendOptions> = {}) =>
    new XComObjectStorageBackend({ storage, path, threshold: 100, compression: "gzip", ...more });
  const replicas = (more: Partial<ReplicaOptions> = {}): Replicas =>
    replicate({ targets: bases.map((base) => at(base)), onFailure: (error) => failures.push(error), ...more });
  const stored = async (layer = replicas()) => String(await layer.storeValue(OWNER, "rows", BIG));
  /** Where the replica of a reference is. */
  const copyOf = (reference: string) => bases[1]!.join(StoragePath.parse(reference).relativeTo(bases[0]!));
  const refusedWith = (code: ErrorCode) => ({ name: "StorageError", code });

  describe("a write to all, and a sync of what it wrote", () => {
    test("returns the primary's reference, and the replica has the same bytes at the same place", async () => {
      const reference = await stored();
      expect(reference.startsWith(`${bases[0]}/sales/run_1/extract/write-`)).toBe(true);
      const [here, there] = await Promise.all([storage.bytes(reference), storage.bytes(copyOf(reference))]);
      expect(Buffer.compare(here, there)).toBe(0);
      expect(await at(bases[0]!).loadValue(reference, { owner: OWNER })).toEqual(BIG);
    });
    test("leaves a value below the threshold in its row, with no request", async () => {
      expect(await replicas().storeValue(OWNER, "rows", 5)).toBe(5);
      expect(await replicas().loadValue(5)).toBe(5);
      expect(proxy.requests).toEqual([]);
    });
    test("does not send a copy again that is there already", async () => {
      const reference = await stored();
      const before = await storage.stat(copyOf(reference));
      expect(await replicas().sync(reference)).toEqual([]);
      expect((await storage.stat(copyOf(reference))).etag).toBe(before.etag);
    });
    test.each([
      ["empty", () => Buffer.alloc(0)],
      ["of the same size and wrong", (data: Uint8Array) => Buffer.from(data.map((byte) => byte ^ 1))],
    ])("replaces a copy that is %s", async (_, damage) => {
      const reference = await stored();
      await storage.write(copyOf(reference), damage(await storage.bytes(reference)));
      expect((await replicas().sync(reference)).map(String)).toEqual([String(copyOf(reference))]);
      expect(await at(bases[1]!).loadValue(String(copyOf(reference)))).toEqual(BIG);
    });
    test("that fails on one removes what it wrote and fails", async () => {
      bases.push(StoragePath.parse(`s3://here@no-such-bucket-${folder.slice(-6).toLowerCase()}/xcom`));
      const writing = stored();
      await expect(writing).rejects.toMatchObject(refusedWith("NotFound"));
      expect(await found(bases[0]!)).toEqual([]);
      expect(await found(bases[1]!)).toEqual([]);
    });
    test("that fails and cannot be taken back names what is left", async () => {
      bases.push(StoragePath.parse(`s3://here@no-such-bucket-${folder.slice(-6).toLowerCase()}/xcom`));
      proxy.plant({ on: { operation: "delete" }, times: Number.POSITIVE_INFINITY, fault: FORBIDDEN });
      const error = await stored().catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code: "NotFound",
        detail: expect.stringMatching(/not be removed again: s3:.*rows/),
      });
      expect(failures).toMatchObject([refusedWith("PermissionDenied")]);
    });
    test("that is aborted while it copies leaves nothing behind", async () => {
      const controller = new AbortController();
      proxy.plant({
        on: { operation: "read" },
        fault: { name: "abort", apply: async () => controller.abort("enough") },
      });
      const writing = replicas().storeValue(OWNER, "rows", BIG, { signal: controller.signal });
      await expect(writing).rejects.toBe("enough");
      expect(await found(bases[0]!)).toEqual([]);
    });
  });

  test("a write to the primary stands when a copy fails, and the failure is told", async () => {
    bases.push(StoragePath.parse(`s3://here@no-such-bucket-${folder.slice(-6).toLowerCase()}/xcom`));
    const reference = await stored(replicas({ write: "primary" }));
    expect(await replicas().loadValue(reference)).toEqual(BIG);
    expect(await storage.exists(copyOf(reference))).toBe(true);
    expect(failures).toMatchObject([refusedWith("NotFound")]);
  });

  describe("a read", () => {
    test("of the primary costs no request elsewhere", async () => {
      const reference = await stored();
      proxy.clear();
      expect(await replicas().loadValue(reference, { owner: OWNER })).toEqual(BIG);
      expect(proxy.operations()).toEqual({ read: 1 });
    });
    test("falls back when the primary's object is missing", async () => {
      const reference = await stored();
      await storage.delete(reference);
      expect(await replicas().loadValue(reference, { owner: OWNER })).toEqual(BIG);
      expect(await storage.exists(reference)).toBe(false);
    });
    test("falls back when the primary answers with its reference for a missing object", async () => {
      const reference = await stored();
      await storage.delete(reference);
      const lenient = replicas({ targets: bases.map((base) => at(base, { onMissing: "reference" })) });
      expect(await lenient.loadValue(reference)).toEqual(BIG);
    });
    test.each(["", "not gzip"])("falls back when the primary's object is damaged: %j", async (data) => {
      const reference = await stored();
      await storage.write(reference, data);
      expect(await replicas().loadValue(reference)).toEqual(BIG);
    });
    test("falls back when the primary is out of reach", async () => {
      const reference = await stored();
      proxy.plant({ times: Number.POSITIVE_INFINITY, fault: OUT_OF_REACH });
      expect(await replicas({ repair: true }).loadValue(reference)).toEqual(BIG);
      // What is out of reach is not known to be damaged, so nothing is written there.
      expect(proxy.operations().write).toBe(1);
    });
    test("never falls back when permission is denied", async () => {
      const reference = await stored();
      proxy.plant({ on: { operation: "read" }, fault: FORBIDDEN });
      await expect(replicas().loadValue(reference)).rejects.toMatchObject(refusedWith("PermissionDenied"));
    });
    test("of another task's reference is refused before any request", async () => {
      const reference = await stored();
      proxy.clear();
      const theirs = { ...OWNER, dagId: "other" };
      await expect(replicas().loadValue(reference, { owner: theirs })).rejects.toMatchObject({
        code: "PermissionDenied",
        op: "loadValue",
      });
      await expect(replicas().purge(reference, { owner: theirs })).rejects.toMatchObject({ code: "PermissionDenied" });
      expect(proxy.requests).toEqual([]);
    });
    test("with repair restores a missing or damaged copy from the one that was read", async () => {
      const reference = await stored();
      for (const ruin of [() => storage.delete(reference), () => storage.write(reference, "")]) {
        await ruin();
        expect(await replicas({ repair: true }).loadValue(reference)).toEqual(BIG);
        expect(await at(bases[0]!).loadValue(reference)).toEqual(BIG);
      }
      expect(failures).toEqual([]);
    });
    test("gives the value also when the repair fails", async () => {
      const reference = await stored();
      await storage.delete(reference);
      proxy.plant({ on: { operation: "write" }, fault: FORBIDDEN });
      expect(await replicas({ repair: true }).loadValue(reference)).toEqual(BIG);
      expect(failures).toMatchObject([refusedWith("PermissionDenied")]);
    });
    test("that finds no copy says NotFound; where one is out of reach, it says that", async () => {
      const reference = await stored();
      await storage.delete([reference, copyOf(reference)]);
      await expect(replicas().loadValue(reference)).rejects.toMatchObject({
        code: "NotFound",
        detail: expect.stringContaining("2 copies not read"),
      });
      proxy.plant({ times: Number.POSITIVE_INFINITY, fault: OUT_OF_REACH });
      await expect(replicas().loadValue(reference)).rejects.toMatchObject({ retryable: true, path: reference });
    });
    test("of a string that is no reference is the string", async () => {
      expect(await replicas().loadValue(`${bases[0]}/some/thing`)).toBe(`${bases[0]}/some/thing`);
    });
  });

  describe("purge", () => {
    test("deletes every copy, and says so of the row that has some", async () => {
      const reference = await stored();
      expect(replicas().pathsOf(reference).map(String)).toEqual([reference, String(copyOf(reference))]);
      expect(await replicas().purge(reference, { owner: OWNER })).toBe(true);
      expect([...(await found(bases[0]!)), ...(await found(bases[1]!))]).toEqual([]);
      expect(await replicas().purge("a value")).toBe(false);
    });
    test("that fails on one deletes the others, and the error names the one", async () => {
      const reference = await stored();
      proxy.plant({ on: { operation: "delete" }, fault: FORBIDDEN });
      await expect(replicas().purge(reference)).rejects.toMatchObject({
        code: "PermissionDenied",
        detail: expect.stringContaining(`1 copies not deleted: ${reference}`),
      });
      expect(await storage.exists(copyOf(reference))).toBe(false);
    });
  });

  test("sync brings the replica to what the primary has", async () => {
    const reference = await stored();
    await storage.write(copyOf(reference), "old");
    expect((await replicas().sync(reference)).map(String)).toEqual([String(copyOf(reference))]);
    expect(await at(bases[1]!).loadValue(String(copyOf(reference)))).toEqual(BIG);
  });

  test.each<[string, () => unknown, string]>([
    ["one target", () => ({ targets: [at(bases[0]!)] }), "two backends or more"],
    ["a layer as target", () => ({ targets: [at(bases[0]!), replicas()] }), "put other layers around replicate()"],
    ["the same place twice", () => ({ targets: [at(bases[0]!), at(bases[0]!)] }), "a place of its own"],
    ["a place in another", () => ({ targets: [at(bases[0]!), at(bases[0]!.join("b"))] }), "a place of its own"],
    [
      "two Storages",
      () => ({ targets: [at(bases[0]!), at(bases[1]!, { storage: openStorage({ env: {} }) })] }),
      "open one with all their connections",
    ],
    [
      "an unknown way to write",
      () => ({ targets: bases.map((base) => at(base)), write: "some" }),
      'write must be "all"',
    ],
  ])("%s is refused with how to fix it", (_, options, why) => {
    expect(() => replicate(options() as ReplicaOptions)).toThrow(why);
  });

  test("three providers hold the same value, each readable alone", async () => {
    const azure = await server("azurite");
    const gcs = await server("fake-gcs");
    const { makeBucket } = await import("../../servers/index.mjs");
    const buckets = [await makeBucket(azure), await makeBucket(gcs)] as const;
    const connections = { here: minio.connection, az: azure.connection, g: gcs.connection };
    await using wide = openStorage({ connections, env: {} });
    const paths = [
      `s3://here@${primary().name}/three`,
      `abfs://az@${buckets[0].name}/xcom`,
      `gs://g@${buckets[1].name}/deep/er`,
    ];
    const targets = paths.map((path) => at(path, { storage: wide }));
    try {
      const layer = replicate({ targets });
      const reference = await layer.storeValue(OWNER, "k", BIG);
      for (const [i, path] of layer.pathsOf(reference).entries()) {
        expect(await targets[i]!.loadValue(String(path), { owner: OWNER })).toEqual(BIG);
      }
      await wide.delete(layer.pathsOf(reference).slice(0, 2));
      expect(await layer.loadValue(reference)).toEqual(BIG);
      await layer.purge(reference);
      expect(await wide.exists(layer.pathsOf(reference)[2]!)).toBe(false);
    } finally {
      for (const bucket of buckets) await bucket.remove();
    }
  });

  async function found(base: StoragePath): Promise<string[]> {
    const paths: string[] = [];
    for await (const { path, type } of storage.list(base, { recursive: true })) {
      if (type === "file") paths.push(String(path));
    }
    return paths;
  }
});

describe("replicas with readAliases", () => {
  let here: World;
  beforeEach(() => {
    here = world();
  });
  const targets = (more: object) =>
    ["s3://conn@b/xcom", "gs://conn@c/copy"].map(
      (path) => new XComObjectStorageBackend({ storage: here.storage, path, threshold: 0, ...more }),
    );
  const readAliases = { "old://": "s3://other@old", "all://": "s3://other@b" };

  test("a purge deletes what the row refers to, or says that it does not", async () => {
    await here.storage.write("s3://other@old/x.json", "1");
    const reading = replicate({ targets: targets({ readAliases }) });
    expect([await reading.loadValue("old://x.json"), await reading.purge("old://x.json")]).toEqual([1, false]);
    const purging = replicate({ targets: targets({ readAliases, purgeAliases: true }) });
    expect(await purging.purge("old://x.json")).toBe(true);
    expect(await here.storage.exists("s3://other@old/x.json")).toBe(false);
  });
  test("an object of the base that is reached by an alias goes with all its replicas", async () => {
    const replicas = replicate({ targets: targets({ readAliases, purgeAliases: true }) });
    const stored = String(await replicas.storeValue(OWNER, "k", [1]));
    const alias = stored.replace("s3://conn@b/", "all://");
    expect(replicas.pathsOf(alias)).toHaveLength(2);
    expect(await replicas.purge(alias, { owner: OWNER })).toBe(true);
    expect(await all(here.storage.list("gs://conn@c/copy", { recursive: true }))).toEqual([]);
    expect(await all(here.storage.list("s3://conn@b/xcom", { recursive: true }))).toEqual([]);
  });
});
