/** Runs by their logical date, which rows alone do not know. */
import { isStorageError } from "../errors.js";
import { refuse } from "./failures.js";
import type { RowOptions } from "./rows.js";
import { floorDivide, microsecondsOf } from "./serde/datetime.js";
import { ask, type Query } from "./sql.js";

/**
 * The id of the run of a Dag that has this logical date, undefined when there is none. The date comes as
 * `2026-01-02T03:04:05.678901+00:00`: in UTC, with six digits.
 */
export type RunFinder = (dagId: string, logicalDate: string, options?: RowOptions) => Promise<string | undefined>;

/** The first is Postgres's, the second SQLite's, which keeps dates as text in UTC. */
const CONDITIONS = [
  "to_char(timezone('UTC', logical_date), 'YYYY-MM-DD HH24:MI:SS.US') = $2",
  "CAST(logical_date AS TEXT) = $2",
];

/** Runs by an Airflow's database, to which the login needs to read `dag_run`; `query` is that of `airflowRows`. */
export function airflowRuns(query: Query): RunFinder {
  return async (dagId, logicalDate, { signal } = {}) => {
    const values = [dagId, logicalDate.slice(0, 26).replace("T", " ")];
    const [postgres, sqlite] = CONDITIONS.map((is) => `SELECT run_id FROM dag_run WHERE dag_id = $1 AND ${is}`);
    const found = await ask(query, postgres!, values, signal).catch((error: unknown) => {
      if (!isStorageError(error) || !/no such function/.test(error.message)) throw error;
      return ask(query, sqlite!, values, signal);
    });
    return found[0]?.run_id;
  };
}

const MOMENT = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:?\d\d)$/;

/** A date as a {@link RunFinder} takes it. Text needs its offset from UTC. */
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
