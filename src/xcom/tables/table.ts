/** Tables, and the serializer that stores them as files of one format. */

import { isInstance } from "../../brand.js";
import { invalid } from "../../errors.js";
import type { Abortable } from "../../fs/index.js";
import { type ByteStream, toByteStream } from "../../streams.js";
import type { DataFrame } from "../encoding/types.js";
import { defineSerializer, type Serializer } from "../serializer.js";
import { readArrow, readTable, tableRows } from "./arrow/read.js";
import { type ArrowTable, isArrowTable, writeArrow, writeTable } from "./arrow/write.js";
import { type Plan, planOf, type Rows } from "./batches.js";
import { readCsv, writeCsv } from "./csv.js";
import type { Format, TableFormat } from "./format.js";
import { readJsonl, writeJsonl } from "./json-lines.js";
import { readParquet } from "./parquet/read.js";
import { writeParquet } from "./parquet/write.js";
import {
  type ColumnType,
  cellOf,
  checkSchema,
  isRow,
  type Row,
  type SchemaColumns,
  type TableSchema,
  typeIn,
  typeOf,
} from "./schema.js";

/** A table in memory: an array of records, or a Table of the package apache-arrow. */
export type Table = readonly Row[] | ArrowTable;

export interface RowsOptions extends Abortable {
  format: TableFormat;
  /**
   * The columns and their types. On write the schema fixes the columns and their order, and a cell of another type
   * throws InvalidArgument; on read it determines how the text of csv and jsonl is interpreted.
   */
  schema?: TableSchema | undefined;
}

interface CheckedOptions extends Abortable {
  format: TableFormat;
  schema: SchemaColumns | undefined;
}

export interface TablesOptions extends Omit<RowsOptions, "signal"> {
  /** The result of reading: an array of records or, with the format arrow only, a Table. @default "rows" */
  as?: "rows" | "table" | undefined;
}

/**
 * Returns a serializer for tables: they become `.csv`, `.jsonl`, `.parquet` or `.arrow`, everything else stays `.json`.
 * A table is an Arrow Table, or an array with at least one record whose records are plain objects with scalar cells:
 * null, boolean, number, bigint, string, `Date`, `DateTime`, `PlainDate`, and `Uint8Array` in parquet and arrow. An
 * array with arrays or objects as cells is a table only in jsonl and in `json` columns of the schema; otherwise it
 * stays JSON. An empty array is a table only with a schema.
 */
export function tables({ format, schema, as = "rows" }: TablesOptions): Serializer<Table> {
  const columns = check(format, schema);
  if (as !== "rows" && !(as === "table" && format === "arrow")) {
    throw invalid('as: "table" goes with format: "arrow"; other formats are read as "rows"');
  }
  return defineSerializer<Table>({
    name: `stowage.table.${format}@${FORMATS[format].version}`,
    suffix: `.${format}`,
    test: (value): value is Table => isArrowTable(value) || isRecords(value, format, columns),
    encode: (table, { signal }) => encodeTable(table, { format, schema: columns, signal }),
    decode: (body, { signal }) =>
      as === "table" ? readTable(body, signal) : collected(decodeBatches(body, { format, schema: columns, signal })),
  });
}

/** Encodes rows as a file. Without a schema, the first 16,384 rows of a stream determine the columns. */
export function encodeRows(rows: Rows, options: RowsOptions): ByteStream {
  return encoded(rows, { ...options, schema: check(options.format, options.schema) });
}

/** Yields the rows of a file as they arrive. */
export async function* decodeRows(body: ByteStream, options: RowsOptions): AsyncGenerator<Row, void, undefined> {
  const schema = check(options.format, options.schema);
  for await (const batch of decodeBatches(body, { ...options, schema })) yield* batch;
}

/**
 * Returns the rows of a pandas DataFrame that an XCom holds, as `decodeRows` reads them. Throws Corrupt if its file is
 * damaged.
 */
export function dataFrameRows(frame: DataFrame, { signal }: Abortable = {}): Promise<Row[]> {
  if (!isInstance<DataFrame>(frame, "DataFrame")) throw invalid("dataFrameRows takes a DataFrame");
  return collected(decodeBatches(toByteStream(frame.parquet), { format: "parquet", schema: undefined, signal }));
}

function check(format: TableFormat, schema: TableSchema | undefined): SchemaColumns | undefined {
  if (!Object.hasOwn(FORMATS, format)) {
    const known = Object.keys(FORMATS).join(", ");
    throw invalid(`unknown table format ${JSON.stringify(format)} (expected one of ${known})`);
  }
  return checkSchema(schema);
}

function isRecords(value: unknown, format: TableFormat, schema: SchemaColumns | undefined): value is readonly Row[] {
  if (!Array.isArray(value)) return false;
  if (value.length === 0) return schema !== undefined;
  const isCell = cellTest(format, schema);
  let cells = 0;
  for (const row of value) {
    if (!isRow(row)) return false;
    for (const name of Object.keys(row)) {
      if (!isCell(cellOf(row, name), name)) return false;
      cells++;
    }
  }
  return cells > 0 || schema !== undefined;
}

/** Returns whether a cell can be in a column. A cell of the wrong type is refused on write, not treated as JSON. */
function cellTest(format: TableFormat, schema: SchemaColumns | undefined): (cell: unknown, name: string) => boolean {
  const { free, binary } = FORMATS[format];
  const isJson = (name: string) => free || typeIn(schema, name) === "json";
  return (cell, name) => {
    if (typeof cell !== "object" || cell === null) return typeof cell !== "symbol" && typeof cell !== "function";
    const type: ColumnType | "other" | undefined = typeOf(cell);
    if (type === "json") return isJson(name);
    return type === "binary" ? binary : type !== "other";
  };
}

async function* encodeTable(table: Table, options: CheckedOptions): ByteStream {
  if (!isArrowTable(table)) yield* encoded(table, options);
  else if (options.format === "arrow") yield* writeTable(table, options.signal);
  else yield* encoded(tableRows(table), options);
}

async function* encoded(rows: Rows, { format, schema, signal }: CheckedOptions): ByteStream {
  const { free, encode } = FORMATS[format];
  const plan: Plan = await planOf(rows, { free, schema, signal });
  for await (const chunk of encode(plan, { signal })) {
    signal?.throwIfAborted();
    if (chunk.byteLength > 0) yield chunk;
  }
}

function decodeBatches(body: ByteStream, { format, schema, signal }: CheckedOptions) {
  return FORMATS[format].decode(body, { schema, signal });
}

async function collected(batches: AsyncIterable<readonly Row[]>): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const batch of batches) for (const row of batch) rows.push(row);
  return rows;
}

// The table formats by name.

const FORMATS: Readonly<Record<TableFormat, Format>> = {
  csv: { version: 1, free: false, binary: false, encode: writeCsv, decode: readCsv },
  jsonl: { version: 1, free: true, binary: false, encode: writeJsonl, decode: readJsonl },
  parquet: { version: 1, free: false, binary: true, encode: writeParquet, decode: readParquet },
  arrow: { version: 1, free: false, binary: true, encode: writeArrow, decode: readArrow },
};
