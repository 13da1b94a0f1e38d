/** Converts values to Airflow's envelopes. */
import { isAnyArrayBuffer, isDate, isMap, isSet } from "node:util/types";
import { CLASS, isInstance } from "../../brand.js";
import { invalid } from "../../errors.js";
import { providerOf } from "../../path.js";
import { Fields, Float, type Form, isInt, type Lowered, pythonFloat } from "./encoding.js";
import {
  type DataFrame,
  DateTime,
  Decimal,
  Envelope,
  type FrozenSet,
  floorDivide,
  offsetOf,
  PlainDate,
  StoragePath,
  Timedelta,
  TimeZone,
  Tuple,
  timestampOf,
  Uuid,
} from "./types.js";

/**
 * Returns the replacement of `value`, which is neither a plain object nor a plain array. `zones` remembers the time
 * zones that one walk has found to exist.
 */
export function lower(value: object, form: Form, zones: Set<unknown>): Lowered {
  if (isInstance<Tuple>(value, "Tuple")) return tuple(value, form);
  // Python's json.dumps writes subclasses of list as lists.
  if (Array.isArray(value)) return { value, form };
  const temporal = temporalKind(value);
  if (temporal) return lower(fromTemporal(value, temporal), form, zones);
  const known = envelopeOf(value, form, zones);
  return known ? { value: known, form: form === "object" ? "nested" : form } : other(value, form, reserved);
}

/** Inside an object Python writes a tuple as an array; everywhere else as an envelope. */
function tuple(value: Tuple, form: Form): Lowered {
  if (form === "object") return { value: [...value], form };
  return { value: envelope("builtins.tuple", 1, [...value]), form };
}

/** By brand; each makes its value anew, since one of another copy, or changed since, has not been checked here. */
const WRITERS: Readonly<Record<string, (value: never, form: Form) => Fields>> = {
  FrozenSet: (value: FrozenSet) => set("builtins.frozenset", value),
  Envelope({ classname, version, data }: Envelope) {
    new Envelope(classname, version, data);
    return envelope(classname, version, data);
  },
  Decimal: ({ text }: Decimal, form) => envelope("decimal.Decimal", 1, decimalData(new Decimal(text).text, form)),
  Uuid: ({ text }: Uuid) => envelope("uuid.UUID", 1, new Uuid(text).text),
  PlainDate: ({ iso, classname }: PlainDate) => envelope(classname, 2, new PlainDate(iso).iso),
  Timedelta: (value: Timedelta, form) =>
    envelope("datetime.timedelta", 2, seconds(new Timedelta(value.seconds).seconds, form)),
  TimeZone: ({ name, classname }: TimeZone) => envelope(classname, 1, new TimeZone(name).name),
  DataFrame: ({ hex, classname }: DataFrame) => envelope(classname, 1, hex),
  StoragePath: (value: StoragePath) => envelope("airflow.sdk.io.path.ObjectStoragePath", 1, pathFields(value)),
};

function envelopeOf(value: object, form: Form, zones: Set<unknown>): Fields | undefined {
  // Dates and sets of another realm, of a vm or a test runner, are no instances of this realm's classes.
  if (isDate(value)) return dateTime(value, zones);
  const write = WRITERS[brandOf(value)!];
  if (write) return write(value as never, form);
  return isSet(value) ? set("builtins.set", value) : undefined;
}

/** Returns the replacement of an object that plain JSON can hold too. `refusal` is asked about the keys of a Map. */
export function other(
  value: object,
  form: Form,
  refusal: (has: (key: string) => boolean) => string | undefined,
): Lowered {
  if (isMap(value)) {
    const detail = refusal((key) => value.has(key));
    if (detail) throw invalid(detail);
    return { value: new Fields(stringKeyed(value)), form };
  }
  if (ArrayBuffer.isView(value) || isAnyArrayBuffer(value))
    throw invalid("bytes are not JSON; send Base64 text, or the path of an object with the bytes");
  if (hasToJson(value)) return { value: value.toJSON(), form };
  throw invalid(
    `an object of class ${value.constructor?.name} is not JSON; give it a toJSON method or send a plain object`,
  );
}

