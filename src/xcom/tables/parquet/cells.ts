/** Converts Parquet's values to cells. */

import type { FileMetaData, ParquetParsers, SchemaElement } from "hyparquet";
import { isInstance } from "../../../brand.js";
import { failure } from "../../../errors.js";
import { jsonEncoding } from "../../encoding/airflow.js";
import { parseJson } from "../../encoding/json-read.js";
import { DateTime, Decimal, floorDivide } from "../../encoding/types.js";
import { dateAt, decimalText, exactInt } from "../batches.js";
import { checkNames, type TableSchema, typeIn } from "../schema.js";
import { readText } from "../text.js";

export interface CellReader {
  readonly name: string;
  read(cell: unknown): unknown;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const DAY = 86_400_000;

/** Moments are UTC here; the column's own zone is applied later. Digits below the microsecond are dropped. */
export const PARSERS: Partial<ParquetParsers> = {
  timestampFromMilliseconds: (millis) => present(millis, () => new DateTime(BigInt(millis) * 1000n)),
  timestampFromMicroseconds: (micros) => present(micros, () => new DateTime(BigInt(micros))),
  timestampFromNanoseconds: (nanos) => present(nanos, () => new DateTime(floorDivide(BigInt(nanos), 1000n))),
  dateFromDays: (days) => present(days, () => dateAt(days * DAY)),
  stringFromBytes: (bytes) => present(bytes, () => utf8.decode(bytes)),
  jsonFromBytes: (bytes) => present(bytes, () => parseJson(utf8.decode(bytes), jsonEncoding)),
};

function present<T>(stored: unknown, make: () => T): T | undefined {
  return stored === undefined || stored === null ? undefined : make();
}

/** Returns the reader of each column's cells. Bypasses the library's decimals, which are inexact. */
export function readersOf(metadata: FileMetaData, schema: TableSchema | undefined): CellReader[] {
  const columns = topLevel(metadata.schema);
  checkNames(
    columns.map(({ name }) => name),
    "Corrupt",
    "parquet",
  );
  const missing = schema && Object.keys(schema).find((name) => !columns.some((column) => column.name === name));
  if (missing !== undefined) {
    throw failure("Corrupt", `parquet: there is no column ${JSON.stringify(missing)}, which schema has`);
  }
  const zones = zonesOf(metadata);
  return columns.map((element) => ({ name: element.name, read: readerOf(element, zones, schema) }));
}

/** Returns the columns in order; checks and skips their nested elements. */
function topLevel(elements: readonly SchemaElement[]): SchemaElement[] {
  const columns: SchemaElement[] = [];
  let inside = 0;
  for (const element of elements.slice(1)) {
    if (inside === 0) columns.push(element);
    else checkNested(element);
    inside = Math.max(inside - 1, 0) + (element.num_children ?? 0);
  }
  return columns;
}

function checkNested({ name, converted_type, logical_type }: SchemaElement): void {
  if (name === "__proto__") throw failure("Unsupported", "parquet: a nested field is named __proto__");
  const kind = converted_type ?? logical_type?.type;
  if (kind === "DECIMAL") throw failure("Unsupported", "parquet: a decimal inside a nested column");
}

function readerOf(element: SchemaElement, zones: ReadonlyMap<string, string>, schema: TableSchema | undefined) {
  const { name, logical_type: logical, converted_type: converted } = element;
  if (converted === "MAP" || converted === "MAP_KEY_VALUE" || logical?.type === "MAP") {
    throw failure("Unsupported", `parquet: the column ${JSON.stringify(name)} is a map; write it as JSON text`);
  }
  if (converted === "DECIMAL") return decimalReader(element);
  if (logical?.type === "TIMESTAMP") return momentReader(logical.isAdjustedToUTC ? (zones.get(name) ?? "UTC") : null);
  return typeIn(schema, name) === "json" ? jsonReader : plain;
}

/** Converts integers to numbers where they are exact, also inside arrays and objects. */
function plain(cell: unknown): unknown {
  if (typeof cell === "bigint") return exactInt(cell);
  if (cell === undefined) return null;
  if (typeof cell !== "object" || cell === null) return cell;
  if (Array.isArray(cell)) return cell.map(plain);
  if (Object.getPrototypeOf(cell) !== Object.prototype) return cell;
  return Object.fromEntries(Object.entries(cell).map(([name, inner]) => [name, plain(inner)]));
}

function jsonReader(cell: unknown): unknown {
  if (typeof cell !== "string") return plain(cell);
  const value = readText("json", cell);
  if (value === undefined) throw failure("Corrupt", "parquet: a cell of a column of type json is no JSON");
  return value;
}

function momentReader(zone: string | null): (cell: unknown) => unknown {
  return (cell) => (isInstance<DateTime>(cell, "DateTime") ? new DateTime(cell.microseconds, zone) : null);
}

function decimalReader(element: SchemaElement): (cell: unknown) => unknown {
  const { scale = 0 } = element;
  delete element.converted_type;
  delete element.logical_type;
  return (cell) => (cell === undefined || cell === null ? null : new Decimal(decimalText(unscaled(cell), scale)));
}

function unscaled(cell: unknown): bigint {
  if (!(cell instanceof Uint8Array)) return BigInt(cell as number | bigint);
  return BigInt.asIntN(cell.byteLength * 8, BigInt(`0x${Buffer.from(cell).toString("hex") || "0"}`));
}

/** Parquet's moments have no zone; pandas stores it in the file's metadata. */
function zonesOf({ key_value_metadata: notes = [] }: FileMetaData): ReadonlyMap<string, string> {
  const note = notes.find(({ key }) => key === "pandas")?.value;
  const zones = new Map<string, string>();
  for (const { field_name: name, metadata } of notedColumns(note)) {
    if (typeof name === "string" && typeof metadata?.timezone === "string") zones.set(name, metadata.timezone);
  }
  return zones;
}

interface Noted {
  field_name?: unknown;
  metadata?: { timezone?: unknown } | null;
}

function notedColumns(note: string | undefined): Noted[] {
  try {
    const { columns } = JSON.parse(note ?? "{}") as { columns?: Noted[] };
    return Array.isArray(columns) ? columns.filter((column) => typeof column === "object" && column !== null) : [];
  } catch {
    return [];
  }
}
