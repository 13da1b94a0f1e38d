/** Every row of Airflow's database that may name an object, whatever the type of its column: what is overlooked is swept. */
import { describe, expect, test } from "vitest";
import { airflowReferences, airflowRewriter, mysqlQuery, type ReferenceSource } from "../../../src/xcom.js";
import { all } from "../../support/all.js";
import { describeOnMariaDb } from "../../support/mariadb.js";
import { describeOnPostgres } from "../../support/postgres.js";

/** JSON texts, and the texts in them that count. */
const VALUES: [json: string, text: string | undefined][] = [
  ['"s3://b/plain"', "s3://b/plain"],
  ['["s3://b/listed"]', "s3://b/listed"],
  ['{"a":{"path":["s3://b/inner"]}}', "s3://b/inner"],
  ['{"s3://b/name":1}', "s3://b/name"],
  ['"file:/srv/short"', "file:/srv/short"],
  ['"see s3://b/prose"', "see s3://b/prose"],
  [' "s3://b/space"', "s3://b/space"],
  [String.raw`"s3:\/\/b\/slashes"`, "s3://b/slashes"],
  [String.raw`"s3\u003a//b/colon"`, "s3://b/colon"],
  [String.raw`"s3:\u002F\u002Fb/hex"`, "s3://b/hex"],
  ['"nothing"', undefined],
  ["5", undefined],
];
const TEXTS = VALUES.flatMap(([, text]) => text ?? []).sort();
const ARCHIVE = "_airflow_deleted__xcom__20240101";
const PICKLE = Buffer.concat([Buffer.from([0x80, 4, 0x8c, 10]), Buffer.from("s3://b/pic"), Buffer.from(".")]);

const textsIn = async (source: ReferenceSource) => (await all(source.references())).map(({ text }) => text).sort();

await describeOnPostgres("on Postgres", (database) => {
  const exec = (text: string, values: unknown[] = []) => database.pool.query(text, values);
  const source = () => airflowReferences((text, values) => database.pool.query(text, values));
  const begin = () => exec("DROP SCHEMA public CASCADE; CREATE SCHEMA public");

  test.each(["json", "jsonb", "text"])("values of the type %s", async (type) => {
    await begin();
    await exec(`CREATE TABLE xcom (id serial PRIMARY KEY, value ${type})`);
    for (const [json] of VALUES) await exec("INSERT INTO xcom (value) VALUES ($1)", [json]);
    expect(await textsIn(source())).toEqual(TEXTS);
  });

  test("archives of Airflow 2, whose values are bytes: JSON, and pickles", async () => {
    await begin();
    await exec(`CREATE TABLE xcom (value jsonb); CREATE TABLE ${ARCHIVE} (value bytea)`);
    for (const [json] of VALUES) await exec(`INSERT INTO ${ARCHIVE} VALUES ($1)`, [Buffer.from(json)]);
    await exec(`INSERT INTO ${ARCHIVE} VALUES ($1)`, [PICKLE]);
    expect(await textsIn(source())).toEqual([...TEXTS, "s3://b/pic"].sort());
  });

  test.each([
    ["text", "s3://b/without/quotes"],
    ["bytea", "s3://b/without/quotes"],
    ["bytea", Buffer.from([0xff, 0xfe, 0x3a, 0x2f])],
  ])("a row of %s that is no JSON ends the reading", async (type, value) => {
    await begin();
    await exec(`CREATE TABLE xcom (value ${type})`);
    await exec("INSERT INTO xcom VALUES ($1)", [value]);
    await expect(textsIn(source())).rejects.toMatchObject({ code: "Corrupt" });
  });

  test("rows that a policy may hide from the login end the reading, also where they could be changed", async () => {
    await begin();
    await exec("DROP ROLE IF EXISTS reader; CREATE ROLE reader; CREATE TABLE xcom (id int, value jsonb)");
    await exec(`INSERT INTO xcom VALUES (1, '"s3://b/hidden"'), (2, '"s3://b/seen"'); GRANT SELECT ON xcom TO reader`);
    await exec("ALTER TABLE xcom ENABLE ROW LEVEL SECURITY; CREATE POLICY later ON xcom USING (id > 1)");
    expect(await textsIn(source())).toHaveLength(2);
    const client = await database.pool.connect();
    try {
      await client.query("GRANT USAGE ON SCHEMA public TO reader; SET ROLE reader");
      const query = (text: string, values: unknown[]) => client.query(text, values);
      for (const one of [airflowReferences(query), airflowRewriter(query)])
        await expect(textsIn(one)).rejects.toMatchObject({
          code: "PermissionDenied",
          detail: expect.stringContaining("row-level security may hide rows of xcom"),
        });
    } finally {
      await client.query("RESET ROLE");
      client.release();
    }
  });
});

