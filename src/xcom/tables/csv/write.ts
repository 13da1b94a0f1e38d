/** Rows as csv after RFC 4180: CRLF, a header, quotes where they are needed. */

import { invalid } from "../../../errors.js";
import type { Bytes } from "../../../fs/driver.js";
import type { Plan } from "../batches.js";
import { misplaced, unwritable } from "../cells.js";
import { cellOf, checkNames, type Row } from "../row.js";
import { typeOf } from "../schema.js";
import { textWriter } from "../text.js";
import { TextChunks } from "../utf8.js";

interface Field {
  name: string;
  text: (cell: unknown) => string;
  typed: boolean;
}

/** A null is an empty field, an empty string a quoted one. */
export async function* writeCsv({ names, typed, batches }: Plan): Bytes {
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

function fieldOf(name: string, type: ReturnType<Plan["typed"]>): Field {
  if (type === "binary") throw unwritable("csv", type, name, "write Base64 text, or choose parquet or arrow");
  return { name, text: textWriter(type), typed: type !== undefined };
}

function fieldsOf(row: Row, fields: readonly Field[], at: number): string[] {
  return fields.map((field) => {
    const cell = cellOf(row, field.name);
    if (cell === null || cell === undefined) return "";
    try {
      if (!field.typed) checkScalar(cell, field.name);
      return quoted(field.text(cell));
    } catch (error) {
      throw misplaced(error, field.name, at);
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
