/** XCom rows in memory and in SQL, and XCom on them. */
import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import type { Query } from "../../../src/sql.js";
import { routeXComs } from "../../../src/xcom/layers/route.js";
import { memoryRows } from "../../../src/xcom/rows/memory.js";
import type { RowKey, XComRows } from "../../../src/xcom/rows/rows.js";
import { sqlRows } from "../../../src/xcom/rows/sql.js";
import { XCom } from "../../../src/xcom/xcom.js";
import { all } from "../../support/all.js";
import { openPool, startPostgres, whyNoPostgres } from "../../support/postgres.js";
import { OWNER, type World, world } from "../../support/xcom-world.js";

const noPostgres = await whyNoPostgres();
if (noPostgres && process.env.CI) throw new Error(noPostgres);

interface Place {
  rows: XComRows;
  close(): Promise<void>;
}

async function fresh(query: Query, end: () => Promise<void>): Promise<Place> {
  const rows = sqlRows(query);
  await query("DROP TABLE IF EXISTS stowage_xcom", []);
  await rows.create();
  await rows.create();
  return { rows, close: end };
}

const PLACES: Record<string, () => Promise<Place>> = {
  memory: async () => ({ rows: memoryRows(), close: async () => {} }),
  PGlite: async () => {
    const database = new PGlite();
    return fresh(
      (text, values) => database.query(text, values),
      () => database.close(),
    );
  },
  Postgres: async () => {
    const server = await startPostgres();
    const pool = openPool(server.url);
    // The server may stop while a connection still says goodbye.
    pool.on("error", () => {});
    return fresh(
      (text, values) => pool.query(text, values),
      async () => {
        await pool.end();
        await server.stop();
      },
    );
  },
};

const AT: RowKey = { ...OWNER, key: "return_value" };

