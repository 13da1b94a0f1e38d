/** Rows of Airflow's own tables, on a database of the same shape; a real Airflow's is in test/interop/airflow. */
import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { airflowRows } from "../../../src/xcom/rows/airflow-database.js";
import { all } from "../../support/all.js";

let database: PGlite;
beforeAll(async () => {
  database = new PGlite();
  await database.exec(`CREATE TABLE xcom
    (dag_id text, run_id text, task_id text, map_index integer, key text, value json, PRIMARY KEY (dag_id, run_id, task_id, map_index, key))`);
});
beforeEach(async () => {
  await database.exec(`DELETE FROM xcom;
    INSERT INTO xcom SELECT 'd', 'r', 't' || (n % 3), n, 'k', to_json(n) FROM generate_series(0, 1399) AS n`);
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
