/** `report`: the numbers, against sums that the test makes itself. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { failure } from "../../../src/errors.js";
import { openStorage } from "../../../src/index.js";
import { Largest, TotalsByName } from "../../../src/xcom/operations/report-totals.js";
import { squarify } from "../../../src/xcom/operations/report-treemap.js";
import { RunFolder } from "../../../src/xcom/operations/sorted-lines.js";
import { lineReferences, type ReportOptions, report, reportHtml, XComObjectStorageBackend } from "../../../src/xcom.js";
import { all } from "../../support/all.js";
import { failed } from "../../support/failed.js";
import { sampleReport } from "../../support/report-sample.js";

const BASE = "memory://lake@bucket/xcom";
const DAY = 86_400_000;
const NOW = Date.UTC(2026, 2, 31, 12);
let storage: ReturnType<typeof openStorage>;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  storage = openStorage({ connections: { lake: { type: "generic" } } });
});
afterEach(async () => {
  vi.useRealTimers();
  await storage.close();
});

interface Written {
  dagId: string;
  runId?: string;
  taskId?: string;
  bytes: number;
  daysAgo?: number;
  path?: string;
}

/** Stores a value whose object has this many bytes. */
async function stored({ dagId, runId = "run", taskId = "task", bytes, daysAgo = 2, path = BASE }: Written) {
  vi.setSystemTime(NOW - daysAgo * DAY);
  const backend = new XComObjectStorageBackend({ storage, path, threshold: 0 });
  const reference = await backend.storeValue({ dagId, runId, taskId }, "return_value", "v".repeat(bytes - 2));
  vi.setSystemTime(NOW);
  return String(reference);
}
const run = (options: Partial<ReportOptions> = {}) => report({ storage, path: BASE, ...options });
const names = (groups: readonly { name: string; bytes: number }[]) => groups.map(({ name, bytes }) => [name, bytes]);

test("sums by Dag, run, task, codec and class, and everything together", async () => {
  await stored({ dagId: "a", runId: "r1", taskId: "t1", bytes: 100 });
  await stored({ dagId: "a", runId: "r1", taskId: "t2", bytes: 50 });
  await stored({ dagId: "a", runId: "r2", taskId: "t1", bytes: 25 });
  await stored({ dagId: "b", runId: "r1", taskId: "t1", bytes: 300, path: `${BASE}/retention=week` });
  await storage.write(`${BASE}/notes.txt`, "mine");
  const found = await run();
  expect(found.total).toEqual({ objects: 5, bytes: 479 });
  expect(found.unknown).toEqual({ objects: 1, bytes: 4 });
  expect(names(found.dags.groups)).toEqual([
    ["b", 300],
    ["a", 175],
  ]);
  expect(found.runs.groups.map(({ dagId, name, objects }) => [dagId, name, objects])).toEqual([
    ["b", "r1", 1],
    ["a", "r1", 2],
    ["a", "r2", 1],
  ]);
  expect(found.tasks.groups.map(({ dagId, name, bytes }) => [dagId, name, bytes])).toEqual([
    ["b", "t1", 300],
    ["a", "t1", 125],
    ["a", "t2", 50],
  ]);
  expect(names(found.classes.groups)).toEqual([
    ["week", 300],
    ["", 175],
  ]);
  expect(names(found.codecs.groups)).toEqual([["", 475]]);
  expect(found.largest.map(({ size }) => size)).toEqual([300, 100, 50, 25, 4]);
  expect(found).toMatchObject({ path: BASE, createdAt: new Date(NOW).toISOString(), failed: 0, references: undefined });
});

test("days, sizes and ages count every object once", async () => {
  for (const [daysAgo, bytes] of [
    [0, 10],
    [0, 2000],
    [5, 5000],
    [89, 70_000],
    [90, 3],
    [400, 1024],
  ] as const)
    await stored({ dagId: "a", runId: `r${daysAgo}`, taskId: `t${bytes}`, bytes, daysAgo });
  await stored({ dagId: "ahead", bytes: 7, daysAgo: -3 });
  const { days, earlier, undated, sizes, ages, total } = await run();
  expect(days).toHaveLength(90);
  expect(days.filter(({ objects }) => objects > 0)).toEqual([
    { day: "2026-01-01", objects: 1, bytes: 70_000 },
    { day: "2026-03-26", objects: 1, bytes: 5000 },
    { day: "2026-03-31", objects: 2, bytes: 2010 },
  ]);
  expect(earlier).toEqual({ objects: 2, bytes: 1027 });
  expect(undated).toEqual({ objects: 1, bytes: 7 });
  const used = (bins: typeof sizes) =>
    bins.filter(({ objects }) => objects > 0).map(({ from, objects }) => [from, objects]);
  expect(used(sizes)).toEqual([
    [0, 3],
    [1024, 2],
    [4096, 1],
    [65_536, 1],
  ]);
  expect(used(ages)).toEqual([
    [0, 2],
    [DAY, 1],
    [30 * DAY, 1],
    [90 * DAY, 1],
    [365 * DAY, 1],
  ]);
  expect(total).toEqual({ objects: 7, bytes: 78_044 });
});

