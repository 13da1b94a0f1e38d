/** The types of columns: given, or told by the cells. */
import { invalid, type StorageError } from "../../errors.js";
import { isInt } from "../json/number.js";
import { temporalKind } from "../serde/temporal.js";
import { DateTime, Float, PlainDate } from "../serde/types.js";
import { type Batch, cellOf, checkNames, isRow } from "./row.js";

/**
 * | type | cells that are written | cells that are read |
 * |---|---|---|
 * | `boolean` | boolean | boolean |
 * | `int` | whole numbers, bigint | number up to 2^53 - 1, else bigint |
 * | `float` | number, `Float` | number |
 * | `string` | string | string |
 * | `date` | `PlainDate`, `Temporal.PlainDate` | `PlainDate` |
 * | `timestamp` | `Date`, `DateTime` with a zone, `Temporal.Instant`, `Temporal.ZonedDateTime` | `DateTime`, which is a `Date` |
 * | `datetime` | `DateTime` without a zone | `DateTime` whose zone is null |
 * | `binary` | `Uint8Array` | `Uint8Array` |
 * | `json` | arrays, plain objects and all that JSON has | the same |
 */
export type ColumnType = "boolean" | "int" | "float" | "string" | "date" | "timestamp" | "datetime" | "binary" | "json";

/** The columns of a table in their order. */
export type TableSchema = Readonly<Record<string, ColumnType>>;

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** Of a timestamp: the one zone of all its cells, else `UTC`. */
  readonly zone: string;
}

const TYPES: ReadonlySet<unknown> = new Set<ColumnType>([
  "boolean",
  "int",
  "float",
  "string",
  "date",
  "timestamp",
  "datetime",
  "binary",
  "json",
]);

/** InvalidArgument for a schema that no table has. */
export function checkSchema(schema: TableSchema): void {
  const names = Object.keys(schema);
  if (names.length === 0) throw invalid("schema has no column");
  checkNames(names, "InvalidArgument", "schema");
  const wrong = names.find((name) => !TYPES.has(schema[name]));
  if (wrong === undefined) return;
  const known = [...TYPES].join(", ");
  throw invalid(`schema: ${JSON.stringify(wrong)} has no type of these: ${known}`);
}

/** The type that a schema gives a column, if it does. */
export function typeIn(schema: TableSchema | undefined, name: string): ColumnType | undefined {
  return schema && Object.hasOwn(schema, name) ? schema[name] : undefined;
}

/** The columns that a schema gives. */
export function columnsOf(schema: TableSchema): Column[] {
  return Object.entries(schema).map(([name, type]) => ({ name, type, zone: "UTC" }));
}

/** The type that a cell has by itself; undefined for null, and `other` for what no cell is. */
export function typeOf(cell: unknown): ColumnType | "other" | undefined {
  switch (typeof cell) {
    case "string":
      return "string";
    case "number":
      return isInt(cell) ? "int" : "float";
    case "boolean":
      return "boolean";
    case "bigint":
      return "int";
    case "undefined":
      return undefined;
    case "object":
      return cell === null ? undefined : objectType(cell);
    default:
      return "other";
  }
}

function objectType(cell: object): ColumnType | "other" {
  if (cell instanceof DateTime) return cell.zone === null ? "datetime" : "timestamp";
  if (cell instanceof Date) return "timestamp";
  if (cell instanceof PlainDate) return "date";
  if (cell instanceof Uint8Array) return "binary";
  if (cell instanceof Float) return "float";
  return Array.isArray(cell) || isRow(cell) ? "json" : temporalType(cell);
}

function temporalType(cell: object): ColumnType | "other" {
  const kind = temporalKind(cell);
  if (kind === "Instant" || kind === "ZonedDateTime") return "timestamp";
  return kind === "PlainDate" ? "date" : "other";
}

interface Seen {
  type: ColumnType | "other" | undefined;
  zone: string | undefined;
  conflict: string | undefined;
}

/** Looks at rows, and says what columns they have. */
export class Survey {
  readonly #columns = new Map<string, Seen>();
  #rows = 0;

  add(batch: Batch): void {
    for (const row of batch) {
      this.#rows++;
      for (const name of Object.keys(row)) this.#see(name, cellOf(row, name));
    }
  }

  /** The columns in the order in which they came. */
  names(): string[] {
    return [...this.#columns.keys()];
  }

  /** The columns with their types; a column of nulls is one of strings. InvalidArgument when cells do not agree. */
  columns(): Column[] {
    return [...this.#columns].map(([name, { type = "string", zone = "UTC", conflict }]) => {
      if (conflict !== undefined) throw disagreement(name, conflict);
      if (type === "other") throw invalid(`column ${JSON.stringify(name)} has cells of no known type`);
      return { name, type, zone };
    });
  }

  #begin(name: string): Seen {
    const seen = { type: undefined, zone: undefined, conflict: undefined };
    this.#columns.set(name, seen);
    return seen;
  }

  #see(name: string, cell: unknown): void {
    const seen = this.#columns.get(name) ?? this.#begin(name);
    const type = typeOf(cell);
    if (type === "timestamp") seen.zone = commonZone(seen.zone, cell);
    if (type === undefined || type === seen.type || seen.conflict !== undefined) return;
    const both = seen.type === undefined ? type : common(seen.type, type);
    if (both === undefined)
      seen.conflict = `row ${this.#rows} has a cell of type ${type}, rows before have ${seen.type}`;
    else seen.type = both;
  }
}

function common(one: ColumnType | "other", other: ColumnType | "other"): ColumnType | undefined {
  const numbers = (one === "int" && other === "float") || (one === "float" && other === "int");
  return numbers ? "float" : undefined;
}

function commonZone(zone: string | undefined, cell: unknown): string {
  const own = cell instanceof DateTime && typeof cell.zone === "string" ? cell.zone : "UTC";
  return zone === undefined || zone === own ? own : "UTC";
}

function disagreement(name: string, conflict: string): StorageError {
  return invalid(
    `column ${JSON.stringify(name)}: ${conflict}; make them one type, or name the type of the column in schema`,
  );
}
