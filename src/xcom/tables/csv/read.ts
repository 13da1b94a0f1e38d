/** Rows of a csv file after RFC 4180. */
import { Pace } from "../../../codecs/pace.js";
import { failure } from "../../../errors.js";
import type { Bytes } from "../../../fs/driver.js";
import type { DecodeContext } from "../format.js";
import { BATCH_ROWS, MAX_COLUMNS } from "../limits.js";
import { type Batch, checkNames, type Row, rowMaker } from "../row.js";
import { type ColumnType, type TableSchema, typeIn } from "../schema.js";
import { readText } from "../text.js";
import { textOf } from "../utf8.js";
import { CsvScanner, corrupt, type Field, type Record } from "./scan.js";

/** Cells are text, except in the columns that the schema types. An empty field is null, a quoted one an empty string. */
export async function* readCsv(body: Bytes, { schema, signal }: DecodeContext): AsyncGenerator<Batch, void, undefined> {
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

  constructor({ fields }: Record, schema: TableSchema | undefined) {
    if (fields.length > MAX_COLUMNS) throw failure("TooLarge", `csv: more than ${MAX_COLUMNS} columns`);
    this.#names = fields.map((name) => name ?? "");
    checkNames(this.#names, "Corrupt", "csv, line 1");
    this.#types = this.#names.map((name) => typeIn(schema, name));
    this.#row = rowMaker(this.#names);
    const missing = schema && Object.keys(schema).find((name) => !this.#names.includes(name));
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
