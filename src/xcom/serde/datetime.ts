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

  constructor(
    timestamp: number,
    zone: string | number | null = "UTC",
    zoneClass: string = "pendulum.tz.timezone.FixedTimezone",
    classname: DateTimeClass = "datetime.datetime",
  ) {
    super(timestamp * 1000);
    this.timestamp = timestamp;
    this.zone = zone;
    this.zoneClass = zoneClass;
    this.classname = classname;
  }
}

/** Seconds east of Greenwich by an offset such as `+01:00` or `+0100`; undefined for any other text. */
export function offsetOf(text: string): number | undefined {
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(text) ?? [];
  if (sign === undefined) return undefined;
  const seconds = (Number(hours) * 60 + Number(minutes)) * 60;
  return sign === "-" ? -seconds : seconds;
}

/** Seconds since 1970 of any Date; the microseconds of a DateTime count as long as nobody has set its time. */
export function timestampOf(date: Date): number {
  const exact = date instanceof DateTime && new Date(date.timestamp * 1000).getTime() === date.getTime();
  return exact ? date.timestamp : date.getTime() / 1000;
}
