/** Rows as JSON lines: one object per line, UTF-8, LF. */
import { Pace } from "../../codecs/stream.js";
import { failure, isStorageError, type StorageError } from "../../errors.js";
import type { ByteStream } from "../../streams.js";
import { jsonEncoding } from "../encoding/airflow.js";
import { isInt, setOwn } from "../encoding/encoding.js";
import { parseJson } from "../encoding/json-read.js";
import { Lines } from "../import.js";
import type { Plan } from "./batches.js";
import { unwritable, withPosition } from "./cells.js";
import type { DecodeContext } from "./format.js";
import type { ColumnType, SchemaColumns } from "./schema.js";
import { BATCH_ROWS, cellOf, isRow, MAX_COLUMNS, MAX_RECORD, type Row, type RowBatch } from "./schema.js";
import { jsonOf, readText, textWriter } from "./text.js";
import { TextChunks, textOf } from "./utf8.js";

/** Omits columns that a row lacks. Dates are text, NaN and the infinities Python's tokens. */
export async function* writeJsonl({ names, typed, batches }: Plan): ByteStream {
  const checked = names.filter((name) => typed(name) !== undefined).map((name) => checkOf(name, typed(name)!));
  const chunks = new TextChunks();
  let at = 0;
  for await (const batch of batches) {
    for (const row of batch) {
      at++;
      for (const check of checked) check(row, at);
      chunks.add(lineOf(row, at));
      if (chunks.full) yield chunks.take();
    }
  }
  yield chunks.take();
}

function checkOf(name: string, type: ColumnType): (row: Row, at: number) => void {
  if (type === "binary") throw unwritable("jsonl", type, name, "write Base64 text, or choose parquet or arrow");
  const text = textWriter(type);
  return (row, at) => {
    const cell = cellOf(row, name);
    try {
      if (cell !== null && cell !== undefined) text(cell);
    } catch (error) {
      throw withPosition(error, name, at);
    }
  };
}

function lineOf(row: Row, at: number): string {
  if (isBare(row)) return `${JSON.stringify(row)}\n`;
  try {
    return `${jsonOf(row)}\n`;
  } catch (error) {
    throw isStorageError(error)
      ? failure(error.code, `row ${at}: ${error.detail}`)
      : withPosition(error, undefined, at);
  }
}

/** Whether the engine writes the row correctly: it contains only text, safe numbers, booleans and null. */
function isBare(row: Row): boolean {
  for (const name of Object.keys(row)) {
    const cell = row[name];
    const bare = typeof cell === "string" || typeof cell === "boolean" || cell === null || cell === undefined;
    if (!bare && !(typeof cell === "number" && isPlainNumber(cell))) return false;
  }
  return !Object.hasOwn(row, "toJSON");
}

/** Whether every reader sees the same number in its JSON text: a float of many digits would be read as an int. */
function isPlainNumber(value: number): boolean {
  return Number.isInteger(value) ? isInt(value) : Number.isFinite(value);
}

/** Yields rows. Integers beyond 2^53 - 1 are bigints. Columns in the schema have its types. */
export async function* readJsonl(
  body: ByteStream,
  { schema, signal }: DecodeContext,
): AsyncGenerator<RowBatch, void, undefined> {
  const pace = new Pace();
  const lines = new Lines("jsonl", MAX_RECORD);
  let batch: Row[] = [];
  for await (const text of textOf(body, "jsonl", signal)) {
    lines.push(text);
    for (let line = lines.next(); line !== undefined; line = lines.next()) batch.push(rowOf(line, schema, lines.at));
    if (batch.length >= BATCH_ROWS) {
      yield batch;
      batch = [];
    }
    await pace.rest();
    signal?.throwIfAborted();
  }
  if (lines.rest !== "") throw corrupt(UNENDED, lines.at + 1);
  if (batch.length > 0) yield batch;
}

const UNENDED = "it has no line break: the file is cut off, or its writer left it out";

function rowOf(line: string, schema: SchemaColumns | undefined, at: number): Row {
  const row = parseLine(line, at);
  if (!isRow(row)) throw corrupt("it is no JSON object", at);
  if (Object.keys(row).length > MAX_COLUMNS) {
    throw failure("TooLarge", `jsonl: line ${at} has more than ${MAX_COLUMNS} columns`);
  }
  return schema ? typedRow(row, schema, at) : row;
}

function parseLine(line: string, at: number): unknown {
  try {
    return parseJson(line, jsonEncoding);
  } catch (error) {
    if (!isStorageError(error)) throw error;
    throw failure(error.code, `jsonl: line ${at}: ${error.detail}`, { cause: error.cause });
  }
}

function typedRow(row: Row, schema: SchemaColumns, at: number): Row {
  for (const [name, type] of schema) {
    const cell = cellOf(row, name);
    if (cell === undefined || cell === null) continue;
    const value = typedCell(cell, type);
    if (value === undefined) throw corrupt(`the column ${JSON.stringify(name)} is no ${type}`, at);
    if (value !== cell) setOwn(row, name, value);
  }
  return row;
}

function typedCell(cell: unknown, type: ColumnType): unknown {
  if (type === "json") return cell;
  if (type === "int") return typeof cell === "bigint" || Number.isSafeInteger(cell) ? cell : undefined;
  if (type === "float" && typeof cell === "bigint") return Number(cell);
  const plain = type === "float" ? "number" : type;
  if (plain === "number" || plain === "boolean" || plain === "string") return typeof cell === plain ? cell : undefined;
  return typeof cell === "string" ? readText(type, cell) : undefined;
}

function corrupt(what: string, at: number): StorageError {
  return failure("Corrupt", `jsonl: line ${at}: ${what}`);
}
