/** The rows in which a workflow engine keeps XComs: each holds a value, or a reference to its object. */
import { invalid } from "../../errors.js";
import type { Abortable } from "../../fs/index.js";

/** The identity of a row. */
export interface RowKey {
  dagId: string;
  runId: string;
  taskId: string;
  /** Defaults to -1, not mapped. */
  mapIndex?: number | undefined;
  key: string;
}

export interface XComRow extends RowKey {
  mapIndex: number;
  /** JSON: the result of a backend's `storeValue`. */
  value: unknown;
  /** Opaque; changes with each write of the row. Undefined if the store has no versions. */
  version?: string | undefined;
}

/** Matches rows by every given field. */
export type RowFilter = { readonly [field in keyof RowKey]?: RowKey[field] | undefined };

export type RowOptions = Abortable;

/** The required state of the row at a write or delete; without either field the call is unconditional. */
export interface RowCondition extends RowOptions {
  /** The `version` that the caller read. */
  ifVersion?: string | undefined;
  /** Requires that no row exists yet. */
  ifAbsent?: boolean | undefined;
}

/** Requires that a row is still as it was read, or still does not exist. */
export function unchangedSince(row: XComRow | undefined): RowCondition {
  return row ? { ifVersion: row.version } : { ifAbsent: true };
}

/** Rows that can be read. */
export interface XComRowReader {
  get(at: RowKey, options?: RowOptions): Promise<XComRow | undefined>;
  /** Lists rows. Rows written or deleted meanwhile may be missing; all others are included. */
  list(filter?: RowFilter, options?: RowOptions): AsyncIterable<XComRow>;
}

export interface XComRows extends XComRowReader {
  /**
   * Creates the row or replaces its value. Returns `false`, and changes nothing, if the condition does not hold; a
   * store without conditions returns nothing.
   */
  set(at: RowKey, value: unknown, options?: RowCondition): Promise<boolean | undefined>;
  /** Returns whether a row was deleted: `false` if there was none or its version differs. */
  delete(at: RowKey, options?: Pick<RowCondition, "signal" | "ifVersion">): Promise<boolean>;
}

const FIELDS: readonly (keyof RowKey)[] = ["dagId", "runId", "taskId", "mapIndex", "key"];

/** Refuses unknown filter fields: they would silently match every row. */
export function checkFilter(filter: RowFilter): void {
  for (const name of Object.keys(filter)) {
    if (!FIELDS.some((field) => field === name))
      throw invalid(`unknown filter field "${name}" (expected one of ${FIELDS.join(", ")})`);
  }
}

/** Returns whether a row matches a filter, or a key, which may be a whole row: only the fields of a key count. */
export function agreesWith(row: RowKey, filter: RowFilter): boolean {
  return FIELDS.every((name) => filter[name] === undefined || row[name] === filter[name]);
}

/** Returns only the row's key. */
export function keyOfRow({ dagId, runId, taskId, mapIndex, key }: XComRow): RowKey & { mapIndex: number } {
  return { dagId, runId, taskId, mapIndex, key };
}
