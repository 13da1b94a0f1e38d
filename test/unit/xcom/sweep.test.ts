/** `sweep`: objects that nothing refers to, and nothing else. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { failure } from "../../../src/errors.js";
import type { DriverFactory } from "../../../src/fs/driver/driver.js";
import { memory } from "../../../src/fs/drivers/memory.js";
import { openStorage } from "../../../src/index.js";
import {
  airflowReferences,
  fsck,
  lineReferences,
  memoryRows,
  type ReferenceSource,
  replicate,
  report as reportOf,
  rowReferences,
  type SweepOptions,
  type SweptObject,
  sweep,
  undoSweep,
  withRetention,
  XComObjectStorageBackend,
} from "../../../src/xcom.js";
import { all } from "../../support/all.js";
import { failed } from "../../support/failed.js";

const BASE = "memory://lake@bucket/xcom";
const DAY = 86_400_000;
const HOUR = 3_600_000;
let storage: ReturnType<typeof openStorage>;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-03-01T00:00:00Z") });
  storage = openStorage({ connections: { lake: { type: "generic" }, other: { type: "generic" } } });
});
afterEach(async () => {
  vi.useRealTimers();
  await storage.close();
});

const owner = (taskId: string, dagId = "dag") => ({ dagId, runId: "run", taskId });
async function stored(taskId: string, { path = BASE, dagId = "dag", layout = "ti" as "ti" | "uuid" } = {}) {
  const backend = new XComObjectStorageBackend({ storage, path, threshold: 0, layout });
  return (await backend.storeValue(owner(taskId, dagId), "return_value", { task: taskId })) as string;
}
const age = (ms: number) => vi.setSystemTime(Date.now() + ms);
const lines = (...texts: string[]) => lineReferences(texts, "refs");

async function swept(references: string[], options: Partial<SweepOptions> = {}) {
  const told: SweptObject[] = [];
  const onOrphan = (object: SweptObject) => void told.push(object);
  const given = { storage, path: BASE, sources: [lines(...references)], maxShare: 1, onOrphan };
  const report = await sweep({ ...given, ...options });
  return { report, told: told.map(({ action, path }) => `${action} ${path}`).sort() };
}
async function there(path = BASE): Promise<string[]> {
  return (await all(storage.list(path, { recursive: true }))).map((entry) => String(entry.path)).sort();
}

test("a dry run names what nothing refers to, in both layouts, and deletes nothing", async () => {
  const kept = await stored("kept");
  const orphans = [await stored("a"), await stored("b", { layout: "uuid" })].sort();
  await storage.write(`${BASE}/notes.txt`, "mine");
  await storage.write(`${BASE}/dag/run/task/report.json`, "mine");
  age(2 * DAY);
  const { report, told } = await swept([kept]);
  expect(told).toEqual(orphans.map((path) => `orphan ${path}`));
  expect(report).toMatchObject({ listed: 5, unknown: 2, considered: 3, referenced: 1, orphaned: 2, deleted: 0 });
  expect(report.bytes).toBeGreaterThan(10);
  expect(await there()).toHaveLength(5);
});

test("names that other programs could use are no XComs: Airflow's have a form and a place of their own", async () => {
  const [uuid, seven] = ["00000000-0000-4000-8000-000000000001", "019b1c2d-0000-7000-8000-000000000001"];
  const digest = `~sha256-${"0".repeat(64)}`;
  const names: Record<string, boolean> = {
    [`x/y/z/${uuid}`]: true,
    [`x/y/z/${uuid}.gz`]: true,
    [`retention=week/x/y/z/${uuid}.zst`]: true,
    [`x/y/z/${uuid}${digest}.parquet`]: true,
    [`x/y/z/ti-${seven}/key.json.zst`]: true,
    [`x/y/z/write-${uuid}/frame.parquet`]: true,
    [`x/y/z/${uuid}.parquet`]: false,
    [`x/y/z/${uuid}.json`]: false,
    [`x/y/z/${seven}`]: false,
    [`a/x/y/z/${uuid}`]: false,
    [`a/b/c/d/write-${uuid}/report.pdf`]: false,
    [`x/y/z/write-${seven}/report.json`]: false,
  };
  for (const name of Object.keys(names)) await storage.write(`${BASE}/${name}`, "1");
  age(2 * DAY);
  const own = Object.keys(names).filter((name) => names[name]);
  const sources = [lines(`${BASE}/none/r/t/${uuid}`)];
  const { report, told } = await swept([], { sources });
  expect(told).toEqual(own.map((name) => `orphan ${BASE}/${name}`).sort());
  expect(report).toMatchObject({ listed: 12, unknown: 6, considered: 6, orphaned: 6 });
  const checked = await fsck({ storage, path: BASE, sources });
  expect(checked).toMatchObject({ orphan: 6, young: 0, others: 6 });
  const page = await reportOf({ storage, path: BASE, sources });
  expect(page.references).toMatchObject({ orphaned: { objects: 6 }, young: { objects: 0 } });
  // Whatever its name, an object that a row refers to is checked.
  const odd = lines(`${BASE}/x/y/z/${uuid}.parquet`);
  expect(await fsck({ storage, path: BASE, sources: [odd] })).toMatchObject({ checked: 1, missing: 0, layout: 0 });
});

test("delete removes exactly these", async () => {
  const kept = await stored("kept");
  const gone = await stored("gone");
  age(2 * DAY);
  const young = await stored("young");
  const { report, told } = await swept([kept], { delete: true });
  expect(told).toEqual([`deleted ${gone}`]);
  expect(report).toMatchObject({ considered: 2, young: 1, orphaned: 1, deleted: 1, failed: 0, left: 0 });
  expect(report.freed).toBe(report.bytes);
  expect(await there()).toEqual([kept, young].sort());
});

test("the grace is a day, and an hour for clocks that differ; what is dated in the future stays", async () => {
  const old = await stored("old");
  const kept = await stored("kept");
  age(24 * HOUR + HOUR - 1000);
  expect((await swept([kept], { delete: true })).report).toMatchObject({ young: 2, deleted: 0 });
  age(2000);
  expect((await swept([kept], { delete: true })).told).toEqual([`deleted ${old}`]);
  // The machine's clock is an hour behind the store's.
  await stored("ahead");
  age(-HOUR);
  expect((await swept([kept], { delete: true })).report).toMatchObject({ future: 1, deleted: 0 });
});

test("objects are listed before references are read, and are old before the listing begins", async () => {
  const kept = await stored("kept");
  const old = await stored("old");
  age(2 * DAY);
  const rows = memoryRows();
  await rows.set({ ...owner("kept"), key: "return_value" }, kept);
  const listing = storage.list.bind(storage);
  const order: string[] = [];
  vi.spyOn(storage, "list").mockImplementation((...args) => {
    const entries = listing(...args);
    async function* slowly() {
      for await (const entry of entries) {
        order.push("listed");
        age(3 * DAY);
        yield entry;
      }
    }
    return slowly() as never;
  });
  const source: ReferenceSource = {
    name: "rows",
    async *references() {
      order.push("read");
      yield* rowReferences(rows).references();
    },
  };
  const young = await stored("young");
  expect((await swept([], { delete: true, sources: [source] })).told).toEqual([`deleted ${old}`]);
  expect(order).toEqual(["listed", "listed", "listed", "read"]);
  expect(await storage.exists(young)).toBe(true);
});

test("an object that was written again since it was listed stays", async () => {
  const [kept, again, gone] = [await stored("kept"), await stored("again"), await stored("gone")];
  age(2 * DAY);
  for (const options of [{ delete: true }, { trash: "memory://lake@bucket/trash" }]) {
    const source: ReferenceSource = {
      name: "rows",
      async *references() {
        await storage.write(again, "another value");
        yield { text: kept, where: "" };
      },
    };
    const { report } = await swept([], { ...options, sources: [source] });
    expect(report).toMatchObject({ changed: 1, failed: 0 });
    expect(await storage.text(again)).toBe("another value");
    expect(await storage.exists(gone)).toBe(false);
    age(2 * DAY);
  }
});

describe("nothing is deleted when", () => {
  async function refused(options: Partial<SweepOptions>, expected: object) {
    const path = await stored("a");
    age(2 * DAY);
    const error = await failed(swept([], { delete: true, ...options }));
    expect(error).toMatchObject(expected);
    expect(await storage.exists(path)).toBe(true);
  }
  const good = `${BASE}/dag/run/t/write-00000000-0000-4000-8000-000000000000/return_value.json`;

  test("a source fails in the middle", async () => {
    async function* failing() {
      yield good;
      throw new Error("the database went away");
    }
    await refused({ sources: [lines(good), lineReferences(failing())] }, { message: "the database went away" });
  });
  test("one of the sources has no reference", async () => {
    const sources = [lines(good), lines("5", "text", "https://example.com/a")];
    await refused({ sources }, { code: "NotFound", message: expect.stringContaining("refs has no reference") });
  });
  test("a row of Airflow's database cannot be read", async () => {
    const answers: [part: string, rows: object[]][] = [
      ["pg_tables", [{ name: "xcom" }]],
      ["format_type", [{ type: "jsonb" }]],
      ["pg_index", []],
      ["pg_relation_size", [{ blocks: "1" }]],
      ["reference", [{ reference: JSON.stringify(good) }, { reference: '"s3://b' }]],
    ];
    const query = async (text: string) => ({ rows: answers.find(([part]) => text.includes(part))![1] });
    await refused({ sources: [airflowReferences(query)] }, { code: "Corrupt" });
  });
  test("more than half of the objects would go", async () => {
    await refused(
      { maxShare: undefined, sources: [lines(good)] },
      { code: "PreconditionFailed", message: expect.stringContaining("1 of 1 objects have no reference") },
    );
  });
  test.each([
    ["path", { path: "memory://lake@bucket" }],
    ["base", { base: "memory://lake@bucket/elsewhere" }],
    ["sources", { sources: [] }],
    ["graceMs", { graceMs: HOUR - 1 }],
    ["graceMs", { graceMs: Number.NaN, force: true }],
    ["maxShare", { maxShare: 0 }],
    ["maxShare", { maxShare: 1.1 }],
    ["shard", { shard: { index: 0, of: 2 } }],
    ["shard", { shard: { index: 3, of: 2 } }],
    ["concurrency", { concurrency: 0 }],
    ["trash", { trash: `${BASE}/trash`, delete: false }],
    ["trash", { trash: "memory://lake@bucket", delete: false }],
    ["trash", { trash: "memory://lake@bucket/trash" }],
    ["delete", { delete: "false" }],
    ["as", { as: "s3://bucket/xcom" }],
    ["dryRun", { dryRun: true }],
  ])("%s is wrong: %j", (name, options) =>
    refused({ sources: [lines(good)], ...options } as never, {
      code: "InvalidArgument",
      message: expect.stringContaining(name),
    }),
  );
});

test("force allows a short grace, to the millisecond", async () => {
  const kept = await stored("kept");
  await stored("old");
  age(1000);
  expect((await swept([kept], { delete: true, graceMs: 1000, force: true })).report).toMatchObject({ deleted: 1 });
});

test("trash keeps the place of each object, and undo moves all back but never over another", async () => {
  const trash = "memory://other@attic/trash/2026";
  const [kept, one, two] = [await stored("kept"), await stored("one"), await stored("two")];
  const bytes = await storage.text(one);
  age(2 * DAY);
  const { report, told } = await swept([kept], { trash });
  expect(told).toEqual([one, two].map((path) => `moved ${path}`).sort());
  expect(report).toMatchObject({ moved: 2, deleted: 0, freed: report.bytes });
  expect(await there()).toEqual([kept]);
  expect(await there(trash)).toEqual([one, two].map((path) => path.replace(BASE, trash)).sort());
  await storage.write(two, "new");
  // Between two connections only the times tell an object from its copy.
  age(HOUR);
  const undone = await undoSweep({ storage, path: BASE, trash });
  expect(undone).toMatchObject({ moved: 1, failed: 1, bytes: bytes.length });
  expect(undone.failures).toMatchObject([{ path: two.replace(BASE, trash), error: { code: "AlreadyExists" } }]);
  expect(await storage.text(one)).toBe(bytes);
  expect(await storage.text(two)).toBe("new");
  expect(await failed(undoSweep({ storage, path: BASE, trash: `${BASE}/a` }))).toMatchObject({
    code: "InvalidArgument",
  });
});

describe("an object is referred to", () => {
  test("by any connection, scheme, spelling and surrounding text", async () => {
    const spellings = [
      (path: string) => path.replace("lake@", ""),
      (path: string) => path.replace("lake@", "other@"),
      (path: string) => path.replace("memory://lake@bucket", "abfss://bucket@account.dfs.core.windows.net"),
      (path: string) => `  ${path}\t`,
      (path: string) => JSON.stringify(path),
      (path: string) => `dag,run,${path},5`,
      (path: string) => `{"path": "${path}"}`,
    ];
    const paths = await Promise.all(spellings.map((_, i) => stored(`t${i}`)));
    const orphan = await stored("orphan");
    age(2 * DAY);
    const { told, report } = await swept(paths.map((path, i) => spellings[i]!(path)));
    expect(told).toEqual([`orphan ${orphan}`]);
    expect(report).toMatchObject({ references: paths.length, values: 0 });
  });

  test("by the path of the primary, if it is a copy of a replica", async () => {
    const far = "memory://far/copies";
    const backend = (path: string) => new XComObjectStorageBackend({ storage, path, threshold: 0 });
    const both = replicate({ targets: [backend(BASE), backend(far)] });
    const kept = (await both.storeValue(owner("kept"), "k", 1)) as string;
    const gone = (await both.storeValue(owner("gone"), "k", 1)) as string;
    age(2 * DAY);
    expect((await swept([kept], { path: far })).report).toMatchObject({ orphaned: 2, elsewhere: 1, references: 0 });
    const { told } = await swept([kept], { path: far, as: [BASE], delete: true });
    expect(told).toEqual([`deleted ${gone.replace(BASE, far)}`]);
  });

  test("by either base of a primary that is being migrated: by one of them alone, a replica is not swept", async () => {
    const [far, moved] = ["memory://far/copies", "memory://lake@moved/team/xcom"];
    const both = (base: string, rules: { class: string }[]) => {
      const backend = (path: unknown) => new XComObjectStorageBackend({ storage, path: String(path), threshold: 0 });
      return rules.length === 0 ? backend(base) : withRetention({ path: base, backend, rules });
    };
    const copied: string[] = [];
    for (const rules of [[], [{ class: "week" }]])
      for (const name of ["old", "new"]) {
        const reference = String(await both(BASE, rules).storeValue(owner(name), "k", 1));
        await storage.copy(reference, reference.replace(BASE, far));
        copied.push(name === "new" ? reference.replace(BASE, moved) : reference);
      }
    const orphan = await stored("gone", { path: far });
    age(2 * DAY);
    for (const one of [BASE, moved]) {
      const options = { path: far, as: [one] };
      expect((await swept(copied, options)).report).toMatchObject({ orphaned: 3, namedElsewhere: 2, elsewhere: 2 });
      for (const removal of [{ delete: true }, { trash: "memory://far/trash" }])
        expect(await failed(swept(copied, { ...options, ...removal }))).toMatchObject({
          code: "PreconditionFailed",
          message: expect.stringContaining('name that base by "as" too'),
        });
    }
    const part = { path: `${far}/dag`, base: far, as: [`${BASE}/dag`] };
    expect((await swept(copied, part)).report).toMatchObject({ orphaned: 2, namedElsewhere: 1 });
    const { told, report } = await swept(copied, { path: far, as: [BASE, moved], delete: true });
    expect(told).toEqual([`deleted ${orphan}`]);
    expect(report).toMatchObject({ namedElsewhere: 0, elsewhere: 0 });
    // The old objects of a migration are no copies that are needed.
    expect((await swept(copied, { delete: true })).report).toMatchObject({ deleted: 2 });
  });

  test("by an alias, and in the folder of its retention class", async () => {
    const classes = withRetention({
      path: BASE,
      backend: (path) => new XComObjectStorageBackend({ storage, path, threshold: 0 }),
      rules: [{ class: "week", dag: "short*" }],
    });
    const kept = (await classes.storeValue(owner("t", "short"), "k", 1)) as string;
    const gone = (await classes.storeValue(owner("t", "short"), "k", 2)) as string;
    const alias = await stored("alias");
    expect(kept).toContain("/retention=week/");
    age(2 * DAY);
    const rows = [kept, alias.replace(`${BASE}/`, "xcom_s3://old/")];
    const { told } = await swept(rows, { aliases: { "xcom_s3://old/": BASE } });
    expect(told).toEqual([`orphan ${gone}`]);
  });

  test("below a Dag, if the base is named; else nothing there has a layout", async () => {
    const kept = await stored("kept");
    const gone = await stored("gone", { layout: "uuid" });
    const other = await stored("other", { dagId: "other" });
    age(2 * DAY);
    const { told } = await swept([kept], { path: `${BASE}/dag`, base: BASE, delete: true });
    expect(told).toEqual([`deleted ${gone}`]);
    expect(await storage.exists(other)).toBe(true);
    expect((await swept([kept], { path: `${BASE}/dag` })).report).toMatchObject({ considered: 0, unknown: 1 });
  });
});

test("shards share the folders: each object is considered by exactly one of them", async () => {
  const paths: string[] = [];
  for (let i = 0; i < 40; i++) {
    const base = i % 3 === 0 ? `${BASE}/retention=week` : BASE;
    paths.push(await stored("t", { dagId: `dag-${i % 17}`, path: base }));
  }
  const [kept] = paths;
  age(2 * DAY);
  const whole = await swept([kept!]);
  for (const of of [2, 5]) {
    const parts: Awaited<ReturnType<typeof swept>>[] = [];
    for (let index = 1; index <= of; index++) parts.push(await swept([kept!], { shard: { index, of } }));
    expect(parts.flatMap(({ told }) => told).sort()).toEqual(whole.told);
    expect(parts.filter(({ told }) => told.length > 0).length).toBeGreaterThan(1);
    const sum = (name: "considered" | "referenced") => parts.reduce((all, { report }) => all + report[name], 0);
    expect([sum("considered"), sum("referenced")]).toEqual([40, 1]);
  }
});

test("a folder that cannot be listed is counted, and the rest of its shard is swept; the path itself ends it", async () => {
  const classes = `${BASE}/retention=week`;
  const paths: string[] = [];
  for (const dagId of ["a", "b", "c", "d"])
    paths.push(await stored("t", { dagId }), await stored("t", { dagId, path: classes }));
  age(2 * DAY);
  const listing = storage.list.bind(storage);
  let refused = [`${BASE}/a`, `${classes}/b`];
  vi.spyOn(storage, "list").mockImplementation((path, options) => {
    async function* refusing() {
      if (refused.includes(String(path))) throw failure("PermissionDenied", "no");
      yield* listing(path, options);
    }
    return refusing() as never;
  });
  const gone = paths.filter((path) => refused.some((folder) => path.startsWith(`${folder}/`)));
  const sources = [lines(`${BASE}/none/r/t/write-00000000-0000-4000-8000-000000000001/k.json`)];
  const parts = [1, 2].map((index) => swept([], { sources, shard: { index, of: 2 } }));
  const found = await Promise.all(parts);
  expect(found.flatMap(({ told }) => told).sort()).toEqual(
    paths
      .filter((path) => !gone.includes(path))
      .map((path) => `orphan ${path}`)
      .sort(),
  );
  const failures = found.flatMap(({ report }) => report.failures.map(({ path }) => path));
  expect(failures.sort()).toEqual([...refused].sort());
  expect(found.reduce((sum, { report }) => sum + report.failed, 0)).toBe(2);
  refused = [BASE];
  expect(await failed(swept([], { sources, shard: { index: 1, of: 2 } }))).toMatchObject({ code: "PermissionDenied" });
});

test("two sweeps at once, and objects that go meanwhile, are no failure", async () => {
  const kept = await stored("kept");
  for (let i = 0; i < 50; i++) await stored(`t${i}`);
  age(2 * DAY);
  const both = await Promise.all([1, 2].map(() => swept([kept], { delete: true })));
  for (const { report } of both) expect(report).toMatchObject({ failed: 0, changed: 0 });
  expect(await there()).toEqual([kept]);
});

test("credentials that may not delete: each failure is counted, the first are kept, and then the rest is left", async () => {
  const stores = memory();
  const refuse = async () => {
    throw failure("PermissionDenied", "no");
  };
  const open: DriverFactory["open"] = async (...args) => ({ ...(await stores.open(...args)), deleteIfMatch: refuse });
  storage = openStorage({ drivers: [{ schemes: stores.schemes, open }], connections: { lake: { type: "generic" } } });
  const kept = await stored("kept");
  const backend = new XComObjectStorageBackend({ storage, path: BASE, threshold: 0 });
  for (let i = 0; i < 4500; i++) await backend.storeValue(owner("t"), `k${i}`, i);
  age(2 * DAY);
  const { report } = await swept([kept], { delete: true, concurrency: 1 });
  expect(report.failures).toHaveLength(1000);
  expect(report).toMatchObject({ orphaned: 4500, deleted: 0, changed: 0, freed: 0 });
  expect(report.failed + report.left).toBe(4500);
  expect(report.left).toBe(3500);
});

test("an abort ends it before the next delete", async () => {
  const kept = await stored("kept");
  for (let i = 0; i < 20; i++) await stored(`t${i}`);
  age(2 * DAY);
  const control = new AbortController();
  const reason = new Error("enough");
  const onOrphan = () => control.abort(reason);
  const options = { delete: true, concurrency: 1, onOrphan, signal: control.signal };
  await expect(swept([kept], options)).rejects.toBe(reason);
  expect(await there()).toHaveLength(20);
});
