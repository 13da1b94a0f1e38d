/** Writes rows as a Parquet file, one row group per batch. */

import type { SchemaElement } from "hyparquet";
import type { ColumnSource } from "hyparquet-writer";
import { failure } from "../../../errors.js";
import type { ByteStream } from "../../../streams.js";
import type { Plan } from "../batches.js";
import { binaryOf, booleanOf, daysOf, floatOf, int64Of, microsOf, stringOf, withPosition } from "../cells.js";
import { type Column, type ColumnType, cellOf, checkNames, type RowBatch } from "../schema.js";
import { jsonOf } from "../text.js";

/** Compresses with Snappy; every column may hold nulls; moments are UTC, in microseconds. */
export async function* writeParquet({ names, columns, batches }: Plan): ByteStream {
  checkNames(names, "InvalidArgument", "parquet");
  const { ByteWriter, ParquetWriter } = await loadWriter();
  const all = columns();
  const writer = new ByteWriter();
  const file = new ParquetWriter({ writer, schema: [root(all), ...all.map(elementOf)], createdBy: "stowage" });
  let rows = 0;
  for await (const batch of batches) {
    const columnData = all.map((column) => ({ name: column.name, data: cellsOf(column, batch, rows) }));
    file.write({ columnData: columnData as ColumnSource[], rowGroupSize: batch.length });
    rows += batch.length;
    yield taken(writer);
  }
  file.finish();
  yield taken(writer);
}

/** Returns the bytes written since the last call. The writer continues at the same offset of the file. */
function taken(writer: { getBytes(): Uint8Array; index: number }): Uint8Array {
  const bytes = new Uint8Array(writer.getBytes());
  writer.index = 0;
  return bytes;
}

function root(columns: readonly Column[]): SchemaElement {
  return { name: "schema", num_children: columns.length };
}

function elementOf({ name, type }: Column): SchemaElement {
  return { name, repetition_type: "OPTIONAL", ...ELEMENTS[type] };
}

const TEXT = { type: "BYTE_ARRAY", converted_type: "UTF8", logical_type: { type: "STRING" } } as const;

const ELEMENTS: Record<ColumnType, Omit<SchemaElement, "name">> = {
  boolean: { type: "BOOLEAN" },
  int: { type: "INT64" },
  float: { type: "DOUBLE" },
  string: TEXT,
  date: { type: "INT32", converted_type: "DATE", logical_type: { type: "DATE" } },
  timestamp: { type: "INT64", logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MICROS" } },
  datetime: { type: "INT64", logical_type: { type: "TIMESTAMP", isAdjustedToUTC: false, unit: "MICROS" } },
  binary: { type: "BYTE_ARRAY" },
  json: TEXT,
};

const VALUES: Record<ColumnType, (cell: unknown) => unknown> = {
  boolean: booleanOf,
  int: int64Of,
  float: floatOf,
  string: stringOf,
  date: daysOf,
  timestamp: (cell) => microsOf(cell, "timestamp"),
  datetime: (cell) => microsOf(cell, "datetime"),
  binary: binaryOf,
  json: jsonOf,
};

function cellsOf({ name, type }: Column, batch: RowBatch, before: number): unknown[] {
  return batch.map((row, at) => {
    const cell = cellOf(row, name);
    if (cell === null || cell === undefined) return null;
    try {
      return VALUES[type](cell);
    } catch (error) {
      throw withPosition(error, name, before + at + 1);
    }
  });
}

// The optional packages for Parquet.

export async function loadReader() {
  try {
    return await import("hyparquet");
  } catch (cause) {
    throw missing("read", "hyparquet", cause);
  }
}

/** Loads the reader's page header parser. */
export async function loadHeaders() {
  try {
    return await import("hyparquet/src/column.js");
  } catch (cause) {
    throw missing("read", "hyparquet", cause);
  }
}

async function loadWriter() {
  try {
    return await import("hyparquet-writer");
  } catch (cause) {
    throw missing("written", "hyparquet-writer", cause);
  }
}

function missing(what: string, name: string, cause: unknown) {
  return failure("Unsupported", `Parquet is ${what} by the package ${name}: npm install ${name}`, { cause });
}