test("with references: orphans, missing objects, and what is too young to tell", async () => {
  const kept = await stored({ dagId: "a", bytes: 100 });
  const orphan = await stored({ dagId: "b", bytes: 40 });
  await stored({ dagId: "c", bytes: 9, daysAgo: 0 });
  const lost = kept.replace("/a/", "/gone/");
  const texts = [
    kept,
    kept,
    lost,
    `${BASE}/notes.txt`,
    "a value",
    "memory://lake@elsewhere/xcom/x/y/z/00000000-0000-4000-8000-000000000000",
  ];
  const { references } = await run({ sources: [lineReferences(texts, "rows")] });
  expect(references).toMatchObject({
    referenced: { objects: 1, bytes: 100 },
    orphaned: { objects: 1, bytes: 40 },
    young: { objects: 1, bytes: 9 },
    missing: 1,
    missingPaths: [lost],
    elsewhere: 1,
    values: 1,
  });
  expect(references?.largestOrphans.map(({ path }) => path)).toEqual([orphan]);
});

test("an object that is written while references are read is not missing", async () => {
  const kept = await stored({ dagId: "a", bytes: 100 });
  const source = {
    name: "rows",
    async *references() {
      yield { text: kept, where: "" };
      yield { text: await stored({ dagId: "late", bytes: 11, daysAgo: 0 }), where: "" };
    },
  };
  const { references } = await run({ sources: [source] });
  expect(references).toMatchObject({ missing: 0, referenced: { objects: 2, bytes: 111 }, orphaned: { objects: 0 } });
});

test("a source without a reference ends the report, as it ends a sweep", async () => {
  await stored({ dagId: "a", bytes: 100 });
  const error = await failed(run({ sources: [lineReferences(["no path"], "rows")] }));
  expect(error).toMatchObject({ code: "NotFound", op: "report", path: BASE });
});

test("what retention deletes next, by the time that is left and whether rows still refer to it", async () => {
  const path = `${BASE}/retention=week`;
  const kept = await stored({ dagId: "a", bytes: 10, daysAgo: 8, path });
  await stored({ dagId: "b", bytes: 20, daysAgo: 6.5, path });
  await stored({ dagId: "c", bytes: 30, daysAgo: 1, path });
  await stored({ dagId: "d", bytes: 40, daysAgo: 20 });
  const { expiries } = await run({ days: { week: 7, month: 30 }, sources: [lineReferences([kept], "rows")] });
  expect(expiries).toMatchObject([
    {
      name: "week",
      prefix: "xcom/retention=week/",
      days: 7,
      overdue: { objects: 1, bytes: 10 },
      withinDay: { objects: 1, bytes: 20 },
      withinWeek: { objects: 1, bytes: 30 },
      withinMonth: { objects: 0 },
      later: { objects: 0 },
      stillReferenced: { objects: 1, bytes: 10 },
    },
    { name: "month", days: 30, overdue: { objects: 0 }, later: { objects: 0 } },
  ]);
  expect((await run({ days: { week: 60 } })).expiries[0]).toMatchObject({
    later: { objects: 3 },
    stillReferenced: undefined,
  });
});

test("a bucket's own policy is read, and needs a provider that has one", async () => {
  const policy = { Rules: [{ ID: "old", Status: "Enabled", Filter: { Prefix: "xcom/" }, Expiration: { Days: 30 } }] };
  expect(await failed(run({ policy }))).toMatchObject({ code: "Unsupported" });
});

test.each([
  [{ graceMs: -1 }, "graceMs"],
  [{ base: "memory://lake@bucket/other" }, "base"],
  [{ sources: "rows" as never }, "sources"],
  [{ as: "path" as never }, "as"],
  [{ days: { week: 0 } }, "days of the class week"],
  [{ days: { Week: 7 } }, "a retention class"],
  [{ detele: true } as never, "detele"],
])("refuses %j before any request", async (options, words) => {
  const list = vi.spyOn(storage, "list");
  const error = await failed(run(options));
  expect(error).toMatchObject({ code: "InvalidArgument", message: expect.stringContaining(words) });
  expect(list).not.toHaveBeenCalled();
});

