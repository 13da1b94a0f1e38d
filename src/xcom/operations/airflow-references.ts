/** The references in Airflow's metadata database. */
import { failure, invalid } from "../../errors.js";
import type { FoundReference, ReferenceSource } from "../../references.js";
import { ask, hiddenRows, pagesByKey, primaryKey, type Query } from "../../sql.js";
import { isMySql } from "../rows/mysql.js";
import { BYTE_VALUES, JSON_VALUES, PICKLED_VALUES, type RowValues, SQLITE_VALUES } from "./row-texts.js";

/**
 * All references in the metadata database of Airflow 3.0 to 3.4, by a `query` as `airflowRows` takes it: of every
 * attempt of a task, of the archive tables that `airflow db clean` makes, and of `_xcom_archive`, to which the
 * migration from Airflow 2 moves pickled values: there every text inside a pickle that has a scheme. Of other rows all
 * values that are texts with a path, and those inside values. Throws `Corrupt` if a row cannot be read,
 * `PermissionDenied` if a table or some of its rows cannot, and `NotFound` if there is no table `xcom`: then it is another
 * database. Each row is read once, in pages by the table's primary key.
 */
export function airflowReferences(query: Query): ReferenceSource {
  return {
    name: "Airflow's database",
    async *references({ signal } = {}) {
      const { tables, schema, read } = await databaseOf(query, signal);
      const found = await tables();
      if (!found.some(isLive)) throw await noTable(query, schema, signal);
      for (const table of found) if (isLive(table)) yield* read(table);
      // After the rows: meanwhile, `airflow db clean` may have moved some of them to a new archive.
      for (const table of await tables()) if (!isLive(table)) yield* read(table);
    },
  };
}

/** Those of Airflow, and the one into which `stowage xcom import` writes. */
const XCOM_TABLE = /^(?:xcom(?:_v\d+)?|stowage_xcom|_airflow_deleted__xcom\w*)$/;
/** What Airflow 3.0's migration makes of pickled values, and the archives of that table. */
const PICKLED_TABLE = /^(?:_xcom_archive|_airflow_deleted___xcom_archive\w*)$/;

function isPickled(table: string): boolean {
  return PICKLED_TABLE.test(table);
}

function isLive(table: string): boolean {
  return table.startsWith("xcom");
}

/** Returns the error for a database without XComs, where a check of nothing would find no fault. */
async function noTable(query: Query, schema: string, signal: AbortSignal | undefined): Promise<Error> {
  const [found] = await ask<{ name: string | null }>(query, schema, [], signal);
  const where = found?.name ? `the schema ${found.name}` : "any schema that the login searches";
  return failure("NotFound", `there is no table xcom in ${where}: name the database of Airflow, as its login sees it`);
}

/** What depends on the kind of a database. */
interface Database {
  /** Selects the name of the schema in which tables are looked for. */
  schema: string;
  tables(): Promise<string[]>;
  read(table: string): AsyncIterable<FoundReference>;
}

/**
 * All tables, also those that this login may not read, and whether a policy may hide rows from it: a reference there would
 * be overlooked.
 */
const POSTGRES_TABLES = `SELECT tablename AS name, row_security_active(format('%I.%I', schemaname, tablename)) AS hidden,
    EXISTS (SELECT 1 FROM pg_catalog.pg_inherits WHERE inhparent = format('%I.%I', schemaname, tablename)::regclass) AS divided
  FROM pg_catalog.pg_tables WHERE schemaname = ANY (current_schemas(false))`;
const POSTGRES_SCHEMA = "SELECT array_to_string(current_schemas(false), ', ') AS name";
const SQLITE_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'";

async function tablesIn(query: Query, text: string, signal: AbortSignal | undefined): Promise<string[]> {
  const rows = await ask<{ name: string; hidden?: boolean; divided?: boolean }>(query, text, [], signal);
  const own = rows.filter(({ name }) => XCOM_TABLE.test(String(name)) || isPickled(String(name)));
  const hidden = own.find((row) => row.hidden);
  if (hidden) throw hiddenRows(hidden.name);
  const divided = own.find((row) => row.divided);
  if (divided)
    throw failure("Unsupported", `the table ${divided.name} is partitioned or inherited from, as Airflow's is not`);
  const twice = own.find(({ name }, i) => own.findIndex((other) => other.name === name) !== i);
  if (twice)
    throw invalid(`several schemas that the login searches have a table ${twice.name}: set its search_path to one`);
  return own.map(({ name }) => String(name)).sort();
}