function brandOf(value: object): string | undefined {
  return (value as { [CLASS]?: string })[CLASS];
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return typeof (value as { toJSON?: unknown }).toJSON === "function";
}

function set(classname: string, value: Set<unknown>): Fields {
  const items = [...value];
  const at = items.findIndex((item) => !isHashable(item));
  if (at < 0) return envelope(classname, 1, items);
  throw invalid(`Python cannot hash element ${at} of the set; use Tuple`);
}

/**
 * Returns whether Python reads the element as something that a set can hold. Airflow reads a frozenset inside an object
 * of its own as a list.
 */
function isHashable(item: unknown): boolean {
  if (typeof item !== "object" || item === null || isDate(item)) return true;
  const brand = brandOf(item);
  if (brand)
    return brand === "Tuple" ? (item as Tuple).every(isHashable) : brand !== "DataFrame" && brand !== "FrozenSet";
  return hasToJson(item) && isHashable(item.toJSON());
}

function envelope(classname: string, version: number, data: unknown): Fields {
  return new Fields([
    ["__classname__", classname],
    ["__version__", version],
    ["__data__", data],
  ]);
}

/** Milliseconds of the years 1 to 9999, which Python has. */
const FIRST = Date.parse("0001-01-01");
const LAST = Date.parse("9999-12-31T23:59:59.999Z");
const DAY = 86_400_000;

function dateTime(date: Date, zones: Set<unknown>): Fields {
  const { zone, zoneClass, classname } = isInstance<DateTime>(date, "DateTime") ? date : new DateTime(0);
  // In another zone the day can be one before or after, so that Python's local time would leave its years.
  const margin = zone === "UTC" ? 0 : DAY;
  const time = date.getTime();
  if (!(time >= FIRST + margin && time <= LAST - margin))
    throw invalid("an invalid Date, or outside the years 1 to 9999");
  if (zone !== null && !zones.has(zone)) zones.add(new TimeZone(zone).name);
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
function pathFields(path: StoragePath): Record<string, unknown> {
  const { connectionId, bucket, key } = path;
  const known =
    providerOf(path.scheme) === "azure" ? StoragePath.of({ scheme: "abfs", connectionId, bucket, key }) : path;
  return { path: String(known), conn_id: connectionId ?? null, kwargs: {} };
}

function stringKeyed(map: Map<unknown, unknown>): [string, unknown][] {
  const entries = [...map];
  if (entries.every((entry): entry is [string, unknown] => typeof entry[0] === "string")) return entries;
  throw invalid("a Map is written as an object, so all its keys are strings");
}

/** Returns why Airflow would not read an object with these keys as a dict; undefined if it would. */
export function reserved(has: (key: string) => boolean): string | undefined {
  const key = ["__classname__", "__id__"].find(has);
  if (key) return `the key ${key} is Airflow's own; use Envelope for an object of a Python class`;
  return has("__type") && has("__var") ? "the keys __type and __var together are Airflow's own" : undefined;
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
  if (kind === "Duration") return new Timedelta(temporal.total({ unit: "second" }));
  throw invalid(`a Temporal.${kind} has no counterpart in Airflow; send its text`);
}

/** Python has microseconds; smaller fractions are rounded towards the past, as in Python. */
function epochMicroseconds({ epochNanoseconds }: Temporal): bigint {
  return floorDivide(epochNanoseconds, 1000n);
}

function zoned(temporal: Temporal): DateTime {
  const { timeZoneId: id } = temporal;
  const offset = offsetOf(id);
  const named = offset === undefined && id !== "UTC" ? "zoneinfo.ZoneInfo" : undefined;
  return new DateTime(epochMicroseconds(temporal), offset ?? id, named);
}
