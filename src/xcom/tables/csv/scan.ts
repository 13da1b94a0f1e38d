/** Splits csv text, which comes in pieces, into records. */
import { failure, type StorageError } from "../../../errors.js";
import { MAX_RECORD } from "../limits.js";

/** A field: null when there is nothing between the commas, not even quotes. */
export type Field = string | null;

export interface Record {
  fields: Field[];
  /** Of its first character; counted from 1. */
  line: number;
}

/** Give it text with `push`, take records with `next` until it has none; `end` checks that nothing is left. */
export class CsvScanner {
  #text = "";
  /** Where the record that comes next begins. */
  #start = 0;
  /** How far the end of that record was looked for, and whether this is inside quotes. */
  #seen = 0;
  #inside = false;
  #quotes = false;
  /** The first quote from `#seen` on, the length of the text when there is none. */
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

  /** Corrupt when there is a record without its line break: the file is cut off. */
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

  /** Where the record ends: the first line break that an even number of quotes stands before. */
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

export function corrupt(what: string, line: number, column?: number): StorageError {
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

/** The end of a field in quotes that begins at `start`: behind its closing quote. */
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

/** With the line and column of a place in a record that may have many lines. */
function placed(what: string, text: string, at: number, line: number): StorageError {
  const before = text.slice(0, at);
  return corrupt(what, line + breaks(before), at - before.lastIndexOf("\n"));
}

function breaks(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}
