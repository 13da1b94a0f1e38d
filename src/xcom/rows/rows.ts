/** The rows in which a workflow engine keeps one XCom each: the value itself, or a reference to its object. */
import { invalid } from "../../errors.js";
import type { Abortable } from "../../fs/index.js";

/** Which row. */
export interface RowKey {
  dagId: string;
  runId: string;
  taskId: string;
  /** Left out: -1, which is not mapped. */
  mapIndex?: number | undefined;
  key: string;
}

export interface XComRow extends RowKey {
  mapIndex: number;
  /** JSON: what a backend's `storeValue` gave. */
  value: unknown;
  /** Opaque, and another one after each write of the row. Undefined where the store has none. */
  version?: string | undefined;
}

/** Rows that agree in all that is given. */
export type RowFilter = { readonly [field in keyof RowKey]?: RowKey[field] | undefined };

export type RowOptions = Abortable;

/** What the row has to be at the moment of a write or a delete; without either the call is unconditional. */
export interface RowCondition extends RowOptions {
  /** The `version` that was read. */
  ifVersion?: string | undefined;
  /** Only where there is no row yet. */
  ifAbsent?: boolean | undefined;
}

/** Rows that can be read. */
export interface XComRowReader {
  get(at: RowKey, options?: RowOptions): Promise<XComRow | undefined>;
  /** Rows that are written or deleted meanwhile may or may not be among them; every other row is. */
  list(filter?: RowFilter, options?: RowOptions): AsyncIterable<XComRow>;
}

export interface XComRows extends XComRowReader {
  /**
   * Makes the row, or replaces its value. Returns `false`, and changes nothing, when the condition does not hold; a
   * store without conditions returns nothing.
   */
  set(at: RowKey, value: unknown, options?: RowCondition): Promise<boolean | undefined>;
  /** Returns whether a row was deleted: `false` when there was none, or when its version is another one. */
  delete(at: RowKey, options?: Pick<RowCondition, "signal" | "ifVersion">): Promise<boolean>;
}

const FIELDS: readonly string[] = ["dagId", "runId", "taskId", "mapIndex", "key"] satisfies (keyof RowKey)[];

/** Refuses a field that no filter has: without the check it would not narrow the rows at all. */
export function checkFilter(filter: RowFilter): void {
  for (const name of Object.keys(filter)) {
    if (!FIELDS.includes(name)) throw invalid(`unknown filter field "${name}" (expected one of ${FIELDS.join(", ")})`);
  }
}

/** Whether a row is one of those that a filter asks for. */
export function agreesWith(row: XComRow, filter: RowFilter): boolean {
  return Object.entries(filter).every(([name, value]) => value === undefined || row[name as keyof RowKey] === value);
}

/** The row's key alone. */
export function keyOfRow({ dagId, runId, taskId, mapIndex, key }: XComRow): RowKey & { mapIndex: number } {
  return { dagId, runId, taskId, mapIndex, key };
}
