/**
 * The weekly Dag of examples/operations on a real Airflow, with its scheduler: every task of it runs the command. Then the
 * commands by the REST API of that Airflow.
 */
import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { nodeBinary } from "../../../scripts/node-versions.mjs";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import { openStorage, type Storage } from "../../../src/index.js";
import { restRows } from "../../../src/xcom/rows/airflow-rest.js";
import { XCom } from "../../../src/xcom/xcom.js";
import { all } from "../../support/all.js";
import { stowage } from "../../support/command.js";
import { ROOT } from "../../support/installed.js";
import { baseEnv, type Standalone, startStandalone } from "./standalone.js";

const run = promisify(execFile);

/** A database of its own, so that the rows are those of the test alone. */
const INSERT = `
import json, sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("CREATE TABLE xcom (value TEXT)")
database.executemany("INSERT INTO xcom VALUES (?)", [(json.dumps(text),) for text in json.load(open(sys.argv[2]))])
database.commit()
`;

test.each(["airflow-3.3.2.txt", "airflow-3.4.0b2.txt"])(
  "%s: the weekly Dag checks, sweeps in mapped tasks, and writes a report",
  { timeout: 600_000 },
  async (list) => {
    const home = await mkdtemp(join(tmpdir(), "stowage-weekly-"));
    const storage = openStorage({ env: {} });
    try {
      const base = `file://${home}/xcom`;
      const backend = new XComObjectStorageBackend({ storage, path: base, threshold: 0 });
      const stored: string[] = [];
      for (let i = 0; i < 12; i++) {
        const reference = String(await backend.storeValue({ dagId: `dag${i}`, runId: "r", taskId: "t" }, "k", i));
        stored.push(reference);
        await utimes(reference.slice("file://".length), 1_767_000_000, 1_767_000_000);
      }
      // Each shard keeps more than half of its Dags, or --max-share would stop it.
      const referred = stored.filter((_, i) => i !== 3);
      await writeFile(join(home, "references.json"), JSON.stringify(referred));
      await mkdir(join(home, "dags"));
      await copyFile(join(ROOT, "examples/operations/weekly.py"), join(home, "dags/weekly.py"));
      const env = {
        ...(await baseEnv(list, home)),
        AIRFLOW__CORE__LOAD_EXAMPLES: "false",
        AIRFLOW__CORE__DAGS_FOLDER: join(home, "dags"),
        AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION: "false",
        AIRFLOW__CORE__EXECUTOR: "LocalExecutor",
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS: "true",
        // The schedule's own run would be another.
        AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE: "false",
        XCOM_BASE: base,
        XCOM_DATABASE: `sqlite:///${home}/rows.db`,
        XCOM_REPORT: join(home, "report.html"),
        STOWAGE: `${await nodeBinary(22)} --no-warnings ${join(ROOT, "dist/cli/main.js")}`,
      };
      await run("python", ["-c", INSERT, join(home, "rows.db"), join(home, "references.json")], { env });
      const airflow = await startStandalone(env);
      try {
        await airflow.trigger("xcom_upkeep", "now");
        expect(await airflow.finished("xcom_upkeep", "now")).toBe("success");
        const tasks = await airflow.tasks("xcom_upkeep", "now");
        const shards = tasks
          .filter(({ task_id: id }) => id === "sweep")
          .map(({ map_index: index, state }) => [index, state]);
        expect(shards.sort()).toEqual([0, 1, 2, 3].map((index) => [index, "success"]));
        await operateByRest(airflow, storage, `file://${home}/rest`);
      } finally {
        await airflow.stop();
      }

      const left = (await all(storage.list(base, { recursive: true }))).map(({ path }) => String(path)).sort();
      expect(left).toEqual([...referred].sort());
      const trash = (await all(storage.list(`${base}-trash`, { recursive: true }))).map(({ path }) => String(path));
      expect(trash).toEqual([stored[3]!.replace(base, `${base}-trash`)]);
      expect(await readFile(join(home, "report.html"), "utf8")).toMatch(/Every reference has its object/);
    } finally {
      await storage.close();
      await rm(home, { recursive: true, force: true });
    }
  },
);

/** `fsck`, `sweep` and `migrate` with `--rest`, of values in rows that the API has made. */
async function operateByRest(airflow: Standalone, storage: Storage, base: string): Promise<void> {
  const target = { dagId: "xcom_upkeep", runId: "now", taskId: "report" };
  const rows = await restRows({ endpoint: airflow.endpoint, token: () => airflow.token() });
  const env = { AIRFLOW_API_TOKEN: await airflow.token() };
  const command = async (...args: string[]) => {
    const { code, stdout, stderr } = await stowage([...args, "--rest", airflow.endpoint, "--json"], { env });
    expect(stderr).toBe("");
    const lines = stdout.trim().split("\n");
    return { code, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
  };
  const xcomAt = (path: string) =>
    new XCom({ rows, backend: new XComObjectStorageBackend({ storage, path, threshold: 0 }) });
  try {
    for (let i = 0; i < 5; i++) await xcomAt(base).set({ ...target, key: `k${i}` }, { value: i });
    const { value: lost } = (await rows.get({ ...target, key: "k0" }))!;
    await storage.delete(String(lost));
    const backend = new XComObjectStorageBackend({ storage, path: base, threshold: 0 });
    const orphan = String(await backend.storeValue(target, "orphan", 1));
    for await (const { path } of storage.list(base, { recursive: true }))
      await utimes(String(path).slice("file://".length), 1_767_000_000, 1_767_000_000);

    const checked = await command("fsck", base);
    expect(checked.code).toBe(1);
    expect(checked.lines.slice(0, -1).map(({ problem, reference }) => [problem, reference])).toEqual([
      ["missing", lost],
      ["orphan", orphan],
    ]);
    const swept = await command("sweep", base, "--delete");
    expect(swept.lines.map(({ path }) => String(path))).toEqual([orphan, base]);
    expect(swept.lines.at(-1)).toMatchObject({ references: 5, referenced: 4, deleted: 1 });

    const moved = await command("migrate", base, `${base}-moved`);
    // The row without an object stays, and no other run would change that.
    expect(moved.code).toBe(0);
    expect(moved.lines.at(-1)).toMatchObject({ references: 5, copied: 4, rewritten: 4, missing: 1, failed: 0 });
    for (let i = 1; i < 5; i++) {
      const at = { ...target, key: `k${i}` };
      expect((await rows.get(at))!.value).toMatch(`${base}-moved/`);
      expect(await xcomAt(`${base}-moved`).get(at)).toEqual({ value: i });
    }
    expect((await rows.get({ ...target, key: "k0" }))!.value).toBe(lost);
  } finally {
    rows.close();
  }
}
