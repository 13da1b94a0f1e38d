/** Cells of a column on their way to a format: checked, and in the kind that the column has. */
import { isInstance } from "../../brand.js";
import { invalid, type StorageError } from "../../errors.js";
import { fromTemporal, temporalKind } from "../encoding/to-airflow.js";
import { type DateTime, type Float, floorDivide, microsecondsOf, type PlainDate } from "../encoding/types.js";
import type { ColumnType } from "./schema.js";

const DAY = 86_400_000;
const INT64 = 2n ** 63n;

/** A cell that its column cannot hold; the caller says where. */
class Misfit extends Error {}

/** Rethrows what a cell threw, with its place. */
export function misplaced(error: unknown, column: string | undefined, row: number): unknown {
  if (!(error instanceof Misfit)) return error;
  const where = column === undefined ? "" : `column ${JSON.stringify(column)}, `;
  return invalid(`${where}row ${row}: ${error.message}`);
}

/** A `Date`, `DateTime` or `PlainDate` in place of one of Temporal's; any other cell as it is. */
function settled(cell: unknown): unknown {
  if (typeof cell !== "object" || cell === null || cell instanceof Date) return cell;
  const kind = temporalKind(cell);
  return kind === undefined ? cell : fromTemporal(cell, kind);
}

export function booleanOf(cell: unknown): boolean {
  if (typeof cell === "boolean") return cell;
  throw unfit("boolean", cell);
}

/** An integer of any size. */
export function integerOf(cell: unknown): bigint {
  if (typeof cell === "bigint") return cell;
  if (typeof cell === "number" && Number.isSafeInteger(cell)) return BigInt(cell);
  throw unfit("int", cell);
}

/** An integer that 64 bits hold. */
export function int64Of(cell: unknown): bigint {
  const value = integerOf(cell);
  if (value >= -INT64 && value < INT64) return value;
  throw new Misfit(`the integer ${String(value).slice(0, 40)} has more than 64 bits; make the column one of strings`);
}

export function floatOf(cell: unknown): number {
  if (typeof cell === "number") return cell;
  if (isInstance<Float>(cell, "Float")) return cell.value;
  if (typeof cell === "bigint" && BigInt(Number(cell)) === cell) return Number(cell);
  throw unfit("float", cell);
}

export function stringOf(cell: unknown): string {
  if (typeof cell !== "string") throw unfit("string", cell);
  if (cell.isWellFormed()) return cell;
  throw new Misfit("the string has half of a surrogate pair, which UTF-8 cannot hold");
}

/** Days since 1970. */
export function daysOf(cell: unknown): number {
  const date = settled(cell);
  if (!isInstance<PlainDate>(date, "PlainDate")) throw unfit("date", cell);
  const days = Date.parse(`${date.iso}T00:00:00Z`) / DAY;
  if (Number.isInteger(days) && new Date(days * DAY).toISOString().startsWith(date.iso)) return days;
  throw new Misfit(`${JSON.stringify(date.iso)} is no date`);
}

export function dateText(cell: unknown): string {
  daysOf(cell);
  return (settled(cell) as PlainDate).iso;
}

/** Microseconds since 1970: of a moment, or of what a clock shows when the column has no zone. */
export function microsOf(cell: unknown, type: "timestamp" | "datetime"): bigint {
  return microsecondsOf(momentOf(cell, type));
}

/** ISO 8601 with as many digits as are needed: UTC, or the offset that the cell has; none in a column without zone. */
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

/** Seconds are left out: no zone of today has any. */
function offsetText(seconds: number): string {
  const minutes = Math.round(Math.abs(seconds) / 60);
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, "0"));
  return `${seconds < 0 ? "-" : "+"}${hours}:${rest}`;
}

function momentOf(cell: unknown, type: "timestamp" | "datetime"): Date {
  const date = settled(cell);
  if (!(date instanceof Date)) throw unfit(type, cell);
  if (Number.isNaN(date.getTime())) throw new Misfit("the Date is invalid");
  const naive = isInstance<DateTime>(date, "DateTime") && date.zone === null;
  if (naive === (type === "datetime")) return date;
  throw new Misfit(naive ? "a DateTime without a zone is no timestamp" : "a Date has a zone, so it is no datetime");
}

export function binaryOf(cell: unknown): Uint8Array {
  if (cell instanceof Uint8Array) return cell;
  throw unfit("binary", cell);
}

function unfit(type: ColumnType, cell: unknown): Misfit {
  const what = typeof cell === "object" && cell !== null ? (cell.constructor?.name ?? "object") : typeof cell;
  return new Misfit(`a cell of ${what === "number" ? `the number ${cell}` : what} in a column of type ${type}`);
}

/** A column cannot be written in a format. */
export function unwritable(format: string, type: string, name: string, instead: string): StorageError {
  return invalid(`column ${JSON.stringify(name)}: ${format} has no ${type} cells; ${instead}`);
}
