/** Converts cells to text and text to cells. */

import { jsonEncoding } from "../encoding/airflow.js";
import type { Encoding, Form, Lowered } from "../encoding/encoding.js";
import { parseJson } from "../encoding/json-read.js";
import { jsonText } from "../encoding/json-write.js";
import { DateTime, offsetOf, PlainDate } from "../encoding/types.js";
import { exactInt } from "./batches.js";
import { booleanOf, dateText, floatOf, integerOf, momentText, stringOf } from "./cells.js";
import { type ColumnType, typeOf } from "./schema.js";

// Cells in JSON: plain JSON, with dates as text and with Python's tokens for NaN and the infinities.

const CELL_JSON: Encoding = {
  ...jsonEncoding,
  nonFinite: true,
  lower(value: object, form: Form, zones: Set<unknown>): Lowered {
    const type = typeOf(value);
    if (type === "timestamp" || type === "datetime") return { value: momentText(value, type), form };
    if (type === "date") return { value: dateText(value), form };
    return jsonEncoding.lower(value, form, zones);
  },
};

/** Returns the JSON text of a cell or a row. */
export function jsonOf(value: unknown): string {
  return jsonText(value, "object", CELL_JSON);
}

type Writer = (cell: unknown) => string;

/** Returns a function for the text of non-null cells in a column of that type; without one, by each cell's own type. */
export function textWriter(type: ColumnType | undefined): Writer {
  return type === undefined ? anyText : WRITERS[type];
}

const WRITERS: Record<ColumnType, Writer> = {
  boolean: (cell) => String(booleanOf(cell)),
  int: (cell) => String(integerOf(cell)),
  float: (cell) => floatText(floatOf(cell)),
  string: stringOf,
  date: dateText,
  timestamp: (cell) => momentText(cell, "timestamp"),
  datetime: (cell) => momentText(cell, "datetime"),
  binary: stringOf,
  json: jsonOf,
};

function anyText(cell: unknown): string {
  if (typeof cell === "string") return stringOf(cell);
  if (typeof cell === "number") return floatText(cell);
  const type = typeOf(cell);
  return WRITERS[type === undefined || type === "other" ? "string" : type](cell);
}

/** Returns the shortest digits that restore the number, in Python's syntax. */
function floatText(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? "-0.0" : String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "inf" : "-inf";
}

/** Returns the value of a text in a column of that type; undefined if the text is invalid. */
export function readText(type: ColumnType, text: string): unknown {
  return READERS[type](text);
}

const READERS: Record<ColumnType, (text: string) => unknown> = {
  boolean: readBoolean,
  int: readInt,
  float: readFloat,
  string: (text) => text,
  date: readDate,
  timestamp: (text) => readMoment(text, true),
  datetime: (text) => readMoment(text, false),
  binary: () => undefined,
  json: readJson,
};

function readBoolean(text: string): boolean | undefined {
  if (text === "true" || text === "True" || text === "TRUE") return true;
  return text === "false" || text === "False" || text === "FALSE" ? false : undefined;
}

/** In pandas an integer column with nulls is a float column, written as `1.0`. */
function readInt(text: string): number | bigint | undefined {
  const digits = /^([+-]?\d{1,4300})(?:\.0*)?$/.exec(text)?.[1];
  return digits === undefined ? undefined : exactInt(BigInt(digits.startsWith("+") ? digits.slice(1) : digits));
}

const SPECIAL = /^([+-]?)(nan|inf|infinity)$/i;
const FLOAT = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

function readFloat(text: string): number | undefined {
  if (FLOAT.test(text)) return Number(text);
  const [, sign, word] = SPECIAL.exec(text) ?? [];
  if (word === undefined) return undefined;
  if (word.toLowerCase() === "nan") return Number.NaN;
  return sign === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** Reads a date, also with a time of midnight, which pandas writes because it has no date type. */
function readDate(text: string): PlainDate | undefined {
  const iso = /^(\d{4}-\d\d-\d\d)(?:[T ]00:00:00(?:\.0+)?)?$/.exec(text)?.[1];
  return iso !== undefined && isDay(iso) && !iso.startsWith("0000") ? new PlainDate(iso) : undefined;
}

function isDay(iso: string): boolean {
  const date = new Date(`${iso}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(iso);
}

const MOMENT = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d(?::?\d\d)?)?$/;

/** Reads a moment; digits below the microsecond are dropped. */
function readMoment(text: string, zoned: boolean): DateTime | undefined {
  const [, day, time = "00:00", fraction = "", zone] = MOMENT.exec(text) ?? [];
  if (day === undefined || !isDay(day) || (zone !== undefined) !== zoned) return undefined;
  const millis = Date.parse(`${day}T${time}Z`);
  if (Number.isNaN(millis)) return undefined;
  const east = offsetOf(zone ?? "Z") ?? 0;
  const micros = BigInt(millis - east * 1000) * 1000n + BigInt(fraction.padEnd(6, "0").slice(0, 6));
  return new DateTime(micros, zoned ? (east === 0 ? "UTC" : east) : null);
}

function readJson(text: string): unknown {
  try {
    return parseJson(text, jsonEncoding);
  } catch {
    return undefined;
  }
}
