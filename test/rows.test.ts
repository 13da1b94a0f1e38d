/** XCom rows in memory and in SQL, and XCom on them. */
import { PGlite } from "@electric-sql/pglite";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../src/backend.js";
import type { RowKey, XComRows } from "../src/xcom/rows.js";
import { memoryRows } from "../src/xcom/rows-memory.js";
import { sqlRows } from "../src/xcom/rows-sql.js";
import type { Query } from "../src/xcom/sql.js";
import { XCom } from "../src/xcom/xcom.js";
import { all } from "./support/all.js";
import { startPostgres, whyNoPostgres } from "./support/postgres.js";
import { OWNER, type World, world } from "./xcom-world.js";

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
    const pool = new pg.Pool({ connectionString: server.url });
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
    expect(await rows.get(AT)).toEqual({ ...AT, mapIndex: -1, value: { a: [1, "é", null] } });
    expect((await rows.get({ ...AT, mapIndex: 3 }))?.value).toBe("three");
    expect((await rows.get({ ...AT, key: "a key/é" }))?.value).toBe(false);
    expect(await rows.get({ ...AT, taskId: "other" })).toBeUndefined();
  });
  test("null is a value and no row is undefined", async () => {
    await rows.set(AT, null);
    expect(await rows.get(AT)).toEqual({ ...AT, mapIndex: -1, value: null });
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

  describe("clear", () => {
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
