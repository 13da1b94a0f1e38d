/** Airflow's metadata on MySQL, here MariaDB: its rows, references and runs. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import mysql from "mysql2/promise";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { openStorage } from "../../../src/index.js";
import {
  airflowReferences,
  airflowRows,
  airflowRuns,
  lineReferences,
  memoryRows,
  mysqlQuery,
  sweep,
  XCom,
  XComObjectStorageBackend,
} from "../../../src/xcom.js";
import { startMariaDb } from "../../servers/mariadb.mjs";
import { all } from "../../support/all.js";
import { jsonLines } from "../../support/command.js";
import { commandInProcess } from "../../support/in-process.js";
import { describeOnMariaDb } from "../../support/mariadb.js";

const ID = "CHARACTER SET utf8mb3 COLLATE utf8mb3_bin NOT NULL";
/** As SQLAlchemy makes the table of Airflow 3.1 for MySQL; `xcom_v1` of 3.4 has two columns more. */
const xcom = (name: string) => `CREATE TABLE ${name} (dag_run_id INTEGER NOT NULL, task_id VARCHAR(250) ${ID},
  map_index INTEGER NOT NULL DEFAULT (-1), \`key\` VARCHAR(512) ${ID}, dag_id VARCHAR(250) ${ID}, run_id VARCHAR(250) ${ID},
  value JSON, timestamp TIMESTAMP(6) NOT NULL DEFAULT NOW(6),
  CONSTRAINT xcom_pkey PRIMARY KEY (dag_run_id, task_id, map_index, \`key\`))`;
/** Those of Airflow 3.4, with the columns of `task_instance` that are read. */
const V2 = `CREATE TABLE xcom_v2 (id CHAR(32) NOT NULL PRIMARY KEY, task_instance_id CHAR(32) NOT NULL,
    \`key\` VARCHAR(512) ${ID}, value JSON, timestamp TIMESTAMP(6) NOT NULL DEFAULT NOW(6), dag_result BOOL, mapped_length INTEGER);
  CREATE TABLE task_instance (id CHAR(32) NOT NULL PRIMARY KEY, task_id VARCHAR(250) ${ID}, dag_id VARCHAR(250) ${ID},
    run_id VARCHAR(250) ${ID}, region_index INTEGER NOT NULL, working_set BOOL)`;
const PICKLES = `CREATE TABLE _xcom_archive (dag_run_id INTEGER NOT NULL, task_id VARCHAR(250) ${ID},
  map_index INTEGER NOT NULL, \`key\` VARCHAR(512) ${ID}, value LONGBLOB, PRIMARY KEY (dag_run_id, task_id, map_index, \`key\`))`;
const COLUMNS = "dag_run_id, task_id, map_index, `key`, dag_id, run_id, value";

const root = mkdtempSync(join(tmpdir(), "stowage-mysql-"));
const storage = openStorage({ env: {} });
const BASE = `file://${root}/xcom`;
const backend = new XComObjectStorageBackend({ storage, path: BASE, threshold: 0 });
const OWNER = { dagId: "sales", runId: "run", taskId: "extract" };
afterAll(async () => {
  await storage.close();
  rmSync(root, { recursive: true, force: true });
});

