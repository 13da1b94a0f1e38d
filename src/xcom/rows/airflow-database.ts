/** Airflow's own metadata database, read-only. */
import { type ErrorCode, failure, isStorageError } from "../../errors.js";
import { ask, type KeyedRead, pagesByKey, type Query } from "../../sql.js";
import { orAbort } from "../../streams.js";
import { floorDivide, microsecondsOf } from "../encoding/types.js";
import { refuse } from "../errors.js";
import { isMySql } from "./mysql.js";
import { checkFilter, type RowOptions, type XComRowReader } from "./rows.js";
import { type Columns, condition, rowOf } from "./sql.js";

/** Where rows are, and a key of theirs that has an index. */
type Table = Pick<KeyedRead, "from" | "key" | "joined">;

const PRIMARY_KEY = ["dag_run_id", "task_id", "map_index", "key"];

/**
 * The tables in which Airflow keeps XComs, newest first.
 *
 * 3.4 keeps the rows of every attempt: `working_set` marks the current attempt. Rows from before the upgrade to 3.4 are
 * in `xcom_v1`.
 */
const LAYOUTS: readonly (readonly Table[])[] = [
  [
    {
      from: `(SELECT x.task_instance_id, ti.id AS attempt, ti.dag_id, ti.run_id, ti.task_id,
          ti.region_index AS map_index, x."key", x.value
        FROM xcom_v2 x JOIN task_instance ti ON ti.id = x.task_instance_id WHERE ti.working_set) AS xcoms`,
      key: ["task_instance_id", "key"],
      joined: "attempt",
    },
    { from: "xcom_v1", key: PRIMARY_KEY },
  ],
  [{ from: "xcom", key: PRIMARY_KEY }],
];
/** `key` is a word of MySQL. */
const COLUMNS = 'dag_id, run_id, task_id, map_index, "key", CAST(value AS TEXT) AS value';

/** Maximum rows of a listing in memory. */
const PAGE = 500;

/**
 * Opens the XCom rows of Airflow 3.0 to 3.4 by a `query` on its database: Postgres, SQLite (see {@link sqliteQuery}) or
 * MySQL (see {@link mysqlQuery}).
 * The login needs to read `xcom`, or `xcom_v1`, `xcom_v2` and `task_instance`. A listing reads each table once, by run
 * or, in 3.4, by attempt of a task: a row that a new attempt writes meanwhile may come twice.
 */
export function airflowRows(query: Query): XComRowReader {
  let source: Promise<readonly Table[]> | undefined;
  // All calls share one look-up: it carries no caller's signal, or one caller's abort would end another's call.
  const tables = (signal: AbortSignal | undefined) => {
    if (!source) {
      source = layoutOf(query);
      source.catch(() => {
        source = undefined;
      });
    }
    return orAbort(source, signal);
  };
  return {
    async get(at, { signal } = {}) {
      const { text, values } = condition({ ...at, mapIndex: at.mapIndex ?? -1 });
      const [found] = await ask<Columns>(query, rowsOf(await tables(signal), text), values, signal);
      return found && rowOf(found);
    },
    async *list(filter = {}, { signal } = {}) {
      checkFilter(filter);
      const { text, values } = condition(filter);
      const read = { columns: COLUMNS, where: text, values, isSplit: isMySql(query), most: PAGE };
      for (const table of await tables(signal))
        for await (const page of pagesByKey<Columns>(query, { ...read, ...table }, signal))
          for (const row of page) yield rowOf(row);
    },
  };
}

function rowsOf(tables: readonly Table[], where: string): string {
  return tables.map(({ from }) => `SELECT ${COLUMNS} FROM ${from} WHERE ${where}`).join(" UNION ALL ");
}

async function layoutOf(query: Query): Promise<readonly Table[]> {
  let cause: unknown;
  for (const layout of LAYOUTS) {
    try {
      await ask(query, rowsOf(layout, "FALSE"), []);
      return layout;
    } catch (error) {
      // A table that is missing or unreadable for this login says something about the database; an outage does not.
      if (
        !isStorageError(error, "InvalidArgument") &&
        !isStorageError(error, "PermissionDenied") &&
        !isSqliteError(error)
      )
        throw error;
      cause = error;
    }
  }
  throw failure("Unsupported", "this is not a database of Airflow 3.0 to 3.4 that can be read", { cause });
}

/** SQLite's driver has no SQLSTATE. */
function isSqliteError(error: unknown): boolean {
  return isStorageError(error) && /no such (table|column)|not a database/.test(error.detail);
}

/** The part of `node:sqlite` that we use; the types of the oldest supported Node lack it. */
interface Sqlite {
  DatabaseSync: new (
    file: string,
    options: { readOnly: boolean },
  ) => { prepare(text: string): { all(named: Record<string, unknown>): unknown[] }; close(): void };
}

/**
 * Opens a SQLite file read-only and returns its `query`. Throws Unsupported before Node 22.13, NotFound if the file
 * cannot be opened and, like the query, Corrupt if it is no database.
 */