test("lists keep the largest 100, and others are the exact rest", async () => {
  const folder = new RunFolder();
  try {
    // So small a limit writes sums to disk every few names, and the names of Dags come again in later runs.
    for (const limit of [500, 1e9]) {
      const totals = new TotalsByName(folder, limit);
      const expected = new Map<string, number>();
      for (let i = 0; i < 5000; i++) {
        const name = `dag\t${(i * 7919) % 1000}`;
        expected.set(name, (expected.get(name) ?? 0) + i);
        await totals.add(name, i);
      }
      const { groups, count, others } = await totals.breakdown();
      const largest = [...expected].sort((a, b) => b[1] - a[1]);
      expect(count).toBe(1000);
      expect(groups.map(({ bytes }) => bytes)).toEqual(largest.slice(0, 100).map(([, bytes]) => bytes));
      expect(groups[0]).toMatchObject({ dagId: "dag", name: largest[0]![0].slice(4), objects: 5 });
      expect(others.objects).toBe(4500);
      expect(others.bytes).toBe(largest.slice(100).reduce((sum, [, bytes]) => sum + bytes, 0));
    }
  } finally {
    await folder.remove();
  }
  const most = new Largest<number>((one) => one, 3);
  for (let i = 0; i < 1000; i++) most.add((i * 7919) % 1000);
  expect(most.list()).toEqual([999, 998, 997]);
});

test("a treemap fills its box without overlap, each area as large as its value", () => {
  const values = Array.from({ length: 40 }, (_, i) => Math.floor(10_000 / (i + 1)));
  const total = values.reduce((sum, value) => sum + value, 0);
  const boxes = squarify(values, { x: 0, y: 0, width: 600, height: 300 });
  boxes.forEach(({ x, y, width, height }, i) => {
    expect(width * height).toBeCloseTo((values[i]! / total) * 180_000, 3);
    expect(Math.max(width / height, height / width)).toBeLessThan(4);
    expect([x >= -1e-6, y >= -1e-6, x + width <= 600.001, y + height <= 300.001]).not.toContain(false);
    for (const other of boxes.slice(0, i)) {
      const [across, down] = [
        Math.min(x + width, other.x + other.width) - Math.max(x, other.x),
        Math.min(y + height, other.y + other.height) - Math.max(y, other.y),
      ];
      expect(Math.min(across, down)).toBeLessThan(1e-6);
    }
  });
});

test("a look that is refused is counted, and the report goes on", async () => {
  const reference = await stored({ dagId: "a", bytes: 10 });
  const hidden = reference.replace("/a/", "/hidden/");
  const gone = reference.replace("/a/", "/gone/");
  const stat = storage.stat.bind(storage);
  vi.spyOn(storage, "stat").mockImplementation(async (path, options) => {
    if (String(path) === hidden) throw failure("PermissionDenied", "no");
    return stat(path, options);
  });
  const found = await run({ sources: [lineReferences([reference, hidden, gone])] });
  expect(found.references).toMatchObject({
    unchecked: 1,
    missing: 1,
    missingPaths: [gone],
    referenced: { objects: 1 },
  });
  expect(reportHtml(found)).toContain("references: the store refused");
  vi.restoreAllMocks();
});

test("a page says when there is nothing, and what could not be listed", async () => {
  const nothing = await run();
  expect(reportHtml(nothing)).toContain("There is no object below this path");
  const sample = await sampleReport();
  const card = reportHtml({ ...sample, references: { ...sample.references!, young: { objects: 3, bytes: 9 } } });
  expect(card).toMatch(/Without a row<\/dt><dd>[^<]*<small>[^<]*; 3 objects too young to tell</);
  expect(reportHtml({ ...sample, failed: 2 })).toMatch(/Not listed<\/dt><dd class="bad">2</);
});

test("writes nothing and leaves no file", async () => {
  const kept = await stored({ dagId: "a", bytes: 100 });
  const before = (await all(storage.list(BASE, { recursive: true }))).map(({ path, etag }) => [String(path), etag]);
  await run({ sources: [lineReferences([kept], "rows")] });
  expect((await all(storage.list(BASE, { recursive: true }))).map(({ path, etag }) => [String(path), etag])).toEqual(
    before,
  );
});