/** Returns the tables of XComs of a Postgres database, those of archives and pickles included. */
export async function postgresTables(query: Query, signal: AbortSignal | undefined): Promise<string[]> {
  const tables = await tablesIn(query, POSTGRES_TABLES, signal);
  if (!tables.some(isLive)) throw await noTable(query, POSTGRES_SCHEMA, signal);
  return tables;
}

async function databaseOf(query: Query, signal: AbortSignal | undefined): Promise<Database> {
  if (isMySql(query))
    return {
      tables: () => mysqlTables(query, signal),
      schema: "SELECT DATABASE() AS name",
      read: (table) => inMySql(query, table, signal),
    };
  const isPostgres = await ask(query, POSTGRES_TABLES, [], signal).then(
    () => true,
    () => false,
  );
  if (!isPostgres)
    return {
      tables: () => tablesIn(query, SQLITE_TABLES, signal),
      schema: "SELECT 'main' AS name",
      read: (table) => inSqlite(query, table, signal),
    };
  return {
    tables: () => tablesIn(query, POSTGRES_TABLES, signal),
    schema: POSTGRES_SCHEMA,
    read: (table) => inPostgres(query, table, signal),
  };
}

/** Reads the rows of a table in pages; each is an array of what was read. */
type Pages = AsyncIterable<readonly string[]>;

async function* textsOf(pages: Pages, values: RowValues, table: string): AsyncGenerator<FoundReference> {
  for await (const page of pages) for (const read of page) yield* values.texts(read, table);
}

async function* inSqlite(query: Query, table: string, signal: AbortSignal | undefined) {
  for (const values of isPickled(table) ? [PICKLED_VALUES.sqlite] : SQLITE_VALUES)
    yield* textsOf(byKey(query, values, table, ["rowid"], signal), values, table);
}

/** Whether the column `value` of a table holds bytes, by a statement that tells its type. */
async function hasBytes(query: Query, text: string, name: string, signal: AbortSignal | undefined): Promise<boolean> {
  const [found] = await ask<{ type: string }>(query, text, [name], signal);
  return /bytea|blob|binary/i.test(String(found?.type));
}

async function* byKey(
  query: Query,
  { text, where }: RowValues,
  table: string,
  key: readonly string[],
  signal: AbortSignal | undefined,
  isSplit = false,
) {
  const read = { columns: `${text} AS reference`, from: `"${table}"`, where, key, isSplit };
  for await (const page of pagesByKey<{ reference: string }>(query, read, signal))
    yield page.map(({ reference }) => reference);
}

export const POSTGRES_TYPE = `SELECT format_type(atttypid, atttypmod) AS type FROM pg_attribute
  WHERE attrelid = $1::regclass AND attname = 'value'`;

/** Whether the values of a Postgres table are JSON and no bytes. */
export async function isJsonTable(query: Query, table: string, signal: AbortSignal | undefined): Promise<boolean> {
  return !isPickled(table) && !(await hasBytes(query, POSTGRES_TYPE, `"${table}"`, signal));
}

