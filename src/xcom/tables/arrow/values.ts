/** Converts Arrow's columns to cells. */
import type { DataType, RecordBatch, Vector } from "apache-arrow";
import { failure } from "../../../errors.js";
import { setOwn } from "../../encoding/encoding.js";
import { DateTime, Decimal, Timedelta } from "../../encoding/types.js";
import { dateAt, decimalText, exactInt } from "../batches.js";
import { BATCH_ROWS, type Batch, checkNames, MAX_GROUP_CELLS, type Row, rowMaker } from "../schema.js";
import type { Arrow } from "./library.js";

type Reader = (stored: never) => unknown;

/** Yields the rows of a record batch, in batches of limited size. */
export function* rowsOf(arrow: Arrow, batch: RecordBatch): Generator<Batch, void, undefined> {
  const { fields } = batch.schema;
  const names = fields.map(({ name }) => name);
  checkNames(names, "Corrupt", "arrow");
  if (batch.numRows * names.length > MAX_GROUP_CELLS) {
    throw failure("TooLarge", `arrow: a batch has more than ${MAX_GROUP_CELLS} cells`);
  }
  const columns = fields.map(({ type }, at) => columnOf(arrow, batch, at, type));
  const make = rowMaker(names);
  for (let from = 0; from < batch.numRows; from += BATCH_ROWS) {
    const rows: Row[] = [];
    for (let at = from; at < Math.min(batch.numRows, from + BATCH_ROWS); at++) rows.push(make((i) => columns[i]!(at)));
    yield rows;
  }
}

function columnOf(arrow: Arrow, batch: RecordBatch, at: number, type: DataType): (row: number) => unknown {
  const vector = batch.getChildAt(at) as Vector;
  const read = readerOf(arrow, type) as (stored: unknown) => unknown;
  return (row) => {
    const stored: unknown = vector.get(row);
    return stored === null || stored === undefined ? null : read(stored);
  };
}

function readerOf(arrow: Arrow, type: DataType): Reader {
  const { DataType } = arrow;
  if (DataType.isDictionary(type)) return readerOf(arrow, type.dictionary);
  if (DataType.isInt(type))
    return (stored: number | bigint) => (typeof stored === "bigint" ? exactInt(stored) : stored);
  if (DataType.isFloat(type) || DataType.isBool(type) || DataType.isNull(type)) return same;
  if (isText(arrow, type)) return same;
  if (isBinary(arrow, type)) return (stored: Uint8Array) => new Uint8Array(stored);
  if (DataType.isDate(type)) return dateAt;
  if (DataType.isTimestamp(type)) return momentReader(type.timezone ?? null);
  if (DataType.isDecimal(type)) return (words: Uint32Array) => new Decimal(decimalText(integerOf(words), type.scale));
  if (DataType.isDuration(type)) return durationReader(PER_SECOND[type.unit]!);
  if (DataType.isTime(type)) return timeReader(PER_SECOND[type.unit]!);
  return nestedReader(arrow, type);
}

function isText({ DataType }: Arrow, type: DataType): boolean {
  return DataType.isUtf8(type) || DataType.isLargeUtf8(type) || DataType.isUtf8View(type);
}

function isBinary({ DataType }: Arrow, type: DataType): boolean {
  const varying = DataType.isBinary(type) || DataType.isLargeBinary(type) || DataType.isBinaryView(type);
  return varying || DataType.isFixedSizeBinary(type);
}

function nestedReader(arrow: Arrow, type: DataType): Reader {
  const { DataType } = arrow;
  if (DataType.isList(type) || DataType.isFixedSizeList(type)) {
    const read = nullable(readerOf(arrow, type.children[0]!.type));
    return (items: Iterable<unknown>) => Array.from(items, read);
  }
  if (!DataType.isStruct(type)) throw failure("Unsupported", `arrow: a column of type ${String(type)}`);
  const fields = type.children.map(({ name, type }) => ({ name, read: nullable(readerOf(arrow, type)) }));
  return (stored: Record<string, unknown>) => {
    const value: Row = {};
    for (const { name, read } of fields) setOwn(value, name, read(stored[name]));
    return value;
  };
}

function nullable(read: Reader): (stored: unknown) => unknown {
  return (stored) => (stored === null || stored === undefined ? null : read(stored as never));
}

function same(stored: unknown): unknown {
  return stored;
}

/** Indexed by `TimeUnit`: second, millisecond, microsecond, nanosecond. */
const PER_SECOND = [1n, 1_000n, 1_000_000n, 1_000_000_000n];

/** The library returns milliseconds as a float, whose fraction is exact to the microsecond up to the year 2255. */
function momentReader(zone: string | null): Reader {
  return (millis: number) => {
    const micros = millis * 1e3;
    const exact = Number.isSafeInteger(Math.round(micros));
    return new DateTime(exact ? BigInt(Math.round(micros)) : BigInt(Math.round(millis)) * 1000n, zone);
  };
}

function durationReader(perSecond: bigint): Reader {
  return (count: number | bigint) => new Timedelta(Number(count) / Number(perSecond));
}

/** Formats `03:04:05`, with as many fractional digits as needed. */
function timeReader(perSecond: bigint): Reader {
  return (count: number | bigint) => {
    const nanos = BigInt(count) * (1_000_000_000n / perSecond);
    const whole = new Date(Number(nanos / 1_000_000n)).toISOString().slice(11, 19);
    const fraction = String(nanos % 1_000_000_000n)
      .padStart(9, "0")
      .replace(/0+$/, "");
    return fraction === "" ? whole : `${whole}.${fraction}`;
  };
}

/** Returns the integer of little-endian words, in two's complement. */
function integerOf(words: Uint32Array): bigint {
  const bits = words.reduceRight((value, word) => (value << 32n) | BigInt(word), 0n);
  return BigInt.asIntN(words.length * 32, bits);
}
