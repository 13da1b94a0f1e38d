/** Batches rows from memory or from a stream. */
import { Pace } from "../../codecs/stream.js";
import { failure, invalid } from "../../errors.js";
import { orAbort } from "../../streams.js";
import { DateTime, floorDivide, PlainDate } from "../encoding/types.js";
import {
  BATCH_ROWS,
  BATCH_SIZE,
  type Column,
  columnsOf,
  isRow,
  type Row,
  type RowBatch,
  type SchemaColumns,
  Survey,
  typeIn,
} from "./schema.js";

/** Rows to write: in memory, or as a stream. */
export type Rows = Iterable<Row> | AsyncIterable<Row>;

/** A table prepared for a format. */
export interface Plan {
  names: readonly string[];
  /** Returns the columns with their types. Throws InvalidArgument if a column's cells disagree on a type. */
  columns(): readonly Column[];
  /** Returns the schema's type of a column. */
  typed(name: string): Column["type"] | undefined;
  batches: AsyncIterable<RowBatch>;
}

interface PlanOptions {
  /** Whether each row can have its own columns; if so, the columns are not determined in advance. */
  free: boolean;
  schema: SchemaColumns | undefined;
  signal: AbortSignal | undefined;
}

/**
 * Determines the columns of rows: from all rows of an array, or from the first batch of a stream. A later row with
 * other columns throws InvalidArgument.
 */
export async function planOf(rows: Rows, { free, schema, signal }: PlanOptions): Promise<Plan> {
  const typed = (name: string) => typeIn(schema, name);
  if (schema) {
    const columns = columnsOf(schema);
    const names = columns.map(({ name }) => name);
    return { names, columns: () => columns, typed, batches: within(batchesOf(rows, signal), names, "schema has") };
  }
  if (free) return { names: [], columns: () => [], typed, batches: batchesOf(rows, signal) };
  return Array.isArray(rows) ? planOfArray(rows, typed, signal) : planOfStream(rows, typed, signal);
}

async function planOfArray(rows: readonly Row[], typed: Plan["typed"], signal: AbortSignal | undefined): Promise<Plan> {
  const survey = new Survey();
  for await (const batch of slices(rows, signal)) survey.add(batch);
  return { names: some(survey.names()), columns: () => survey.columns(), typed, batches: slices(rows, signal) };
}

async function planOfStream(rows: Rows, typed: Plan["typed"], signal: AbortSignal | undefined): Promise<Plan> {
  const source = batchesOf(rows, signal)[Symbol.asyncIterator]();
  const { value: first } = await source.next();
  const survey = new Survey();
  if (first) survey.add(first);
  const names = some(survey.names());
  const all = resumed(first ?? [], { [Symbol.asyncIterator]: () => source });
  return { names, columns: () => survey.columns(), typed, batches: within(all, names, "the first rows have") };
}

function some(names: string[]): string[] {
  if (names.length > 0) return names;
  throw invalid("a table without rows or columns; name its columns in schema");
}

async function* resumed(first: RowBatch, rest: AsyncIterable<RowBatch>): AsyncGenerator<RowBatch, void, undefined> {
  yield first;
  yield* rest;
}

/** Yields the same batches; fails at the first row with an unexpected column. */
async function* within(batches: AsyncIterable<RowBatch>, names: readonly string[], whose: string) {
  const known = new Set(names);
  let at = 0;
  for await (const batch of batches) {
    for (const row of batch) {
      at++;
      const stranger = Object.keys(row).find((name) => !known.has(name));
      if (stranger === undefined) continue;
      const column = `row ${at} has the column ${JSON.stringify(stranger)}`;
      throw invalid(`${column}, which is not among those that ${whose}; name it in schema`);
    }
    yield batch;
  }
}

function batchesOf(rows: Rows, signal: AbortSignal | undefined): AsyncGenerator<RowBatch, void, undefined> {
  return Array.isArray(rows) ? slices(rows, signal) : gathered(rows, signal);
}

