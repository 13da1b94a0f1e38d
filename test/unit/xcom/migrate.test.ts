/** `migrate`: bytes as they are, rows by compare-and-set, and readers that lose nothing meanwhile. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openStorage } from "../../../src/index.js";
import {
  fsck,
  lineReferences,
  type MigrateOptions,
  memoryRows,
  migrate,
  replicate,
  rowReferences,
  rowRewriter,
  sweep,
  withMoved,
  withRetention,
  type XComCompression,
  XComObjectStorageBackend,
  type XComRows,
} from "../../../src/xcom.js";
import { all } from "../../support/all.js";
import { failed } from "../../support/failed.js";

const [FROM, TO] = ["memory://lake@old/xcom", "memory://lake@new/team/xcom"];
let storage: ReturnType<typeof openStorage>;
let rows: XComRows;
beforeEach(() => {
  storage = openStorage({ connections: { lake: { type: "generic" } } });
  rows = memoryRows();
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  await storage.close();
});

const at = (path: string) => new XComObjectStorageBackend({ storage, path, threshold: 0, compression: "gzip" });
const task = (taskId: string) => ({ dagId: "dag", runId: "run", taskId });
const rowKey = (taskId: string) => ({ ...task(taskId), key: "return_value" });
async function stored(taskId: string, value: unknown = taskId, path = FROM): Promise<string> {
  const reference = String(await at(path).storeValue(task(taskId), "return_value", value));
  await rows.set(rowKey(taskId), reference);
  return reference;
}
const run = (options: Partial<MigrateOptions> = {}) =>
  migrate({ storage, from: FROM, to: TO, sources: [rowRewriter(rows)], ...options });
const moved = (reference: string) => reference.replace(FROM, TO);
const rowOf = async (taskId: string) => (await rows.get(rowKey(taskId)))?.value;

test("rows with integers beyond 2^53, as Airflow's REST API has them, are values", async () => {
  const reference = await stored("a");
  const source = rowRewriter({
    ...rows,
    async *list(filter, options) {
      yield* rows.list(filter, options);
      yield { ...rowKey("big"), mapIndex: -1, value: { big: 12345678901234567890n, text: reference } };
    },
  });
  expect(await run({ sources: [source] })).toMatchObject({ references: 1, rewritten: 1, otherNames: 1 });
});

test("copies bytes as they are, changes rows, and leaves the old objects", async () => {
  const references = [await stored("a"), await stored("b", { rows: 5 })];
  await rows.set(rowKey("plain"), "a value");
  await rows.set(rowKey("other"), `memory://lake@elsewhere/xcom/${references[0]!.slice(FROM.length + 1)}`);
  const report = await run();
  expect(report).toMatchObject({
    references: 2,
    elsewhere: 1,
    values: 1,
    copied: 2,
    rewritten: 2,
    changed: 0,
    failed: 0,
  });
  expect([await rowOf("a"), await rowOf("b"), await rowOf("plain")]).toEqual([...references.map(moved), "a value"]);
  for (const reference of references) {
    expect(await storage.bytes(moved(reference))).toEqual(await storage.bytes(reference));
    expect(
      await at(TO).loadValue(moved(reference), { owner: task(reference === references[0] ? "a" : "b") }),
    ).toBeDefined();
  }
  expect(await run()).toMatchObject({ references: 0, elsewhere: 3, copied: 0, rewritten: 0 });
});

test("a dry run counts and writes nothing", async () => {
  const reference = await stored("a");
  expect(await run({ dryRun: true })).toMatchObject({ references: 1, copied: 1, rewritten: 0 });
  expect(await rowOf("a")).toBe(reference);
  expect(await storage.exists(moved(reference))).toBe(false);
});

test("keeps the folders of retention classes", async () => {
  const layer = (path: string) =>
    withRetention({ path, backend: (own) => at(String(own)), rules: [{ class: "week" }] });
  const reference = String(await layer(FROM).storeValue(task("a"), "return_value", 1));
  await rows.set(rowKey("a"), reference);
  await run();
  expect(await rowOf("a")).toBe(`${TO}/retention=week${reference.slice(`${FROM}/retention=week`.length)}`);
  expect(await layer(TO).loadValue(await rowOf("a"), { owner: task("a") })).toBe(1);
});

test("a run that was cut off goes on: a complete copy is compared and not sent again", async () => {
  const references = [await stored("a"), await stored("b"), await stored("c")];
  const cut = new AbortController();
  const onMigrated = () => cut.abort(new Error("cut"));
  expect(await failed(run({ onMigrated, signal: cut.signal, concurrency: 1 }))).toMatchObject({ message: "cut" });
  expect(await rowOf("a")).toBe(references[0]);
  const copy = vi.spyOn(storage, "copy");
  const report = await run();
  expect(report).toMatchObject({ references: 3, rewritten: 3 });
  expect(report.present + report.copied).toBe(3);
  expect(report.present).toBeGreaterThan(0);
  expect(copy).toHaveBeenCalledTimes(report.copied);
});

test("an object with other bytes at the new place is not replaced, and its row stays", async () => {
  const reference = await stored("a");
  await storage.write(moved(reference), "other bytes");
  const report = await run();
  expect(report).toMatchObject({ copied: 0, rewritten: 0, failed: 1 });
  expect(report.failures[0]).toMatchObject({ path: reference, error: { code: "Corrupt" } });
  expect(await rowOf("a")).toBe(reference);
  expect(await storage.text(moved(reference))).toBe("other bytes");
});

test("a copy that arrives with other bytes of the same length changes no row", async () => {
  const reference = await stored("a");
  vi.spyOn(storage, "copy").mockImplementation(async (from, to) => {
    const bytes = await storage.bytes(from);
    bytes[bytes.length - 1]! ^= 1;
    await storage.write(to, bytes);
  });
  expect(await run()).toMatchObject({ rewritten: 0, failed: 1, copied: 0 });
  expect(await rowOf("a")).toBe(reference);
});

test("a row that is written meanwhile, even with the same text, stays as it is", async () => {
  const reference = await stored("a");
  await stored("b");
  // The same attempt writes again under the same name: the copy is of the earlier value.
  const onMigrated = async ({ from }: { from: string }) => {
    if (from !== reference) return;
    await storage.write(reference, "newer");
    await rows.set(rowKey("a"), reference);
  };
  expect(await run({ onMigrated })).toMatchObject({ rewritten: 1, changed: 1 });
  expect(await rowOf("a")).toBe(reference);
});

test("a missing object changes no row, and one that only the new place has does if its name proves it", async () => {
  const [gone, early] = [await stored("gone"), await stored("early")];
  const named = new XComObjectStorageBackend({ storage, path: FROM, threshold: 0, digest: true });
  const put = async (name: string) => {
    const reference = String(await named.storeValue(task(name), "return_value", name));
    await rows.set(rowKey(name), reference);
    await storage.delete(reference);
    return reference;
  };
  const [proven, wrong] = [await put("proven"), await put("wrong")];
  await storage.delete(gone);
  await storage.delete(early);
  await storage.write(moved(early), "other bytes");
  await storage.write(moved(proven), '"proven"');
  await storage.write(moved(wrong), '"wronk"');
  for (const dryRun of [true, false]) {
    const report = await run({ dryRun });
    expect(report).toMatchObject({ missing: 1, unproven: 1, present: 1, rewritten: dryRun ? 0 : 1, failed: 1 });
    expect(report.failures).toMatchObject([{ path: wrong, error: { code: "Corrupt" } }]);
  }
  const now = await Promise.all(["gone", "early", "proven", "wrong"].map(rowOf));
  expect(now).toEqual([gone, early, moved(proven), wrong]);
});

test("rows that name the old place otherwise stay and are counted; those that `as` and `aliases` name move", async () => {
  const by = (other: string) => (reference: string) => reference.replace("memory://lake@old", other);
  const spellings: Record<string, (reference: string) => unknown> = {
    connection: by("memory://px@old"),
    none: by("memory://old"),
    alias: (reference) => reference.replace(`${FROM}/`, "xcom_s3://"),
    scheme: by("s3a://lake@old"),
    list: (reference) => [{ path: reference }],
    prose: (reference) => `see ${reference}`,
  };
  const before: Record<string, unknown> = {};
  for (const [name, spelled] of Object.entries(spellings)) {
    before[name] = spelled(await stored(name));
    await rows.set(rowKey(name), before[name]);
  }
  await rows.set(rowKey("other"), [{ path: "memory://lake@elsewhere/xcom/dag/run/task/return_value" }]);
  // Without `aliases`, nothing tells that it is one of the old place.
  expect(await run()).toMatchObject({ references: 0, otherNames: 5, values: 2, copied: 0, rewritten: 0 });
  const options = { as: ["memory://px@old/xcom", "memory://old/xcom"], aliases: { "xcom_s3://": FROM } };
  const told: string[] = [];
  const report = await run({ ...options, onMigrated: ({ from }) => void told.push(from) });
  expect(report).toMatchObject({ references: 3, otherNames: 3, copied: 3, rewritten: 3, failed: 0 });
  expect(told.sort()).toEqual([before.alias, before.connection, before.none].sort());
  for (const name of ["scheme", "list", "prose"]) expect(await rowOf(name)).toEqual(before[name]);
  for (const name of ["connection", "none", "alias"])
    expect(await at(TO).loadValue(await rowOf(name), { owner: task(name) })).toBe(name);
});

test("references to a bucket of the same name at another provider are elsewhere", async () => {
  const reference = await stored("a");
  await rows.set(rowKey("a"), reference.replace("memory://lake@old", "gs://far@old"));
  const report = await run({ to: "gs://far@old/xcom" });
  expect(report).toMatchObject({ references: 0, otherNames: 0, elsewhere: 1 });
});

test("two names of one object are one copy", async () => {
  const reference = await stored("a");
  await rows.set(rowKey("b"), reference.replace("lake@", ""));
  expect(await run({ as: ["memory://old/xcom"] })).toMatchObject({ references: 2, copied: 1, rewritten: 2 });
  expect([await rowOf("a"), await rowOf("b")]).toEqual([moved(reference), moved(reference)]);
});

test("of a list of references the objects are copied, and the new references told", async () => {
  const reference = await stored("a");
  const told: string[] = [];
  const sources = [lineReferences([reference, reference], "refs")];
  const report = await run({ sources, onMigrated: ({ from, to, where }) => void told.push(`${from} ${to} ${where}`) });
  expect(report).toMatchObject({ references: 2, copied: 1, rewritten: 0 });
  expect(told).toEqual(["refs:1", "refs:2"].map((where) => `${reference} ${moved(reference)} ${where}`));
  expect(await rowOf("a")).toBe(reference);
});

test("ids that a path of another length would shorten otherwise are refused", async () => {
  const long = { dagId: "d".repeat(1000), runId: "run", taskId: "task" };
  const reference = String(await at(FROM).storeValue(long, "return_value", 1));
  await rows.set({ ...long, key: "return_value" }, reference);
  expect(await run()).toMatchObject({ failed: 1, rewritten: 0, failures: [{ error: { code: "InvalidArgument" } }] });
  expect(await run({ to: "memory://lake@xyz/xcom" })).toMatchObject({ failed: 0, rewritten: 1 });
});

test("rows without versions are refused before any is changed", async () => {
  const reference = await stored("a");
  const bare: XComRows = {
    ...rows,
    async *list() {
      for await (const { version: _, ...row } of rows.list()) yield row;
    },
  };
  expect(await failed(run({ sources: [rowRewriter(bare)] }))).toMatchObject({ code: "Unsupported" });
  expect(await rowOf("a")).toBe(reference);
});

test.each([
  [{ to: `${FROM}/below` }, "overlap"],
  [{ to: "memory://lake@new" }, "whole bucket"],
  [{ sources: [] }, "sources"],
  [{ as: [`${TO}/below`] }, "overlap"],
  [{ as: FROM as never }, "as of migrate"],
  [{ aliases: null as never }, "aliases of migrate"],
  [{ concurrency: 0 }, "concurrency"],
  [{ dryRun: "yes" as never }, "dryRun"],
  [{ dry: true } as never, "dry"],
])("refuses %j before any request", async (options, words) => {
  const stat = vi.spyOn(storage, "stat");
  expect(await failed(run(options))).toMatchObject({
    code: "InvalidArgument",
    message: expect.stringContaining(words),
  });
  expect(stat).not.toHaveBeenCalled();
});

test("a source without a reference ends it", async () => {
  expect(await failed(run())).toMatchObject({ code: "NotFound", op: "migrate" });
});

describe("recoding", () => {
  const withCodec = (compression: XComCompression | null, digest = false, layout: "ti" | "uuid" = "ti") =>
    new XComObjectStorageBackend({ storage, path: FROM, threshold: 0, compression, digest, layout });
  async function put(name: string, backend: XComObjectStorageBackend): Promise<string> {
    const reference = String(await backend.storeValue(task(name), "return_value", { name }));
    await rows.set(rowKey(name), reference);
    return reference;
  }

  test.each([
    ["zstd", ".zst"],
    [null, ""],
  ] as const)("to %s: names get its suffix, values stay, and what has it is copied", async (compression, suffix) => {
    const made = {
      plain: await put("plain", withCodec(null)),
      gzip: await put("gzip", withCodec("gzip")),
      zstd: await put("zstd", withCodec("zstd")),
      uuid: await put("uuid", withCodec("gzip", false, "uuid")),
      digest: await put("digest", withCodec("gzip", true)),
    };
    const reader = new XComObjectStorageBackend({ storage, path: TO });
    expect(await run({ compression, dryRun: true })).toMatchObject({ copied: 5, rewritten: 0 });
    expect(await run({ compression })).toMatchObject({ references: 5, copied: 5, rewritten: 5, failed: 0 });
    for (const name of Object.keys(made)) {
      const value = String(await rowOf(name));
      expect(value.startsWith(TO)).toBe(true);
      expect(value.endsWith(name === "uuid" ? suffix : `.json${suffix}`)).toBe(true);
      if (suffix === "") expect(value).not.toMatch(/\.(?:gz|zst)$/);
      expect(await reader.loadValue(value, { owner: task(name) })).toEqual({ name });
    }
    // The digest of a name is that of the bytes.
    const digested = String(await rowOf("digest"));
    expect(digested).toMatch(/~sha256-[0-9a-f]{64}/);
    expect(digested).not.toContain(/~sha256-[0-9a-f]{64}/.exec(made.digest)![0]);
    const sources = [rowReferences(rows)];
    expect(await fsck({ storage, sources, path: TO, deep: true })).toMatchObject({
      checked: 5,
      damaged: 0,
      missing: 0,
    });
    expect(await run({ compression })).toMatchObject({ references: 0, elsewhere: 5 });
  });

  test("a run that was cut off goes on, and an object with another value there is not replaced", async () => {
    const references = [await put("a", withCodec("gzip")), await put("b", withCodec("gzip"))];
    const at = (reference: string) => moved(reference).replace(/\.gz$/, ".zst");
    await run({ compression: "zstd", sources: [lineReferences(references)] });
    await storage.write(at(references[1]!), '{"name":"another"}', { compression: "zstd" });
    const report = await run({ compression: "zstd" });
    expect(report).toMatchObject({ copied: 0, present: 1, rewritten: 1, failed: 1 });
    expect(String(report.failures[0]?.error)).toContain("was not replaced");
    expect([await rowOf("a"), await rowOf("b")]).toEqual([at(references[0]!), references[1]]);
  });

  test("without its source, an object that is at the new place changes no row", async () => {
    const reference = await put("a", withCodec("gzip"));
    const target = moved(reference).replace(/\.gz$/, ".zst");
    await storage.write(target, '{"name":"a"}', { compression: "zstd" });
    await storage.delete(reference);
    expect(await run({ compression: "zstd" })).toMatchObject({ unproven: 1, rewritten: 0 });
    expect(await rowOf("a")).toBe(reference);
  });

  test("an object that cannot be decoded changes no row", async () => {
    const reference = await put("a", withCodec("gzip"));
    await storage.write(reference, "no gzip");
    expect(await run({ compression: "zstd" })).toMatchObject({ copied: 0, rewritten: 0, failed: 1 });
    expect(await all(storage.list(TO, { recursive: true }))).toEqual([]);
  });

  test("leaves no temporary file", async () => {
    const folder = mkdtempSync(join(tmpdir(), "stowage-recode-"));
    vi.stubEnv("TMPDIR", folder);
    await put("digest", withCodec("gzip", true));
    await run({ compression: null });
    expect(readdirSync(folder)).toEqual([]);
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });
});

describe("a sweep of the new place meanwhile", () => {
  test("takes a copy without a row for young, and the run that was cut off goes on", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-03-01T00:00:00Z") });
    const references = [await stored("a"), await stored("b")];
    // An object that is old at the source is young at its copy: the grace counts from the copy.
    vi.setSystemTime(new Date("2026-05-01T00:00:00Z"));
    await run({ sources: [lineReferences(references)] });
    const sources = [rowReferences(rows)];
    const during = await sweep({ storage, path: TO, sources, delete: true, maxShare: 1 });
    expect(during).toMatchObject({ listed: 2, young: 2, orphaned: 0, deleted: 0 });
    expect(await run()).toMatchObject({ present: 2, rewritten: 2 });
    vi.setSystemTime(new Date("2026-07-01T00:00:00Z"));
    const after = await sweep({ storage, path: TO, sources, delete: true, maxShare: 1 });
    expect(after).toMatchObject({ referenced: 2, orphaned: 0, deleted: 0 });
  });

  test("counts the rows that still name the old place with `as`: then no copy is an orphan, however old", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-03-01T00:00:00Z") });
    const references = [await stored("a"), await stored("b")];
    await run({ sources: [lineReferences(references)] });
    vi.setSystemTime(new Date("2026-07-01T00:00:00Z"));
    const given = { storage, path: TO, sources: [rowReferences(rows)], delete: true, maxShare: 1 };
    expect(await sweep({ ...given, as: [FROM] })).toMatchObject({ referenced: 2, orphaned: 0 });
    expect(await sweep(given)).toMatchObject({ orphaned: 2, deleted: 2 });
    // What a sweep without it has deleted is copied again: the old objects are there.
    expect(await run()).toMatchObject({ copied: 2, rewritten: 2 });
  });
});

test("replicas keep the keys of the primary: both bases are moved, and rows name the new primary", async () => {
  const [copyFrom, copyTo] = ["memory://lake@old-copy/xcom", "memory://lake@new-copy/xcom"];
  const primary = (path: string) => new XComObjectStorageBackend({ storage, path, threshold: 0 });
  const before = replicate({ targets: [primary(FROM), primary(copyFrom)] });
  const reference = String(await before.storeValue(task("a"), "return_value", { rows: 5 }));
  await rows.set(rowKey("a"), reference);
  // The copies first, by references that name them; no row does.
  const copies = [lineReferences([reference.replace(FROM, copyFrom)])];
  expect(await run({ from: copyFrom, to: copyTo, sources: copies })).toMatchObject({ copied: 1, rewritten: 0 });
  expect(await run()).toMatchObject({ copied: 1, rewritten: 1 });
  const after = replicate({ targets: [primary(TO), primary(copyTo)] });
  await storage.delete(moved(reference));
  expect(await after.loadValue(await rowOf("a"), { owner: task("a") })).toEqual({ rows: 5 });
});

describe("readers of both places", () => {
  const reader = () => withMoved({ backend: at(TO), from: at(FROM) });

  test("read every row before, during and after, and after the old place was swept", async () => {
    const reference = await stored("a", { rows: 5 });
    expect(await reader().loadValue(reference)).toEqual({ rows: 5 });
    await run();
    for (const row of [reference, moved(reference)])
      expect(await reader().loadValue(row, { owner: task("a") })).toEqual({ rows: 5 });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3 * 86_400_000 });
    const swept = await sweep({ storage, path: FROM, sources: [rowReferences(rows)], delete: true, maxShare: 1 });
    expect(swept.deleted).toBe(1);
    for (const row of [reference, moved(reference)])
      expect(await reader().loadValue(row, { owner: task("a") })).toEqual({ rows: 5 });
    const lenient = new XComObjectStorageBackend({ storage, path: FROM, onMissing: "reference" });
    expect(await withMoved({ backend: at(TO), from: lenient }).loadValue(reference)).toEqual({ rows: 5 });
  });

  test("read the old place first: a value that was written again there is newer than its copy", async () => {
    const reference = await stored("a", "first");
    await storage.copy(reference, moved(reference));
    await storage.delete(reference);
    await storage.write(reference, '"second"', { compression: "gzip" });
    expect(await reader().loadValue(reference)).toBe("second");
  });

  test("store at the new place, and delete only what a row refers to", async () => {
    const reference = await stored("a");
    await run();
    expect(String(await reader().storeValue(task("b"), "return_value", 1))).toMatch(TO);
    expect(reader().pathsOf(reference).map(String)).toEqual([reference]);
    await reader().purge(reference);
    expect([await storage.exists(reference), await storage.exists(moved(reference))]).toEqual([false, true]);
    expect([reader().refersTo(moved(reference)), reader().refersTo("a value")]).toEqual([true, false]);
    expect(await reader().loadValue("a value")).toBe("a value");
  });

  test("refuse backends that overlap", () => {
    expect(() => withMoved({ backend: at(`${FROM}/below`), from: at(FROM) })).toThrow(/not apart/);
  });

  test("owners are compared at both places", async () => {
    const reference = await stored("a");
    expect(await failed(reader().loadValue(reference, { owner: task("b") }))).toMatchObject({
      code: "PermissionDenied",
    });
    await all(storage.list(FROM));
  });
});
