import { invalid } from "../../errors.js";
import { ask, pagesByKey, type Query } from "../../sql.js";
import { jsonEncoding } from "../encoding/airflow.js";
import { parseJson } from "../encoding/json-read.js";
import { checkFilter, type RowFilter, type RowKey, type RowOptions, type XComRow, type XComRows } from "./rows.js";

// Code that all SQL row sources share.

/** The columns of a row, under the names that every source selects. */
export interface Columns {
  dag_id: string;
  run_id: string;
  task_id: string;
  map_index: number;
  key: string;
  /** JSON text. */
  value: string | null;
  version?: string;
}

export function rowOf({ dag_id, run_id, task_id, map_index, key, value, version }: Columns): XComRow {
  const parsed = value === null ? null : parseJson(value, jsonEncoding);
  const row = { dagId: dag_id, runId: run_id, taskId: task_id, mapIndex: Number(map_index), key, value: parsed };
  return version === undefined ? row : { ...row, version };
}

const KEY_COLUMNS = { dagId: "dag_id", runId: "run_id", taskId: "task_id", mapIndex: "map_index", key: "key" };

/** Returns `dag_id = $1 AND key = $2` and its values, or `TRUE` for an empty filter. The first parameter is `$1`. */
export function condition(filter: RowFilter): { text: string; values: unknown[] } {
  const given = Object.entries(KEY_COLUMNS).filter(([name]) => filter[name as keyof RowFilter] !== undefined);
  const values = given.map(([name]) => filter[name as keyof RowFilter]);
  return { text: given.map(([, column], i) => `"${column}" = $${i + 1}`).join(" AND ") || "TRUE", values };
}

/** Rows per page of a listing. */
const PAGE = 500;
const KEY = Object.values(KEY_COLUMNS).join(", ");
/** `xmin` is the transaction that wrote the row: it changes with each write and needs no extra column. */
const VERSION = "xmin::text";
const COLUMNS = `${KEY}, value::text AS value, ${VERSION} AS version`;

export interface SqlRows extends XComRows {
  /** Creates the table if it does not exist. */
  create(options?: RowOptions): Promise<void>;
}

/**
 * Opens rows in a Postgres table by plain SQL: `pg`, PGlite and any other client whose `query` takes `$1` parameters.
 *
 *     const rows = sqlRows((text, values) => pool.query(text, values));
 *
 * Values are stored as `json`, which preserves their text. A failed statement throws a StorageError with the client's
 * error as cause.
 */
export function sqlRows(query: Query, { table = "stowage_xcom" }: { table?: string | undefined } = {}): SqlRows {
  if (!/^[A-Za-z_]\w*(\.[A-Za-z_]\w*)?$/.test(table)) throw invalid("table is no plain name");
  return {
    async create({ signal } = {}) {
      await ask<Columns>(query, definition(table), [], signal);
    },
    async get(at, { signal } = {}) {
      const { text, values } = condition(exact(at));
      const [found] = await ask<Columns>(query, `SELECT ${COLUMNS} FROM ${table} WHERE ${text}`, values, signal);
      return found && rowOf(found);
    },
    async set(at, value, { signal, ifVersion, ifAbsent = false } = {}) {
      const values = [...condition(exact(at)).values, rowText(value)];
      if (ifVersion !== undefined) {
        const { text } = condition(exact(at));
        const update = `UPDATE ${table} SET value = $6::json, timestamp = now() WHERE ${text} AND ${VERSION} = $7`;
        return (await ask<Columns>(query, `${update} RETURNING key`, [...values, ifVersion], signal)).length > 0;
      }
      const insert = `INSERT INTO ${table} (${KEY}, value) VALUES ($1, $2, $3, $4, $5, $6::json)`;
      const replace = "SET value = excluded.value, timestamp = excluded.timestamp";
      const conflict = ifAbsent ? "DO NOTHING" : `DO UPDATE ${replace}`;
      const written = `${insert} ON CONFLICT (${KEY}) ${conflict} RETURNING key`;
      return (await ask<Columns>(query, written, values, signal)).length > 0;
    },
    async delete(at, { signal, ifVersion } = {}) {
      const { text, values } = condition(exact(at));
      const same = ifVersion === undefined ? "" : ` AND ${VERSION} = $6`;
      const given = ifVersion === undefined ? values : [...values, ifVersion];
      const gone = await ask<Columns>(query, `DELETE FROM ${table} WHERE ${text}${same} RETURNING key`, given, signal);
      return gone.length > 0;
    },
    async *list(filter = {}, { signal } = {}) {
      checkFilter(filter);
      const { text: where, values } = condition(filter);
      const read = { columns: COLUMNS, from: table, where, values, key: Object.values(KEY_COLUMNS), most: PAGE };
      for await (const page of pagesByKey<Columns>(query, read, signal)) for (const row of page) yield rowOf(row);
    },
  };
}

/** Returns the text of a row's value. A JSON row has no integers beyond 2^53 - 1; a backend stores those as objects. */
function rowText(value: unknown): string {
  try {
    return JSON.stringify(value ?? null);
  } catch (cause) {
    throw invalid("the value is not JSON; let a backend store it (`storeValue`), and set what it returns", { cause });
  }
}

function exact({ dagId, runId, taskId, mapIndex = -1, key }: RowKey): Required<RowKey> {
  return { dagId, runId, taskId, mapIndex, key };
}

/** `COLLATE "C"`: paging compares keys, which must not depend on the database's locale. */
function definition(table: string): string {
  const text = 'text COLLATE "C" NOT NULL';
  return `CREATE TABLE IF NOT EXISTS ${table} (
    dag_id ${text}, run_id ${text}, task_id ${text}, map_index integer NOT NULL, key ${text},
    value json NOT NULL, timestamp timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (${KEY}))`;
}
