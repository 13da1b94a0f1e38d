/** `xcom ls` and `xcom show` on the rows of Airflow's database, here with the table of 3.0 to 3.3. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import { openStorage } from "../../../src/open.js";
import { jsonLines, stowage } from "../../support/command.js";
import { type Postgres, startPostgres, whyNoPostgres } from "../../support/postgres.js";

const reason = await whyNoPostgres();
if (reason && process.env.CI) throw new Error(reason);

const OWNER = { dagId: "sales", runId: "run_1", taskId: "extract" };

describe.skipIf(reason)("rows of a database", () => {
  let postgres: Postgres;
  let folder: string;
  let base: string;
  let reference: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "stowage-database-"));
    base = `file://${folder}/xcom`;
    const backend = new XComObjectStorageBackend({
      storage: openStorage(),
      path: base,
      threshold: 100,
      compression: "gzip",
    });
    reference = (await backend.storeValue(OWNER, "return_value", { text: "x".repeat(5000) })) as string;
    postgres = await startPostgres();
    const client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    await client.query(
      "CREATE TABLE xcom (dag_run_id int, dag_id text, run_id text, task_id text, map_index int, key text, value jsonb)",
    );
    const rows: unknown[][] = [
      ["sales", "run_1", "extract", -1, "return_value", reference],
      ["sales", "run_1", "extract", -1, "huge", [2n ** 70n]],
      ["sales", "run_1", "load", 3, "return_value", { n: 7, text: "é" }],
      ["sales", "run_2", "load", -1, "return_value", null],
      ["other", "run_1", "load", -1, "return_value", `${base}/no reference`],
    ];
    for (const row of rows) {
      const value = JSON.stringify(row[5], (_, inner) => (typeof inner === "bigint" ? "HUGE" : inner));
      const text = value.replace('"HUGE"', String(2n ** 70n));
      await client.query("INSERT INTO xcom VALUES (1, $1, $2, $3, $4, $5, $6)", [...row.slice(0, 5), text]);
    }
    await client.end();
  });
  afterAll(async () => {
    await postgres?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const run = (args: string[], env: Record<string, string> = {}) =>
    stowage(["xcom", ...args], { cwd: folder, env: { AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH: base, ...env } });

  test("are listed with what is in the row and what is an object", async () => {
    const { code, stdout } = await run(["ls", "--database", postgres.url, "--dag", "sales"]);
    expect(code).toBe(0);
    expect(stdout.split("\n").map((line) => line.trim().replace(/ +/g, " "))).toEqual([
      "sales run_1",
      "row extract huge",
      "object gzip extract return_value",
      "row load[3] return_value",
      "",
      "sales run_2",
      "row load return_value",
      "",
    ]);
  });
  test("are JSON lines with --json, values and references apart", async () => {
    const { stdout } = await run(["ls", "--json", "--database", postgres.url]);
    const lines = jsonLines(stdout) as { dagId: string; key: string; reference?: string; value?: unknown }[];
    expect(lines).toHaveLength(5);
    const at = (dagId: string, runId: string, taskId: string, key: string) =>
      lines.find((line) => expect.objectContaining({ dagId, runId, taskId, key }).asymmetricMatch(line));
    expect(at("sales", "run_1", "extract", "return_value")).toMatchObject({ reference, codec: "gzip", mapIndex: -1 });
    expect(at("sales", "run_1", "extract", "huge")).toMatchObject({ value: [2 ** 70] });
    expect(at("sales", "run_2", "load", "return_value")).toMatchObject({ value: null });
    expect(at("other", "run_1", "load", "return_value")).toMatchObject({ value: `${base}/no reference` });
  });
  test("--refs prints references alone", async () => {
    expect((await run(["ls", "--refs", "--database", postgres.url])).stdout).toBe(`${reference}\n`);
  });
  test("are shown as values, wherever those are", async () => {
    const { stdout } = await run(["show", "--database", postgres.url, "--dag", "sales", "--run", "run_1"]);
    expect(stdout).toMatch(/key +huge\nstored +in the row\nvalue +.*\npreview +\[1180591620717411303424\]/);
    expect(stdout).toMatch(/task +load\[3\]\n[\s\S]*preview +\{"n":7,"text":"é"\}/);
    expect(stdout).toMatch(/stored +.*gzip[\s\S]*preview +\{"text":"xxx/);
  });
  test("of the database that Airflow's own variable names", async () => {
    const url = postgres.url.replace("postgresql:", "postgresql+psycopg2:");
    const { code, stdout } = await run(["ls", "--dag", "other", "--database"], {
      AIRFLOW__DATABASE__SQL_ALCHEMY_CONN: url,
    });
    expect({ code, lines: stdout.split("\n").length }).toEqual({ code: 0, lines: 3 });
  });
  test.each([
    ["nothing that matches", ["ls", "--dag", "none", "--database", "URL"], 1, "no XComs that match"],
    ["a database of another kind", ["ls", "--database", "mssql://host/db"], 1, "mssql"],
    ["no database named", ["ls", "--database"], 2, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"],
    [
      "a database that does not answer",
      ["ls", "--database", "postgresql://u:hush@127.0.0.1:1/x"],
      1,
      "does not answer",
    ],
    ["neither reference nor database", ["show"], 2, "name a reference"],
  ])("%s is an error with what to do, and no secret in it", async (_, args, wanted, why) => {
    const { code, stdout, stderr } = await run(args.map((arg) => arg.replace("URL", postgres.url)));
    expect({ code, stdout, stderr }).toEqual({ code: wanted, stdout: "", stderr: expect.stringContaining(why) });
    expect(stderr).not.toContain("hush");
  });
});
