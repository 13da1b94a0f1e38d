/** Rows by Airflow's REST API when what answers is a proxy, another server, or an Airflow that says odd things. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../../src/backend.js";
import { type RestRows, restRows } from "../../src/xcom/rows/airflow-rest.js";
import type { RowKey } from "../../src/xcom/rows/rows.js";
import { XCom } from "../../src/xcom/xcom.js";
import { all } from "../support/all.js";
import { type World, world } from "../support/xcom-world.js";
import { type AirflowApi, type Answer, row, startAirflowApi } from "./airflow-api.js";

const AT: RowKey = { dagId: "d", runId: "r", taskId: "t", key: "k" };
const TARGET = { dagId: "d", runId: "r", taskId: "t" };
const LOGIN_PAGE = "<!doctype html><title>Sign in</title>";
const HTML = { "content-type": "text/html" };

let api: AirflowApi;
let rows: RestRows;
let here: World;
let backend: XComObjectStorageBackend;
beforeEach(async () => {
  api = await startAirflowApi();
  rows = await restRows({ endpoint: api.endpoint, token: "secret" });
  here = world();
  backend = new XComObjectStorageBackend({ storage: here.storage, path: "memory://xcoms/base", threshold: 0 });
});
afterEach(async () => {
  rows.close();
  await api.close();
});

const xcom = () => new XCom({ rows, backend });
const objects = async () => (await all(here.storage.list("memory://xcoms/", { recursive: true }))).length;
const on = (method: string, answer: Answer) => {
  api.override = (call) => (call.method === method ? answer : undefined);
};

describe("an answer that is not Airflow's", () => {
  const ANSWERS: [string, Answer][] = [
    ["200 with a login page", { status: 200, body: LOGIN_PAGE, headers: HTML }],
    ["200 with an empty body", { status: 200, body: "" }],
    ["200 with a number", { status: 200, body: "12" }],
    ["200 with an array", { status: 200, body: "[]" }],
    ["202", { status: 202, body: "{}" }],
    ["203", { status: 203, body: {} }],
    ["205", { status: 205, body: {} }],
    ["302", { status: 302, headers: { location: "/login" } }],
    ["404 of a proxy", { status: 404, body: LOGIN_PAGE, headers: HTML }],
    ["404 of another path", { status: 404, body: { detail: "Not Found" } }],
    ["404 with another document", { status: 404, body: { message: "no such thing" } }],
    ["410", { status: 410, body: {} }],
  ];
  test.each(ANSWERS)("%s to the DELETE of a row deletes no object", async (_, answer) => {
    await xcom().set(AT, [1]);
    on("DELETE", answer);
    const cleared = await xcom().clear(TARGET);
    expect(cleared).toMatchObject({ rows: 0, objects: 0, deleted: [], left: [{ row: true, objects: [] }] });
    expect([api.rows.length, await objects()]).toEqual([1, 1]);
    await expect(xcom().delete(AT)).rejects.toMatchObject({ name: "StorageError" });
    expect(await objects()).toBe(1);
    // Undone, the same call ends the work.
    api.override = () => undefined;
    expect(await xcom().clear(TARGET)).toMatchObject({ rows: 1, objects: 1, left: [] });
  });
  test.each(ANSWERS)("%s to a write leaves the object of the row that stands", async (_, answer) => {
    await xcom().set(AT, [1]);
    const [first] = await all(here.storage.list("memory://xcoms/", { recursive: true }));
    for (const method of ["PATCH", "POST"]) {
      on(method, answer);
      // A 404 of Airflow's to a PATCH says that the row has gone, any other that nothing is known.
      await expect(xcom().set(method === "POST" ? { ...AT, key: "other" } : AT, [2])).rejects.toMatchObject({
        name: "StorageError",
        retryable: false,
      });
      expect(await here.storage.exists(first!.path)).toBe(true);
    }
  });
  test.each(ANSWERS)("%s to the GET of a row is not its absence", async (_, answer) => {
    on("GET", answer);
    await expect(rows.get(AT)).rejects.toMatchObject({ name: "StorageError", retryable: false });
    await expect(all(rows.list(TARGET))).rejects.toMatchObject({ name: "StorageError", retryable: false });
  });
  test("a row from a listing is a key for each verb", async () => {
    await rows.set(AT, 1);
    const [row] = await all(rows.list(TARGET));
    expect(await rows.get(row!)).toEqual(row);
    await rows.set(row!, 2);
    expect([await rows.delete(row!), await rows.get(row!)]).toEqual([true, undefined]);
  });
  test("a 204 to a GET, or a 404 of Airflow's to a listing, is none either", async () => {
    on("GET", { status: 204 });
    await expect(rows.get(AT)).rejects.toMatchObject({ code: "Corrupt" });
    on("GET", { status: 404, body: { detail: "The Dag with ID: `d` was not found" } });
    await expect(all(rows.list(TARGET))).rejects.toMatchObject({ code: "NotFound" });
    expect(await rows.get(AT)).toBeUndefined();
  });
});

test("a DELETE that was carried out and whose response was lost is not the absence of a row", async () => {
  await xcom().set(AT, [1]);
  let lost = false;
  api.override = ({ method }, own) => {
    if (method !== "DELETE" || lost) return undefined;
    lost = true;
    own();
    return { status: 502, body: {} };
  };
  expect(await xcom().clear(TARGET)).toMatchObject({ rows: 1, objects: 1, left: [] });
  expect(await objects()).toBe(0);
});

describe("fields", () => {
  test.each<[string, object]>([
    ["no value", { value: undefined }],
    ["another Dag", { dag_id: "other" }],
    ["another run", { run_id: "other" }],
    ["another task", { task_id: "other" }],
    ["another map index", { map_index: 3 }],
    ["another key", { key: "other" }],
    ["a map index as text", { map_index: "-1" }],
    ["a Dag that is an object", { dag_id: {} }],
    ["a key that is null", { key: null }],
    ["no timestamp", { timestamp: undefined }],
  ])("a row with %s is Corrupt and its object stays", async (_, more) => {
    await xcom().set(AT, [1]);
    api.override = ({ method, url }, own) => {
      if (method !== "GET" || url.pathname.endsWith("xcomEntries")) return undefined;
      const { status, body } = own();
      return { status, body: { ...(body as object), ...more } };
    };
    await expect(rows.get(AT)).rejects.toMatchObject({ code: "Corrupt", retryable: false });
    expect(
      await xcom()
        .clear(TARGET)
        .catch((error: unknown) => error),
    ).toMatchObject({ code: "Corrupt" });
    expect([api.rows.length, await objects()]).toEqual([1, 1]);
  });
  test.each<[string, unknown]>([
    ["rows of another task", { xcom_entries: [row({ task_id: "other" })], total_entries: 1 }],
    ["rows of all runs", { xcom_entries: [row(), row({ run_id: "other" })], total_entries: 2 }],
    ["no total", { xcom_entries: [row()] }],
    ["a total that is text", { xcom_entries: [row()], total_entries: "1" }],
    ["entries that are an object", { xcom_entries: {}, total_entries: 1 }],
    ["entries that are numbers", { xcom_entries: [1], total_entries: 1 }],
    ["no rows although there are some", { xcom_entries: [], total_entries: 5 }],
  ])("a listing with %s is Corrupt, and nothing is deleted", async (_, body) => {
    for (const run_id of ["r", "other"]) api.rows.push(row({ run_id }));
    api.override = ({ method, url }) =>
      method === "GET" && url.pathname.endsWith("xcomEntries") ? { status: 200, body } : undefined;
    await expect(xcom().clear(TARGET)).rejects.toMatchObject({ code: "Corrupt", op: "clear" });
    expect(api.calls.filter(({ method }) => method === "DELETE")).toEqual([]);
    expect(api.rows).toHaveLength(2);
  });
  test("integers beyond 2^53 come as they are", async () => {
    api.override = ({ url }) =>
      url.pathname.endsWith("/k")
        ? { status: 200, body: JSON.stringify(row({ value: "@" })).replace('"@"', "12345678901234567890") }
        : undefined;
    expect((await rows.get(AT))?.value).toBe(12345678901234567890n);
    await expect(rows.set(AT, 1n)).rejects.toMatchObject({ code: "InvalidArgument", retryable: false });
  });
});

describe("~, Airflow's wildcard", () => {
  test.each(["dagId", "runId", "taskId"])("is refused as %s before any request", async (name) => {
    for (const run_id of ["~", "r", "other"]) api.rows.push(row({ run_id }));
    await expect(xcom().clear({ ...TARGET, [name]: "~" })).rejects.toMatchObject({
      code: "InvalidArgument",
      detail: expect.stringContaining(`${name} "~"`),
    });
    await expect(all(rows.list({ [name]: "~" }))).rejects.toMatchObject({ code: "InvalidArgument" });
    expect(api.calls).toEqual([]);
  });
});

describe("pages", () => {
  test.each([1, 7, 49, 50, 100])(
    "of at most %d rows are all listed and cleared",
    { timeout: 60_000 },
    async (limit) => {
      api.pageLimit = limit;
      for (let index = 0; index < 100; index++) api.rows.push(row({ map_index: index }));
      expect((await all(rows.list(TARGET))).map(({ mapIndex }) => mapIndex)).toEqual(
        api.rows.map((each) => each.map_index),
      );
      expect(await xcom().clear(TARGET)).toMatchObject({ rows: 100, left: [] });
      expect(api.rows).toEqual([]);
    },
  );
  test("of a server that ignores the offset end", async () => {
    for (let index = 0; index < 30; index++) api.rows.push(row({ map_index: index }));
    api.pageLimit = 10;
    api.override = ({ url }, own) => {
      url.searchParams.delete("offset");
      const { status, body } = own();
      return url.pathname.endsWith("xcomEntries")
        ? { status, body: { ...(body as object), total_entries: 1e9 } }
        : undefined;
    };
    await expect(all(rows.list(TARGET))).rejects.toMatchObject({ code: "Corrupt", retryable: false });
    expect(api.calls.filter(({ url }) => url.pathname.endsWith("xcomEntries")).length).toBeLessThan(20);
  });
  test.each([60, 300, 500])("of a server that ignores the offset are no whole listing of %d rows", async (count) => {
    for (let index = 0; index < count; index++) api.rows.push(row({ map_index: index }));
    api.override = ({ url }, own) => {
      url.searchParams.delete("offset");
      return own();
    };
    await expect(xcom().clear(TARGET)).rejects.toMatchObject({ code: "Corrupt" });
    expect(api.rows).toHaveLength(count);
  });
  test("with a row twice and another missing are no whole listing", async () => {
    for (let index = 0; index < 60; index++) api.rows.push(row({ map_index: index }));
    api.override = ({ url }, own) => {
      if (!url.pathname.endsWith("xcomEntries")) return undefined;
      const { status, body } = own() as { status: number; body: { xcom_entries: object[]; total_entries: number } };
      return {
        status,
        body: { ...body, xcom_entries: body.xcom_entries.map((each, i, all) => (i === 1 ? all[0] : each)) },
      };
    };
    await expect(xcom().clear(TARGET)).rejects.toMatchObject({ code: "Corrupt" });
  });
  test("with a total below what came are Corrupt", async () => {
    for (let index = 0; index < 5; index++) api.rows.push(row({ map_index: index }));
    api.override = ({ url }, own) => {
      const { status, body } = own();
      return url.pathname.endsWith("xcomEntries")
        ? { status, body: { ...(body as object), total_entries: 0 } }
        : undefined;
    };
    await expect(all(rows.list(TARGET))).rejects.toMatchObject({ code: "Corrupt" });
  });
  test("have every row that stays although others go meanwhile", async () => {
    for (let index = 0; index < 60; index++) api.rows.push(row({ map_index: index }));
    api.pageLimit = 10;
    let page = 0;
    api.override = ({ url }, own) => {
      const answer = own();
      // The first rows of what was listed go while the listing is under way.
      if (url.pathname.endsWith("xcomEntries") && ++page % 2 === 0) api.rows.splice(0, 5);
      return answer;
    };
    const found = new Set((await all(rows.list(TARGET))).map(({ mapIndex }) => mapIndex));
    for (const { map_index } of api.rows) expect(found).toContain(map_index);
  });
  test("have every row that stays although as many come as go", async () => {
    const NONE = { at: 0, gone: 0, come: 0 };
    const changes = fc.record({ at: fc.nat(59), gone: fc.nat(12), come: fc.nat(12) });
    await fc.assert(
      fc.asyncProperty(fc.array(changes, { minLength: 1, maxLength: 8 }), fc.integer({ min: 2, max: 20 }), check),
      { numRuns: 60, examples: [[[NONE, { ...NONE, gone: 2 }, NONE, { ...NONE, gone: 2 }, NONE], 3]] },
    );
    async function check(changed: { at: number; gone: number; come: number }[], limit: number) {
      api.rows = Array.from({ length: 60 }, (_, index) => row({ map_index: 1000 * index }));
      api.pageLimit = limit;
      const [left, stays] = [[...changed], new Set(api.rows.map((one) => one.map_index))];
      let fresh = 1;
      api.override = ({ url }, own) => {
        const answer = own();
        const change = url.pathname.endsWith("xcomEntries") ? left.shift() : undefined;
        if (!change) return answer;
        for (const { map_index } of api.rows.splice(change.at, change.gone)) stays.delete(map_index);
        // The server sorts by key.
        for (let i = 0; i < change.come; i++) {
          const near = (change.at * 7919 + i * 104_729) % 60;
          api.rows.push(row({ map_index: 1000 * near + fresh++ }));
        }
        api.rows.sort((a, b) => a.map_index - b.map_index);
        return answer;
      };
      const found = new Set((await all(rows.list(TARGET))).map(({ mapIndex }) => mapIndex));
      for (const index of stays) expect(found).toContain(index);
    }
  });
});

describe("a token that is refused", () => {
  test("is renewed once for all calls under way", async () => {
    for (let index = 0; index < 40; index++) api.rows.push(row({ map_index: index }));
    let issued = 0;
    const token = async () => {
      issued += 1;
      await new Promise((resolve) => setImmediate(resolve));
      return `token-${issued}`;
    };
    api.override = ({ authorization }) => (authorization === "Bearer token-1" ? { status: 401, body: {} } : undefined);
    const renewing = await restRows({ endpoint: api.endpoint, token });
    const found = await Promise.all(api.rows.map(({ map_index }) => renewing.get({ ...AT, mapIndex: map_index })));
    expect(found).not.toContain(undefined);
    expect(issued).toBe(2);
    renewing.close();
  });
  test("ends the call when the next one is refused too", async () => {
    on("GET", { status: 401, body: {} });
    let issued = 0;
    const renewing = await restRows({ endpoint: api.endpoint, token: () => `token-${++issued}` });
    await expect(renewing.get(AT)).rejects.toMatchObject({ code: "Unauthenticated" });
    expect(issued).toBe(2);
    renewing.close();
  });
  test("does not keep a caller who aborts, and its abort ends no other call", async () => {
    let give: (token: string) => void = () => {};
    const token = () => new Promise<string>((resolve) => (give = resolve));
    const waiting = await restRows({ endpoint: api.endpoint, token });
    const stop = new AbortController();
    const [aborted, other] = [waiting.get(AT, { signal: stop.signal }), waiting.get(AT)];
    stop.abort("enough");
    await expect(aborted).rejects.toBe("enough");
    give("token");
    expect(await other).toBeUndefined();
    waiting.close();
  });
  test.each<[string, () => string]>([
    ["throws", () => JSON.parse("{")],
    ["gives no text", () => undefined as unknown as string],
  ])("by a function that %s is a typed error, and the next call asks again", async (_, first) => {
    let calls = 0;
    const renewing = await restRows({ endpoint: api.endpoint, token: () => (++calls === 1 ? first() : "token") });
    await expect(renewing.get(AT)).rejects.toMatchObject({ name: "StorageError", retryable: false });
    expect(await renewing.get(AT)).toBeUndefined();
    renewing.close();
  });
});
