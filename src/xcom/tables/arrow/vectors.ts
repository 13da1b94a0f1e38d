/** Arrow's columns, made of rows. */
import type { Data, DataType, Field, RecordBatch, Schema } from "apache-arrow";
import { binaryOf, booleanOf, daysOf, floatOf, int64Of, microsOf, misplaced, stringOf } from "../cells.js";
import { jsonOf } from "../json.js";
import { type Batch, cellOf } from "../row.js";
import type { Column, ColumnType } from "../schema.js";
import type { Arrow } from "./library.js";

export function fieldsOf(arrow: Arrow, columns: readonly Column[]): Field[] {
  return columns.map((column) => new arrow.Field(column.name, typeOf(arrow, column), true));
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

export function recordBatch(
  arrow: Arrow,
  schema: Schema,
  columns: readonly Column[],
  batch: Batch,
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

function buffersOf({ name, type }: Column, batch: Batch, before: number): Buffers {
  const filler = FILLERS[type](batch.length);
  const nullBitmap = new Uint8Array(Math.ceil(batch.length / 64) * 8);
  let nullCount = 0;
  for (const [at, row] of batch.entries()) {
    const cell = cellOf(row, name);
    try {
      if (cell === null || cell === undefined) nullCount++;
      else filler.set(at, cell);
    } catch (error) {
      throw misplaced(error, name, before + at + 1);
    }
    if (cell === null || cell === undefined) filler.skip?.(at);
    else nullBitmap[at >> 3]! |= 1 << (at & 7);
  }
  return { nullCount, nullBitmap, ...filler.buffers() };
}

/** Takes the cells of one column, each once, in their order. */
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
