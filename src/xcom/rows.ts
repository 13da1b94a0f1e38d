/** The rows in which a workflow engine keeps one XCom each: the value itself, or a reference to its object. */
import type { Signalled } from "../fs/options.js";

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
}

/** Rows that agree in all that is given. */
export type RowFilter = { readonly [field in keyof RowKey]?: RowKey[field] | undefined };

export type RowOptions = Signalled;

/** Rows that can be read. */
export interface XComRowReader {
  get(at: RowKey, options?: RowOptions): Promise<XComRow | undefined>;
  /** Rows that are written or deleted meanwhile may or may not be among them. */
  list(filter?: RowFilter, options?: RowOptions): AsyncIterable<XComRow>;
}

export interface XComRows extends XComRowReader {
  /** Makes the row, or replaces its value. */
  set(at: RowKey, value: unknown, options?: RowOptions): Promise<void>;
  /** Whether there was one. */
  delete(at: RowKey, options?: RowOptions): Promise<boolean>;
}
