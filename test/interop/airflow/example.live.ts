/** The example as it stands, with folders and SQLite, through scheduler, coordinator and execution API. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStorage } from "../../../src/open.js";
import { baseEnv, type Standalone, sourced, startStandalone } from "./standalone.js";
import { makeWorker, type Worker } from "./worker.js";

/** Reads Airflow's SQLite file with the built package, in the Node that has SQLite. */
const ROWS = `
import { airflowRows, sqliteQuery } from "stowage/xcom";
const query = sqliteQuery(process.argv[1]);
const rows = [];
for await (const row of airflowRows(query).list({ runId: "run1" })) rows.push(row);
query.close();
console.log(JSON.stringify(rows));
`;

describe("examples/airflow on Airflow 3.4.0b2", () => {
  const storage = openStorage({ env: {} });
  let home: string;
  let worker: Worker;
  let airflow: Standalone;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "stowage-example-"));
    worker = await makeWorker(join(home, "airflow"));
    await worker.npm("run", "pack");
    const base = await baseEnv("airflow-3.4.0b2.txt", join(home, "home"));
    airflow = await startStandalone(await sourced(join(worker.folder, "env.sh"), base));
    await airflow.trigger("large_xcoms", "run1");
    expect(await airflow.finished("large_xcoms", "run1")).toBe("success");
  });
  afterAll(async () => {
    await airflow?.stop();
    await storage.close();
    await rm(home, { recursive: true, force: true });
  });

  test("the TypeScript task gets Python's value and Python gets the TypeScript task's", async () => {
    const told = await airflow.log("large_xcoms", "run1", "summarize");
    expect(told).toContain("SUMMARIZE 20000 orders, taken 2026-11-21T00:00:00.000Z");
    const report = await airflow.log("large_xcoms", "run1", "report");
    expect(report).toContain("REPORT 97 customers, 20000 orders of 2026-11-21");
    expect(report).toContain("REPORT customer 17 is first with 2589570.00");
    console.log([...told, ...report].filter((line) => /^(SUMMARIZE|REPORT|stowage:)/.test(line)).join("\n"));
  });
  test("the task's log says once which settings hold and where they come from", async () => {
    const told = (await airflow.log("large_xcoms", "run1", "summarize")).filter((line) => line.startsWith("stowage:"));
    expect(told).toHaveLength(1);
    expect(told[0]).toContain(`XComs of 1000 bytes and more go to file://${worker.folder}/store, with gzip`);
    expect(told[0]).toContain("path: environment");
  });
  test("every row is a reference to an object that is there, in SQLite read by stowage", async () => {
    const file = join(home, "home", "airflow.db");
    const output = await worker.node("--no-warnings", "--input-type=module", "-e", ROWS, file);
    const rows = JSON.parse(output) as { taskId: string; mapIndex: number; key: string; value: string }[];
    expect(rows.map(({ taskId }) => taskId).sort()).toEqual(["extract", "report", "summarize"]);
    for (const { taskId, mapIndex, key, value } of rows) {
      const instance = taskId === "summarize" ? "write" : "ti";
      expect([mapIndex, key]).toEqual([-1, "return_value"]);
      expect(value).toMatch(
        new RegExp(
          `^file://${worker.folder}/store/large_xcoms/run1/${taskId}/${instance}-[0-9a-f-]{36}/return_value.json.gz$`,
        ),
      );
      expect(await storage.exists(value)).toBe(true);
    }
  });
});
