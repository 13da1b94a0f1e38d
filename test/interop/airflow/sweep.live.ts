/** `sweep` and `fsck` on real metadata databases, whose oldest rows `airflow db clean` has moved to its archives. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, expect, test } from "vitest";
import { nodeBinary } from "../../../scripts/node-versions.mjs";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import { openStorage } from "../../../src/index.js";
import { all } from "../../support/all.js";
import { ROOT } from "../../support/installed.js";
import { baseEnv } from "./standalone.js";

const run = promisify(execFile);

/** Rows of January and of June, in every table of XComs. */
const INSERT = `
import json, pickle, sqlite3, sys
database = sqlite3.connect(sys.argv[1])
references = json.load(open(sys.argv[2]))
# As the migration from Airflow 2 leaves it.
pickled = references.pop()
database.execute("CREATE TABLE IF NOT EXISTS _xcom_archive (dag_run_id INTEGER NOT NULL, task_id VARCHAR(250) NOT NULL, "
    "map_index INTEGER DEFAULT -1 NOT NULL, key VARCHAR(512) NOT NULL, dag_id VARCHAR(250) NOT NULL, "
    "run_id VARCHAR(250) NOT NULL, value BLOB, timestamp TIMESTAMP NOT NULL, PRIMARY KEY (dag_run_id, task_id, map_index, key))")
database.execute("INSERT INTO _xcom_archive VALUES (1, 't', -1, 'k', 'd', 'r', ?, '2025-01-01')", (pickle.dumps(pickled),))
tables = sorted(name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'xcom%'"))
for i, reference in enumerate(references):
    value, time = json.dumps(reference), "2026-01-01" if i % 4 < 2 else "2026-06-01"
    if tables[i % len(tables)] == "xcom_v2":
        database.execute("INSERT INTO xcom_v2 (id, task_instance_id, key, value, timestamp) VALUES (?, ?, 'k', ?, ?)",
            (f"{i:032x}", f"{i:032x}", value, time))
    else:
        database.execute("INSERT INTO %s (dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp) "
            "VALUES (1, ?, -1, 'k', 'd', 'r', ?, ?)" % tables[i % len(tables)], (f"t{i}", value, time))
database.commit()
`;
const COUNT = `
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '_airflow_deleted__xcom%'")]
print(sum(database.execute("SELECT count(*) FROM " + name).fetchone()[0] for name in names))
`;
const SWEEP = `
import { openStorage } from "./src/index.ts";
import { airflowReferences, fsck, sqliteQuery, sweep } from "./src/xcom.ts";
const [, , database, path] = process.argv;
const storage = openStorage();
const sources = [airflowReferences(sqliteQuery(database))];
const problems = [];
const checked = await fsck({ storage, sources, onProblem: ({ reference }) => void problems.push(reference) });
const report = await sweep({ storage, path, sources, delete: true });
console.log(JSON.stringify({ problems, checked, report }));
`;

const homes: string[] = [];
afterAll(() => Promise.all(homes.map((home) => rm(home, { recursive: true, force: true }))));

test.each([
  ["airflow-3.3.2.txt", "xcom"],
  ["airflow-3.4.0b2.txt", "xcom_v1,xcom_v2"],
])("%s: orphans go, and what rows or archives refer to stays", { timeout: 600_000 }, async (list, tables) => {
  const home = await mkdtemp(join(tmpdir(), "stowage-sweep-"));
  homes.push(home);
  const database = join(home, "airflow.db");
  const env = await baseEnv(list, home);
  await run("airflow", ["db", "migrate"], { env });

  const base = `file://${home}/xcom`;
  await mkdir(join(home, "xcom"));
  const storage = openStorage({ env: {} });
  const backend = new XComObjectStorageBackend({ storage, path: base, threshold: 0 });
  const stored: string[] = [];
  for (let i = 0; i < 24; i++) {
    const reference = String(await backend.storeValue({ dagId: "d", runId: "r", taskId: `t${i}` }, "k", i));
    stored.push(reference);
    await utimes(reference.slice("file://".length), 1_767_000_000, 1_767_000_000);
  }
  const [referred, orphans] = [stored.slice(0, 17), stored.slice(17)];
  await storage.delete(referred[5]!);
  await writeFile(join(home, "references.json"), JSON.stringify(referred));
  await run("python", ["-c", INSERT, database, join(home, "references.json")], { env });
  const clean = ["db", "clean", "--clean-before-timestamp", "2026-03-01", "--tables", tables, "--yes"];
  await run("airflow", [...clean, "--error-on-cleanup-failure"], { env });
  expect((await run("python", ["-c", COUNT, database], { env })).stdout.trim()).toBe("8");

  const outfile = join(home, "sweep.mjs");
  const bundle = { bundle: true, platform: "node", format: "esm", packages: "external" } as const;
  await build({ stdin: { contents: SWEEP, resolveDir: ROOT }, outfile, ...bundle });
  await symlink(join(ROOT, "node_modules"), join(home, "node_modules"));
  const { stdout } = await run(await nodeBinary(22), ["--no-warnings", outfile, database, base]);
  const { problems, checked, report } = JSON.parse(stdout);
  expect(problems).toEqual([referred[5]]);
  expect(checked).toMatchObject({ checked: 17, missing: 1 });
  expect(report).toMatchObject({ references: 17, considered: 23, referenced: 16, orphaned: 7, deleted: 7, failed: 0 });
  const left = (await all(storage.list(base, { recursive: true }))).map((entry) => String(entry.path)).sort();
  expect(left).toEqual(referred.filter((_, i) => i !== 5).sort());
  expect(left.some((path) => orphans.includes(path))).toBe(false);
  await storage.close();
});
