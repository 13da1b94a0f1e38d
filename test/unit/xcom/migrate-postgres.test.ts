/** `stowage migrate` on tables as Airflow has them in Postgres, and rows that others write meanwhile. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openStorage } from "../../../src/index.js";
import { airflowReferences, airflowRewriter, migrate, XComObjectStorageBackend } from "../../../src/xcom.js";
import { all } from "../../support/all.js";
import { jsonLines } from "../../support/command.js";
import { commandInProcess } from "../../support/in-process.js";
import { openPool, type Postgres, startPostgres, whyNoPostgres } from "../../support/postgres.js";

const why = await whyNoPostgres();
if (why && process.env.CI) throw new Error(why);
if (why) console.error(`\n*** SKIPPED: rows of Airflow in Postgres: ${why} ***\n`);

/** Archives are made by CREATE TABLE AS, without a key. */
const TABLES = { xcom_v2: "jsonb", xcom_v1: "json", _airflow_deleted__xcom__20260101: "jsonb" };

describe.skipIf(why)("migrate on Postgres", () => {
  let postgres: Postgres;
  let pool: pg.Pool;
  let root: string;
  let [from, to] = ["", ""];
  const storage = openStorage({ env: {} });

  beforeAll(async () => {
    postgres = await startPostgres();
    pool = openPool(postgres.url);
  });
  afterAll(async () => {
    await pool?.end();
    await postgres?.stop();
    await storage.close();
  });
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), "stowage-migrate-"));
    [from, to] = [`file://${root}/old`, `file://${root}/new`];
    for (const [table, type] of Object.entries(TABLES)) {
      await pool.query(`DROP TABLE IF EXISTS "${table}"`);
      await pool.query(`CREATE TABLE "${table}" (id serial, key text, value ${type})`);
    }
    return () => rmSync(root, { recursive: true, force: true });
  });

  const query = (text: string, values: unknown[]) => pool.query(text, values);
  const insert = (table: string, key: string, value: unknown) =>
    pool.query(`INSERT INTO "${table}" (key, value) VALUES ($1, $2)`, [key, JSON.stringify(value)]);
  async function stored(table: string, taskId: string): Promise<string> {
    const backend = new XComObjectStorageBackend({ storage, path: from, threshold: 0 });
    const reference = await backend.storeValue({ dagId: "dag é", runId: "run", taskId }, "return_value", taskId);
    await insert(table, taskId, reference);
    return String(reference);
  }
  const references = async () => {
    const found = await all(airflowReferences(query).references());
    return found.flatMap(({ text, isInside }) => (isInside ? [] : [text])).sort();
  };

  test("changes live rows, those of earlier attempts and of archives, and nothing else", async () => {
    const own: string[] = [];
    for (const table of Object.keys(TABLES))
      for (const task of ["a", "b"]) own.push(await stored(table, `${task}_${table}`));
    await insert("xcom_v2", "value", { path: own[0] });
    await insert("xcom_v2", "text", "a value");
    const { code, stdout, stderr } = await commandInProcess(["migrate", from, to, "--database", postgres.url], {
      cwd: root,
    });
    // The value that holds a path stays as it is, and is counted.
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    expect(stdout).toMatch(/^6 references; 6 objects copied, .*; 6 rows changed; 1 by other names\n/);
    expect(await references()).toEqual(own.map((path) => path.replace(from, to)).sort());
    const { rows } = await pool.query("SELECT value FROM xcom_v2 WHERE key IN ('value', 'text') ORDER BY key");
    expect(rows.map(({ value }) => value)).toEqual(["a value", { path: own[0] }]);
    const again = await commandInProcess(["migrate", from, to, "--database", postgres.url, "--json"], { cwd: root });
    expect(jsonLines(again.stdout).at(-1)).toMatchObject({ references: 0, elsewhere: 6, rewritten: 0 });
  });

  test("says what is done only when it is, and what to do about rows that stay", async () => {
    const [own, gone, early] = [
      await stored("xcom_v2", "own"),
      await stored("xcom_v2", "gone"),
      await stored("xcom_v2", "early"),
    ];
    rmSync(gone.slice("file://".length));
    const run = async () => {
      const { code, stdout } = await commandInProcess(["migrate", from, to, "--database", postgres.url], { cwd: root });
      return { code, text: stdout };
    };
    await storage.copy(early, early.replace(from, to));
    rmSync(early.slice("file://".length));
    await insert("xcom_v1", "list", [own]);
    await pool.query("CREATE TABLE _xcom_archive (key text, value bytea)");
    const text = Buffer.from(own);
    const pickle = Buffer.concat([Buffer.from([0x80, 4, 140, text.length]), text, Buffer.from(".")]);
    await pool.query("INSERT INTO _xcom_archive VALUES ('pickle', $1)", [pickle]);
    const first = await run();
    await pool.query("DROP TABLE _xcom_archive");
    expect(first.code).toBe(1);
    expect(first.text).toMatch(
      /^3 references; 1 object copied, .*; 1 row changed; 1 missing; 1 missing, with an object at the new place; \d by other names\n/,
    );
    expect(first.text).toContain(`below ${from} otherwise and`);
    expect(first.text).toContain("give the path of another connection or scheme, or an alias, as --as");
    expect(first.text).toContain(
      `1 object is below ${to} alone, and nothing proves what was below ${from}: \`stowage fsck`,
    );
    expect(first.text).toContain("1 reference leads to no object, which another run does not change: `stowage fsck");
    expect(first.text).not.toMatch(/No .*row names|until there are/);

    await pool.query("DELETE FROM xcom_v1");
    await storage.copy(early.replace(from, to), early);
    const second = await run();
    expect(second).toMatchObject({ code: 0, text: expect.stringContaining("until there are only the missing.") });
    const last = await run();
    expect(last.code).toBe(0);
    expect(last.text).toContain(
      `No other row names ${from} any more. Next: stowage sweep ${from} --database --max-share 1`,
    );
    expect(last.text).toContain(`with --as ${from} --as ${to}`);
    await pool.query("DELETE FROM xcom_v2 WHERE key = 'gone'");
    expect((await run()).text).toContain(`No row names ${from} any more.`);
  });

  test("leaves a row that another transaction has written since, also with the same text", async () => {
    const [kept, other] = [await stored("xcom_v2", "kept"), await stored("xcom_v2", "other")];
    const onMigrated = async ({ from: text }: { from: string }) => {
      if (text === kept) await pool.query("UPDATE xcom_v2 SET value = value WHERE key = 'kept'");
    };
    const report = await migrate({ storage, from, to, sources: [airflowRewriter(query)], onMigrated });
    expect(report).toMatchObject({ references: 2, rewritten: 1, changed: 1 });
    expect(await references()).toEqual([other.replace(from, to), kept].sort());
    expect(await migrate({ storage, from, to, sources: [airflowRewriter(query)] })).toMatchObject({
      present: 1,
      rewritten: 1,
    });
  });

  test("many rows, in batches, also when most were updated before and stand in other blocks", async () => {
    const one = await stored("xcom_v2", "one");
    await pool.query(
      `INSERT INTO xcom_v2 (key, value) SELECT 'n' || n, to_jsonb($1::text) FROM generate_series(1, 2999) AS n`,
      [one],
    );
    await pool.query("UPDATE xcom_v2 SET key = key || 'x' WHERE id % 3 = 0");
    const report = await migrate({ storage, from, to, sources: [airflowRewriter(query)] });
    expect(report).toMatchObject({ references: 3000, copied: 1, rewritten: 3000, changed: 0 });
    expect(new Set(await references())).toEqual(new Set([one.replace(from, to)]));
  });

  test("a dry run changes nothing, and SQLite is refused", async () => {
    const reference = await stored("xcom_v2", "a");
    const { code, stdout } = await commandInProcess(["migrate", from, to, "--database", postgres.url, "-n"], {
      cwd: root,
    });
    expect(code).toBe(0);
    expect(stdout).toContain("1 object to copy");
    expect(await references()).toEqual([reference]);
    writeFileSync(join(root, "airflow.db"), "");
    const sqlite = await commandInProcess(["migrate", from, to, "--database", "airflow.db"], { cwd: root });
    expect(sqlite.code).toBe(1);
    expect(sqlite.stderr).toMatch(/Unsupported|SQLite/);
  });
});
