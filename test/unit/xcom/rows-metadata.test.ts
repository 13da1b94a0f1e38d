/** Rows of Airflow's own tables, on a database of the same shape; a real Airflow's is in test/interop/airflow. */
import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { airflowRows } from "../../../src/xcom/rows/airflow-database.js";
import { all } from "../../support/all.js";

/** As Airflow's models make them, with the columns and indexes of a listing. */
const xcom = (name: string) => `CREATE TABLE ${name} (dag_run_id integer, task_id text, map_index integer, key text,
    dag_id text, run_id text, value jsonb, PRIMARY KEY (dag_run_id, task_id, map_index, key));
  CREATE INDEX ON ${name} (dag_id, task_id, run_id, map_index)`;
const V2 = `CREATE TABLE task_instance (id uuid PRIMARY KEY, dag_id text, task_id text, run_id text, region_id text,
    region_index integer, working_set boolean, UNIQUE (dag_id, task_id, run_id, region_id, region_index, working_set));
  CREATE TABLE xcom_v2 (id uuid PRIMARY KEY, task_instance_id uuid, key text, value jsonb, UNIQUE (task_instance_id, key))`;
const COLUMNS = "(dag_run_id, task_id, map_index, key, dag_id, run_id, value)";

interface Plan {
  "Actual Rows": number;
  "Actual Loops": number;
  "Rows Removed by Filter"?: number;
  Plans?: Plan[];
}

/** Returns the most rows that one step of a plan handles. */
function mostRows({ Plans = [], ...step }: Plan): number {
  const rows = step["Actual Rows"] + (step["Rows Removed by Filter"] ?? 0);
  return Math.max(rows * step["Actual Loops"], ...Plans.map(mostRows));
}

let database: PGlite;
beforeAll(async () => {
  database = new PGlite();
  await database.exec(xcom("xcom"));
});
beforeEach(async () => {
  await database.exec(`DELETE FROM xcom;
    INSERT INTO xcom ${COLUMNS}
      SELECT 1, 't' || (n % 3), n, 'k', 'd', 'r', to_jsonb(n) FROM generate_series(0, 1399) AS n`);
});
afterAll(() => database.close());
const query = (text: string, values: unknown[]) => database.query(text, values);

test("a listing has every row that nobody touched although others go meanwhile", async () => {
  const found: number[] = [];
  for await (const { mapIndex } of airflowRows(query).list({ dagId: "d" })) {
    if (found.push(mapIndex) === 100) await database.exec("DELETE FROM xcom WHERE task_id = 't0' AND map_index < 1000");
  }
  const { rows } = await database.query<{ map_index: number }>("SELECT map_index FROM xcom");
  for (const { map_index } of rows) expect(found).toContain(map_index);
  expect(new Set(found).size).toBe(found.length);
});

test("one caller's abort does not end another's call", async () => {
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const rows = airflowRows(async (text, values) => {
    await held;
    return query(text, values);
  });
  const stop = new AbortController();
  const aborted = all(rows.list({ taskId: "t0" }, { signal: stop.signal }));
  const other = rows.get({ dagId: "d", runId: "r", taskId: "t1", mapIndex: 1, key: "k" });
  stop.abort("enough");
  await expect(aborted).rejects.toBe("enough");
  release();
  expect((await other)?.value).toBe(1);
});

test("a database that is away is Unavailable and asked again, one of something else Unsupported", async () => {
  let away = true;
  const rows = airflowRows((text, values) =>
    away ? Promise.reject(Object.assign(new Error("refused"), { code: "ECONNREFUSED" })) : query(text, values),
  );
  const at = { dagId: "d", runId: "r", taskId: "t1", mapIndex: 1, key: "k" };
  await expect(rows.get(at)).rejects.toMatchObject({ code: "Unavailable", retryable: true });
  away = false;
  expect((await rows.get(at))?.value).toBe(1);
  const other = new PGlite();
  const none = airflowRows((text, values) => other.query(text, values));
  await expect(none.get(at)).rejects.toMatchObject({ code: "Unsupported" });
  await other.close();
});

test("a field that no filter has is refused", async () => {
  await expect(all(airflowRows(query).list({ dag: "d" } as object))).rejects.toMatchObject({ code: "InvalidArgument" });
});

test.each([
  ["3.3", xcom("xcom"), "xcom"],
  ["3.4", `${xcom("xcom_v1")}; ${V2}`, "xcom_v1"],
])("a listing of Airflow %s reads its tables once", async (_, tables, table) => {
  const airflow = new PGlite();
  const count = 8000;
  await airflow.exec(`${tables}; INSERT INTO ${table} ${COLUMNS}
    SELECT n / 8, 't' || n % 8, -1, 'k', 'd', 'r' || n / 8, to_jsonb(n) FROM generate_series(1, ${count}) AS n`);
  if (table === "xcom_v1")
    await airflow.exec(`INSERT INTO task_instance SELECT gen_random_uuid(), 'd', 't' || n % 8, 's' || n / 8, '', -1,
        CASE WHEN attempt = 2 THEN TRUE END FROM generate_series(1, ${count}) AS n, generate_series(1, 2) AS attempt;
      INSERT INTO xcom_v2 SELECT gen_random_uuid(), id, 'k', to_jsonb(${count} + row_number() OVER ()) FROM task_instance`);
  // So few rows are read faster without an index.
  await airflow.exec("ANALYZE; SET enable_seqscan = off");
  let read = 0;
  const rows = airflowRows(async (text, values) => {
    const { rows } = await airflow.query<{ "QUERY PLAN": { Plan: Plan }[] }>(
      `EXPLAIN (ANALYZE, FORMAT JSON) ${text}`,
      values,
    );
    read += mostRows(rows[0]!["QUERY PLAN"][0]!.Plan);
    return airflow.query(text, values);
  });
  const found = await all(rows.list({}));
  expect(found).toHaveLength(table === "xcom" ? count : 2 * count);
  expect(new Set(found.map(({ value }) => value)).size).toBe(found.length);
  // Not its number of pages times. Of 3.4, also the rows of the attempts before, and those of the last few pages, which
  // are sorted at once.
  expect(read / found.length).toBeLessThan(table === "xcom" ? 1.1 : 4);
  await airflow.close();
});
