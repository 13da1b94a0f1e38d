/** Splits csv text, which arrives in pieces, into records. */
import { Pace } from "../../codecs/stream.js";
import { failure, invalid, type StorageError } from "../../errors.js";
import type { ByteStream } from "../../streams.js";
import type { Plan } from "./batches.js";
import { unwritable, withPosition } from "./cells.js";
import type { DecodeContext } from "./format.js";
import {
  BATCH_ROWS,
  type ColumnType,
  cellOf,
  checkNames,
  MAX_COLUMNS,
  MAX_RECORD,
  type Row,
  type RowBatch,
  rowMaker,
  type SchemaColumns,
  typeIn,
  typeOf,
} from "./schema.js";
import { readText, textWriter } from "./text.js";
import { TextChunks, textOf } from "./utf8.js";

/** A field: null if it is empty and unquoted. */
type Field = string | null;

interface Record {
  fields: Field[];
  /** The line of its first character, counted from 1. */
  line: number;
}

/**
 * An incremental scanner: pass text to `push`, take records from `next` until there is none; `end` checks that nothing
 * is left.
 */
class CsvScanner {
  #text = "";
  /** The start of the next record. */
  #start = 0;
  /** The position up to which the search for the record's end has advanced, and whether it is inside quotes. */
  #seen = 0;
  #inside = false;
  #quotes = false;
  /** The first quote from `#seen` on; the length of the text if there is none. */
  #quote = -1;
  #line = 1;

  push(text: string): void {
    this.#text = this.#text.slice(this.#start) + text;
    this.#seen -= this.#start;
    this.#start = 0;
    this.#quote = -1;
  }

  next(): Record | undefined {
    const end = this.#lineEnd();
    if (end === undefined) return this.#checkLength();
    const line = this.#line;
    const text = this.#text.slice(this.#start, this.#text[end - 1] === "\r" && end > this.#start ? end - 1 : end);
    const fields = this.#quotes ? splitQuoted(text, line) : split(text, line);
    this.#line += this.#quotes ? breaks(text) + 1 : 1;
    this.#start = end + 1;
    this.#seen = end + 1;
    this.#quotes = false;
    return { fields, line };
  }

  /** Throws Corrupt for a record without its line break: the file is truncated. */
  end(): void {
    const rest = this.#text.slice(this.#start);
    if (rest === "") return;
    const line = this.#line;
    if (this.#quotes) splitQuoted(rest, line);
    throw corrupt(
      "the last record has no line break: the file is cut off, or its writer left it out",
      line,
      rest.length,
    );
  }

  get line(): number {
    return this.#line;
  }

  /** Returns the end of the record: the first line break after an even number of quotes. */
  #lineEnd(): number | undefined {
    for (;;) {
      const quote = this.#nextQuote();
      const end = this.#inside ? -1 : this.#text.indexOf("\n", this.#seen);
      if (end >= 0 && end < quote) return end;
      if (quote === this.#text.length) {
        this.#seen = quote;
        return undefined;
      }
      this.#quotes = true;
      this.#inside = !this.#inside;
      this.#seen = quote + 1;
    }
  }

  #nextQuote(): number {
    if (this.#quote < this.#seen) {
      const at = this.#text.indexOf('"', this.#seen);
      this.#quote = at < 0 ? this.#text.length : at;
    }
    return this.#quote;
  }

  #checkLength(): undefined {
    if (this.#text.length - this.#start <= MAX_RECORD) return;
    throw failure("TooLarge", `csv: the record at line ${this.#line} has more than ${MAX_RECORD} characters`);
  }
}

function corrupt(what: string, line: number, column?: number): StorageError {
  return failure("Corrupt", `csv: ${what}, at line ${line}${column === undefined ? "" : `, column ${column}`}`);
}

function split(text: string, line: number): Field[] {
  if (text === "") throw corrupt("an empty line", line);
  const stray = text.indexOf("\r");
  if (stray >= 0) throw corrupt("a carriage return that no line feed follows", line, stray + 1);
  const fields: Field[] = text.split(",");
  for (let at = 0; at < fields.length; at++) if (fields[at] === "") fields[at] = null;
  return fields;
}

function splitQuoted(text: string, line: number): Field[] {
  const fields: Field[] = [];
  for (let at = 0; ; at++) {
    const end = text[at] === '"' ? closing(text, at, line) : plainEnd(text, at, line);
    const inside = text[at] === '"' ? text.slice(at + 1, end - 1).replaceAll('""', '"') : text.slice(at, end) || null;
    fields.push(inside);
    if (end === text.length) return fields;
    if (text[end] !== ",") throw placed("text after a closing quote", text, end, line);
    at = end;
  }
}

/** Returns the end of a quoted field that begins at `start`: the position after its closing quote. */
function closing(text: string, start: number, line: number): number {
  for (let at = start + 1; ; at += 2) {
    at = text.indexOf('"', at);
    if (at < 0) throw placed("quotes that are never closed", text, start, line);
    if (text[at + 1] !== '"') return at + 1;
  }
}

