/** Airflow's own metadata database, read only. */
import { failure, isStorageError } from "../errors.js";
import { orAbort } from "../fs/bytes.js";
import { checkFilter, type XComRowReader } from "./rows.js";
import { ask, condition, type Query, rowOf } from "./sql.js";

/**
 * The tables in which Airflow keeps XComs, newest first, each as the columns that a row needs.
 *
 * 3.4 keeps the rows of every attempt beside each other: `working_set` is the attempt that counts. What was there
 * before the upgrade to 3.4 is in `xcom_v1`.
 */
const LAYOUTS = [
  `SELECT ti.dag_id, ti.run_id, ti.task_id, ti.region_index AS map_index, x.key, CAST(x.value AS TEXT) AS value
   FROM xcom_v2 x JOIN task_instance ti ON ti.id = x.task_instance_id WHERE ti.working_set
   UNION ALL
   SELECT dag_id, run_id, task_id, map_index, key, CAST(value AS TEXT) FROM xcom_v1`,
  "SELECT dag_id, run_id, task_id, map_index, key, CAST(value AS TEXT) AS value FROM xcom",
];
const KEYS = ["dag_id", "run_id", "task_id", "map_index", "key"] as const;
const ORDER = `ORDER BY ${KEYS.join(", ")}`;

/** Rows of a listing that are held at once. */
const PAGE = 500;

/**
 * The XCom rows of an Airflow 3.0 to 3.4, by a `query` on its database, Postgres or SQLite (see {@link sqliteQuery}).
 * The login needs to read `xcom`, or `xcom_v1`, `xcom_v2` and `task_instance`.
 */
export function airflowRows(query: Query): XComRowReader {
  let source: Promise<string> | undefined;
  // One look for all calls: it carries no caller's signal, or one caller's abort would end another's call.
  const tables = (signal: AbortSignal | undefined) => {
    if (!source) {
      source = layoutOf(query);
      source.catch(() => {
        source = undefined;
      });
    }
    return orAbort(source, signal);
  };
  const select = async (where: string, signal?: AbortSignal) =>
    `SELECT * FROM (${await tables(signal)}) AS xcoms WHERE ${where} ${ORDER}`;
  return {
    async get(at, { signal } = {}) {
      const { text, values } = condition({ ...at, mapIndex: at.mapIndex ?? -1 });
      const [found] = await ask(query, await select(text, signal), values, signal);
      return found && rowOf(found);
    },
    /** Pages go on after the key of the last row: others may write and delete meanwhile, and no row is skipped. */
    async *list(filter = {}, { signal } = {}) {
      checkFilter(filter);
      const { text, values } = condition(filter);
      const after = KEYS.map((_, i) => `$${values.length + i + 1}`).join(", ");
      let [where, given] = [text, values];
      for (;;) {
        const page = await ask(query, `${await select(where, signal)} LIMIT ${PAGE}`, given, signal);
        for (const columns of page) yield rowOf(columns);
        const last = page.at(-1);
        if (!last || page.length < PAGE) return;
        where = `${text} AND (${KEYS.join(", ")}) > (${after})`;
        given = [...values, ...KEYS.map((column) => last[column])];
      }
    },
  };
}

async function layoutOf(query: Query): Promise<string> {
  let cause: unknown;
  for (const layout of LAYOUTS) {
    try {
      await ask(query, `SELECT * FROM (${layout}) AS xcoms WHERE FALSE`, []);
      return layout;
    } catch (error) {
      // A table that is missing, or that this login must not read, says something about the database; an outage does not.
      if (
        !isStorageError(error, "InvalidArgument") &&
        !isStorageError(error, "PermissionDenied") &&
        !isSqliteError(error)
      )
        throw error;
      cause = error;
    }
  }
  throw failure("Unsupported", "this is no database of Airflow 3.0 to 3.4 that can be read", { cause });
}

/** SQLite's driver has no SQLSTATE. */
function isSqliteError(error: unknown): boolean {
  return isStorageError(error) && /no such (table|column)|not a database/.test(error.detail);
}

/** The part of `node:sqlite` that is used; the types of the oldest supported Node do not have it. */
interface Sqlite {
  DatabaseSync: new (
    file: string,
    options: { readOnly: boolean },
  ) => { prepare(text: string): { all(named: Record<string, unknown>): unknown[] }; close(): void };
}

/** A `query` on a SQLite file, opened to be read only. Unsupported before Node 22.13. */
export function sqliteQuery(file: string): Query & { close(): void } {
  const sqlite = process.getBuiltinModule("node:sqlite") as Sqlite | undefined;
  if (!sqlite) throw failure("Unsupported", "reading a SQLite database needs Node 22.13 or newer");
  const database = new sqlite.DatabaseSync(file, { readOnly: true });
  const query = async (text: string, values: unknown[]) => {
    const named = Object.fromEntries(values.map((value, i) => [`$${i + 1}`, value]));
    return { rows: database.prepare(text).all(named) };
  };
  return Object.assign(query, { close: () => database.close() });
}
