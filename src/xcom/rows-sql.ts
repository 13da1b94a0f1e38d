import { invalid } from "../errors.js";
import type { RowKey, RowOptions, XComRow, XComRows } from "./rows.js";
import { ask, type Columns, condition, KEY_COLUMNS, type Query, rowOf } from "./sql.js";

/** Rows of a page of a listing. */
const PAGE = 500;
const KEY = Object.values(KEY_COLUMNS).join(", ");
const COLUMNS = `${KEY}, value::text AS value`;

export interface SqlRows extends XComRows {
  /** Makes the table unless it is there. */
  create(options?: RowOptions): Promise<void>;
}

/**
 * Rows in a Postgres table, by plain SQL: `pg`, PGlite and any other client serves whose `query` takes `$1` parameters.
 *
 *     const rows = sqlRows((text, values) => pool.query(text, values));
 *
 * Values are kept as `json`, that is as they are written. A failed statement is a StorageError with the client's error
 * as cause.
 */
export function sqlRows(query: Query, { table = "stowage_xcom" }: { table?: string | undefined } = {}): SqlRows {
  if (!/^[A-Za-z_]\w*(\.[A-Za-z_]\w*)?$/.test(table)) throw invalid("table is no plain name");
  return {
    async create({ signal } = {}) {
      await ask(query, definition(table), [], signal);
    },
    async get(at, { signal } = {}) {
      const { text, values } = condition(exact(at));
      const [found] = await ask(query, `SELECT ${COLUMNS} FROM ${table} WHERE ${text}`, values, signal);
      return found && rowOf(found);
    },
    async set(at, value, { signal } = {}) {
      const insert = `INSERT INTO ${table} (${KEY}, value) VALUES ($1, $2, $3, $4, $5, $6::json)`;
      const replace = `ON CONFLICT (${KEY}) DO UPDATE SET value = excluded.value, timestamp = excluded.timestamp`;
      await ask(query, `${insert} ${replace}`, [...condition(exact(at)).values, JSON.stringify(value)], signal);
    },
    async delete(at, { signal } = {}) {
      const { text, values } = condition(exact(at));
      const gone = await ask(query, `DELETE FROM ${table} WHERE ${text} RETURNING key`, values, signal);
      return gone.length > 0;
    },
    list: (filter = {}, { signal } = {}) => pages(query, table, condition(filter), signal),
  };
}

function exact({ dagId, runId, taskId, mapIndex = -1, key }: RowKey): Required<RowKey> {
  return { dagId, runId, taskId, mapIndex, key };
}

/** `COLLATE "C"`: pages are cut by comparing, which must not depend on the database's language. */
function definition(table: string): string {
  const text = 'text COLLATE "C" NOT NULL';
  return `CREATE TABLE IF NOT EXISTS ${table} (
    dag_id ${text}, run_id ${text}, task_id ${text}, map_index integer NOT NULL, key ${text},
    value json NOT NULL, timestamp timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (${KEY}))`;
}

async function* pages(
  query: Query,
  table: string,
  { text, values }: { text: string; values: unknown[] },
  signal: AbortSignal | undefined,
): AsyncGenerator<XComRow> {
  const order = `ORDER BY ${KEY} LIMIT ${PAGE}`;
  const after = Object.values(KEY_COLUMNS).map((_, i) => `$${values.length + i + 1}`);
  let page = await ask(query, `SELECT ${COLUMNS} FROM ${table} WHERE ${text} ${order}`, values, signal);
  for (;;) {
    for (const columns of page) yield rowOf(columns);
    const last = page.at(-1);
    if (page.length < PAGE || !last) return;
    const more = `SELECT ${COLUMNS} FROM ${table} WHERE ${text} AND (${KEY}) > (${after.join(", ")}) ${order}`;
    page = await ask(query, more, [...values, ...keyOf(last)], signal);
  }
}

function keyOf({ dag_id, run_id, task_id, map_index, key }: Columns): unknown[] {
  return [dag_id, run_id, task_id, map_index, key];
}
