/** The references in Airflow's metadata database. */
import { failure } from "../../errors.js";
import type { FoundReference, ReferenceSource } from "../../references.js";
import { ask, pagesByKey, primaryKey, type Query } from "../../sql.js";
import { isMySql } from "../rows/mysql.js";

/**
 * All references in the metadata database of Airflow 3.0 to 3.4, by a `query` as `airflowRows` takes it: of every
 * attempt of a task, of the archive tables that `airflow db clean` makes, and of `_xcom_archive`, to which the
 * migration from Airflow 2 moves pickled values: there every text inside a pickle that has a scheme. Of other rows only
 * texts that begin with one. Throws if a table or a row cannot be read, and `NotFound` if there is no table `xcom`: then
 * it is another database. Each row is read once, in pages by the table's primary key.
 */
export function airflowReferences(query: Query): ReferenceSource {
  return {
    name: "Airflow's database",
    async *references({ signal } = {}) {
      const { tables, schema, read } = await databaseOf(query, signal);
      const found = await tables();
      if (!found.some(isLive)) throw await noTable(query, schema, signal);
      for (const table of found) if (isLive(table)) yield* referencesIn(table, read(table));
      // After the rows: meanwhile, `airflow db clean` may have moved some of them to a new archive.
      for (const table of await tables())
        if (isPickled(table)) yield* referencesInPickles(table, read(table));
        else if (!isLive(table)) yield* referencesIn(table, read(table));
    },
  };
}

const XCOM_TABLE = /^(?:xcom(?:_v\d+)?|_airflow_deleted__xcom\w*)$/;
/** What Airflow 3.0's migration makes of pickled values, and the archives of that table. */
const PICKLED_TABLE = /^(?:_xcom_archive|_airflow_deleted___xcom_archive\w*)$/;

export function isPickled(table: string): boolean {
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
  /** Yields the JSON texts of a table, in pages. */
  read(table: string): AsyncIterable<readonly string[]>;
}

/** All tables, also those that this login may not read: a reference there would be overlooked. */
const POSTGRES_TABLES =
  "SELECT tablename AS name FROM pg_catalog.pg_tables WHERE schemaname = ANY (current_schemas(false))";
const POSTGRES_SCHEMA = "SELECT array_to_string(current_schemas(false), ', ') AS name";
const SQLITE_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'";

async function tablesIn(query: Query, text: string, signal: AbortSignal | undefined): Promise<string[]> {
  const rows = await ask<{ name: string }>(query, text, [], signal);
  const names = rows.map(({ name }) => String(name));
  return names.filter((name) => XCOM_TABLE.test(name) || isPickled(name)).sort();
}

/** Returns the tables of XComs of a Postgres database whose values are JSON, those of archives included. */
export async function postgresTables(query: Query, signal: AbortSignal | undefined): Promise<string[]> {
  const tables = await tablesIn(query, POSTGRES_TABLES, signal);
  if (!tables.some(isLive)) throw await noTable(query, POSTGRES_SCHEMA, signal);
  return tables.filter((table) => !isPickled(table));
}

async function databaseOf(query: Query, signal: AbortSignal | undefined): Promise<Database> {
  if (isMySql(query))
    return {
      tables: () => mysqlTables(query, signal),
      schema: "SELECT DATABASE() AS name",
      read: (table) => inMySql(query, isPickled(table) ? MYSQL_PICKLES : JSON_TEXTS, table, signal),
    };
  const isPostgres = await tablesIn(query, POSTGRES_TABLES, signal).then(
    () => true,
    () => false,
  );
  if (!isPostgres)
    return {
      tables: () => tablesIn(query, SQLITE_TABLES, signal),
      schema: "SELECT 'main' AS name",
      read: (table) => byKey(query, isPickled(table) ? SQLITE_PICKLES : JSON_TEXTS, table, ["rowid"], signal),
    };
  return {
    tables: () => tablesIn(query, POSTGRES_TABLES, signal),
    schema: POSTGRES_SCHEMA,
    read: (table) => inPostgres(query, isPickled(table) ? POSTGRES_PICKLES : JSON_TEXTS, table, signal),
  };
}

