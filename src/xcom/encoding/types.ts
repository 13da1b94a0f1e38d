/** A moment as Airflow writes it. */
import { CLASS, isInstance } from "../../brand.js";
import { invalid } from "../../errors.js";
import { StoragePath } from "../../path.js";
import { Float, MAX_DIGITS } from "./encoding.js";

/** The Python classes of a moment. */
export type DateTimeClass = "datetime.datetime" | "pendulum.datetime.DateTime";

/**
 * A Python datetime: a Date (milliseconds) that also keeps the microseconds, zone and class of its origin and is
 * written with them again. A naive datetime, without a zone, is the moment that Python took it for.
 */
export class DateTime extends Date {
  /** Seconds since 1970 in UTC, as Python's `timestamp()`. */
  readonly timestamp: number;
  /** The zone's name, or its seconds east of Greenwich; null for a naive datetime. */
  readonly zone: string | number | null;
  /** The Python class of the zone. */
  readonly zoneClass: string;
  readonly classname: DateTimeClass;
  readonly #micros: bigint;

  /** `timestamp`: seconds since 1970, rounded to the microsecond; or microseconds as a bigint, which are exact. */
  constructor(
    timestamp: number | bigint,
    zone: string | number | null = "UTC",
    zoneClass: string = "pendulum.tz.timezone.FixedTimezone",
    classname: DateTimeClass = "datetime.datetime",
  ) {
    const micros = typeof timestamp === "bigint" ? timestamp : microsecondsIn(timestamp);
    super(micros === undefined ? Number.NaN : Number(floorDivide(micros, 1000n)));
    this.timestamp = typeof timestamp === "bigint" ? Number(timestamp) / 1e6 : timestamp;
    this.zone = zone;
    this.zoneClass = zoneClass;
    this.classname = classname;
    this.#micros = micros ?? 0n;
  }

  /** Identifies the class to another copy of this library. */
  get [CLASS](): "DateTime" {
    return "DateTime";
  }

  /** Microseconds since 1970: the original ones, or those of a time set since. */
  get microseconds(): bigint {
    const own = Number(floorDivide(this.#micros, 1000n)) === this.getTime();
    return own ? this.#micros : BigInt(this.getTime()) * 1000n;
  }
}

/** From here on, in the year 2242, a number of seconds has steps of two microseconds: only milliseconds remain. */
const MAX_EXACT_SECONDS = 2 ** 33;

/** Returns the microseconds of float seconds; a float may lie just below its decimal, so flooring would lose one. */
function microsecondsIn(seconds: number): bigint | undefined {
  if (!Number.isFinite(seconds)) return undefined;
  const parts = Math.abs(seconds) <= MAX_EXACT_SECONDS ? 1e6 : 1e3;
  // Apart from the whole seconds: the product of both is rounded, and loses a microsecond of dates after 2106.
  const whole = Math.trunc(seconds);
  return BigInt(whole) * 1_000_000n + BigInt(Math.round((seconds - whole) * parts) * (1e6 / parts));
}

/** Divides and rounds down, also before 1970. */
export function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}

/** Returns microseconds since 1970 of any Date. */
export function microsecondsOf(date: Date): bigint {
  return isInstance<DateTime>(date, "DateTime") ? date.microseconds : BigInt(date.getTime()) * 1000n;
}

/** Returns seconds east of Greenwich for an offset such as `+01:00`, `+0100` or `+01`; undefined for any other text. */
export function offsetOf(text: string): number | undefined {
  const [, sign, hours, minutes] = /^([+-])(\d\d)(?::?(\d\d))?$/.exec(text) ?? [];
  if (sign === undefined) return undefined;
  const seconds = (Number(hours) * 60 + Number(minutes ?? 0)) * 60;
  return sign === "-" ? -seconds : seconds;
}

/** Returns seconds since 1970 of any Date; a DateTime's microseconds count until its time is changed. */
export function timestampOf(date: Date): number {
  if (!isInstance<DateTime>(date, "DateTime")) return date.getTime() / 1000;
  const unchanged = new DateTime(date.timestamp).getTime() === date.getTime();
  return unchanged ? date.timestamp : date.getTime() / 1000;
}

// A pandas DataFrame, which travels as a Parquet file in hexadecimal.

export type DataFrameClass = "pandas.core.frame.DataFrame" | "pandas.DataFrame";

/** A pandas DataFrame, held as its Parquet file; `dataFrameRows` of `stowage/tables` returns its rows. */
export class DataFrame {
  readonly #hex: string;
  /** Its name in pandas 2 or pandas 3. */
  readonly classname: DataFrameClass;

