/** Python and TypeScript tasks on one real Airflow with Postgres and S3: values, rows and objects. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import type { Storage } from "../../../src/fs/storage.js";
import { openStorage } from "../../../src/open.js";
import { airflowRows, airflowRuns } from "../../../src/xcom/rows/airflow-database.js";
import { type RestRows, restRows } from "../../../src/xcom/rows/airflow-rest.js";
import type { XComRow, XComRowReader } from "../../../src/xcom/rows/rows.js";
import { XCom } from "../../../src/xcom/xcom.js";
import { type Bucket, makeBucket } from "../../servers/buckets.mjs";
import { server } from "../../servers/use.js";
import { openPool, type Postgres, startPostgres } from "../../support/postgres.js";
import { baseEnv, type Standalone, sourced, startStandalone, until } from "./standalone.js";
import { makeWorker, type Worker } from "./worker.js";

const FINISHED = ["live_mixed", "live_mapped", "live_retry"];
const UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";

let home: string;
let worker: Worker;
let bucket: Bucket;
let postgres: Postgres;
let pool: pg.Pool;
let airflow: Standalone;
let storage: Storage;
let base: string;
let rows: XComRowReader;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "stowage-mixed-"));
  const minio = await server("minio");
  bucket = await makeBucket(minio);
  base = `s3://minio@${bucket.name}/xcom`;
  storage = openStorage({ env: {}, connections: { minio: minio.connection } });
  postgres = await startPostgres();
  pool = openPool(postgres.url);
  rows = airflowRows((text, values) => pool.query(text, values));
  worker = await makeLiveWorker();
  const { type, ...connection } = minio.connection;
  const example = await sourced(
    join(worker.folder, "env.sh"),
    await baseEnv("airflow-3.4.0b2.txt", join(home, "home")),
  );
  airflow = await startStandalone({
    ...example,
    AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH: base,
    AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_COMPRESSION: "zip",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN: postgres.url.replace("postgresql:", "postgresql+psycopg2:"),
    AIRFLOW_CONN_MINIO: JSON.stringify({ conn_type: type, ...connection }),
  });
  for (const dagId of FINISHED) await airflow.trigger(dagId, "run1");
  for (const dagId of FINISHED) await airflow.finished(dagId, "run1");
});

afterAll(async () => {
  await airflow?.stop();
  await pool?.end();
  await postgres?.stop();
  await storage?.close();
  await bucket?.remove();
  await rm(home, { recursive: true, force: true });
});

/** The example's project with the live test's Dags and handlers in place of its own. */
async function makeLiveWorker(): Promise<Worker> {
  const made = await makeWorker(join(home, "airflow"));
  await rm(join(made.folder, "dags"), { recursive: true });
  for (const folder of ["dags", "worker"]) await made.copy(new URL(folder, import.meta.url).pathname);
  const pack = ["node_modules/.bin/airflow-ts-pack", "worker/main.mjs", "--outdir", "dist"];
  await made.node(...pack);
  await made.node("repack.mjs", "dist/bundle.mjs", "handlers/bundle.min.mjs");
  return made;
}

async function rowsOf(dagId: string, taskId?: string): Promise<XComRow[]> {
  const found: XComRow[] = [];
  for await (const row of rows.list({ dagId, runId: "run1", taskId })) found.push(row);
  return found;
}

/** Keys below the base, of a Dag's run. */
async function objectsOf(dagId: string, taskId = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const { path } of storage.list(`${base}/${dagId}/run1/${taskId}`, { recursive: true }))
    found.push(String(path));
  return found;
}

async function states(dagId: string): Promise<Record<string, string | null>> {
  const tasks = await airflow.tasks(dagId, "run1");
  return Object.fromEntries(tasks.map(({ task_id, map_index, state }) => [`${task_id}[${map_index}]`, state]));
}

async function row(dagId: string, taskId: string, key = "return_value", mapIndex = -1): Promise<unknown> {
  return (await rows.get({ dagId, runId: "run1", taskId, key, mapIndex }))?.value;
}

function backend(): XComObjectStorageBackend {
  return new XComObjectStorageBackend({ storage, path: base, threshold: 1000 });
}