export function sqliteQuery(file: string): Query & { close(): void } {
  const sqlite = process.getBuiltinModule("node:sqlite") as Sqlite | undefined;
  if (!sqlite) throw failure("Unsupported", "reading a SQLite database needs Node 22.13 or newer");
  const run = <T>(work: () => T): T => {
    try {
      return work();
    } catch (cause) {
      throw sqliteError(file, cause);
    }
  };
  const database = run(() => new sqlite.DatabaseSync(file, { readOnly: true }));
  const query = async (text: string, values: unknown[]) => {
    const named = Object.fromEntries(values.map((value, i) => [`$${i + 1}`, value]));
    return { rows: run(() => database.prepare(text).all(named)) };
  };
  return Object.assign(query, { close: () => database.close() });
}

/** By result code of https://www.sqlite.org/rescode.html, whose extended form is in the upper bits. */
const SQLITE_CODES: Readonly<Record<number, ErrorCode>> = {
  3: "PermissionDenied",
  5: "Unavailable",
  6: "Unavailable",
  11: "Corrupt",
  14: "NotFound",
  23: "PermissionDenied",
  26: "Corrupt",
};

function sqliteError(file: string, cause: unknown): Error {
  const { errcode = 0, message } = cause as { errcode?: number; message?: string };
  return failure(SQLITE_CODES[errcode & 0xff] ?? "InvalidArgument", `${file}: ${message}`, { cause });
}

// Runs by their logical date, which rows do not contain.

/**
 * Finds the id of a Dag's run with this logical date; undefined if there is none. The date has the form
 * `2026-01-02T03:04:05.678901+00:00`: in UTC, with six digits.
 */
export type RunFinder = (dagId: string, logicalDate: string, options?: RowOptions) => Promise<string | undefined>;

/** The first is for Postgres, the second for SQLite, which stores dates as text in UTC. */
const CONDITIONS = [
  "to_char(timezone('UTC', logical_date), 'YYYY-MM-DD HH24:MI:SS.US') = $2",
  "CAST(logical_date AS TEXT) = $2",
];

/** Finds runs in an Airflow database, whose login needs to read `dag_run`; `query` is that of `airflowRows`. */
export function airflowRuns(query: Query): RunFinder {
  return async (dagId, logicalDate, { signal } = {}) => {
    if (isMySql(query)) return runInMySql(query, dagId, logicalDate, signal);
    const values = [dagId, logicalDate.slice(0, 26).replace("T", " ")];
    const [postgres, sqlite] = CONDITIONS.map((is) => `SELECT run_id FROM dag_run WHERE dag_id = $1 AND ${is}`);
    const found = await ask<Columns>(query, postgres!, values, signal).catch((error: unknown) => {
      if (!isStorageError(error) || !/no such function/.test(error.message)) throw error;
      return ask<Columns>(query, sqlite!, values, signal);
    });
    return found[0]?.run_id;
  };
}

/** By the number of seconds, whatever the time zone of the session. */
async function runInMySql(query: Query, dagId: string, logicalDate: string, signal: AbortSignal | undefined) {
  const seconds = Date.parse(`${logicalDate.slice(0, 19)}Z`) / 1000;
  const text =
    "SELECT run_id FROM dag_run WHERE dag_id = $1 AND UNIX_TIMESTAMP(logical_date) = CAST($2 AS DECIMAL(20, 6))";
  const values = [dagId, `${seconds}.${logicalDate.slice(20, 26)}`];
  const [found] = await ask<Columns>(query, text, values, signal);
  return found?.run_id;
}

const MOMENT = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:?\d\d)$/;

/** Returns a date as a {@link RunFinder} takes it. Text needs its UTC offset. */
export function logicalDateText(date: Date | string): string {
  const [seconds, micros] = typeof date === "string" ? momentIn(date) : momentOf(date);
  const text = Number.isFinite(seconds) ? new Date(seconds * 1000).toISOString() : refuse(NO_MOMENT);
  return `${text.slice(0, 19)}.${String(micros).padStart(6, "0")}+00:00`;
}

const NO_MOMENT = "logicalDate must be a Date, or text with its offset such as 2026-01-02T03:04:05+00:00";

function momentIn(text: string): [seconds: number, micros: number] {
  const [, day, time, fraction = "", zone] = MOMENT.exec(text) ?? refuse(NO_MOMENT);
  const offset = zone!.replace(/^([+-]\d\d)(\d\d)$/, "$1:$2");
  return [Date.parse(`${day}T${time}${offset}`) / 1000, Number(fraction.padEnd(6, "0"))];
}

function momentOf(date: Date): [seconds: number, micros: number] {
  if (!(date instanceof Date)) refuse(NO_MOMENT);
  if (Number.isNaN(date.getTime())) refuse(NO_MOMENT);
  const micros = microsecondsOf(date);
  const seconds = floorDivide(micros, 1_000_000n);
  return [Number(seconds), Number(micros - seconds * 1_000_000n)];
}