  /** `parquet` is the file, or its hexadecimal digits. Throws InvalidArgument for anything else. */
  constructor(parquet: Uint8Array | string, classname: DataFrameClass = "pandas.core.frame.DataFrame") {
    this.#hex =
      parquet instanceof Uint8Array
        ? Buffer.from(parquet).toString("hex").toUpperCase()
        : checkForm("DataFrame", /^([\da-f]{2})*$/i, parquet);
    this.classname = classname;
  }

  /** Identifies the class to another copy of this library. */
  get [CLASS](): "DataFrame" {
    return "DataFrame";
  }

  /** The Parquet file. */
  get parquet(): Uint8Array {
    return Buffer.from(this.#hex, "hex");
  }

  get hex(): string {
    return this.#hex;
  }
}

// Python's values without a JavaScript equivalent, as small plain classes.
//
// | Python | read as | written from |
// |---|---|---|
// | `None`, `bool`, `str`, `list`, `dict` | `null`, boolean, string, array, plain object | the same; a Map with string keys too |
// | `int` | number up to 2^53 - 1, else bigint | whole numbers up to 2^53 - 1, bigint |
// | `float` | number | every other number, `Float` |
// | `tuple`, named tuple | `Tuple` | `Tuple` |
// | `set`, `frozenset` | `Set`, `FrozenSet` | the same |
// | `datetime`, pendulum `DateTime` | `DateTime`, which is a `Date` | `Date`, `DateTime`, `Temporal.Instant`, `Temporal.ZonedDateTime` |
// | `date`, pendulum `Date` | `PlainDate` | `PlainDate`, `Temporal.PlainDate` |
// | `timedelta` | `Timedelta` | `Timedelta`, `Temporal.Duration` |
// | `ZoneInfo`, pendulum time zones | `TimeZone` | `TimeZone` |
// | `Decimal` | `Decimal` | `Decimal` |
// | `UUID` | `Uuid` | `Uuid` |
// | numpy scalars | number, bigint, boolean | |
// | pandas `DataFrame` | `DataFrame` | `DataFrame` |
// | `ObjectStoragePath` | `StoragePath` | `StoragePath` |
// | any other class | `Envelope` | `Envelope` |

export { Float, StoragePath };

/** A Python tuple: an array that is read back as a tuple. `Tuple.of(1, 2)`; its `map` returns a plain array. */
export class Tuple<T = unknown> extends Array<T> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  /** Identifies the class to another copy of this library. */
  get [CLASS](): "Tuple" {
    return "Tuple";
  }
}

/** A Python frozenset. */
export class FrozenSet<T = unknown> extends Set<T> {
  /** Identifies the class to another copy of this library. */
  get [CLASS](): "FrozenSet" {
    return "FrozenSet";
  }
}

/** Python's `Decimal` also takes underscores and spaces, which are refused here. */
const DECIMAL = /^[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d{1,17})?|inf(inity)?|s?nan\d*)$/i;

/**
 * A Python Decimal by its text, such as `1.10`, `1E+3` or `NaN`. Throws InvalidArgument for text that Python's Decimal
 * does not read, and above 4,300 digits.
 */
export class Decimal {
  constructor(readonly text: string) {
    checkDigits(checkForm("Decimal", DECIMAL, text));
  }

  /** Identifies the class to another copy of this library. */
  get [CLASS](): "Decimal" {
    return "Decimal";
  }

  toString(): string {
    return this.text;
  }
}