describe.each(Object.keys(PLACES))("rows in %s", (name) => {
  if (name === "Postgres" && noPostgres) return test.skip(`skipped, ${noPostgres}`);
  let place: Place;
  let rows: XComRows;
  beforeAll(async () => {
    place = await PLACES[name]!();
    rows = place.rows;
  });
  beforeEach(async () => {
    for (const row of await all(rows.list())) await rows.delete(row);
  });
  afterAll(() => place?.close());

  test("a row is what was set, and another map index or key is another row", async () => {
    await rows.set(AT, { a: [1, "é", null] });
    await rows.set({ ...AT, mapIndex: 3 }, "three");
    await rows.set({ ...AT, key: "a key/é" }, false);
    expect(await rows.get(AT)).toEqual({
      ...AT,
      mapIndex: -1,
      value: { a: [1, "é", null] },
      version: expect.any(String),
    });
    expect((await rows.get({ ...AT, mapIndex: 3 }))?.value).toBe("three");
    expect((await rows.get({ ...AT, key: "a key/é" }))?.value).toBe(false);
    expect(await rows.get({ ...AT, taskId: "other" })).toBeUndefined();
  });
  test("null is a value and no row is undefined", async () => {
    await rows.set(AT, null);
    expect(await rows.get(AT)).toEqual({ ...AT, mapIndex: -1, value: null, version: expect.any(String) });
  });
  test("order of keys, zero bytes, half characters and floats survive", async () => {
    const value = { b: 1, a: "\0 \ud800", c: 1e-7, d: -0.5, "": {} };
    await rows.set(AT, value);
    const found = await rows.get(AT);
    expect(JSON.stringify(found?.value)).toBe(JSON.stringify(value));
  });
  test("setting again replaces", async () => {
    await rows.set(AT, 1);
    await rows.set(AT, 2);
    expect(await all(rows.list())).toMatchObject([{ value: 2 }]);
  });
  test("deleting says whether there was a row", async () => {
    await rows.set(AT, 1);
    expect(await rows.delete(AT)).toBe(true);
    expect(await rows.delete(AT)).toBe(false);
    expect(await rows.get(AT)).toBeUndefined();
  });
  test("a listing has the rows that agree with all of the filter", async () => {
    await rows.set(AT, 1);
    await rows.set({ ...AT, mapIndex: 0 }, 2);
    await rows.set({ ...AT, runId: "other" }, 3);
    const { runId, taskId, key } = AT;
    expect((await all(rows.list({ runId, taskId, key }))).map(({ value }) => value)).toEqual([1, 2]);
    expect((await all(rows.list({ runId, mapIndex: 0 }))).map(({ value }) => value)).toEqual([2]);
    expect(await all(rows.list({ dagId: "nobody's" }))).toEqual([]);
  });
  test("a listing longer than a page has every row once", { timeout: 60_000 }, async () => {
    for (let mapIndex = 0; mapIndex < 1003; mapIndex++) await rows.set({ ...AT, mapIndex }, mapIndex);
    const found = (await all(rows.list({ taskId: AT.taskId }))).map(({ value }) => value);
    expect(found).toEqual(Array.from({ length: 1003 }, (_, i) => i));
  });
  test("a write or a delete whose condition does not hold changes nothing and says so", async () => {
    expect(await rows.set(AT, 1, { ifAbsent: true })).toBe(true);
    expect(await rows.set(AT, 2, { ifAbsent: true })).toBe(false);
    const first = (await rows.get(AT))!.version;
    expect(await rows.set(AT, 3, { ifVersion: first })).toBe(true);
    expect(await rows.set(AT, 4, { ifVersion: first })).toBe(false);
    expect(await rows.delete(AT, { ifVersion: first })).toBe(false);
    const { value, version } = (await rows.get(AT))!;
    expect(value).toBe(3);
    expect((await all(rows.list(AT)))[0]!.version).toBe(version);
    expect(await rows.delete(AT, { ifVersion: version })).toBe(true);
    expect(await rows.set(AT, 5, { ifVersion: version })).toBe(false);
    expect(await rows.get(AT)).toBeUndefined();
  });
  test("setting the same value is a write as well", async () => {
    await rows.set(AT, 1);
    const { version } = (await rows.get(AT))!;
    await rows.set(AT, 1);
    expect(await rows.delete(AT, { ifVersion: version })).toBe(false);
  });
  test("of twenty writers at once one object is left, and the row names it", { timeout: 60_000 }, async () => {
    const here = world();
    const backend = new XComObjectStorageBackend({ storage: here.storage, path: "s3://conn@b/xcom", threshold: 0 });
    const xcom = new XCom({ rows, backend });
    await Promise.all(Array.from({ length: 20 }, (_, i) => xcom.set(AT, [i])));
    const left = (await all(here.storage.list("s3://conn@b/xcom", { recursive: true }))).map(({ path }) =>
      String(path),
    );
    expect(left).toEqual([(await rows.get(AT))!.value]);
  });
  test("clear beside writers leaves no row without its object and no object without its row", async () => {
    const here = world();
    const backend = new XComObjectStorageBackend({ storage: here.storage, path: "s3://conn@b/xcom", threshold: 0 });
    const xcom = new XCom({ rows, backend });
    const writing = Array.from({ length: 10 }, (_, i) => xcom.set({ ...AT, mapIndex: i % 2 }, [i]));
    const { dagId, runId, taskId } = AT;
    const clearing = [xcom.clear({ dagId, runId, taskId }), xcom.clear({ dagId, runId, taskId, mapIndex: 1 })];
    const reports = await Promise.all(clearing);
    await Promise.all(writing);
    expect(reports.flatMap(({ left }) => left)).toEqual([]);
    const left = (await all(here.storage.list("s3://conn@b/xcom", { recursive: true }))).map(({ path }) =>
      String(path),
    );
    const named = (await all(rows.list())).map(({ value }) => value);
    expect(left.sort()).toEqual(named.sort());
  });
  test("a field that no filter has is refused", async () => {
    await rows.set(AT, 1);
    const listing = all(rows.list({ dag: AT.dagId } as object));
    await expect(listing).rejects.toMatchObject({ code: "InvalidArgument", detail: expect.stringContaining('"dag"') });
  });
  test("an aborted signal ends a call with its reason", async () => {
    await rows.set(AT, 1);
    const signal = AbortSignal.abort("enough");
    await expect(all(rows.list({}, { signal }))).rejects.toBe("enough");
  });
});

test("a database that says no is a typed error with the client's own as cause", async () => {
  const database = new PGlite();
  const rows = sqlRows((text, values) => database.query(text, values), { table: "nowhere" });
  await expect(rows.get(AT)).rejects.toMatchObject({ code: "InvalidArgument", cause: { code: "42P01" } });
  await database.close();
  await expect(rows.get(AT)).rejects.toMatchObject({ code: "Unavailable" });
  expect(() => sqlRows(async () => ({ rows: [] }), { table: "x; DROP" })).toThrow("no plain name");
});

