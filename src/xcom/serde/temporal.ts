/** Temporal's values, of the runtime or of a polyfill, as the classes that are written. */
import { invalid } from "../../errors.js";
import { DateTime, floorDivide, offsetOf } from "./datetime.js";
import { PlainDate, Timedelta } from "./types.js";

interface Temporal {
  epochNanoseconds: bigint;
  timeZoneId: string;
  toString(options?: { calendarName: "never" }): string;
  total(options: { unit: "second" }): number;
}

/** `Instant`, `Duration` and so on; undefined when it is none of Temporal's. */
export function temporalKind(value: object): string | undefined {
  const tag = (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
  return typeof tag === "string" && tag.startsWith("Temporal.") ? tag.slice("Temporal.".length) : undefined;
}

export function fromTemporal(value: object, kind: string): object {
  const temporal = value as Temporal;
  if (kind === "Instant") return new DateTime(epochMicroseconds(temporal));
  if (kind === "ZonedDateTime") return zoned(temporal);
  if (kind === "PlainDate") return new PlainDate(temporal.toString({ calendarName: "never" }));
  if (kind === "Duration") return new Timedelta(total(temporal));
  throw invalid(`a Temporal.${kind} has no counterpart in Airflow; send its text`);
}

/** Python has microseconds; what is below is dropped towards the past, as Python does. */
function epochMicroseconds({ epochNanoseconds }: Temporal): bigint {
  return floorDivide(epochNanoseconds, 1000n);
}

function zoned(temporal: Temporal): DateTime {
  const { timeZoneId: id } = temporal;
  if (id === "UTC") return new DateTime(epochMicroseconds(temporal));
  const offset = offsetOf(id);
  if (offset === undefined) return new DateTime(epochMicroseconds(temporal), id, "zoneinfo.ZoneInfo");
  return new DateTime(epochMicroseconds(temporal), offset);
}

function total(temporal: Temporal): number {
  try {
    return temporal.total({ unit: "second" });
  } catch (cause) {
    throw invalid("a Temporal.Duration of months or years has no length; send days or less", {
      cause,
    });
  }
}