/** A Python UUID by its text of 36 characters. Throws InvalidArgument for any other. */
export class Uuid {
  constructor(readonly text: string) {
    checkForm("Uuid", /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i, text);
  }

  /** Identifies the class to another copy of this library. */
  get [CLASS](): "Uuid" {
    return "Uuid";
  }

  toString(): string {
    return this.text;
  }
}

/**
 * A day without time and zone; `iso` reads `2026-01-02`. Throws InvalidArgument for a day that does not exist in
 * Python's years, 1 to 9999.
 */
export class PlainDate {
  constructor(
    readonly iso: string,
    readonly classname: "datetime.date" | "pendulum.date.Date" = "datetime.date",
  ) {
    checkForm("PlainDate", /^(?!0000)\d{4}-\d\d-\d\d$/, iso);
    // Date takes February 30 for March 2, and returns null for month 13.
    if (!new Date(iso).toJSON()?.startsWith(iso)) throw notValid("PlainDate", iso);
  }

  /** Identifies the class to another copy of this library. */
  get [CLASS](): "PlainDate" {
    return "PlainDate";
  }

  toString(): string {
    return this.iso;
  }
}

/** Python's longest timedelta, 999,999,999 days. */
const MAX_SECONDS = 999_999_999 * 86_400;

/**
 * A span of time in seconds, with microseconds as fraction. Throws InvalidArgument above Python's 999,999,999 days.
 */
export class Timedelta {
  constructor(readonly seconds: number) {
    if (typeof seconds !== "number" || !(Math.abs(seconds) <= MAX_SECONDS)) throw notValid("Timedelta", seconds);
  }

  /** Identifies the class to another copy of this library. */
  get [CLASS](): "Timedelta" {
    return "Timedelta";
  }
}

/** A time zone: its IANA name, or seconds east of Greenwich. Throws InvalidArgument for an unknown one. */
export class TimeZone {
  constructor(
    readonly name: string | number,
    readonly classname: string = "zoneinfo.ZoneInfo",
  ) {
    if (!isZone(name)) throw notValid("TimeZone", name);
  }

  /** Identifies the class to another copy of this library. */
  get [CLASS](): "TimeZone" {
    return "TimeZone";
  }
}

/**
 * An object of any other Python class: `data` is the output of its serializer. Writing it again produces the same text;
 * Python restores the object if its `allowed_deserialization_classes` includes the class. We never import or call
 * anything.
 */
export class Envelope {
  constructor(
    readonly classname: string,
    readonly version: number,
    readonly data: unknown,
  ) {
    checkForm("classname", /./s, classname);
    if (!Number.isSafeInteger(version)) throw notValid("version", version);
  }

  /** Identifies the class to another copy of this library. */
  get [CLASS](): "Envelope" {
    return "Envelope";
  }
}

/** Returns the text of a value class. Throws InvalidArgument if it has another form. */
function checkForm(name: string, form: RegExp, text: unknown): string {
  if (typeof text === "string" && form.test(text)) return text;
  throw notValid(name, text);
}

function notValid(name: string, given: unknown) {
  const shown = typeof given === "object" ? typeof given : JSON.stringify(String(given).slice(0, 100));
  return invalid(`${shown} is not a valid ${name}`);
}

/** Throws InvalidArgument for the digits of an integer that Python would refuse to read. */
export function checkDigits(digits: string): void {
  if (digits.replace("-", "").length > MAX_DIGITS)
    throw invalid(`more than the ${MAX_DIGITS} digits that Python reads`);
}

/** Returns whether Python knows a zone of this name, or with these seconds east of Greenwich. */
function isZone(zone: unknown): boolean {
  if (typeof zone === "number") return Number.isInteger(zone) && Math.abs(zone) < 86_400;
  try {
    // Intl also knows offsets, which are no names in Python, and takes names in any case, of which files have one.
    const { timeZone } = new Intl.DateTimeFormat("en", { timeZone: String(zone) }).resolvedOptions();
    return (
      /^[A-Z]/.test(zone as string) && (timeZone === zone || timeZone.toLowerCase() !== String(zone).toLowerCase())
    );
  } catch {
    return false;
  }
}