describe("XCom", () => {
  const BIG = { text: "x".repeat(500) };
  let here: World;
  let rows: XComRows;
  let backend: XComObjectStorageBackend;
  let xcom: XCom;
  beforeEach(() => {
    here = world();
    rows = memoryRows();
    backend = new XComObjectStorageBackend({ storage: here.storage, path: "s3://conn@b/xcom", threshold: 100 });
    xcom = new XCom({ rows, backend });
  });

  async function objects(): Promise<string[]> {
    return (await all(here.storage.list("s3://conn@b/xcom", { recursive: true }))).map(({ path }) => String(path));
  }

  test("a small value is in its row, a large one in an object that the row names", async () => {
    await xcom.set(AT, 5);
    await xcom.set({ ...AT, key: "big" }, BIG);
    expect((await rows.get(AT))?.value).toBe(5);
    expect(await objects()).toEqual([(await rows.get({ ...AT, key: "big" }))?.value]);
    expect([await xcom.get(AT), await xcom.get({ ...AT, key: "big" })]).toEqual([5, BIG]);
    expect(await xcom.get({ ...AT, key: "none" })).toBeUndefined();
  });
  test("the object of a value that is replaced goes away", async () => {
    await xcom.set(AT, BIG);
    const [first] = await objects();
    await xcom.set(AT, { ...BIG, more: 1 });
    expect(await objects()).toHaveLength(1);
    expect(await objects()).not.toEqual([first]);
    await xcom.set(AT, 1);
    expect(await objects()).toEqual([]);
  });
  test.each([
    ["another connection", "s3://other@b/xcom", (text: string) => text],
    ["another scheme", "s3://conn@b/xcom", (text: string) => text.replace("s3://", "s3a://")],
  ])("an object that is overwritten under %s is not purged", async (_, path, spelled) => {
    const keyTemplate = "{dag_id}/{run_id}/{task_id}/{map_index}/{key}.json";
    const at = (base: string) =>
      new XComObjectStorageBackend({ storage: here.storage, path: base, threshold: 0, keyTemplate });
    const old = at("s3://conn@b/xcom");
    await rows.set(AT, spelled(String(await old.storeValue(OWNER, AT.key, "one"))));
    const fresh = at(path);
    const routed = new XCom({ rows, backend: routeXComs({ backends: { fresh, old }, route: () => "fresh" }) });
    await routed.set(AT, "two");
    expect(await routed.get(AT)).toBe("two");
  });
  test("getMany gives every value in the order of the rows", async () => {
    for (let mapIndex = 0; mapIndex < 30; mapIndex++) await xcom.set({ ...AT, mapIndex }, { ...BIG, mapIndex });
    const found: unknown[] = [];
    for await (const { mapIndex, value } of xcom.getMany({ taskId: AT.taskId, key: AT.key })) {
      expect(value).toEqual({ ...BIG, mapIndex });
      found.push(mapIndex);
    }
    expect(found).toEqual(Array.from({ length: 30 }, (_, i) => i));
  });
  test("getMany left early or failing ahead leaves no unhandled rejection", async () => {
    for (let mapIndex = 0; mapIndex < 9; mapIndex++) await xcom.set({ ...AT, mapIndex }, { ...BIG, mapIndex });
    const first = (await rows.get({ ...AT, mapIndex: 0 }))?.value;
    for (const path of await objects()) if (path !== first) await here.storage.delete(path);
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", note);
    for await (const _ of xcom.getMany({})) break;
    await expect(drained(xcom.getMany({}))).rejects.toMatchObject({
      code: "NotFound",
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });
  test("delete takes the row and its object, and says whether there was one", async () => {
    await xcom.set(AT, BIG);
    expect(await xcom.delete(AT)).toBe(true);
    expect([await objects(), await rows.get(AT), await xcom.delete(AT)]).toEqual([[], undefined, false]);
  });
  test("X07 a reference to another's object, or to none of ours, deletes the row and nothing else", async () => {
    const theirs = (await backend.storeValue({ ...OWNER, dagId: "theirs" }, "k", BIG)) as string;
    await rows.set(AT, theirs);
    await expect(xcom.delete(AT)).rejects.toMatchObject({ code: "PermissionDenied" });
    await rows.set(AT, "s3://conn@b/xcom");
    expect(await xcom.delete(AT)).toBe(true);
    expect(await objects()).toEqual([theirs]);
  });

  test("a purge that deletes nothing although the row refers to an object is a failure", async () => {
    const deaf = {
      storeValue: backend.storeValue.bind(backend),
      loadValue: backend.loadValue.bind(backend),
      pathsOf: backend.pathsOf.bind(backend),
      purge: async () => false,
    };
    await xcom.set(AT, BIG);
    const { left, deleted } = await new XCom({ rows, backend: deaf }).clear(OWNER);
    expect(deleted).toMatchObject([{ objects: [] }]);
    expect(left).toMatchObject([{ row: false, objects: await objects(), error: { code: "Unsupported" } }]);
    await xcom.set(AT, BIG);
    await expect(new XCom({ rows, backend: deaf }).delete(AT)).rejects.toMatchObject({ code: "Unsupported" });
  });

  describe("clear", () => {
    test.each([["key"], ["map_index"], ["dryrun"], ["runID"]])("refuses the field %s in its target", async (name) => {
      await xcom.set(AT, BIG);
      const target = { ...OWNER, [name]: name === "runID" ? "r" : 1 };
      await expect(xcom.clear(target)).rejects.toMatchObject({
        code: "InvalidArgument",
        detail: expect.stringContaining(`unknown target field "${name}"`),
      });
      expect(await objects()).toHaveLength(1);
    });
    test("refuses an option that it does not know", async () => {
      await xcom.set(AT, BIG);
      const clearing = xcom.clear(OWNER, { dryrun: true } as object);
      await expect(clearing).rejects.toMatchObject({
        code: "InvalidArgument",
        detail: expect.stringContaining("dryRun"),
      });
      expect(await objects()).toHaveLength(1);
    });
    test("never deletes a row that was not asked for, whatever the rows list", async () => {
      await xcom.set({ ...AT, taskId: "other" }, BIG);
      const wide: XComRows = { ...rows, list: (_, options) => rows.list({}, options) };
      await expect(new XCom({ rows: wide, backend }).clear(OWNER)).rejects.toMatchObject({ code: "Corrupt" });
      expect([await objects(), await all(rows.list())]).toMatchObject([[expect.any(String)], [{ taskId: "other" }]]);
    });
    test("names rows whose text may refer to an object of another backend", async () => {
      await rows.set(AT, "s3://conn@retired/xcom/d/r/t/019b1c2d-0000-7000-8000-000000000001");
      await rows.set({ ...AT, key: "page" }, "https://example.com/x");
      const { kept, rows: count } = await xcom.clear(OWNER);
      expect([count, kept]).toMatchObject([2, [{ at: AT, reference: expect.stringContaining("s3://conn@retired/") }]]);
    });
    test("deletes all rows and objects of a task instance and nothing of another", async () => {
      for (const mapIndex of [0, 1]) await xcom.set({ ...AT, mapIndex }, BIG);
      await xcom.set({ ...AT, mapIndex: 1, key: "small" }, 1);
      await xcom.set({ ...AT, taskId: "other" }, BIG);
      expect(await xcom.clear({ ...OWNER, mapIndex: 1 })).toMatchObject({ rows: 2, objects: 1, left: [] });
      expect(await xcom.clear(OWNER)).toMatchObject({ rows: 1, objects: 1, left: [] });
      expect(await objects()).toHaveLength(1);
      expect((await all(rows.list())).map(({ taskId }) => taskId)).toEqual(["other"]);
    });
    test("deletes the row before the object", async () => {
      await xcom.set(AT, BIG);
      const order: string[] = [];
      const watched: XComRows = {
        ...rows,
        delete: (at) => {
          order.push(`row, objects: ${here.calls.filter((call) => call.startsWith("delete")).length}`);
          return rows.delete(at);
        },
      };
      await new XCom({ rows: watched, backend }).clear(OWNER);
      expect(order).toEqual(["row, objects: 0"]);
    });
    test("reports what it could not delete and goes on", async () => {
      const theirs = (await backend.storeValue({ ...OWNER, taskId: "theirs" }, "k", BIG)) as string;
      await rows.set({ ...AT, key: "a" }, theirs);
      await xcom.set({ ...AT, key: "b" }, BIG);
      const { left, ...done } = await xcom.clear(OWNER);
      expect(done).toMatchObject({ rows: 2, objects: 1 });
      expect(left).toMatchObject([{ at: { key: "a" }, reference: theirs, error: { code: "PermissionDenied" } }]);
      expect(await objects()).toEqual([theirs]);
    });
  });
});

async function drained(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}
