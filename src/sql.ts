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

/** Returns the error for a table of which a policy of Postgres may hide rows, which would count as not there. */
export function hiddenRows(table: string): Error {
  const fix = "use the login of its owner, or one with BYPASSRLS";
  return failure("PermissionDenied", `row-level security may hide rows of ${table} from this login: ${fix}`);
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
  /** The parameters of `where`. */
  values?: readonly unknown[] | undefined;
  /** The columns of its primary key; `rowid` in SQLite. */
  key: readonly string[];
  /**
   * The column that the first one of the key is joined to. Postgres reads the other table from its beginning unless this
   * one is compared too.
   */
  joined?: string | undefined;
  /** Whether keys are compared column by column: MySQL uses no index to compare several at once. @default false */
  isSplit?: boolean | undefined;
  /** Maximum rows of a page in memory. @default 2000 */
  most?: number | undefined;
}

/** Maximum rows of a page in memory, if each holds a reference. */
const PAGE = 2000;

/**
 * Yields pages of rows. Each starts after the last key, so that rows written or deleted meanwhile cause no skipped one.
 */
export async function* pagesByKey<Row>(
  query: Query,
  { columns, from, where: isWanted, values: given = [], key, joined, isSplit = false, most = PAGE }: KeyedRead,
  signal: AbortSignal | undefined,
): AsyncGenerator<Row[], void, undefined> {
  const names = key.map((name) => `"${name}"`);
  const order = names.join(", ");
  const texts = names.map((name, i) => `CAST(${name} AS TEXT) AS key_${i}`).join(", ");
  const select = `SELECT ${columns}, ${texts} FROM ${from} WHERE ${isWanted}`;
  const last = key.map((name, i) => (name === "rowid" ? "CAST($1 AS INTEGER)" : `$${given.length + i + 1}`));
  const isNext = isSplit ? isAfter(names, last) : `(${order}) > (${last.join(", ")})`;
  const next = joined === undefined ? ` AND ${isNext}` : ` AND "${joined}" >= ${last[0]} AND ${isNext}`;
  let where = "";
  let values = [...given];
  for (;;) {
    const text = `${select}${where} ORDER BY ${order} LIMIT ${most}`;
    const rows = await ask<Row & Record<`key_${number}`, string>>(query, text, values, signal);
    yield rows;
    const end = rows.at(-1);
    if (!end || rows.length < most) return;
    where = next;
    values = [...given, ...key.map((_, i) => end[`key_${i}`])];
  }
}

/** Returns the condition of keys after the last one, in the order of the columns. */
function isAfter(names: readonly string[], last: readonly string[]): string {
  return names.reduceRight((rest, name, i) => {
    const value = last[i];
    return i === names.length - 1 ? `${name} > ${value}` : `${name} >= ${value} AND (${name} > ${value} OR ${rest})`;
  }, "");
}