describeOnMariaDb("Airflow's database on MySQL", (database) => {
  const exec = (text: string) => database.pool.query(text);
  const query = () => mysqlQuery(database.pool);
  beforeEach(async () => {
    await exec("DROP DATABASE airflow; CREATE DATABASE airflow CHARACTER SET utf8mb4; USE airflow");
    await database.pool.end();
    database.pool = mysql.createPool({ uri: database.url, multipleStatements: true });
  });

  test("every reference is read, over many pages, of live tables and archives without a key", async () => {
    for (const table of ["xcom", "xcom_v1"]) await exec(xcom(table));
    await exec(`${V2}; ${PICKLES}; CREATE TABLE xcom_other (value JSON); CREATE TABLE variable (value JSON)`);
    await exec(`INSERT INTO xcom (${COLUMNS})
      SELECT seq DIV 700, CONCAT('té', seq MOD 7), seq, IF(seq MOD 2, 'k', 'K'), 'd', 'r', JSON_QUOTE(CONCAT('s3://b/é/', seq))
      FROM seq_1_to_4500`);
    await exec(`INSERT INTO xcom_v1 (${COLUMNS}) VALUES (1, 't', -1, 'a', 'd', 'r', '5'), (1, 't', -1, 'b', 'd', 'r', '"text"'),
      (1, 't', -1, 'c', 'd', 'r', NULL), (1, 't', -1, 'd', 'd', 'r', '{"a": "s3://b/c"}')`);
    await exec(`CREATE TABLE _airflow_deleted__xcom__20260101000000__xcom AS
      SELECT *, CONCAT('"s3://b/', REPEAT('long/', 180), seq, '"') AS text FROM xcom_v1, seq_1_to_10500 WHERE \`key\` = 'a'`);
    await exec("UPDATE _airflow_deleted__xcom__20260101000000__xcom SET value = text");
    await exec("INSERT INTO xcom_other VALUES ('\"s3://b/other\"')");
    const pickle = Buffer.concat([Buffer.from([0x80, 4, 0x8c, 12]), Buffer.from("s3://b/pickl"), Buffer.from(".")]);
    await database.pool.query("INSERT INTO _xcom_archive VALUES (1, 't', -1, 'k', ?)", [pickle]);
    const found = (await all(airflowReferences(query()).references())).map(({ text }) => text);
    expect(found).toHaveLength(4500 + 10_500 + 2);
    expect(new Set(found).size).toBe(found.length);
    expect(found).toContain("s3://b/é/4500");
    expect(found).toContain("s3://b/pickl");
    expect(found).toContain("s3://b/c");
    expect(found.some((text) => text.endsWith("/10500"))).toBe(true);
  });

  test("rows of Airflow 3.1 are found and listed, ids by their case", async () => {
    await exec(xcom("xcom"));
    await exec(`INSERT INTO xcom (${COLUMNS})
      SELECT 1, CONCAT(IF(seq MOD 2, 't', 'T'), seq MOD 3), seq, 'key', 'd', 'r', seq FROM seq_1_to_1300`);
    const rows = airflowRows(query());
    expect(await rows.get({ dagId: "d", runId: "r", taskId: "T1", mapIndex: 4, key: "key" })).toMatchObject({
      value: 4,
    });
    expect(await rows.get({ dagId: "d", runId: "r", taskId: "t1", mapIndex: 4, key: "key" })).toBeUndefined();
    expect(new Set((await all(rows.list({ dagId: "d" }))).map(({ value }) => value)).size).toBe(1300);
    expect(await all(rows.list({ key: "other" }))).toEqual([]);
  });

  test("rows of Airflow 3.4 are those of current attempts, and of before the upgrade", async () => {
    await exec(`${xcom("xcom_v1")}; ${V2}`);
    await exec(`INSERT INTO xcom_v1 (${COLUMNS}) VALUES (1, 'old', -1, 'k', 'd', 'r', '"s3://b/old"');
      INSERT INTO task_instance VALUES ('a', 't', 'd', 'r', -1, TRUE), ('b', 't', 'd', 'r', -1, NULL);
      INSERT INTO xcom_v2 (id, task_instance_id, \`key\`, value) VALUES ('1', 'a', 'k', '"now"'), ('2', 'b', 'k', '"s3://b/before"')`);
    const rows = await all(airflowRows(query()).list({}));
    expect(rows.map(({ taskId, mapIndex, value }) => [taskId, mapIndex, value])).toEqual([
      ["t", -1, "now"],
      ["old", -1, "s3://b/old"],
    ]);
    const found = (await all(airflowReferences(query()).references())).map(({ text }) => text);
    expect(found.sort()).toEqual(["s3://b/before", "s3://b/old"]);
    await exec("DROP TABLE xcom_v1, xcom_v2");
    await expect(airflowRows(query()).get({ ...OWNER, key: "k" })).rejects.toMatchObject({ code: "Unsupported" });
  });

  test("a run is found by its date, whatever the zone of the session", async () => {
    await exec("CREATE TABLE dag_run (dag_id VARCHAR(250), run_id VARCHAR(250), logical_date TIMESTAMP(6) NULL)");
    const connection = await mysql.createConnection(database.url);
    await connection.query("SET time_zone = '+00:00'");
    await connection.query(`INSERT INTO dag_run VALUES ('d', 'yes', '2026-01-02 03:04:05.678901'),
      ('d', 'no', '2026-01-02 03:04:05.678'), ('e', 'other', '2026-01-02 03:04:05.678901'), ('d', 'manual', NULL)`);
    await connection.query("SET time_zone = '+09:00'");
    const find = airflowRuns(mysqlQuery(connection));
    expect(await find("d", "2026-01-02T03:04:05.678901+00:00")).toBe("yes");
    expect(await find("d", "2026-01-02T12:04:05.678901+00:00")).toBeUndefined();
    const rows = memoryRows();
    const at = { ...OWNER, dagId: "d", runId: "yes", key: "k" };
    const reference = String(await backend.storeValue(at, "k", 1));
    await rows.set(at, reference);
    const target = { dagId: "d", taskId: OWNER.taskId, logicalDate: "2026-01-02T03:04:05.678901Z" };
    expect(await new XCom({ rows, backend, runs: find }).clear(target)).toMatchObject({ rows: 1, objects: 1 });
    await connection.end();
  });

  test("a database without a table of XComs is refused", async () => {
    await exec("DROP TABLE IF EXISTS xcom");
    await expect(all(airflowReferences(query()).references())).rejects.toMatchObject({
      code: "NotFound",
      detail: expect.stringContaining("no table xcom in the schema airflow"),
    });
  });

  test("a login that may not read all tables is refused: MySQL hides the others from it", async () => {
    await exec(`${xcom("xcom")}; CREATE TABLE _airflow_deleted__xcom__1 AS SELECT * FROM xcom`);
    await exec("CREATE OR REPLACE USER few@localhost; GRANT SELECT ON airflow.xcom TO few@localhost");
    await exec("CREATE OR REPLACE USER reader@localhost; GRANT SELECT ON `air%`.* TO reader@localhost");
    const by = async (user: string) => {
      const connection = await mysql.createConnection(database.url.replace("root@", `${user}@`));
      return all(airflowReferences(mysqlQuery(connection)).references()).finally(() => connection.end());
    };
    await expect(by("few")).rejects.toMatchObject({
      code: "PermissionDenied",
      detail: expect.stringContaining("grant the login SELECT on the whole database"),
    });
    expect(await by("reader")).toEqual([]);
  });

  test.each<[string, object, RegExp]>([
    ["another character set, which lacks some characters", { charset: "utf8" }, /utf8mb3; set charset: "utf8mb4"/],
    ["rows as arrays", { rowsAsArray: true }, /leave out rowsAsArray/],
  ])("%s is refused by a sweep, which deletes nothing", async (_, options, why) => {
    await exec(xcom("xcom"));
    const kept = String(await backend.storeValue({ ...OWNER, dagId: "e😀" }, "k", 1));
    await database.pool.query(`INSERT INTO xcom (${COLUMNS}) VALUES (1, 't', -1, 'k', 'd', 'r', ?)`, [
      JSON.stringify(kept),
    ]);
    const pool = mysql.createPool({ uri: database.url, ...options });
    const sources = [airflowReferences(mysqlQuery(pool))];
    const sweeping = sweep({ storage, path: BASE, sources, delete: true, graceMs: 0, force: true });
    await expect(sweeping).rejects.toMatchObject({ code: "InvalidArgument", detail: expect.stringMatching(why) });
    expect(await storage.exists(kept)).toBe(true);
    await pool.end();
  });

  test("a server that goes away in the middle ends a sweep, which deletes nothing", { timeout: 60_000 }, async () => {
    const server = await startMariaDb();
    const connection = await mysql.createConnection({ uri: server.url, multipleStatements: true });
    connection.on("error", () => {});
    await connection.query(xcom("xcom"));
    await connection.query(`INSERT INTO xcom (${COLUMNS})
      SELECT 1, 't', seq, 'k', 'd', 'r', JSON_QUOTE(CONCAT('s3://b/', seq)) FROM seq_1_to_4500`);
    const orphan = String(await backend.storeValue(OWNER, "orphan", 1));
    const source = airflowReferences(mysqlQuery(connection));
    const cut = {
      ...source,
      async *references(options?: { signal?: AbortSignal | undefined }) {
        let count = 0;
        for await (const reference of source.references(options)) {
          if (count++ === 100) await server.kill();
          yield reference;
        }
      },
    };
    const sweeping = sweep({ storage, path: BASE, sources: [cut], delete: true, graceMs: 0, force: true });
    await expect(sweeping).rejects.toMatchObject({ code: "Unavailable", retryable: true });
    expect(await storage.exists(orphan)).toBe(true);
    connection.destroy();
  });

  describe("by the command", () => {
    const run = (...args: string[]) => commandInProcess(args, { cwd: root, input: "" });
    const PASSWORD = "h@sh/S3cret";
    const address = () => database.url.replace("root@", `airflow:${encodeURIComponent(PASSWORD)}@`);
    let kept: string;
    let gone: string;
    beforeEach(async () => {
      await exec(`${xcom("xcom")}; CREATE OR REPLACE USER airflow@localhost IDENTIFIED BY '${PASSWORD}';
        GRANT SELECT ON airflow.* TO airflow@localhost`);
      [kept, gone] = [await backend.storeValue(OWNER, "kept", 1), await backend.storeValue(OWNER, "gone", 1)].map(
        String,
      ) as [string, string];
      await storage.delete(gone);
      for (const [key, text] of Object.entries({ kept, gone }))
        await database.pool.query(`INSERT INTO xcom (${COLUMNS}) VALUES (1, 'extract', -1, ?, 'sales', 'run', ?)`, [
          key,
          JSON.stringify(text),
        ]);
    });

    test("fsck, sweep, report and xcom ls read it, by the address of SQLAlchemy too", async () => {
      for (const scheme of ["mysql:", "mysql+mysqldb:", "mariadb+pymysql:"]) {
        const checked = await run(
          "fsck",
          "--json",
          "--database",
          `${address().replace("mysql:", scheme)}?charset=utf8mb4`,
        );
        expect(jsonLines(checked.stdout)[0]).toMatchObject({ reference: gone, problem: "missing", where: "xcom" });
      }
      const swept = await run("sweep", BASE, "--json", "--database", address());
      expect(jsonLines(swept.stdout).at(-1)).toMatchObject({ references: 2 });
      expect((await run("report", BASE, "--json", "--database", address())).code).toBe(0);
      expect((await run("xcom", "ls", "--refs", "--database", address())).stdout.split("\n")).toContain(kept);
    });

    test("migrate does not change it, and says so", async () => {
      const { code, stderr } = await run("migrate", BASE, `${BASE}-new`, "--database", address());
      expect([code, stderr]).toEqual([1, expect.stringContaining("rows of SQLite and MySQL are not changed")]);
    });

    test.each<[string, (url: string) => string, number, RegExp]>([
      ["a wrong password", (url) => url.replace("S3cret", "wr0ng"), 1, /Access denied for user 'airflow'/],
      ["a server that is not there", (url) => url.replace(/:\d+\//, ":1/"), 1, /does not answer/],
      [
        "a database that is not there",
        (url) => url.replace(/airflow$/, "none"),
        1,
        /the database says: Access denied .*none/,
      ],
      ["no database", (url) => url.replace(/airflow$/, ""), 2, /names its database: mysql:\/\/user@host\/database/],
      ["a parameter that nothing knows", (url) => `${url}?ssl_ca=x`, 2, /the parameter "ssl_ca"; only charset and ssl/],
    ])("%s is told without the password", async (_, change, expected, why) => {
      const { code, stdout, stderr } = await run("fsck", "--database", change(address()));
      expect([code, stderr]).toEqual([expected, expect.stringMatching(why)]);
      for (const secret of [PASSWORD, encodeURIComponent(PASSWORD), "S3cret", "wr0ng"])
        expect(stdout + stderr).not.toContain(secret);
    });
  });

  test("references of a file and of MySQL are one set", async () => {
    await exec(xcom("xcom"));
    const row = String(await backend.storeValue(OWNER, "file", 1));
    const sources = [lineReferences([row]), airflowReferences(query())];
    await expect(sweep({ storage, path: BASE, sources })).rejects.toMatchObject({ code: "NotFound" });
  });
});
