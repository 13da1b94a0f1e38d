/** What the row sources on SQL databases share. */
import { type ErrorCode, failure } from "../errors.js";
import { orAbort } from "../fs/bytes.js";
import { parseJson } from "./json/read.js";
import type { RowFilter, XComRow } from "./rows.js";
import { jsonEncoding } from "./serde.js";

/** Runs one statement with `$1`, `$2` and so on as parameters: `(text, values) => pool.query(text, values)`. */
export type Query = (text: string, values: unknown[]) => Promise<{ rows: unknown[] }>;

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

export const KEY_COLUMNS = { dagId: "dag_id", runId: "run_id", taskId: "task_id", mapIndex: "map_index", key: "key" };

/** `dag_id = $1 AND key = $2` and its values; `TRUE` without any. The first parameter is `$1`. */
export function condition(filter: RowFilter): { text: string; values: unknown[] } {
  const given = Object.entries(KEY_COLUMNS).filter(([name]) => filter[name as keyof RowFilter] !== undefined);
  const values = given.map(([name]) => filter[name as keyof RowFilter]);
  return { text: given.map(([, column], i) => `${column} = $${i + 1}`).join(" AND ") || "TRUE", values };
}

/** Runs a statement; failures are typed, and an abort does not wait for the database. */
export async function ask(query: Query, text: string, values: unknown[], signal?: AbortSignal): Promise<Columns[]> {
  signal?.throwIfAborted();
  const { rows } = await orAbort(query(text, values).catch(refused), signal);
  return rows as Columns[];
}

function refused(cause: unknown): never {
  const { code = "", message } = cause as { code?: unknown; message?: string };
  throw failure(codeOf(String(code)), `the database says: ${message}`, { cause });
}

/** By SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html; anything else is a broken line. */
function codeOf(state: string): ErrorCode {
  if (!/^[0-9A-Z]{5}$/.test(state) || /^(08|53|57|58)/.test(state)) return "Unavailable";
  if (state.startsWith("28")) return "Unauthenticated";
  return state === "42501" ? "PermissionDenied" : "InvalidArgument";
}