/** Yields the references in a Postgres table of XComs. */
export async function* inPostgres(
  query: Query,
  table: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<FoundReference> {
  const values = (await isJsonTable(query, table, signal))
    ? JSON_VALUES
    : isPickled(table)
      ? PICKLED_VALUES.postgres
      : BYTE_VALUES.postgres;
  const key = await primaryKey(query, `"${table}"`, signal);
  const pages = key.length > 0 ? byKey(query, values, table, key, signal) : byBlock(query, values, table, signal);
  yield* textsOf(pages, values, table);
}

/** Blocks of 8 KiB that are read at once. */
const BLOCKS = 128;

/** Reads a table without a primary key, as archives are, by its blocks: nothing writes to it. */
async function* byBlock(query: Query, { text, where }: RowValues, table: string, signal: AbortSignal | undefined) {
  const select = `SELECT ${text} AS reference FROM "${table}" WHERE ${where}`;
  for await (const range of blockRanges(query, table, signal)) {
    const rows = await ask<{ reference: string }>(query, `${select} AND ${range}`, [], signal);
    yield rows.map(({ reference }) => reference);
  }
}

/** Yields conditions that divide a table into stretches of blocks. */
export async function* blockRanges(query: Query, table: string, signal: AbortSignal | undefined) {
  const size = "SELECT pg_relation_size($1::regclass) / current_setting('block_size')::int AS blocks";
  const [found] = await ask<{ blocks: string }>(query, size, [`"${table}"`], signal);
  const blocks = Number(found?.blocks);
  if (!Number.isSafeInteger(blocks)) throw failure("Corrupt", `the database does not tell the size of ${table}`);
  for (let block = 0; block < blocks; block += BLOCKS)
    yield `ctid >= '(${block},0)'::tid AND ctid < '(${block + BLOCKS},0)'::tid`;
}

// MySQL shows a login only the tables that it may read, and has no place of a row without a primary key.

const MYSQL_TABLES = "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()";
const MYSQL_GRANTS = `SELECT grantee FROM information_schema.user_privileges
    WHERE privilege_type = 'SELECT' AND replace(grantee, '''', '') = current_user()
  UNION ALL SELECT grantee FROM information_schema.schema_privileges
    WHERE privilege_type = 'SELECT' AND replace(grantee, '''', '') = current_user() AND DATABASE() LIKE table_schema`;
const MYSQL_KEY = `SELECT column_name AS name FROM information_schema.key_column_usage
  WHERE table_schema = DATABASE() AND table_name = $1 AND constraint_name = 'PRIMARY' ORDER BY ordinal_position`;

/** Throws PermissionDenied unless the login may read all tables: a reference in another would be overlooked. */
async function mysqlTables(query: Query, signal: AbortSignal | undefined): Promise<string[]> {
  const grants = await ask(query, MYSQL_GRANTS, [], signal);
  const detail = "grant the login SELECT on the whole database: MySQL does not show it the tables that it may not read";
  if (grants.length === 0) throw failure("PermissionDenied", detail);
  return tablesIn(query, MYSQL_TABLES, signal);
}

const MYSQL_TYPE = `SELECT data_type AS type FROM information_schema.columns
  WHERE table_schema = DATABASE() AND table_name = $1 AND column_name = 'value'`;

async function* inMySql(query: Query, table: string, signal: AbortSignal | undefined) {
  const isBinary = await hasBytes(query, MYSQL_TYPE, table, signal);
  const values = isPickled(table) ? PICKLED_VALUES.mysql : isBinary ? BYTE_VALUES.mysql : JSON_VALUES;
  const key = await ask<{ name: string }>(query, MYSQL_KEY, [table], signal);
  const names = key.map(({ name }) => String(name));
  const pages =
    names.length > 0 ? byKey(query, values, table, names, signal, true) : byDigest(query, values, table, signal);
  yield* textsOf(pages, values, table);
}

/** Rows of a page by digest: each page goes through the whole table. */
const DIGESTS = 10_000;

/** Reads a table without a primary key, as archives are, in the order of digests. Equal values may be left out. */
async function* byDigest(query: Query, { text, where }: RowValues, table: string, signal: AbortSignal | undefined) {
  const digest = `sha2(${text}, 256)`;
  const select = `SELECT ${text} AS reference, ${digest} AS digest FROM "${table}" WHERE ${where} AND ${digest} > $1`;
  for (let last = ""; ; ) {
    const page = `${select} ORDER BY digest LIMIT ${DIGESTS}`;
    const rows = await ask<{ reference: string; digest: string }>(query, page, [last], signal);
    yield rows.map(({ reference }) => reference);
    if (rows.length < DIGESTS) return;
    last = rows.at(-1)!.digest;
  }
}