describeOnMariaDb("on MySQL", (database) => {
  const source = () => airflowReferences(mysqlQuery(database.pool));

  test.each(["JSON", "LONGBLOB"])("values of the type %s, with a key and without", async (type) => {
    await database.pool.query("DROP DATABASE airflow; CREATE DATABASE airflow CHARACTER SET utf8mb4; USE airflow");
    await database.pool.query(`CREATE TABLE xcom (id INT AUTO_INCREMENT PRIMARY KEY, value ${type});
      CREATE TABLE ${ARCHIVE} (value ${type})`);
    for (const table of ["xcom", ARCHIVE])
      for (const [json] of VALUES)
        await database.pool.query(`INSERT INTO ${table} (value) VALUES (?)`, [
          type === "JSON" ? json : Buffer.from(json),
        ]);
    expect(await textsIn(source())).toEqual([...TEXTS, ...TEXTS].sort());
    if (type === "JSON") return;
    await database.pool.query(`INSERT INTO ${ARCHIVE} VALUES (?), (?)`, [PICKLE, Buffer.from("s3://b/bare")]);
    await expect(textsIn(source())).rejects.toMatchObject({ code: "Corrupt" });
  });
});

const sqlite = process.getBuiltinModule?.("node:sqlite" as never) as
  | { DatabaseSync: new (path: string) => Sqlite }
  | undefined;
interface Sqlite {
  exec(text: string): void;
  prepare(text: string): { all(...values: unknown[]): unknown[]; run(...values: unknown[]): unknown };
}

describe.skipIf(!sqlite)(`on SQLite${sqlite ? "" : " [this Node has no node:sqlite]"}`, () => {
  function opened() {
    const database = new sqlite!.DatabaseSync(":memory:");
    database.exec(`CREATE TABLE xcom (value JSON); CREATE TABLE ${ARCHIVE} (value BLOB)`);
    const add = (table: string, value: string | Uint8Array) =>
      database.prepare(`INSERT INTO ${table} VALUES (?)`).run(value);
    const source = airflowReferences(async (text, values) => ({
      rows: database.prepare(text.replace(/\$\d+/g, "?")).all(...values),
    }));
    return { add, source };
  }

  test("texts, bytes and pickles", async () => {
    const { add, source } = opened();
    for (const [json] of VALUES) {
      add("xcom", json);
      add(ARCHIVE, Buffer.from(json));
    }
    add(ARCHIVE, PICKLE);
    expect(await textsIn(source)).toEqual([...TEXTS, ...TEXTS, "s3://b/pic"].sort());
  });

  test.each([["s3://b/bare"], [Buffer.from("s3://b/bare")]])(
    "a value that is no JSON ends the reading",
    async (value) => {
      const { add, source } = opened();
      add("xcom", value);
      await expect(textsIn(source)).rejects.toMatchObject({ code: "Corrupt" });
    },
  );
});

await describeOnPostgres("tables that cannot be read as one", (database) => {
  const source = () => airflowReferences((text, values) => database.pool.query(text, values));
  const begin = () =>
    database.pool.query("DROP SCHEMA IF EXISTS other CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public");

  test("rows that `stowage xcom import` has written count", async () => {
    await begin();
    await database.pool.query(`CREATE TABLE xcom (value jsonb); CREATE TABLE stowage_xcom (value json);
      INSERT INTO stowage_xcom VALUES ('"s3://b/imported"')`);
    expect(await textsIn(source())).toEqual(["s3://b/imported"]);
  });

  test.each([
    [
      "partitioned",
      "CREATE TABLE xcom (id int, value jsonb) PARTITION BY RANGE (id); CREATE TABLE part PARTITION OF xcom DEFAULT",
    ],
    ["inherited from", "CREATE TABLE xcom (id int, value jsonb); CREATE TABLE part () INHERITS (xcom)"],
  ])("a table that is %s is refused", async (_, tables) => {
    await begin();
    await database.pool.query(`${tables}; INSERT INTO part VALUES (1, '"s3://b/part"')`);
    await expect(textsIn(source())).rejects.toMatchObject({ code: "Unsupported" });
  });

  test("two schemas with the same table are refused", async () => {
    await begin();
    await database.pool.query(
      "CREATE SCHEMA other; CREATE TABLE xcom (value jsonb); CREATE TABLE other.xcom (value jsonb)",
    );
    const client = await database.pool.connect();
    try {
      await client.query("SET search_path = public, other");
      const twice = airflowReferences((text, values) => client.query(text, values));
      await expect(textsIn(twice)).rejects.toMatchObject({
        code: "InvalidArgument",
        detail: expect.stringContaining("several schemas that the login searches have a table xcom"),
      });
    } finally {
      await client.query("RESET search_path");
      client.release();
    }
  });

  test("paths in pickles count in whatever form they are there", async () => {
    await begin();
    await database.pool.query("CREATE TABLE xcom (value jsonb); CREATE TABLE _xcom_archive (value bytea)");
    for (const value of ["Vs3://b/x\np0\n.", "\x80\x02U\x08s3://b/y.", "\x80\x04C\x08s3://b/z."])
      await database.pool.query("INSERT INTO _xcom_archive VALUES ($1)", [Buffer.from(value, "latin1")]);
    const found = await textsIn(source());
    for (const path of ["s3://b/x", "s3://b/y", "s3://b/z"])
      expect(found.some((text) => text.includes(path))).toBe(true);
  });

  test("JSON inside a text counts with its escapes", async () => {
    await begin();
    await database.pool.query("CREATE TABLE xcom (value json)");
    for (const value of [String.raw`{"p":"s3:\/\/b\/x"}`, { p: String.raw`{"p":"s3:\/\/b\/x"}` }])
      await database.pool.query("INSERT INTO xcom VALUES ($1)", [JSON.stringify(value)]);
    expect(await textsIn(source())).toHaveLength(2);
  });
});
