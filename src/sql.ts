/** Statements to a database by a client that the caller has. */
import { type ErrorCode, failure, isStorageError } from "./errors.js";
import { orAbort } from "./streams.js";

/**
 * Runs one statement with `$1`, `$2` and so on as parameters: `(text, values) => pool.query(text, values)`. A client or
 * pool of `pg` needs a listener of `error`: else the process ends when the server ends a connection that is idle.
 */
export type Query = (text: string, values: unknown[]) => Promise<{ rows: unknown[] }>;

/** Runs a statement with typed failures; an abort does not wait for the database. */
export async function ask<Row>(query: Query, text: string, values: unknown[], signal?: AbortSignal): Promise<Row[]> {
  signal?.throwIfAborted();
  const { rows } = await orAbort(query(text, values).catch(rethrowDatabaseError), signal);
  return rows as Row[];
}

function rethrowDatabaseError(cause: unknown): never {
  // A query of this package, which refuses a session.
  if (isStorageError(cause)) throw cause;
  throw databaseError(cause, "the database says");
}

/** Returns the error for one of a database's client, with `what` before its message. */
export function databaseError(cause: unknown, what: string): Error {
  const { code = "", message } = cause as { code?: unknown; message?: string };
  return failure(codeOf(String(code)), `${what}: ${message}`, { cause });
}

/**
 * Maps a SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html; any other code means a lost
 * connection.
 */
function codeOf(state: string): ErrorCode {
  if (!/^[0-9A-Z]{5}$/.test(state) || /^(08|53|57|58)/.test(state)) return "Unavailable";
  if (state.startsWith("28")) return "Unauthenticated";
  return state === "42501" ? "PermissionDenied" : "InvalidArgument";
}

/** Returns the columns of the primary key of a Postgres table, whose name is quoted; empty without one. */
export async function primaryKey(query: Query, table: string, signal: AbortSignal | undefined): Promise<string[]> {
  const text = `SELECT a.attname AS name FROM pg_index i
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indrelid = $1::regclass AND i.indisprimary ORDER BY array_position(i.indkey::int2[], a.attnum)`;
  const rows = await ask<{ name: string }>(query, text, [table], signal);
  return rows.map(({ name }) => String(name));
}

/** What is read of a table. */
export interface KeyedRead {
  /** Expressions with their names. */
  columns: string;
  /** The table, quoted. */
  from: string;
  where: string;
  /** The columns of its primary key; `rowid` in SQLite. */
  key: readonly string[];
  /** Whether keys are compared column by column: MySQL uses no index to compare several at once. @default false */
  isSplit?: boolean | undefined;
}

/** Maximum rows of a page in memory. */
const PAGE = 2000;

/**
 * Yields pages of rows. Each starts after the last key, so that rows written or deleted meanwhile cause no skipped one.
 */
export async function* pagesByKey<Row>(
  query: Query,
  { columns, from, where: isWanted, key, isSplit = false }: KeyedRead,
  signal: AbortSignal | undefined,
): AsyncGenerator<Row[], void, undefined> {
  const names = key.map((name) => `"${name}"`).join(", ");
  const texts = key.map((name, i) => `CAST("${name}" AS TEXT) AS key_${i}`).join(", ");
  const select = `SELECT ${columns}, ${texts} FROM ${from} WHERE ${isWanted}`;
  const after = key.map((_, i) => (key[0] === "rowid" ? "CAST($1 AS INTEGER)" : `$${i + 1}`)).join(", ");
  let where = "";
  let values: unknown[] = [];
  for (;;) {
    const text = `${select}${where} ORDER BY ${names} LIMIT ${PAGE}`;
    const rows = await ask<Row & Record<`key_${number}`, string>>(query, text, values, signal);
    yield rows;
    const last = rows.at(-1);
    if (!last || rows.length < PAGE) return;
    where = ` AND ${isSplit ? isAfter(key) : `(${names}) > (${after})`}`;
    values = key.map((_, i) => last[`key_${i}`]);
  }
}

/** Returns the condition of keys after that of the parameters, in the order of the columns. */
function isAfter(key: readonly string[]): string {
  const last = key.length - 1;
  return key.reduceRight((rest, name, i) => {
    const [column, value] = [`"${name}"`, `$${i + 1}`];
    return i === last ? `${column} > ${value}` : `${column} >= ${value} AND (${column} > ${value} OR ${rest})`;
  }, "");
}