describe("the mixed Dag", () => {
  test("every task succeeds, those included that compare what the other language wrote", async () => {
    const found = await states("live_mixed");
    expect(Object.keys(found)).toHaveLength(8);
    expect(new Set(Object.values(found))).toEqual(new Set(["success"]));
  });
  test("a large value of either language is an object, and its row names it", async () => {
    for (const [taskId, instance] of [
      ["py_big", "ti"],
      ["ts_write", "write"],
    ] as const) {
      const reference = (await row("live_mixed", taskId)) as string;
      const place = `/live_mixed/run1/${taskId}/${instance}-${UUID}/return_value.json.zip`;
      expect(reference).toMatch(new RegExp(`^${base}${place}$`));
      expect((await storage.stat(reference)).size).toBeGreaterThan(10_000);
    }
  });
  test("small values stay in their rows, in Airflow's encoding", async () => {
    expect(await row("live_mixed", "py_small")).toEqual({ kind: "small", n: 7 });
    expect(await row("live_mixed", "ts_write", "small")).toEqual({ n: 1 });
    expect(await row("live_mixed", "ts_write", "nothing")).toBeNull();
    expect(await row("live_mixed", "ts_write", "date")).toMatchObject({ __classname__: "datetime.datetime" });
    expect(await row("live_mixed", "ts_write", "set")).toMatchObject({ __classname__: "builtins.set" });
  });
  test("X11 X02 what a row cannot carry, or Python would misread, is an object at any size", async () => {
    for (const key of ["huge", "odd", "lookalike"]) {
      const reference = (await row("live_mixed", "ts_write", key)) as string;
      expect(reference).toMatch(new RegExp(`/ts_write/write-${UUID}/${key}.json.zip$`));
    }
  });
  test("X11 what would hang or kill the supervisor is refused before it is sent, and the task goes on", async () => {
    const { refused } = (await backend().loadValue(await row("live_mixed", "ts_write"))) as { refused: object };
    expect(refused).toEqual({
      bytes: expect.stringMatching(/^InvalidArgument: .*bytes are not JSON/),
      half: expect.stringMatching(/^InvalidArgument: .*a lone surrogate/),
      deep: expect.stringMatching(/^InvalidArgument: .*nested/),
      function: expect.stringMatching(/^InvalidArgument: .*function/),
    });
    for (const key of Object.keys(refused)) expect(await row("live_mixed", "ts_write", key)).toBeUndefined();
  });
  test("X04 X05 X06 a missing, damaged or foreign object is a typed error, other strings are themselves", async () => {
    const read = (await backend().loadValue(await row("live_mixed", "ts_read"))) as { raw: Record<string, string> };
    expect(read.raw).toEqual({
      prose: `${base}/notes of today`,
      other_base: expect.stringMatching(/^s3:\/\/minio@.*\/elsewhere\//),
      other_connection: expect.stringMatching(/^InvalidArgument: .*"elsewhere"/),
      missing: expect.stringMatching(/^NotFound/),
      foreign: expect.stringMatching(/^PermissionDenied: .*py_big/),
      corrupt: expect.stringMatching(/^Corrupt/),
      truncated: expect.stringMatching(/^Corrupt/),
    });
  });
  test("settings and connections need nothing of the environment when the options and the API server have them", async () => {
    const told = await airflow.log("live_mixed", "run1", "ts_options");
    expect(told).toContain(
      `stowage: XComs of 1000 bytes and more go to ${base}, uncompressed (path: option, threshold: option, compression: default)`,
    );
    expect((await row("live_mixed", "ts_options")) as string).toMatch(/return_value\.json$/);
  });
  test("a connection that nobody knows is an error that names where it was looked for", async () => {
    const told = (await airflow.log("live_mixed", "run1", "ts_options")).find((line) => line.startsWith("OPTIONS"));
    expect(told).toMatch(/^OPTIONS InvalidArgument: no connection "nobody" in: the API server/);
  });
  test("Python's delete takes the TypeScript task's object along", async () => {
    expect(await row("live_mixed", "ts_write", "doomed")).toBeUndefined();
    expect((await objectsOf("live_mixed", "ts_write")).filter((path) => path.includes("doomed"))).toEqual([]);
  });
  test("X12 every object belongs to a row and every reference to an object", async () => {
    const references = (await rowsOf("live_mixed"))
      .map(({ value }) => value)
      .filter((value): value is string => typeof value === "string" && /\.json(\.zip)?$/.test(value))
      .filter((value) => value.startsWith(`${base}/`) && !/missing|\/foreign/.test(value));
    expect((await objectsOf("live_mixed")).sort()).toEqual([...new Set(references)].sort());
    expect(await bucket.openUploads()).toEqual([]);
  });
});

describe("mapped tasks", () => {
  test("X08 each map index has a row and an object of its own, and Python reads them all", async () => {
    expect(new Set(Object.values(await states("live_mapped")))).toEqual(new Set(["success"]));
    const references = await Promise.all([0, 1, 2].map((i) => row("live_mapped", "ts_mapped", "return_value", i)));
    expect(new Set(references).size).toBe(3);
    expect((await objectsOf("live_mapped", "ts_mapped")).sort()).toEqual((references as string[]).sort());
  });
  test("an upstream that is not mapped is found with unmapped(), and the log warns where it was forgotten", async () => {
    for (const mapIndex of [0, 2]) {
      const stored = await row("live_mapped", "ts_mapped", "return_value", mapIndex);
      expect(await backend().loadValue(stored)).toMatchObject({ i: mapIndex * 10, trap: null, plain: 5000 });
      const told = await airflow.log("live_mapped", "run1", "ts_mapped", { mapIndex });
      expect(told.filter((line) => line.includes("read unmapped({"))).toHaveLength(1);
    }
  });
});

describe("retries", () => {
  test("the second attempt has rows and objects of its own", async () => {
    expect(await states("live_retry")).toEqual({ "ts_retry[-1]": "success", "py_after[-1]": "success" });
    const mine = (await row("live_retry", "ts_retry", "mine")) as string;
    expect(await backend().loadValue(mine)).toMatchObject({ attempt: 2 });
    const objects = await objectsOf("live_retry", "ts_retry");
    expect(objects.filter((path) => path.includes("/mine.json"))).toHaveLength(2);
    const told = await airflow.log("live_retry", "run1", "ts_retry", { attempt: 2 });
    expect(told).toContain("RETRY before=null");
  });
});

describe("abort", () => {
  test("ends the transfer under way, stores no return value and leaves no part of an object", async () => {
    await airflow.trigger("live_abort", "run1");
    await until("the task writes", 60, async () => (await rowsOf("live_abort")).length > 2);
    await airflow.fail("live_abort", "run1", "ts_abort");
    expect(await airflow.finished("live_abort", "run1")).toBe("failed");
    const log = () => airflow.log("live_abort", "run1", "ts_abort");
    await until("the task ends", 60, async () => (await log()).some((line) => line.startsWith("ABORTED")));
    const told = await log();
    const failure = told.find((line) => line.startsWith("ABORTED"));
    // Whichever comes first: the signal, or the server's refusal of a row of a task that has failed.
    expect(failure).toMatch(/Task aborted by SIGTERM|SetXCom failed/);
    expect(await row("live_abort", "ts_abort")).toBeUndefined();
    const objects = await objectsOf("live_abort");
    expect(objects.filter((path) => path.includes("return_value"))).toEqual([]);
    for (const path of objects.slice(-3)) expect(await storage.bytes(path, { compression: "infer" })).toBeDefined();
    expect(await bucket.openUploads()).toEqual([]);
  });
});

describe("rows by the REST API", () => {
  let rest: RestRows;
  beforeAll(async () => {
    rest = await restRows({ endpoint: airflow.endpoint, token: () => airflow.token() });
  });
  afterAll(() => rest?.close());
  const at = { dagId: "live_mixed", runId: "run1", taskId: "py_small", key: "by rest/é" };

  test("are those of the database", async () => {
    const found: XComRow[] = [];
    for await (const each of rest.list({ dagId: "live_mapped", runId: "run1" })) found.push(each);
    const key = ({ taskId, mapIndex }: XComRow) => `${taskId} ${mapIndex}`;
    const sorted = (list: XComRow[]) => list.sort((a, b) => (key(a) < key(b) ? -1 : 1));
    // Each store has versions of its own.
    const shared = (list: XComRow[]) => sorted(list).map(({ version: _, ...row }) => row);
    expect(found.every(({ version }) => version !== undefined)).toBe(true);
    expect(shared(found)).toEqual(shared(await rowsOf("live_mapped")));
    const [one] = found.filter(({ mapIndex }) => mapIndex === 1);
    expect(await rest.get(one!)).toEqual(one);
  });
  test("are made, replaced and deleted, and null is not nothing", async () => {
    expect(await rest.get(at)).toBeUndefined();
    await rest.set(at, { n: 1 });
    await rest.set(at, null);
    expect(await rest.get(at)).toEqual({ ...at, mapIndex: -1, value: null, version: expect.any(String) });
    expect([await rest.delete(at), await rest.delete(at)]).toEqual([true, false]);
  });
  test("values with Airflow's own keys are refused before a request, also inside JSON text", async () => {
    for (const value of [{ a: [{ __classname__: "x" }] }, '{"__var": 1}', [{ __id__: 1 }]]) {
      await expect(rest.set(at, value)).rejects.toMatchObject({ code: "InvalidArgument", attempts: 0 });
    }
    expect(await rest.get(at)).toBeUndefined();
  });
  test("a token that is refused is a typed error and not shown; one that can be asked for is renewed", async () => {
    const wrong = await restRows({ endpoint: airflow.endpoint, token: "wrong-token" });
    const error: Error = await wrong.get(at).catch((found) => found);
    // The simple auth manager answers 403 to any token that it does not know.
    expect(error).toMatchObject({ code: "PermissionDenied" });
    expect(JSON.stringify(error) + error.stack).not.toContain("wrong-token");
    wrong.close();
    const tokens = ["stale", await airflow.token()];
    const renewed = await restRows({ endpoint: airflow.endpoint, token: () => tokens.shift()! });
    expect(await renewed.get(at)).toBeUndefined();
    renewed.close();
  });
  test("a task or run that is not there is an error for set and no row for get", async () => {
    const nowhere = { ...at, taskId: "nowhere" };
    expect(await rest.get(nowhere)).toBeUndefined();
    await expect(rest.set(nowhere, 1)).rejects.toMatchObject({ code: "NotFound" });
  });
  test("XCom on them stores large values as objects and clears rows first, then objects", async () => {
    const xcom = new XCom({ rows: rest, backend: backend() });
    const target = { dagId: "live_retry", runId: "run1", taskId: "py_after" };
    await xcom.set({ ...target, key: "big" }, new Set(["b".repeat(5000)]));
    await xcom.set({ ...target, key: "small" }, 1);
    expect(await xcom.get({ ...target, key: "big" })).toEqual(new Set(["b".repeat(5000)]));
    const before = (await objectsOf("live_retry", "py_after")).length;
    expect(await xcom.clear(target)).toMatchObject({ rows: 2, objects: 1, left: [] });
    expect((await objectsOf("live_retry", "py_after")).length).toBe(before - 1);
  });
  test("a run is found by its logical date, by the API and in Postgres", async () => {
    const logicalDate = "2026-01-02T03:04:05.678901+00:00";
    const send = async (method: string, path: string, body: object) => {
      const headers = { authorization: `Bearer ${await airflow.token()}`, "content-type": "application/json" };
      const init = { method, headers, body: JSON.stringify(body) };
      return (await fetch(`${airflow.endpoint}/api/v2/dags/live_retry${path}`, init)).ok;
    };
    // Nothing of the run is to be executed.
    await until("the Dag is known", 120, () => send("PATCH", "", { is_paused: true }));
    expect(await send("POST", "/dagRuns", { dag_run_id: "dated", logical_date: logicalDate })).toBe(true);
    for (const find of [rest.findRun, airflowRuns((text, values) => pool.query(text, values))]) {
      expect(await find("live_retry", logicalDate)).toBe("dated");
      expect(await find("live_retry", "2026-01-02T03:04:05.678902+00:00")).toBeUndefined();
    }
  });
});

describe("speed", () => {
  test("a large value is at least ten times faster than inline, a small one at most 1 ms slower", async () => {
    for (const dagId of ["live_speed", "live_inline"]) {
      await airflow.trigger(dagId, "run1");
      expect(await airflow.finished(dagId, "run1")).toBe("success");
      if (dagId === "live_speed") await putInline();
    }
    const { small, large } = (await spoken("live_speed", "ts_adapter")) as { small: Small; large: Large };
    const inline = (await spoken("live_inline", "ts_inline")) as { set: Attempt; get: Attempt };
    console.table({
      "64 MiB set, ms": { stowage: large.set, "inline, by the SDK": inline.set.ms ?? inline.set.error },
      "64 MiB get, ms": { stowage: large.get, "inline, by the SDK": inline.get.ms ?? inline.get.error },
      "small value set and got, ms": { stowage: small.sdk + small.stowage, "inline, by the SDK": small.sdk },
    });
    // Where the SDK gave up there is nothing to compare: the value cannot go inline at all.
    if (inline.get.ms !== undefined) {
      expect(inline.get.length).toBe(INLINE);
      expect(inline.get.ms / large.get).toBeGreaterThan(10);
    }
    expect(small.stowage / 2).toBeLessThan(1);
  });

  const INLINE = 64 * 1024 * 1024;
  interface Small {
    sdk: number;
    stowage: number;
  }
  interface Large {
    set: number;
    get: number;
  }
  interface Attempt {
    ms?: number;
    length?: number;
    error?: string;
  }
  /** A large value in a row, as a task without stowage would have left it there. */
  async function putInline(): Promise<void> {
    await pool.query(
      `INSERT INTO xcom_v2 (id, task_instance_id, key, value, timestamp)
       SELECT gen_random_uuid(), id, 'inline', to_jsonb(repeat('0123456789abcdef', $1 / 16)), now()
       FROM task_instance WHERE dag_id = 'live_speed'`,
      [INLINE],
    );
  }
  async function spoken(dagId: string, taskId: string): Promise<unknown> {
    const told = (await airflow.log(dagId, "run1", taskId)).find((line) => line.startsWith("SPEED "));
    return JSON.parse(told!.slice("SPEED ".length));
  }
});