/** How values are read: as text, and which may hold a reference. */
interface Values {
  text: string;
  where: string;
}

async function* referencesIn(table: string, pages: AsyncIterable<readonly string[]>): AsyncGenerator<FoundReference> {
  for await (const page of pages) for (const json of page) yield { text: textIn(json, table), where: table };
}

async function* referencesInPickles(
  table: string,
  pages: AsyncIterable<readonly string[]>,
): AsyncGenerator<FoundReference> {
  for await (const page of pages)
    for (const hex of page) for (const text of textsIn(Buffer.from(hex, "hex"))) yield { text, where: table };
}

/**
 * Bytes of the length that follows an opcode of a text: SHORT_BINUNICODE, BINUNICODE and BINUNICODE8 of Python's
 * pickle.
 */
const LENGTHS: Readonly<Record<number, number>> = { 140: 1, 88: 4, 141: 8 };

/** Yields what may be a path in a pickle, without running it: what follows any byte that is the opcode of a text. */
function* textsIn(pickle: Buffer): Generator<string> {
  for (let at = 0; at < pickle.length; at++) {
    const bytes = LENGTHS[pickle[at]!];
    const begin = at + 1 + (bytes ?? 0);
    if (bytes === undefined || begin > pickle.length) continue;
    const length = bytes === 8 ? Number(pickle.readBigUInt64LE(at + 1)) : pickle.readUIntLE(at + 1, bytes);
    const text = pickle.toString("utf8", begin, Math.min(pickle.length, begin + length));
    if (begin + length <= pickle.length && text.includes("://")) yield text;
  }
}

/** Returns the text of a JSON string. A row that cannot be read may hold a reference that nothing would count. */
export function textIn(json: string, table: string): string {
  try {
    return String(JSON.parse(json));
  } catch (cause) {
    throw failure("Corrupt", `${table} has a value that is no JSON: ${json.slice(0, 100)}`, { cause });
  }
}

export const TEXT = "CAST(value AS TEXT)";
export const IS_REFERENCE = `${TEXT} LIKE '"%://%'`;
const JSON_TEXTS: Values = { text: TEXT, where: IS_REFERENCE };
const POSTGRES_PICKLES: Values = { text: "encode(value, 'hex')", where: "position('\\x3a2f2f'::bytea IN value) > 0" };
const MYSQL_PICKLES: Values = { text: "hex(value)", where: "locate('://', value) > 0" };
const SQLITE_PICKLES: Values = { text: "hex(value)", where: "instr(value, X'3A2F2F') > 0" };

async function* byKey(
  query: Query,
  { text, where }: Values,
  table: string,
  key: readonly string[],
  signal: AbortSignal | undefined,
  isSplit = false,
) {
  const read = { columns: `${text} AS reference`, from: `"${table}"`, where, key, isSplit };
  for await (const page of pagesByKey<{ reference: string }>(query, read, signal))
    yield page.map(({ reference }) => reference);
}

async function* inPostgres(query: Query, values: Values, table: string, signal: AbortSignal | undefined) {
  const key = await primaryKey(query, `"${table}"`, signal);
  if (key.length > 0) yield* byKey(query, values, table, key, signal);
  else yield* byBlock(query, values, table, signal);
}

/** Blocks of 8 KiB that are read at once. */
const BLOCKS = 128;

/** Reads a table without a primary key, as archives are, by its blocks: nothing writes to it. */
async function* byBlock(query: Query, { text, where }: Values, table: string, signal: AbortSignal | undefined) {
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

async function* inMySql(query: Query, values: Values, table: string, signal: AbortSignal | undefined) {
  const key = await ask<{ name: string }>(query, MYSQL_KEY, [table], signal);
  const names = key.map(({ name }) => String(name));
  if (names.length > 0) yield* byKey(query, values, table, names, signal, true);
  else yield* byDigest(query, values, table, signal);
}

/** Rows of a page by digest: each page goes through the whole table. */
const DIGESTS = 10_000;

/** Reads a table without a primary key, as archives are, in the order of digests. Equal values may be left out. */
async function* byDigest(query: Query, { text, where }: Values, table: string, signal: AbortSignal | undefined) {
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
