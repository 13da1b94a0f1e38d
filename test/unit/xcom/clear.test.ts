/** clear(): which run, dry run, and the report of what is and what is not gone. */
import { PGlite } from "@electric-sql/pglite";
import { beforeEach, describe, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import { failure } from "../../../src/errors.js";
import { StoragePath } from "../../../src/path.js";
import { DateTime } from "../../../src/xcom/encoding/airflow.js";
import { replicate } from "../../../src/xcom/layers/replicate.js";
import type { XComBackend } from "../../../src/xcom/options.js";
import { airflowRuns, logicalDateText, type RunFinder } from "../../../src/xcom/rows/airflow-database.js";
import { memoryRows } from "../../../src/xcom/rows/memory.js";
import type { XComRow, XComRows } from "../../../src/xcom/rows/rows.js";
import type { ClearTarget } from "../../../src/xcom/xcom.js";
import { XCom } from "../../../src/xcom/xcom.js";
import { all } from "../../support/all.js";
import { heapOf } from "../../support/heap.js";
import { OWNER, type World, world } from "../../support/xcom-world.js";

const BIG = { text: "x".repeat(500) };
const BASES = ["s3://conn@b/xcom", "gs://conn@c/copy"];
const AT = { ...OWNER, key: "return_value" };

let here: World;
let rows: XComRows;
let backend: XComBackend;
beforeEach(() => {
  here = world();
  rows = memoryRows();
  const targets = BASES.map((path) => new XComObjectStorageBackend({ storage: here.storage, path, threshold: 100 }));
  backend = replicate({ targets });
});

const xcom = (more: { backend?: XComBackend; rows?: XComRows; runs?: RunFinder } = {}) =>
  new XCom({ rows, backend, ...more });

async function objects(): Promise<string[]> {
  const found = await Promise.all(BASES.map((base) => all(here.storage.list(base, { recursive: true }))));
  return found.flat().map(({ path }) => String(path));
}
async function keysLeft(): Promise<string[]> {
  return (await all(rows.list())).map(({ key }) => key);
}

describe("clear", () => {
  test("deletes every row and its objects on all replicas, and lists them", async () => {
    await xcom().set(AT, BIG);
    await xcom().set({ ...AT, key: "small" }, 1);
    const there = await objects();
    expect(there).toHaveLength(2);
    const { dagId, runId, taskId } = OWNER;
    const at = { dagId, runId, taskId, mapIndex: -1 };
    expect(await xcom().clear(OWNER)).toEqual({
      rows: 2,
      objects: 2,
      deleted: [
        { at: { ...at, key: "return_value" }, objects: there },
        { at: { ...at, key: "small" }, objects: [] },
      ],
      gone: [],
      kept: [],
      left: [],
    });
    expect([await objects(), await keysLeft()]).toEqual([[], []]);
  });
  test("as a dry run reports the same and deletes nothing", async () => {
    await xcom().set(AT, BIG);
    const there = await objects();
    here.calls.length = 0;
    const dry = await xcom().clear(OWNER, { dryRun: true });
    expect(here.calls).toEqual([]);
    expect([await objects(), await keysLeft()]).toEqual([there, ["return_value"]]);
    expect(await xcom().clear(OWNER)).toEqual(dry);
  });
  test("as a dry run tells which reference it would refuse", async () => {
    const theirs = await backend.storeValue({ ...OWNER, dagId: "theirs" }, "k", BIG);
    await rows.set(AT, theirs);
    const { left } = await xcom().clear(OWNER, { dryRun: true });
    expect(left).toMatchObject([{ row: false, reference: theirs, error: { code: "PermissionDenied" } }]);
  });
  test("deletes the objects of a row that is gone although its delete failed", async () => {
    await xcom().set(AT, BIG);
    const lossy: XComRows = {
      ...rows,
      delete: async (at, options) => {
        await rows.delete(at, options);
        throw failure("Unavailable", "the response was lost");
      },
    };
    expect(await xcom({ rows: lossy }).clear(OWNER)).toMatchObject({ rows: 1, objects: 2, left: [] });
    expect(await objects()).toEqual([]);
    await xcom().set(AT, BIG);
    expect(await xcom({ rows: lossy }).delete(AT)).toBe(true);
    expect(await objects()).toEqual([]);
  });
  test("names a row that somebody else deleted after it was listed", async () => {
    await xcom().set(AT, BIG);
    const late: XComRows = { ...rows, get: async () => undefined };
    expect(await xcom({ rows: late }).clear(OWNER)).toMatchObject({ rows: 0, gone: [AT], left: [] });
  });
  test("does not touch the object of a row that cannot be deleted", async () => {
    await xcom().set(AT, BIG);
    const stuck: XComRows = { ...rows, delete: () => Promise.reject(failure("Unavailable", "the database is away")) };
    const there = await objects();
    expect(await xcom({ rows: stuck }).clear(OWNER)).toMatchObject({
      rows: 0,
      objects: 0,
      deleted: [],
      left: [{ at: AT, row: true, objects: [], reference: there[0], error: { code: "Unavailable" } }],
    });
    expect(await objects()).toEqual(there);
  });
  test("says of each copy whether it is gone", async () => {
    const gone = StoragePath.parse("file:///gone");
    const partly: XComBackend & { pathsOf(): StoragePath[] } = {
      storeValue: backend.storeValue.bind(backend),
      loadValue: backend.loadValue.bind(backend),
      pathsOf: () => [gone, StoragePath.parse(BASES[1]!)],
      purge: () => {
        const one = failure("Timeout", "no answer").at("delete", BASES[1]!);
        throw failure("Timeout", "1 copy", { cause: new AggregateError([one]) });
      },
    };
    await rows.set(AT, "a reference");
    expect(await xcom({ backend: partly }).clear(OWNER)).toMatchObject({
      rows: 1,
      objects: 1,
      deleted: [{ at: AT, objects: [String(gone)] }],
      left: [{ row: false, objects: [String(StoragePath.parse(BASES[1]!))], error: { code: "Timeout" } }],
    });
  });
  test("with a backend of one's own, which cannot tell its objects, still clears but has no dry run", async () => {
    const own: XComBackend = {
      storeValue: backend.storeValue.bind(backend),
      loadValue: backend.loadValue.bind(backend),
      purge: backend.purge.bind(backend),
    };
    await xcom().set(AT, BIG);
    await expect(xcom({ backend: own }).clear(OWNER, { dryRun: true })).rejects.toMatchObject({ code: "Unsupported" });
    expect(await xcom({ backend: own }).clear(OWNER)).toMatchObject({ rows: 1, objects: 1 });
    expect(await objects()).toEqual([]);
  });
  test("that is aborted says so and keeps the rest", async () => {
    for (const key of ["a", "b"]) await xcom().set({ ...AT, key }, BIG);
    const controller = new AbortController();
    const watched: XComRows = {
      ...rows,
      delete: (at) => {
        controller.abort("enough");
        return rows.delete(at);
      },
    };
    const clearing = xcom({ rows: watched }).clear(OWNER, { signal: controller.signal });
    await expect(clearing).rejects.toBe("enough");
    expect(await keysLeft()).toEqual(["b"]);
  });

  const target = (more: object) => ({ dagId: "d", taskId: "t", ...more }) as ClearTarget;
  test.each<[string, ClearTarget, string]>([
    ["neither run nor date", target({}), "exactly one of runId and logicalDate"],
    ["both", target({ runId: "r", logicalDate: new Date() }), "exactly one of runId and logicalDate"],
    ["no Dag", target({ dagId: undefined, runId: "r" }), "dagId must be the text of an id, not undefined"],
    ["an empty task", target({ taskId: "", runId: "r" }), "taskId must be the text of an id, not empty"],
    ["an empty run", target({ runId: "" }), "runId must be the text of an id"],
    ["half a map index", target({ runId: "r", mapIndex: 0.5 }), "mapIndex"],
    ["a date without offset", target({ logicalDate: "2026-01-02T03:04:05" }), "with its offset"],
    ["a date that is none", target({ logicalDate: new Date(Number.NaN) }), "must be a Date"],
    ["a date where nobody knows dates", target({ logicalDate: new Date() }), "give XCom `runs`"],
  ])("%s is refused before a row is looked at", async (_, which, why) => {
    await rows.set({ dagId: "d", runId: "r", taskId: "t", key: "k" }, 1);
    await expect(xcom().clear(which)).rejects.toMatchObject({
      code: "InvalidArgument",
      op: "clear",
      detail: expect.stringContaining(why),
    });
    expect(await keysLeft()).toEqual(["k"]);
  });

  describe("by logical date", () => {
    const asked: string[] = [];
    const runs: RunFinder = async (dagId, date) => {
      asked.push(`${dagId} ${date}`);
      return date.startsWith("2026-01-02T03:04:05") ? OWNER.runId : undefined;
    };
    test.each([
      ["2026-01-02T03:04:05.678901+00:00", "2026-01-02T03:04:05.678901+00:00"],
      ["2026-01-02 05:04:05+0200", "2026-01-02T03:04:05.000000+00:00"],
      [new Date("2026-01-02T03:04:05.678Z"), "2026-01-02T03:04:05.678000+00:00"],
      [new DateTime(1767323045.678901), "2026-01-02T03:04:05.678901+00:00"],
      [new Date(-1), "1969-12-31T23:59:59.999000+00:00"],
    ])("%s is %s to the microsecond", (date, text) => expect(logicalDateText(date)).toBe(text));
    test("clears the run of that date and no other", async () => {
      await xcom().set(AT, BIG);
      await xcom().set({ ...AT, runId: "other" }, BIG);
      const { dagId, taskId } = OWNER;
      const done = await xcom({ runs }).clear({ dagId, taskId, logicalDate: "2026-01-02T03:04:05Z" });
      expect(done).toMatchObject({ rows: 1, objects: 2, deleted: [{ at: { runId: OWNER.runId } }] });
      expect(asked.at(-1)).toBe(`${dagId} 2026-01-02T03:04:05.000000+00:00`);
      expect(await keysLeft()).toHaveLength(1);
    });
    test("of no run is NotFound", async () => {
      const none = xcom({ runs }).clear({ dagId: "d", taskId: "t", logicalDate: new Date(0) });
      await expect(none).rejects.toMatchObject({ code: "NotFound", op: "clear" });
    });
    test("is found in the tables of Airflow, whatever the zone of the session", async () => {
      const database = new PGlite();
      await database.exec(`SET TIME ZONE 'Asia/Tokyo';
        CREATE TABLE dag_run (dag_id text, run_id text, logical_date timestamptz);
        INSERT INTO dag_run VALUES ('d', 'yes', '2026-01-02T03:04:05.678901Z'), ('d', 'no', '2026-01-02T03:04:05.678Z'),
          ('e', 'other', '2026-01-02T03:04:05.678901Z'), ('d', 'manual', NULL)`);
      const find = airflowRuns((text, values) => database.query(text, values));
      expect(await find("d", "2026-01-02T03:04:05.678901+00:00")).toBe("yes");
      expect(await find("d", "2026-01-02T12:04:05.678901+00:00")).toBeUndefined();
      await database.exec("DROP TABLE dag_run");
      await expect(find("d", "2026-01-02T03:04:05.678901+00:00")).rejects.toMatchObject({ code: "InvalidArgument" });
      await database.close();
    });
  });

  test("reports many rows in little memory: one text of each object, and the ids once", async () => {
    const base = "s3://conn@b/xcom";
    const below = `${OWNER.dagId}/${OWNER.runId}/${OWNER.taskId}`;
    // Each row has texts of its own, as a database returns them.
    const row = (mapIndex: number): XComRow =>
      JSON.parse(JSON.stringify({ ...AT, mapIndex, value: `${base}/${below}/write-${idOf(mapIndex)}/x.json` }));
    const one = new XComObjectStorageBackend({ storage: here.storage, path: base, threshold: 0 });
    const clearMany = async (count: number) => {
      const gone = new Set<number | undefined>();
      const many: XComRows = {
        get: async ({ mapIndex = -1 }) => (gone.has(mapIndex) ? undefined : row(mapIndex)),
        set: async () => false,
        delete: async ({ mapIndex }) => gone.add(mapIndex).size > 0,
        async *list() {
          for (let i = 0; i < count; i++) yield row(i);
        },
      };
      const report = await xcom({ rows: many, backend: one }).clear(OWNER);
      here.calls.length = 0;
      return report;
    };
    await clearMany(100);
    const count = 10_000;
    const { value, bytes } = await heapOf(() => clearMany(count));
    expect(value).toMatchObject({ rows: count, objects: count, left: [] });
    const last = row(count - 1);
    expect(value.deleted.at(-1)).toEqual({ at: { ...AT, mapIndex: count - 1 }, objects: [last.value] });
    // The text of the path is 152 of them.
    expect(bytes / count).toBeLessThan(360);
  });
});

function idOf(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
}