function plainEnd(text: string, start: number, line: number): number {
  const comma = text.indexOf(",", start);
  const end = comma < 0 ? text.length : comma;
  const stray = text.slice(start, end).search(/["\r\n]/);
  if (stray < 0) return end;
  const what = text[start + stray] === '"' ? "a quote inside a field without quotes" : "a stray line break";
  throw placed(what, text, start + stray, line);
}

/** Adds the line and column of a position in a record that may span many lines. */
function placed(what: string, text: string, at: number, line: number): StorageError {
  const before = text.slice(0, at);
  return corrupt(what, line + breaks(before), at - before.lastIndexOf("\n"));
}

function breaks(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

// Reads csv rows according to RFC 4180.

/** Yields rows. Cells are text except in the schema's columns. An empty field is null, a quoted one an empty string. */
export async function* readCsv(
  body: ByteStream,
  { schema, signal }: DecodeContext,
): AsyncGenerator<RowBatch, void, undefined> {
  const scanner = new CsvScanner();
  const pace = new Pace();
  let rows: RowReader | undefined;
  let batch: Row[] = [];
  for await (const text of textOf(body, "csv", signal)) {
    scanner.push(text);
    for (let record = scanner.next(); record; record = scanner.next()) {
      if (!rows) rows = new RowReader(record, schema);
      else batch.push(rows.read(record));
    }
    if (batch.length >= BATCH_ROWS) {
      yield batch;
      batch = [];
    }
    await pace.rest();
    signal?.throwIfAborted();
  }
  scanner.end();
  if (!rows) throw corrupt("there is no header", 1);
  if (batch.length > 0) yield batch;
}

class RowReader {
  readonly #names: string[];
  readonly #types: (ColumnType | undefined)[];
  readonly #row: ReturnType<typeof rowMaker>;

  constructor({ fields }: Record, schema: SchemaColumns | undefined) {
    if (fields.length > MAX_COLUMNS) throw failure("TooLarge", `csv: more than ${MAX_COLUMNS} columns`);
    this.#names = fields.map((name) => name ?? "");
    checkNames(this.#names, "Corrupt", "csv, line 1");
    this.#types = this.#names.map((name) => typeIn(schema, name));
    this.#row = rowMaker(this.#names);
    const missing = schema && [...schema.keys()].find((name) => !this.#names.includes(name));
    if (missing !== undefined) throw corrupt(`there is no column ${JSON.stringify(missing)}, which schema has`, 1);
  }

  read(record: Record): Row {
    const { fields, line } = record;
    const expected = this.#names.length;
    if (fields.length !== expected) throw corrupt(`${fields.length} fields where the header has ${expected}`, line);
    return this.#row((column) => this.#cell(fields[column]!, column, line));
  }

  #cell(field: Field, column: number, line: number): unknown {
    const type = this.#types[column];
    if (field === null || type === undefined || type === "string") return field;
    if (field === "") return null;
    const cell = readText(type, field);
    if (cell !== undefined) return cell;
    const what = `${JSON.stringify(field.slice(0, 40))} is no ${type}, which the column ${JSON.stringify(this.#names[column])} is`;
    throw corrupt(what, line);
  }
}

// Writes csv rows according to RFC 4180: CRLF, a header, quotes only where needed.

interface CsvColumn {
  name: string;
  text: (cell: unknown) => string;
  typed: boolean;
}

/** Writes a null as an empty field, an empty string as a quoted one. */
export async function* writeCsv({ names, typed, batches }: Plan): ByteStream {
  checkNames(names, "InvalidArgument", "csv");
  const fields = names.map((name) => fieldOf(name, typed(name)));
  const chunks = new TextChunks();
  chunks.add(lineOf(names.map(quoted), 0));
  let at = 0;
  for await (const batch of batches) {
    for (const row of batch) {
      chunks.add(lineOf(fieldsOf(row, fields, ++at), at));
      if (chunks.full) yield chunks.take();
    }
  }
  yield chunks.take();
}

function fieldOf(name: string, type: ReturnType<Plan["typed"]>): CsvColumn {
  if (type === "binary") throw unwritable("csv", type, name, "write Base64 text, or choose parquet or arrow");
  return { name, text: textWriter(type), typed: type !== undefined };
}

function fieldsOf(row: Row, fields: readonly CsvColumn[], at: number): string[] {
  return fields.map((field) => {
    const cell = cellOf(row, field.name);
    if (cell === null || cell === undefined) return "";
    try {
      if (!field.typed) checkScalar(cell, field.name);
      return quoted(field.text(cell));
    } catch (error) {
      throw withPosition(error, field.name, at);
    }
  });
}

function checkScalar(cell: unknown, name: string): void {
  if (typeof cell !== "object") return;
  const type = typeOf(cell);
  if (type === "json") {
    throw unwritable("csv", "nested", name, 'give it the type "json" in schema, or choose jsonl');
  }
  if (type === "binary" || type === "other") {
    throw unwritable("csv", type, name, "write text, or choose another format");
  }
}

function quoted(text: string): string {
  return text === "" || /[",\r\n\uFEFF]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function lineOf(fields: readonly string[], at: number): string {
  if (fields.length > 1 || fields[0] !== "") return `${fields.join(",")}\r\n`;
  throw invalid(
    `row ${at}: a null in a csv of one column would be an empty line, which readers skip; choose another format`,
  );
}
