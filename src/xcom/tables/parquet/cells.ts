/** Converts Parquet's values to cells. */

import type { FileMetaData, ParquetParsers, SchemaElement } from "hyparquet";
import { isInstance } from "../../../brand.js";
import { failure } from "../../../errors.js";
import { jsonEncoding } from "../../encoding/airflow.js";
import { parseJson } from "../../encoding/json-read.js";
import { DateTime, Decimal, Timedelta } from "../../encoding/types.js";
import { durationUnits } from "../arrow/read.js";
import { dateAt, decimalText, exactInt, momentAt, timeText, UNITS_PER_SECOND } from "../batches.js";
import { checkNames, type SchemaColumns, typeIn } from "../schema.js";
import { readText } from "../text.js";

export interface CellReader {
  readonly name: string;
  read(cell: unknown): unknown;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const DAY = 86_400_000;
const UNITS = { MILLIS: 1_000n, MICROS: 1_000_000n, NANOS: 1_000_000_000n };

/** Moments are UTC here; the column's own zone is applied later. Digits below the microsecond are dropped. */
export const PARSERS: Partial<ParquetParsers> = {
  timestampFromMilliseconds: (millis) => present(millis, () => momentAt(BigInt(millis), UNITS.MILLIS, null)),
  timestampFromMicroseconds: (micros) => present(micros, () => momentAt(BigInt(micros), UNITS.MICROS, null)),
  timestampFromNanoseconds: (nanos) => present(nanos, () => momentAt(BigInt(nanos), UNITS.NANOS, null)),
  dateFromDays: (days) => present(days, () => dateAt(days * DAY)),
  stringFromBytes: (bytes) => present(bytes, () => utf8.decode(bytes)),
  jsonFromBytes: (bytes) => present(bytes, () => parseJson(utf8.decode(bytes), jsonEncoding)),
};

function present<T>(stored: unknown, make: () => T): T | undefined {
  return stored === undefined || stored === null ? undefined : make();
}

/** Returns the reader of each column's cells. Bypasses the library's decimals, which are inexact. */
export function readersOf(metadata: FileMetaData, schema: SchemaColumns | undefined): CellReader[] {
  const columns = topLevel(metadata.schema);
  checkNames(
    columns.map(({ name }) => name),
    "Corrupt",
    "parquet",
  );
  const missing = schema && [...schema.keys()].find((name) => !columns.some((column) => column.name === name));
  if (missing !== undefined) {
    throw failure("Corrupt", `parquet: there is no column ${JSON.stringify(missing)}, which schema has`);
  }
  const zones = zonesOf(metadata);
  const durations = durationsOf(metadata);
  return columns.map((element) => {
    const perSecond = durations.get(element.name);
    const read = perSecond === undefined ? readerOf(element, zones, schema) : durationReader(perSecond);
    return { name: element.name, read };
  });
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

function checkNested(element: SchemaElement): void {
  if (element.name === "__proto__") throw failure("Unsupported", "parquet: a nested field is named __proto__");
  const kind = kindOf(element);
  if (kind === "DECIMAL" || kind === "ENUM" || kind.startsWith("TIME_") || kind === "TIME")
    throw failure("Unsupported", `parquet: a ${kind} inside a nested column`);
}

/** Types whose cells are known; another one's would be handed on as integers or bytes without their meaning. */
const KNOWN = new Set([
  "",
  "STRING",
  "UTF8",
  "ENUM",
  "DECIMAL",
  "DATE",
  "LIST",
  "INTEGER",
  "JSON",
  "UUID",
  "FLOAT16",
  "NULL",
]);
const KNOWN_PREFIX = /^(TIME|U?INT_)/;

/** Returns the name of an element's logical or converted type; throws Unsupported for one that is not known. */
function kindOf({ name, converted_type: converted, logical_type: logical }: SchemaElement): string {
  // The library hands on a logical type that it does not know without a name.
  const kind = logical ? (logical.type ?? "unknown") : (converted ?? "");
  if (KNOWN.has(kind) || KNOWN_PREFIX.test(kind)) return kind;
  throw failure("Unsupported", `parquet: the column ${JSON.stringify(name)} has the type ${kind}; write it as text`);
}

function readerOf(element: SchemaElement, zones: ReadonlyMap<string, string>, schema: SchemaColumns | undefined) {
  const { name, logical_type: logical, converted_type: converted } = element;
  if (converted === "MAP" || converted === "MAP_KEY_VALUE" || logical?.type === "MAP") {
    throw failure("Unsupported", `parquet: the column ${JSON.stringify(name)} is a map; write it as JSON text`);
  }
  const kind = kindOf(element);
  if (kind === "DECIMAL") return decimalReader(element);
  if (kind === "TIME" || kind === "TIME_MILLIS" || kind === "TIME_MICROS") return timeReader(element);
  if (kind === "ENUM") return (cell: unknown) => present(cell, () => utf8.decode(cell as Uint8Array)) ?? null;
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

function timeReader({ logical_type: logical, converted_type: converted }: SchemaElement): (cell: unknown) => unknown {
  const unit = logical?.type === "TIME" ? logical.unit : converted === "TIME_MILLIS" ? "MILLIS" : "MICROS";
  return (cell) => present(cell, () => timeText(BigInt(cell as number | bigint), UNITS[unit])) ?? null;
}

function durationReader(perSecond: bigint): (cell: unknown) => unknown {
  return (cell) => present(cell, () => new Timedelta(Number(cell) / Number(perSecond))) ?? null;
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

/** Parquet has no durations either: pyarrow, polars and others note them in the Arrow schema that they add. */
function durationsOf({ key_value_metadata: notes = [] }: FileMetaData): ReadonlyMap<string, bigint> {
  const note = notes.find(({ key }) => key === "ARROW:schema")?.value;
  const units = note === undefined ? new Map<string, number>() : durationUnits(Buffer.from(note, "base64"));
  return new Map([...units].map(([name, unit]) => [name, UNITS_PER_SECOND[unit]!]));
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