async function* slices(
  rows: readonly Row[],
  signal: AbortSignal | undefined,
): AsyncGenerator<RowBatch, void, undefined> {
  const pace = new Pace();
  for (let at = 0; at < rows.length; at += BATCH_ROWS) {
    signal?.throwIfAborted();
    const batch = rows.slice(at, at + BATCH_ROWS);
    batch.forEach(checkRow);
    yield batch;
    await pace.rest();
  }
}

async function* gathered(rows: Rows, signal: AbortSignal | undefined): AsyncGenerator<RowBatch, void, undefined> {
  let batch: Row[] = [];
  let size = 0;
  for await (const row of untilAborted(rows, signal)) {
    checkRow(row);
    batch.push(row);
    size += sizeOf(row);
    if (batch.length < BATCH_ROWS && size < BATCH_SIZE) continue;
    yield batch;
    batch = [];
    size = 0;
  }
  if (batch.length > 0) yield batch;
}

function checkRow(row: unknown): void {
  if (!isRow(row)) throw invalid("a row is a plain object, its cells by the names of their columns");
}

/** Returns the size of the cells that can be large. */
function sizeOf(row: Row): number {
  let size = 0;
  for (const name of Object.keys(row)) {
    const cell = row[name];
    if (typeof cell === "string" || cell instanceof Uint8Array) size += cell.length;
  }
  return size;
}

async function* untilAborted(rows: Rows, signal: AbortSignal | undefined): AsyncGenerator<Row, void, undefined> {
  signal?.throwIfAborted();
  if (!signal || Symbol.iterator in rows) return yield* rows;
  const source = rows[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await orAbort(source.next(), signal);
      if (done) {
        ended = true;
        return;
      }
      yield value;
    }
  } finally {
    // A blocked source may never settle `return`, so an aborted call does not wait for it.
    const left = ended ? undefined : source.return?.();
    if (signal.aborted) left?.then(undefined, () => {});
    else await left;
  }
}

// Cells from the values of the binary formats.

/** Returns a number if it is exact, up to 2^53 - 1; else a bigint. */
export function exactInt(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Returns the date at this many milliseconds since 1970. Throws Unsupported for one that Python has not. */
export function dateAt(millis: number): PlainDate {
  const iso = new Date(millis).toJSON() ?? "";
  if (/^(?!0000)\d{4}-/.test(iso)) return new PlainDate(iso.slice(0, 10));
  throw failure("Unsupported", "a date outside the years 1 to 9999; write it as text");
}

/** Units per second of Arrow's `TimeUnit`: second, millisecond, microsecond, nanosecond. */
export const UNITS_PER_SECOND: readonly bigint[] = [1n, 1_000n, 1_000_000n, 1_000_000_000n];

/** What a Date holds on each side of 1970. */
const MAX_MICROS = 8_640_000_000_000_000_000n;

/** Returns the moment at this many units since 1970, rounded down to the microsecond. */
export function momentAt(count: bigint, perSecond: bigint, zone: string | null): DateTime {
  const micros = floorDivide(count * 1_000_000n, perSecond);
  if (micros <= MAX_MICROS && micros >= -MAX_MICROS) return new DateTime(micros, zone);
  throw failure("Unsupported", "a moment beyond what a Date holds; write it as text");
}

/** Returns the time of day at this many units since midnight: `03:04:05`, with as many digits as needed. */
export function timeText(count: bigint, perSecond: bigint): string {
  const nanos = count * (1_000_000_000n / perSecond);
  if (nanos < 0n || nanos >= 86_400_000_000_000n) throw failure("Corrupt", `${count} is no time of day`);
  const whole = new Date(Number(nanos / 1_000_000n)).toISOString().slice(11, 19);
  const fraction = String(nanos % 1_000_000_000n)
    .padStart(9, "0")
    .replace(/0+$/, "");
  return fraction === "" ? whole : `${whole}.${fraction}`;
}

/** Returns the text of an integer that counts units of 10^-scale. */
export function decimalText(value: bigint, scale: number): string {
  if (scale <= 0) return String(value * 10n ** BigInt(-scale));
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, "0");
  return `${value < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
