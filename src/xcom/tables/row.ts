/** Rows: plain objects whose keys are the columns. */
import { failure } from "../../errors.js";
import { isPlain, setOwn } from "../json/encoding.js";
import { MAX_COLUMNS } from "./limits.js";

/** One record: its cells by the name of their column. A cell that is missing or undefined is null. */
export type Row = Record<string, unknown>;

/** Rows that are encoded or decoded together. */
export type Batch = readonly Row[];

/** The cell of a column; what every object inherits is none. */
export function cellOf(row: Row, name: string): unknown {
  return name in Object.prototype && !Object.hasOwn(row, name) ? undefined : row[name];
}

/** Makes rows of columns with these names, `__proto__` included. */
export function rowMaker(names: readonly string[]): (cellAt: (column: number) => unknown) => Row {
  return (cellAt) => {
    const row: Row = {};
    for (let column = 0; column < names.length; column++) setOwn(row, names[column]!, cellAt(column));
    return row;
  };
}

/** Whether it is an object of the kind that `{}` makes. */
export function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value) && isPlain(value);
}

/** Refuses names that no row can have at once. `code` says whose fault it is. */
export function checkNames(names: readonly string[], code: "Corrupt" | "InvalidArgument", where: string): void {
  if (names.length > MAX_COLUMNS) throw failure("TooLarge", `${where}: more than ${MAX_COLUMNS} columns`);
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw failure(code, `${where}: two columns are named ${JSON.stringify(name)}`);
    seen.add(name);
  }
}
