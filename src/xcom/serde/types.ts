/**
 * Python's values that JavaScript has no kind for, as plain small classes.
 *
 * | Python | read as | written from |
 * |---|---|---|
 * | `None`, `bool`, `str`, `list`, `dict` | `null`, boolean, string, array, plain object | the same; a Map with string keys too |
 * | `int` | number up to 2^53 - 1, else bigint | whole numbers up to 2^53 - 1, bigint |
 * | `float` | number | every other number, `Float` |
 * | `tuple`, named tuple | `Tuple` | `Tuple` |
 * | `set`, `frozenset` | `Set`, `FrozenSet` | the same |
 * | `datetime`, pendulum `DateTime` | `DateTime`, which is a `Date` | `Date`, `DateTime`, `Temporal.Instant`, `Temporal.ZonedDateTime` |
 * | `date`, pendulum `Date` | `PlainDate` | `PlainDate`, `Temporal.PlainDate` |
 * | `timedelta` | `Timedelta` | `Timedelta`, `Temporal.Duration` |
 * | `ZoneInfo`, pendulum time zones | `TimeZone` | `TimeZone` |
 * | `Decimal` | `Decimal` | `Decimal` |
 * | `UUID` | `Uuid` | `Uuid` |
 * | numpy scalars | number, bigint, boolean | |
 * | pandas `DataFrame` | `DataFrame` | `DataFrame` |
 * | `ObjectStoragePath` | `StoragePath` | `StoragePath` |
 * | any other class | `Envelope` | `Envelope` |
 */
import { StoragePath } from "../../path.js";
import { Float } from "../json/number.js";

export { DataFrame } from "./dataframe.js";
export { DateTime } from "./datetime.js";
export { Float, StoragePath };

/** A Python tuple: an array that comes back as a tuple. `Tuple.of(1, 2)`; what `map` and the like make of it is an array. */
export class Tuple<T = unknown> extends Array<T> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }
}

/** A Python frozenset. */
export class FrozenSet<T = unknown> extends Set<T> {}

/** A Python Decimal by its text, such as `1.10`, `1E+3` or `NaN`. */
export class Decimal {
  constructor(readonly text: string) {}

  toString(): string {
    return this.text;
  }
}

/** A Python UUID by its text. */
export class Uuid {
  constructor(readonly text: string) {}

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

  toString(): string {
    return this.iso;
  }
}

/** A span of time in seconds, with microseconds as fraction. */
export class Timedelta {
  constructor(readonly seconds: number) {}
}

/** A time zone: its IANA name, or seconds east of Greenwich. */
export class TimeZone {
  constructor(
    readonly name: string | number,
    readonly classname: string = "zoneinfo.ZoneInfo",
  ) {}
}

/**
 * An object of any other Python class: `data` is what its serializer gave. Written again it is the same text; Python
 * makes the object if its `allowed_deserialization_classes` has the class. Nothing here is ever imported or called.
 */
export class Envelope {
  constructor(
    readonly classname: string,
    readonly version: number,
    readonly data: unknown,
  ) {}
}
