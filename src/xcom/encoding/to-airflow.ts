/** Converts values to Airflow's envelopes. */
import { isInstance } from "../../brand.js";
import { invalid } from "../../errors.js";
import { providerOf } from "../../path.js";
import { Fields, Float, type Form, isInt, type Lowered, pythonFloat } from "./encoding.js";
import {
  type DataFrame,
  DateTime,
  type Decimal,
  type Envelope,
  type FrozenSet,
  floorDivide,
  offsetOf,
  PlainDate,
  StoragePath,
  Timedelta,
  type TimeZone,
  Tuple,
  timestampOf,
  type Uuid,
} from "./types.js";

/** Returns the replacement of `value`, which is neither a plain object nor a plain array. */
export function lower(value: object, form: Form): Lowered {
  if (isInstance<Tuple>(value, "Tuple")) return tuple(value, form);
  // Python's json.dumps writes subclasses of list as lists.
  if (Array.isArray(value)) return { value, form };
  const temporal = temporalKind(value);
  if (temporal) return lower(fromTemporal(value, temporal), form);
  const known = envelopeOf(value, form);
  return known ? { value: known, form: form === "object" ? "nested" : form } : other(value, form);
}

/** Inside an object Python writes a tuple as an array; everywhere else as an envelope. */
function tuple(value: Tuple, form: Form): Lowered {
  if (form === "object") return { value: [...value], form };
  return { value: envelope("builtins.tuple", 1, [...value]), form };
}

function envelopeOf(value: object, form: Form): Fields | undefined {
  if (value instanceof Date) return dateTime(value);
  if (isInstance<FrozenSet>(value, "FrozenSet")) return envelope("builtins.frozenset", 1, [...value]);
  if (value instanceof Set) return envelope("builtins.set", 1, [...value]);
  if (isInstance<Envelope>(value, "Envelope")) return unknown(value);
  if (isInstance<Decimal>(value, "Decimal")) return envelope("decimal.Decimal", 1, decimalData(value.text, form));
  if (isInstance<Uuid>(value, "Uuid")) return envelope("uuid.UUID", 1, value.text);
  if (isInstance<PlainDate>(value, "PlainDate")) return envelope(value.classname, 2, value.iso);
  if (isInstance<Timedelta>(value, "Timedelta")) return envelope("datetime.timedelta", 2, seconds(value.seconds, form));
  if (isInstance<TimeZone>(value, "TimeZone")) return envelope(value.classname, 1, value.name);
  if (isInstance<DataFrame>(value, "DataFrame")) return envelope(value.classname, 1, value.hex);
  if (isInstance<StoragePath>(value, "StoragePath"))
    return envelope("airflow.sdk.io.path.ObjectStoragePath", 1, path(value));
  return undefined;
}

function other(value: object, form: Form): Lowered {
  if (value instanceof Map) return { value: new Fields(stringKeyed(value)), form };
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    throw invalid("bytes are not JSON; send text, base64 for example, or a path to an object with the bytes");
  }
  if ("toJSON" in value && typeof value.toJSON === "function") return { value: value.toJSON(), form };
  throw invalid(`an object of class ${className(value)} is not JSON; give it a toJSON method or send a plain object`);
}

function envelope(classname: string, version: number, data: unknown): Fields {
  return new Fields([
    ["__classname__", classname],
    ["__version__", version],
    ["__data__", data],
  ]);
}

function unknown({ classname, version, data }: Envelope): Fields {
  if (typeof classname !== "string" || classname === "") throw invalid("the classname of an Envelope is a text");
  if (!Number.isSafeInteger(version)) throw invalid("the version of an Envelope is an integer");
  return envelope(classname, version, data);
}

function dateTime(date: Date): Fields {
  if (Number.isNaN(date.getTime())) throw invalid("an invalid Date is not JSON");
  const { zone, zoneClass, classname } = isInstance<DateTime>(date, "DateTime") ? date : new DateTime(0);
  const tz = zone === null ? null : Tuple.of<unknown>(zone, zoneClass, 1, true);
  const data = new Fields([
    ["timestamp", new Float(timestampOf(date))],
    ["tz", tz],
  ]);
  return envelope(classname, 2, data);
}

/** Writes a number as Python does if that keeps every digit, otherwise text, which Python also reads. */
function decimalData(text: string, form: Form): unknown {
  const value = Number(text);
  if (/^-?(0|[1-9]\d*)$/.test(text) && text !== "-0") return form === "row" && !isInt(value) ? text : BigInt(text);
  const exact = text === "NaN" || (Number.isFinite(value) && pythonFloat(value) === text.toLowerCase());
  const fits = form !== "row" || (Number.isFinite(value) && !Number.isInteger(value));
  return exact && fits ? new Float(value) : text;
}

/** Airflow 3.3 accepts a float or text, but no int, and a row cannot hold `90.0`. */
function seconds(value: number, form: Form): unknown {
  return form === "row" && Number.isInteger(value) ? pythonFloat(value) : new Float(value);
}

/** Returns the path as stock Airflow opens it. */
function path(at: StoragePath): Record<string, unknown> {
  const { connectionId, bucket, key } = at;
  const known = providerOf(at.scheme) === "azure" ? StoragePath.of({ scheme: "abfs", connectionId, bucket, key }) : at;
  return { path: String(known), conn_id: connectionId ?? null, kwargs: {} };
}

function stringKeyed(map: Map<unknown, unknown>): [string, unknown][] {
  const entries = [...map];
  if (entries.every((entry): entry is [string, unknown] => typeof entry[0] === "string")) return entries;
  throw invalid("a Map is written as an object, so all its keys are strings");
}

function className(value: object): string {
  return (Object.getPrototypeOf(value) as { constructor?: { name?: string } }).constructor?.name || "unknown";
}

// Temporal's values, of the runtime or of a polyfill, and the classes they are written as.

interface Temporal {
  epochNanoseconds: bigint;
  timeZoneId: string;
  toString(options?: { calendarName: "never" }): string;
  total(options: { unit: "second" }): number;
}

/** Returns `Instant`, `Duration` and so on; undefined for any other value. */
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

/** Python has microseconds; smaller fractions are rounded towards the past, as in Python. */
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
