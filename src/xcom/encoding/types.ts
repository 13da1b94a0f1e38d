/** A moment as Airflow writes it. */
import { CLASS, isInstance } from "../../brand.js";
import { failure } from "../../errors.js";
import { StoragePath } from "../../path.js";
import { Float } from "./encoding.js";

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

/** Above this many seconds a number has no exact microseconds, so only milliseconds remain. */
const MAX_EXACT_SECONDS = Number.MAX_SAFE_INTEGER / 1e6;

/** Returns the microseconds of float seconds; a float may lie just below its decimal, so flooring would lose one. */
function microsecondsIn(seconds: number): bigint | undefined {
  if (!Number.isFinite(seconds)) return undefined;
  if (Math.abs(seconds) <= MAX_EXACT_SECONDS) return BigInt(Math.round(seconds * 1e6));
  return BigInt(Math.round(seconds * 1e3)) * 1000n;
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

/** A pandas DataFrame, held as its Parquet file. */
export class DataFrame {
  readonly #hex: string;
  /** Its name in pandas 2 or pandas 3. */
  readonly classname: DataFrameClass;

  /** `parquet` is the file, or its hexadecimal digits. */
  constructor(parquet: Uint8Array | string, classname: DataFrameClass = "pandas.core.frame.DataFrame") {
    this.#hex = typeof parquet === "string" ? parquet : Buffer.from(parquet).toString("hex").toUpperCase();
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

  /** Returns the rows, one object each. Needs the package `hyparquet`: throws Unsupported without it. */
  async rows(): Promise<Record<string, unknown>[]> {
    const { parquetReadObjects } = await hyparquet();
    const { buffer, byteOffset, byteLength } = this.parquet;
    return parquetReadObjects({ file: buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer });
  }
}

async function hyparquet() {
  try {
    return await import("hyparquet");
  } catch (cause) {
    throw failure("Unsupported", "the rows of a DataFrame need a package: npm install hyparquet", {
      cause,
    });
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

/** A Python Decimal by its text, such as `1.10`, `1E+3` or `NaN`. */
export class Decimal {
  constructor(readonly text: string) {}

  /** Identifies the class to another copy of this library. */
  get [CLASS](): "Decimal" {
    return "Decimal";
  }

  toString(): string {
    return this.text;
  }
}

/** A Python UUID by its text. */
export class Uuid {
  constructor(readonly text: string) {}

  /** Identifies the class to another copy of this library. */
  get [CLASS](): "Uuid" {
    return "Uuid";
  }

  toString(): string {
    return this.text;
  }
}

/** A day without time and zone; `iso` reads `2026-01-02`. */
export class PlainDate {
  constructor(
    readonly iso: string,
    readonly classname: "datetime.date" | "pendulum.date.Date" = "datetime.date",
  ) {}

  /** Identifies the class to another copy of this library. */
  get [CLASS](): "PlainDate" {
    return "PlainDate";
  }

  toString(): string {
    return this.iso;
  }
}

/** A span of time in seconds, with microseconds as fraction. */
export class Timedelta {
  constructor(readonly seconds: number) {}

  /** Identifies the class to another copy of this library. */
  get [CLASS](): "Timedelta" {
    return "Timedelta";
  }
}

/** A time zone: its IANA name, or seconds east of Greenwich. */
export class TimeZone {
  constructor(
    readonly name: string | number,
    readonly classname: string = "zoneinfo.ZoneInfo",
  ) {}

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
  ) {}

  /** Identifies the class to another copy of this library. */
  get [CLASS](): "Envelope" {
    return "Envelope";
  }
}
