/** `sweep` with a trash, and its undo: whatever was cut off, refused or written again meanwhile can be repeated. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { BatchError, failure } from "../../../src/errors.js";
import type { DriverFactory } from "../../../src/fs/driver/driver.js";
import { memory } from "../../../src/fs/drivers/memory.js";
import { openStorage } from "../../../src/index.js";
import { lineReferences, type SweepOptions, sweep, undoSweep, XComObjectStorageBackend } from "../../../src/xcom.js";
import { describeOn, useBucket } from "../../servers/use.js";
import { all } from "../../support/all.js";

const BASE = "memory://lake@bucket/xcom";
const TRASH = "memory://lake@bucket/trash";
const DAY = 86_400_000;
let storage: ReturnType<typeof openStorage>;
/** Whether the credentials may delete. */
let mayDelete: boolean;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-03-01T00:00:00Z") });
  mayDelete = true;
  const stores = memory();
  const open: DriverFactory["open"] = async (...args) => {
    const driver = await stores.open(...args);
    const deleteIfMatch: typeof driver.deleteIfMatch = async (...given) => {
      if (!mayDelete) throw failure("PermissionDenied", "no");
      await driver.deleteIfMatch!(...given);
    };
    return { ...driver, deleteIfMatch };
  };
  const connections = { lake: { type: "generic" }, other: { type: "generic" } };
  storage = openStorage({ drivers: [{ schemes: stores.schemes, open }], connections });
});
afterEach(async () => {
  vi.useRealTimers();
  await storage.close();
});

async function stored(taskId: string, value: unknown = taskId) {
  const backend = new XComObjectStorageBackend({ storage, path: BASE, threshold: 0, layout: "ti", digest: false });
  return String(await backend.storeValue({ dagId: "dag", runId: "run", taskId }, "return_value", value));
}
const age = () => vi.setSystemTime(Date.now() + 2 * DAY);
const KEPT = `${BASE}/dag/run/kept/return_value`;
const swept = (options: Partial<SweepOptions> = {}) =>
  sweep({ storage, path: BASE, sources: [lineReferences([KEPT])], maxShare: 1, trash: TRASH, ...options });
const undone = (trash = TRASH) => undoSweep({ storage, path: BASE, trash });
const there = async (path = BASE) => (await all(storage.list(path, { recursive: true }))).map(({ path }) => `${path}`);
const inTrash = (path: string, trash = TRASH) => path.replace(BASE, trash);

test("credentials that may not delete: the report counts the copies, and the next sweep finishes with them", async () => {
  const paths = [await stored("a"), await stored("b")].sort();
  age();
  mayDelete = false;
  for (const _ of [1, 2]) expect(await swept()).toMatchObject({ moved: 0, failed: 2, copies: 2 });
  expect([await there(), await there(TRASH)]).toEqual([paths, paths.map((path) => inTrash(path))]);
  mayDelete = true;
  expect(await swept()).toMatchObject({ moved: 2, failed: 0, copies: 0 });
  expect([await there(), await there(TRASH)]).toEqual([[], paths.map((path) => inTrash(path))]);
  expect(await undone()).toMatchObject({ moved: 2, present: 0, failed: 0 });
  expect([await there(), await there(TRASH)]).toEqual([paths, []]);
});

test("an original that is there with the same bytes is a success of the undo, and its copy goes", async () => {
  const [one, two] = [await stored("one"), await stored("two")];
  age();
  mayDelete = false;
  await swept();
  mayDelete = true;
  await storage.write(two, '"owt"');
  const report = await undone();
  expect(report).toMatchObject({ moved: 0, present: 1, failed: 1 });
  expect(report.failures).toMatchObject([{ path: inTrash(two), error: { code: "AlreadyExists" } }]);
  expect(String(report.failures[0]?.error)).toContain(two);
  expect([await storage.text(one), await storage.text(two)]).toEqual(['"one"', '"owt"']);
  expect(await there(TRASH)).toEqual([inTrash(two)]);
});

test("an object that is written again under a trashed name gets a place of its own, and the last one comes back", async () => {
  const path = await stored("again", "first");
  for (const value of ["third", "other"]) {
    age();
    expect(await swept()).toMatchObject({ moved: 1, failed: 0 });
    // The same length: sizes tell nothing.
    await storage.write(path, JSON.stringify(value));
  }
  age();
  expect(await swept()).toMatchObject({ moved: 1, failed: 0 });
  const again = (nth: number) => path.replace(BASE, `${TRASH}/again=${nth}`);
  expect(await there(TRASH)).toEqual([again(1), again(2), inTrash(path)]);
  expect(await storage.text(again(2))).toBe('"other"');
  const report = await undone();
  expect(report).toMatchObject({ moved: 1, failed: 2 });
  expect(await storage.text(path)).toBe('"other"');
  expect(await there(TRASH)).toEqual([again(1), inTrash(path)]);
});

