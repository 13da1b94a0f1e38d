/** Prepares the cells of a column for a format: checks them and converts them to the column's type. */
import { isInstance } from "../../brand.js";
import { invalid, type StorageError } from "../../errors.js";
import { fromTemporal, temporalKind } from "../encoding/to-airflow.js";
import { type DateTime, type Float, floorDivide, microsecondsOf, type PlainDate } from "../encoding/types.js";
import type { ColumnType } from "./schema.js";

const DAY = 86_400_000;
const INT64 = 2n ** 63n;

/** A cell that its column cannot hold; the caller adds the position. */
class Misfit extends Error {}

/** Returns a cell's error with its position. */
export function withPosition(error: unknown, column: string | undefined, row: number): unknown {
  if (!(error instanceof Misfit)) return error;
  const where = column === undefined ? "" : `column ${JSON.stringify(column)}, `;
  return invalid(`${where}row ${row}: ${error.message}`);
}

/** Replaces a Temporal value by a `Date`, `DateTime` or `PlainDate`; returns any other cell unchanged. */
function resolveCell(cell: unknown): unknown {
  if (typeof cell !== "object" || cell === null || cell instanceof Date) return cell;
  const kind = temporalKind(cell);
  return kind === undefined ? cell : fromTemporal(cell, kind);
}

export function booleanOf(cell: unknown): boolean {
  if (typeof cell === "boolean") return cell;
  throw misfitOf("boolean", cell);
}

/** Returns an integer of any size. */
export function integerOf(cell: unknown): bigint {
  if (typeof cell === "bigint") return cell;
  if (typeof cell === "number" && Number.isSafeInteger(cell)) return BigInt(cell);
  throw misfitOf("int", cell);
}

/** Returns an integer that fits into 64 bits. */
export function int64Of(cell: unknown): bigint {
  const value = integerOf(cell);
  if (value >= -INT64 && value < INT64) return value;
  throw new Misfit(`the integer ${String(value).slice(0, 40)} has more than 64 bits; make the column one of strings`);
}

export function floatOf(cell: unknown): number {
  if (typeof cell === "number") return cell;
  if (isInstance<Float>(cell, "Float")) return cell.value;
  if (typeof cell === "bigint" && BigInt(Number(cell)) === cell) return Number(cell);
  throw misfitOf("float", cell);
}

export function stringOf(cell: unknown): string {
  if (typeof cell !== "string") throw misfitOf("string", cell);
  if (cell.isWellFormed()) return cell;
  throw new Misfit("the string has half of a surrogate pair, which UTF-8 cannot hold");
}

/** Returns days since 1970. */
export function daysOf(cell: unknown): number {
  const date = resolveCell(cell);
  if (!isInstance<PlainDate>(date, "PlainDate")) throw misfitOf("date", cell);
  const days = Date.parse(`${date.iso}T00:00:00Z`) / DAY;
  if (Number.isInteger(days) && new Date(days * DAY).toISOString().startsWith(date.iso)) return days;
  throw new Misfit(`${JSON.stringify(date.iso)} is no date`);
}

export function dateText(cell: unknown): string {
  daysOf(cell);
  return (resolveCell(cell) as PlainDate).iso;
}

/** Returns microseconds since 1970: of a moment, or of the local time if the column has no zone. */
export function microsOf(cell: unknown, type: "timestamp" | "datetime"): bigint {
  return microsecondsOf(momentOf(cell, type));
}

/** Returns ISO 8601 with as many digits as needed: UTC, or the cell's offset; none in a column without zone. */
export function momentText(cell: unknown, type: "timestamp" | "datetime"): string {
  const date = momentOf(cell, type);
  const offset =
    type === "timestamp" && isInstance<DateTime>(date, "DateTime") && typeof date.zone === "number" ? date.zone : 0;
  const micros = microsecondsOf(date) + BigInt(offset) * 1_000_000n;
  const millis = floorDivide(micros, 1000n);
  const shown = new Date(Number(millis));
  if (Number.isNaN(shown.getTime())) throw new Misfit("the moment is beyond what a Date holds");
  const below = micros - millis * 1000n;
  const text = shown.toISOString().slice(0, -1) + (below === 0n ? "" : String(below).padStart(3, "0"));
  if (!/^\d{4}-/.test(text)) throw new Misfit("the year of the moment has more than four digits");
  if (type === "datetime") return text;
  return offset === 0 ? `${text}Z` : text + offsetText(offset);
}

/** Seconds are omitted: no current zone has any. */
function offsetText(seconds: number): string {
  const minutes = Math.round(Math.abs(seconds) / 60);
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, "0"));
  return `${seconds < 0 ? "-" : "+"}${hours}:${rest}`;
}

function momentOf(cell: unknown, type: "timestamp" | "datetime"): Date {
  const date = resolveCell(cell);
  if (!(date instanceof Date)) throw misfitOf(type, cell);
  if (Number.isNaN(date.getTime())) throw new Misfit("the Date is invalid");
  const naive = isInstance<DateTime>(date, "DateTime") && date.zone === null;
  if (naive === (type === "datetime")) return date;
  throw new Misfit(naive ? "a DateTime without a zone is no timestamp" : "a Date has a zone, so it is no datetime");
}

export function binaryOf(cell: unknown): Uint8Array {
  if (cell instanceof Uint8Array) return cell;
  throw misfitOf("binary", cell);
}

function misfitOf(type: ColumnType, cell: unknown): Misfit {
  const what = typeof cell === "object" && cell !== null ? (cell.constructor?.name ?? "object") : typeof cell;
  return new Misfit(`a cell of ${what === "number" ? `the number ${cell}` : what} in a column of type ${type}`);
}

/** Returns the error for a column that a format cannot hold. */
export function unwritable(format: string, type: string, name: string, instead: string): StorageError {
  return invalid(`column ${JSON.stringify(name)}: ${format} has no ${type} cells; ${instead}`);
}
