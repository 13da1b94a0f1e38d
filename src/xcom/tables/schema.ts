/** The types of columns: given by a schema, or inferred from the cells. */
import { isInstance } from "../../brand.js";
import { failure, invalid, type StorageError } from "../../errors.js";
import { isInt, isPlain, setOwn } from "../encoding/encoding.js";
import { temporalKind } from "../encoding/to-airflow.js";
import type { DateTime, Float, PlainDate } from "../encoding/types.js";

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

/**
 * The columns of a table, in order. An object puts names such as `2026` first, whatever order they are written in: an
 * array of pairs or a Map keeps it.
 */
export type TableSchema =
  | Readonly<Record<string, ColumnType>>
  | readonly (readonly [name: string, type: ColumnType])[]
  | ReadonlyMap<string, ColumnType>;

/** The columns of a checked schema, in order. */
export type SchemaColumns = ReadonlyMap<string, ColumnType>;

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** For a timestamp: the common zone of all its cells, else `UTC`. */
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

/** Returns the columns of a schema. Throws InvalidArgument for an invalid one. */
export function checkSchema(schema: TableSchema | undefined): SchemaColumns | undefined {
  if (schema === undefined) return undefined;
  const pairs = pairsOf(schema);
  if (pairs.length === 0) throw invalid("schema has no column");
  checkNames(
    pairs.map(([name]) => name),
    "InvalidArgument",
    "schema",
  );
  const wrong = pairs.find(([name, type]) => typeof name !== "string" || !TYPES.has(type));
  if (wrong === undefined) return new Map(pairs);
  const known = [...TYPES].join(", ");
  throw invalid(`schema: ${JSON.stringify(wrong[0])} has no type of these: ${known}`);
}

function pairsOf(schema: TableSchema): (readonly [string, ColumnType])[] {
  if (typeof schema !== "object" || schema === null)
    throw invalid("schema must be an object, a Map or an array of pairs");
  if (schema instanceof Map) return [...schema];
  if (!Array.isArray(schema)) return Object.entries(schema);
  if (schema.every((pair) => Array.isArray(pair) && pair.length === 2)) return schema;
  throw invalid("schema: an array has pairs of name and type");
}

/** Returns the schema's type of a column, if any. */
export function typeIn(schema: SchemaColumns | undefined, name: string): ColumnType | undefined {
  return schema?.get(name);
}

/** Returns the columns of a schema. */
export function columnsOf(schema: SchemaColumns): Column[] {
  return [...schema].map(([name, type]) => ({ name, type, zone: "UTC" }));
}

/** Returns a cell's own type; undefined for null, and `other` for a value that cannot be a cell. */
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
  if (isInstance<DateTime>(cell, "DateTime")) return cell.zone === null ? "datetime" : "timestamp";
  if (cell instanceof Date) return "timestamp";
  if (isInstance<PlainDate>(cell, "PlainDate")) return "date";
  if (cell instanceof Uint8Array) return "binary";
  if (isInstance<Float>(cell, "Float")) return "float";
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

/** Infers columns from rows. */
export class Survey {
  readonly #columns = new Map<string, Seen>();
  #rows = 0;

  add(batch: RowBatch): void {
    for (const row of batch) {
      this.#rows++;
      for (const name of Object.keys(row)) this.#see(name, cellOf(row, name));
    }
  }

  /** The columns in order of first appearance. */
  names(): string[] {
    return [...this.#columns.keys()];
  }

  /** Returns the columns with types; a column of nulls is one of strings. Throws InvalidArgument if cells disagree. */
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
  const own = isInstance<DateTime>(cell, "DateTime") && typeof cell.zone === "string" ? cell.zone : "UTC";
  return zone === undefined || zone === own ? own : "UTC";
}

function disagreement(name: string, conflict: string): StorageError {
  return invalid(
    `column ${JSON.stringify(name)}: ${conflict}; make them one type, or name the type of the column in schema`,
  );
}

// Rows: plain objects whose keys are the columns.

/** One record: its cells by column name. A missing or undefined cell is null. */
export type Row = Record<string, unknown>;

/** Rows that are encoded or decoded together. */
export type RowBatch = readonly Row[];

/** Returns the cell of a column; ignores inherited properties. */
export function cellOf(row: Row, name: string): unknown {
  return name in Object.prototype && !Object.hasOwn(row, name) ? undefined : row[name];
}

/** Creates rows with columns of these names, `__proto__` included. */
export function rowMaker(names: readonly string[]): (cellAt: (column: number) => unknown) => Row {
  return (cellAt) => {
    const row: Row = {};
    for (let column = 0; column < names.length; column++) setOwn(row, names[column]!, cellAt(column));
    return row;
  };
}

/** Returns whether a value is a plain object, as `{}` is. */
export function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value) && isPlain(value);
}

/** Refuses names that a row cannot have together. `code` determines whether the data or the caller is at fault. */
export function checkNames(names: readonly string[], code: "Corrupt" | "InvalidArgument", where: string): void {
  if (names.length > MAX_COLUMNS) throw failure("TooLarge", `${where}: more than ${MAX_COLUMNS} columns`);
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw failure(code, `${where}: two columns are named ${JSON.stringify(name)}`);
    seen.add(name);
  }
}

// Limits on memory and table dimensions.

/** Rows encoded or decoded at a time; also the size of the row groups in written Parquet files. */
export const BATCH_ROWS = 16_384;
/** Characters and bytes of cells after which a streamed batch is closed before it is full. */
export const BATCH_SIZE = 16 * 1024 * 1024;
/** Maximum characters of one csv record or jsonl line; a longer one is TooLarge. */
export const MAX_RECORD = 16 * 1024 * 1024;
/** Maximum columns of a table; more are TooLarge. */
export const MAX_COLUMNS = 10_000;
/** Maximum cells of one Parquet row group or Arrow batch, which are decoded together; more are TooLarge. */
export const MAX_GROUP_CELLS = 100_000_000;
/** Characters collected before they are passed on as a chunk. */
export const CHUNK = 64 * 1024;
/** Maximum bytes of a decompressed Parquet page; a larger one is TooLarge. Writers make pages of about 1 MiB. */
export const MAX_PAGE = 512 * 1024 * 1024;
/** Maximum bytes of the metadata of one Arrow message; more make the stream Corrupt. 10,000 columns take some 2 MiB. */
export const MAX_METADATA = 64 * 1024 * 1024;

/** Returns a library's reason for rejecting data. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
