/** Writes rows and tables as an Arrow IPC stream. */
import type { Data, DataType, Field, RecordBatch, Schema, Table } from "apache-arrow";
import type { ByteStream } from "../../../streams.js";
import type { Plan } from "../batches.js";
import { binaryOf, booleanOf, daysOf, floatOf, int64Of, microsOf, stringOf, withPosition } from "../cells.js";
import { type Column, type ColumnType, cellOf, checkNames, type RowBatch } from "../schema.js";
import { jsonOf } from "../text.js";
import { type Arrow, loadArrow } from "./library.js";

/** Bytes of the end-of-stream marker. */
const END = 8;

/** Writes one record batch per batch of rows; moments have microseconds and the common zone of their column. */
export async function* writeArrow({ names, columns, batches }: Plan): ByteStream {
  checkNames(names, "InvalidArgument", "arrow");
  const arrow = await loadArrow();
  const all = columns();
  const schema = new arrow.Schema(fieldsOf(arrow, all));
  // A stream of only the schema, with which every later stream begins too.
  const head = arrow.tableToIPC(new arrow.Table(schema), "stream");
  const start = head.subarray(0, head.byteLength - END);
  yield start;
  let rows = 0;
  for await (const batch of batches) {
    const table = new arrow.Table([recordBatch(arrow, schema, all, batch, rows)]);
    const bytes = arrow.tableToIPC(table, "stream");
    rows += batch.length;
    yield bytes.subarray(schemaLength(bytes), bytes.byteLength - END);
  }
  yield head.subarray(head.byteLength - END);
}

/** Returns the bytes of the message with the schema, which begins a stream; a schema has no body. */
function schemaLength(stream: Uint8Array): number {
  return 8 + new DataView(stream.buffer, stream.byteOffset).getUint32(4, true);
}

/** Writes the table unchanged: with its own types, zones and batches. */
export async function* writeTable(table: ArrowTable, signal: AbortSignal | undefined): ByteStream {
  const arrow = await loadArrow();
  for await (const chunk of writerOf(arrow, table)) {
    signal?.throwIfAborted();
    yield chunk;
  }
}

/** The writer yields views of the table's own memory. */
function writerOf({ RecordBatchStreamWriter }: Arrow, table: ArrowTable): AsyncIterable<Uint8Array> {
  return RecordBatchStreamWriter.writeAll(table as Table) as AsyncIterable<Uint8Array>;
}

/** A Table of the package apache-arrow by its shape, so that its types are not needed where it is not installed. */
export interface ArrowTable {
  readonly schema: { readonly fields: readonly { readonly name: string }[] };
  readonly batches: readonly object[];
  readonly numRows: number;
  getChild(name: never): unknown;
}

/** Returns whether a value is a Table, of any copy of that package. */
export function isArrowTable(value: unknown): value is ArrowTable {
  if (typeof value !== "object" || value === null) return false;
  const { schema, batches, getChild } = value as Partial<ArrowTable>;
  return Array.isArray(batches) && typeof getChild === "function" && Array.isArray(schema?.fields);
}

// Builds Arrow's columns from rows.

function fieldsOf(arrow: Arrow, columns: readonly Column[]): Field[] {
  // The library leaves out an empty name, but not that of an object, of which it writes the text.
  const fieldName = (name: string) => (name === "" ? (Object("") as string) : name);
  return columns.map((column) => new arrow.Field(fieldName(column.name), typeOf(arrow, column), true));
}

function typeOf(arrow: Arrow, { type, zone }: Column): DataType {
  switch (type) {
    case "boolean":
      return new arrow.Bool();
    case "int":
      return new arrow.Int64();
    case "float":
      return new arrow.Float64();
    case "date":
      return new arrow.DateDay();
    case "timestamp":
      return new arrow.TimestampMicrosecond(zone);
    case "datetime":
      return new arrow.TimestampMicrosecond();
    case "binary":
      return new arrow.Binary();
    default:
      return new arrow.Utf8();
  }
}

function recordBatch(
  arrow: Arrow,
  schema: Schema,
  columns: readonly Column[],
  batch: RowBatch,
  before: number,
): RecordBatch {
  const children = columns.map((column, at) => {
    const type = schema.fields[at]!.type;
    return arrow.makeData({ type, length: batch.length, ...buffersOf(column, batch, before) } as never) as Data;
  });
  const type = new arrow.Struct(schema.fields);
  return new arrow.RecordBatch(schema, arrow.makeData({ type, length: batch.length, nullCount: 0, children }) as never);
}

interface Buffers {
  nullCount: number;
  nullBitmap: Uint8Array;
  data: ArrayBufferView;
  valueOffsets?: Int32Array;
}

function buffersOf({ name, type }: Column, batch: RowBatch, before: number): Buffers {
  const filler = FILLERS[type](batch.length);
  const nullBitmap = new Uint8Array(Math.ceil(batch.length / 64) * 8);
  let nullCount = 0;
  for (const [at, row] of batch.entries()) {
    const cell = cellOf(row, name);
    try {
      if (cell === null || cell === undefined) nullCount++;
      else filler.set(at, cell);
    } catch (error) {
      throw withPosition(error, name, before + at + 1);
    }
    if (cell === null || cell === undefined) filler.skip?.(at);
    else nullBitmap[at >> 3]! |= 1 << (at & 7);
  }
  return { nullCount, nullBitmap, ...filler.buffers() };
}

/** Receives the cells of one column, each once and in order. */
interface Filler {
  set(at: number, cell: unknown): void;
  skip?(at: number): void;
  buffers(): Pick<Buffers, "data" | "valueOffsets">;
}

const FILLERS: Record<ColumnType, (length: number) => Filler> = {
  boolean: bits,
  int: (length) => fixed(new BigInt64Array(length), int64Of),
  float: (length) => fixed(new Float64Array(length), floatOf),
  date: (length) => fixed(new Int32Array(length), daysOf),
  timestamp: (length) => fixed(new BigInt64Array(length), (cell) => microsOf(cell, "timestamp")),
  datetime: (length) => fixed(new BigInt64Array(length), (cell) => microsOf(cell, "datetime")),
  string: (length) => varying(length, (cell) => Buffer.from(stringOf(cell), "utf8")),
  binary: (length) => varying(length, binaryOf),
  json: (length) => varying(length, (cell) => Buffer.from(jsonOf(cell), "utf8")),
};

function bits(length: number): Filler {
  const data = new Uint8Array(Math.ceil(length / 64) * 8);
  return {
    set(at, cell) {
      if (booleanOf(cell)) data[at >> 3]! |= 1 << (at & 7);
    },
    buffers: () => ({ data }),
  };
}

function fixed<T extends bigint | number>(
  data: ArrayBufferView & { [at: number]: T },
  take: (cell: unknown) => T,
): Filler {
  return {
    set(at, cell) {
      data[at] = take(cell);
    },
    buffers: () => ({ data }),
  };
}

function varying(length: number, bytesOf: (cell: unknown) => Uint8Array): Filler {
  const valueOffsets = new Int32Array(length + 1);
  const parts: Uint8Array[] = [];
  let size = 0;
  return {
    set(at, cell) {
      const bytes = bytesOf(cell);
      parts.push(bytes);
      size += bytes.byteLength;
      valueOffsets[at + 1] = size;
    },
    skip(at) {
      valueOffsets[at + 1] = size;
    },
    buffers: () => ({ data: Buffer.concat(parts, size), valueOffsets }),
  };
}