test("an earlier version does not take the place of a later one that cannot be moved", async () => {
  const path = await stored("again", "first");
  age();
  await swept();
  await storage.write(path, JSON.stringify("later"));
  age();
  await swept();
  const moving = storage.move.bind(storage);
  const refusing = vi.spyOn(storage, "move").mockImplementation((from, to, options) => {
    if (!String(from).includes("/again=1/")) return moving(from, to, options);
    return Promise.reject(failure("PermissionDenied", "no"));
  });
  expect(await undone()).toMatchObject({ moved: 0, failed: 2 });
  expect(await storage.exists(path)).toBe(false);
  refusing.mockRestore();
  expect(await undone()).toMatchObject({ moved: 1 });
  expect(await storage.text(path)).toBe('"later"');
});

test("a folder of the trash that cannot be listed is a failure, and the rest comes back", async () => {
  const path = await stored("one");
  age();
  await swept();
  const listing = storage.list.bind(storage);
  vi.spyOn(storage, "list").mockImplementation((at, options) => {
    async function* partly() {
      yield* listing(at, options);
      if (!options?.recursive) return;
      const failures = [{ path: `${TRASH}/secret`, error: failure("PermissionDenied", "no") }];
      const more = { what: "not listed", failureCount: 1, completed: 1, retryable: false };
      throw new BatchError({ op: "list", path: TRASH, failures, ...more });
    }
    return partly() as never;
  });
  expect(await undone()).toMatchObject({ moved: 1, failed: 1, failures: [{ path: `${TRASH}/secret` }] });
  expect(await storage.exists(path)).toBe(true);
});

test("what may be one object by two names stays", async () => {
  const path = await stored("one");
  age();
  // By another connection to the same bucket nothing but the time tells a copy from the object.
  const trash = TRASH.replace("lake@", "other@");
  const state = await storage.stat(path);
  await storage.write(inTrash(path, trash), await storage.bytes(path));
  const stat = storage.stat.bind(storage);
  vi.spyOn(storage, "stat").mockImplementation(async (...args) => {
    const found = await stat(...args);
    return String(found.path).startsWith(trash) ? { ...found, modified: state.modified! } : found;
  });
  const report = await swept({ trash });
  expect(report).toMatchObject({ moved: 0, failed: 1 });
  expect(String(report.failures[0]?.error)).toContain("may be the same object");
  expect(await storage.exists(path)).toBe(true);
});

test("two sweeps at once with one trash, and two undos, fail nowhere", async () => {
  for (let i = 0; i < 40; i++) await stored(`t${i}`);
  age();
  const both = await Promise.all([swept(), swept({ concurrency: 3 })]);
  for (const { moved, changed, failed } of both)
    expect({ sum: moved + changed, failed }).toEqual({ sum: 40, failed: 0 });
  expect([await there(), (await there(TRASH)).length]).toEqual([[], 40]);
  const undos = await Promise.all([undone(), undone()]);
  for (const report of undos) expect(report.failed).toBe(0);
  expect([(await there()).length, await there(TRASH)]).toEqual([40, []]);
});

/** On a real store: moves that were cut off between the copy and the delete, by a sweep and by an undo. */
function goesOn(open: () => { storage: ReturnType<typeof openStorage>; base: string }): void {
  test("finishes what was cut off between copy and delete, and keeps other bytes", { timeout: 60_000 }, async () => {
    vi.useRealTimers();
    const { storage, base } = open();
    const [path, trash] = [`${base}/xcom`, `${base}/trash`];
    const names = ["same", "other", "new"].map((name) => `dag/run/task/write-${UUID}/${name}.json`);
    const [same, other] = names as [string, string, string];
    for (const name of names) await storage.write(`${path}/${name}`, '"one"');
    await storage.copy(`${path}/${same}`, `${trash}/${same}`);
    await storage.write(`${trash}/${other}`, '"two"');
    const sources = [lineReferences([`${path}/${same.replace("same", "none")}`])];
    // S3 has whole seconds, and a copy within the second may be the same object.
    await new Promise((done) => setTimeout(done, 1100));
    const options = { storage, path, trash, sources, graceMs: 0, force: true, maxShare: 1 };
    expect(await sweep(options)).toMatchObject({ moved: 3, failed: 0, changed: 0, copies: 0 });
    const below = async (folder: string) =>
      (await all(storage.list(folder, { recursive: true })))
        .map((entry) => String(entry.path).slice(folder.length + 1))
        .sort();
    expect([await below(path), await below(trash)]).toEqual([[], [...names, `again=1/${other}`].sort()]);
    await storage.copy(`${trash}/${same}`, `${path}/${same}`);
    await storage.delete(`${trash}/${other}`);
    expect(await undoSweep({ storage, path, trash })).toMatchObject({ moved: 2, present: 1, failed: 0 });
    expect([await below(path), await below(trash)]).toEqual([[...names].sort(), []]);
  });
}

const UUID = "00000000-0000-4000-8000-000000000001";

describe("files", () => {
  const root = mkdtempSync(join(tmpdir(), "stowage-trash-"));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  goesOn(() => ({ storage: openStorage({ env: {} }), base: `file://${root}` }));
});
// fake-gcs-server has no condition on copies.
for (const [name, scheme] of [
  ["minio", "s3"],
  ["azurite", "abfs"],
] as const)
  await describeOn(name, name, (server) => {
    const bucket = useBucket(server);
    goesOn(() => {
      const storage = openStorage({ connections: { it: server.connection }, env: {} });
      return { storage, base: `${scheme}://it@${bucket().name}/base` };
    });
  });
