/** A moment as Airflow writes it. */

/** The classes that are written so. */
export type DateTimeClass = "datetime.datetime" | "pendulum.datetime.DateTime";

/**
 * A Python datetime: a Date, which has milliseconds, that also knows the microseconds, the zone and the class of its
 * origin and is written with them again. A naive datetime, of no zone, is the moment that Python took it for.
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

  /** `timestamp`: seconds since 1970, which are rounded to the microsecond; or microseconds as a bigint, which are exact. */
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

  /** Microseconds since 1970: its own, or those of the time that was set since. */
  get microseconds(): bigint {
    const own = Number(floorDivide(this.#micros, 1000n)) === this.getTime();
    return own ? this.#micros : BigInt(this.getTime()) * 1000n;
  }
}

/** Above it a number of seconds has no exact microseconds, and milliseconds are what is left. */
const MAX_EXACT_SECONDS = Number.MAX_SAFE_INTEGER / 1e6;

/** Microseconds of float seconds; a float is next to the decimal that was meant, so that flooring it loses one. */
function microsecondsIn(seconds: number): bigint | undefined {
  if (!Number.isFinite(seconds)) return undefined;
  if (Math.abs(seconds) <= MAX_EXACT_SECONDS) return BigInt(Math.round(seconds * 1e6));
  return BigInt(Math.round(seconds * 1e3)) * 1000n;
}

/** Division that rounds down, also before 1970. */
export function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}

/** Microseconds since 1970 of any Date. */
export function microsecondsOf(date: Date): bigint {
  return date instanceof DateTime ? date.microseconds : BigInt(date.getTime()) * 1000n;
}

/** Seconds east of Greenwich by an offset such as `+01:00`, `+0100` or `+01`; undefined for any other text. */
export function offsetOf(text: string): number | undefined {
  const [, sign, hours, minutes] = /^([+-])(\d\d)(?::?(\d\d))?$/.exec(text) ?? [];
  if (sign === undefined) return undefined;
  const seconds = (Number(hours) * 60 + Number(minutes ?? 0)) * 60;
  return sign === "-" ? -seconds : seconds;
}

/** Seconds since 1970 of any Date; the microseconds of a DateTime count as long as nobody has set its time. */
export function timestampOf(date: Date): number {
  if (!(date instanceof DateTime)) return date.getTime() / 1000;
  const unchanged = new DateTime(date.timestamp).getTime() === date.getTime();
  return unchanged ? date.timestamp : date.getTime() / 1000;
}
