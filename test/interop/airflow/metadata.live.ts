/** The metadata database of an Airflow before 3.4, whose XComs are in another table. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nodeBinary } from "../../../scripts/node-versions.mjs";
import { ROOT } from "../../support/installed.js";
import { baseEnv } from "./standalone.js";

const run = promisify(execFile);

/** Rows as Airflow's model writes them to SQLite. */
const INSERT = `
import json, sqlite3, sys
database = sqlite3.connect(sys.argv[1])
for task, index, key, value in [("t", -1, "k", {"a": [1, "é"]}), ("t", 2, "k", "s3://conn@b/x"), ("u", -1, "big", [2**70])]:
    database.execute(
        "INSERT INTO xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp) "
        "VALUES (1, ?, ?, ?, 'd', 'r', ?, '2026-11-21')", (task, index, key, json.dumps(value)))
database.commit()
`;
/** A run, by Airflow's own model. */
const RUN = `
from datetime import datetime, timezone
from airflow.models.dagrun import DagRun
from airflow.settings import engine
moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)
with engine.begin() as connection:
    connection.execute(DagRun.__table__.insert().values(
        dag_id="d", run_id="r", run_type="manual", logical_date=moment, run_after=moment, log_template_id=None))
`;
const READ = `
import { airflowRows, airflowRuns, sqliteQuery } from "./src/xcom.ts";
const query = sqliteQuery(process.argv[2]);
const rows = airflowRows(query);
const found = [];
for await (const row of rows.list({ dagId: "d" })) found.push(row);
const one = await rows.get({ dagId: "d", runId: "r", taskId: "t", key: "k", mapIndex: 2 });
const none = await rows.get({ dagId: "d", runId: "r", taskId: "t", key: "none" });
const run = await airflowRuns(query)("d", "2026-01-02T03:04:05.678901+00:00");
const noRun = await airflowRuns(query)("d", "2026-01-02T03:04:05.678000+00:00");
const refused = await query("DELETE FROM xcom", []).catch((error) => error.message);
console.log(JSON.stringify({ found, one, none: none === undefined, run, noRun: noRun === undefined, refused }, (_, value) => typeof value === "bigint" ? String(value) : value));
`;

let home: string;
let database: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "stowage-metadata-"));
  database = join(home, "airflow.db");
  const env = await baseEnv("airflow-3.3.2.txt", home);
  await run("airflow", ["db", "migrate"], { env });
  await run("python", ["-c", INSERT, database], { env });
  await run("python", ["-c", RUN], { env });
});
afterAll(() => rm(home, { recursive: true, force: true }));

test("the rows of an Airflow 3.3.2 on SQLite are read, and cannot be changed", async () => {
  const outfile = join(home, "read.mjs");
  const bundle = { bundle: true, platform: "node", format: "esm", packages: "external" } as const;
  await build({ stdin: { contents: READ, resolveDir: ROOT }, outfile, ...bundle });
  const { stdout } = await run(await nodeBinary(22), ["--no-warnings", outfile, database]);
  const row = (taskId: string, mapIndex: number, key: string, value: unknown) => ({
    dagId: "d",
    runId: "r",
    taskId,
    mapIndex,
    key,
    value,
  });
  expect(JSON.parse(stdout)).toEqual({
    found: [
      row("t", -1, "k", { a: [1, "é"] }),
      row("t", 2, "k", "s3://conn@b/x"),
      row("u", -1, "big", [String(2n ** 70n)]),
    ],
    one: row("t", 2, "k", "s3://conn@b/x"),
    none: true,
    run: "r",
    noRun: true,
    refused: expect.stringContaining("readonly"),
  });
});
