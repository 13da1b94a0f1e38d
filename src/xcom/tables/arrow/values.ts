/** Converts Arrow's columns to cells. */
import type { Data, DataType, Field, RecordBatch, Vector } from "apache-arrow";
import { failure } from "../../../errors.js";
import { setOwn } from "../../encoding/encoding.js";
import { Decimal, Timedelta } from "../../encoding/types.js";
import { dateAt, decimalText, exactInt, momentAt, timeText, UNITS_PER_SECOND } from "../batches.js";
import { BATCH_ROWS, checkNames, MAX_GROUP_CELLS, type Row, type RowBatch, rowMaker } from "../schema.js";
import type { Arrow } from "./library.js";

type Convert = (stored: never) => unknown;
/** Returns the cell of a row. */
type CellAt = (row: number) => unknown;

/** Yields the rows of a record batch, in batches of limited size. */
export function* rowsOf(arrow: Arrow, batch: RecordBatch): Generator<RowBatch, void, undefined> {
  const { fields } = batch.schema;
  const names = fields.map(nameOf);
  checkNames(names, "Corrupt", "arrow");
  if (batch.numRows * names.length > MAX_GROUP_CELLS) {
    throw failure("TooLarge", `arrow: a batch has more than ${MAX_GROUP_CELLS} cells`);
  }
  // The library has no children for the structs of a batch without rows.
  if (batch.numRows === 0) return;
  const columns = fields.map(({ type }, at) => cellsOf(arrow, batch.getChildAt(at) as Vector, type));
  const make = rowMaker(names);
  for (let from = 0; from < batch.numRows; from += BATCH_ROWS) {
    const rows: Row[] = [];
    for (let at = from; at < Math.min(batch.numRows, from + BATCH_ROWS); at++) rows.push(make((i) => columns[i]!(at)));
    yield rows;
  }
}

/** The library returns null for an empty name. */
function nameOf({ name }: Field): string {
  return name ?? "";
}

/** The library's own values of nested types resolve names such as `constructor` on their prototypes: we read children. */
function cellsOf(arrow: Arrow, vector: Vector, type: DataType): CellAt {
  const { DataType } = arrow;
  if (DataType.isStruct(type)) return structCells(arrow, vector, type.children);
  if (DataType.isList(type) || DataType.isFixedSizeList(type) || DataType.isLargeList(type)) {
    const inner = type.children[0]!.type;
    return present(vector, (items: Vector) => {
      const cellAt = cellsOf(arrow, items, inner);
      return Array.from({ length: items.length }, (_, at) => cellAt(at));
    });
  }
  if (!DataType.isDictionary(type)) return present(exact(arrow, vector), converterOf(arrow, type));
  // The library's types leave out the 64 bits that it reads.
  if ((type.indices.bitWidth as number) === 64)
    throw failure("Unsupported", "arrow: a dictionary with indexes of 64 bits");
  return present(exact(arrow, vector), converterOf(arrow, type.dictionary));
}

function structCells(arrow: Arrow, vector: Vector, fields: readonly Field[]): CellAt {
  const children = fields.map((field, at) => ({
    name: nameOf(field),
    cellAt: cellsOf(arrow, vector.getChildAt(at) as Vector, field.type),
  }));
  return (row) => {
    if (!vector.isValid(row)) return null;
    const value: Row = {};
    for (const { name, cellAt } of children) setOwn(value, name, cellAt(row));
    return value;
  };
}

function present(vector: Vector, convert: Convert): CellAt {
  return (row) => {
    const stored: unknown = vector.get(row);
    return stored === null || stored === undefined ? null : convert(stored as never);
  };
}

/** Reads text as bytes and moments as integers: the library replaces invalid UTF-8, and returns floats of moments. */
function exact(arrow: Arrow, vector: Vector): Vector {
  return new arrow.Vector(vector.data.map((data) => exactData(arrow, data as Data)));
}

function exactData(arrow: Arrow, data: Data): Data {
  const { type, offset, length, nullCount, dictionary } = data;
  const inner = dictionary && exact(arrow, dictionary);
  const { variadicBuffers } = data as { variadicBuffers?: readonly Uint8Array[] };
  return new arrow.Data(
    storedType(arrow, type),
    offset,
    length,
    nullCount,
    data,
    data.children,
    inner,
    variadicBuffers,
  );
}

function storedType(arrow: Arrow, type: DataType): DataType {
  const { DataType } = arrow;
  if (DataType.isUtf8(type)) return new arrow.Binary();
  if (DataType.isLargeUtf8(type)) return new arrow.LargeBinary();
  if (DataType.isUtf8View(type)) return new arrow.BinaryView();
  return DataType.isTimestamp(type) ? new arrow.Int64() : type;
}

function converterOf(arrow: Arrow, type: DataType): Convert {
  const { DataType } = arrow;
  if (DataType.isInt(type))
    return (stored: number | bigint) => (typeof stored === "bigint" ? exactInt(stored) : stored);
  if (DataType.isFloat(type) || DataType.isBool(type) || DataType.isNull(type)) return same;
  if (isText(arrow, type)) return text;
  if (isBinary(arrow, type)) return (stored: Uint8Array) => new Uint8Array(stored);
  if (DataType.isDate(type)) return dateAt;
  if (DataType.isTimestamp(type)) {
    const [perSecond, zone] = [UNITS_PER_SECOND[type.unit]!, type.timezone ?? null];
    return (count: bigint) => momentAt(count, perSecond, zone);
  }
  if (DataType.isDecimal(type)) return (words: Uint32Array) => new Decimal(decimalText(integerOf(words), type.scale));
  if (DataType.isDuration(type)) {
    const perSecond = Number(UNITS_PER_SECOND[type.unit]);
    return (count: number | bigint) => new Timedelta(Number(count) / perSecond);
  }
  if (DataType.isTime(type)) {
    const perSecond = UNITS_PER_SECOND[type.unit]!;
    return (count: number | bigint) => timeText(BigInt(count), perSecond);
  }
  throw failure("Unsupported", `arrow: a column of type ${String(type)}`);
}

function isText({ DataType }: Arrow, type: DataType): boolean {
  return DataType.isUtf8(type) || DataType.isLargeUtf8(type) || DataType.isUtf8View(type);
}

function isBinary({ DataType }: Arrow, type: DataType): boolean {
  const varying = DataType.isBinary(type) || DataType.isLargeBinary(type) || DataType.isBinaryView(type);
  return varying || DataType.isFixedSizeBinary(type);
}

/** A byte order mark is text here, as in Python. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function text(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}

function same(stored: unknown): unknown {
  return stored;
}

/** Returns the integer of little-endian words, in two's complement. */
function integerOf(words: Uint32Array): bigint {
  const bits = words.reduceRight((value, word) => (value << 32n) | BigInt(word), 0n);
  return BigInt.asIntN(words.length * 32, bits);
}
