/** Converts Airflow's envelopes to values. This table is the only place where classes are looked up. */
import { isInstance } from "../../brand.js";
import { failure, isStorageError, type StorageError } from "../../errors.js";
import { providerOf } from "../../path.js";
import { type Float, pythonFloat } from "./encoding.js";
import type { DataFrameClass, DateTimeClass } from "./types.js";
import {
  DataFrame,
  DateTime,
  Decimal,
  Envelope,
  FrozenSet,
  PlainDate,
  StoragePath,
  Timedelta,
  TimeZone,
  Tuple,
  Uuid,
} from "./types.js";

type Reader = (data: unknown, classname: string) => unknown;

/** The newest version that we know, and its reader. */
type Known = readonly [version: number, read: Reader];

const KNOWN: ReadonlyMap<string, Known> = new Map<string, Known>([
  ["builtins.tuple", [1, (data) => Tuple.from(list(data))]],
  ["builtins.set", [1, (data) => new Set(list(data))]],
  ["builtins.frozenset", [1, (data) => new FrozenSet(list(data))]],
  ...each(["datetime.datetime", "pendulum.datetime.DateTime"], 2, dateTime),
  ...each(["datetime.date", "pendulum.date.Date"], 2, (data, name) => new PlainDate(text(data), name as never)),
  ["datetime.timedelta", [2, (data) => new Timedelta(number(data))]],
  ...each(
    ["zoneinfo.ZoneInfo", "pendulum.tz.timezone.Timezone", "pendulum.tz.timezone.FixedTimezone"],
    1,
    (data, name) => new TimeZone(zoneName(data), name),
  ),
  ["decimal.Decimal", [1, (data) => new Decimal(decimalText(data))]],
  ["uuid.UUID", [1, (data) => new Uuid(text(data))]],
  ...each(["pandas.core.frame.DataFrame", "pandas.DataFrame"], 1, dataFrame),
  ...each(["airflow.sdk.io.path.ObjectStoragePath", "airflow.io.path.ObjectStoragePath"], 1, path),
]);

const NUMPY_SCALAR = /^numpy\.(bool_?|int[cp_]|float_|u?int(8|16|32|64)|float(16|32|64))$/;

function knownOf(name: string): Known | undefined {
  return NUMPY_SCALAR.test(name) ? [1, scalar] : KNOWN.get(name);
}

/** Returns the class that a name of the older form stands for. */
function legacyClass(name: unknown): string | undefined {
  if (name === "datetime" || name === "timedelta") return `datetime.${name}`;
  return name === "tuple" || name === "set" || name === "frozenset" ? `builtins.${name}` : undefined;
}

/** Returns what an object stands for, after its values have been converted. Throws Corrupt for an invalid envelope. */
export function revive(object: Record<string, unknown>): unknown {
  if (Object.hasOwn(object, "__classname__") && Object.hasOwn(object, "__version__")) return fromEnvelope(object);
  if (Object.hasOwn(object, "__type") && Object.hasOwn(object, "__var")) return fromLegacy(object);
  return object;
}

/** Whether `1.0` and `1` differ in the data of this class: in a Decimal, and in data that is written back unchanged. */
export function keepsFloats(classname: unknown): boolean {
  return typeof classname === "string" && (classname === "decimal.Decimal" || !knownOf(classname));
}

function fromEnvelope(object: Record<string, unknown>): unknown {
  const { __classname__: name, __version__: version, __data__: data = null } = object;
  const unread = read(() => new Envelope(name as string, version as number, data), data, String(name));
  const [newest, reader] = knownOf(unread.classname) ?? [-1];
  if (!reader || newest < unread.version) return unread;
  try {
    return read(reader, data, unread.classname);
  } catch (error) {
    if (LENIENT.test(unread.classname)) return unread;
    throw error;
  }
}

/**
 * Classes with data that their other writers, or a newer zone database than ours, may give another form. Python decides
 * about it; here the data stays as it is, and the rest of the value is readable.
 */
const LENIENT = /^(datetime\.datetime$|pendulum\.|zoneinfo\.)/;

function fromLegacy(object: Record<string, unknown>): unknown {
  const { __type: type, __var: data } = object;
  if (type === "dict") return data;
  const name = legacyClass(type);
  return name === undefined ? object : read(knownOf(name)![1], data, name);
}

function read<T>(reader: (data: unknown, name: string) => T, data: unknown, name: string): T {
  try {
    return reader(data, name);
  } catch (cause) {
    throw corrupt(`its ${name} has data of another form`, isStorageError(cause) ? undefined : cause);
  }
}

function each(names: readonly string[], version: number, reader: Reader): [string, Known][] {
  return names.map((name) => [name, [version, reader]]);
}

function dateTime(data: unknown, name: string): DateTime {
  if (typeof plain(data) === "number") return new DateTime(number(data));
  const { timestamp, tz } = data as { timestamp: unknown; tz?: unknown };
  const [zone, zoneClass] = zoneOf(tz);
  return new DateTime(number(timestamp), zone, zoneClass, name as DateTimeClass);
}

/** Returns name and class. Python loses the offset of a `datetime.timezone` and writes no name; we keep the moment. */
function zoneOf(tz: unknown): [string | number | null, string | undefined] {
  if (tz == null) return [null, undefined];
  if (typeof tz === "string") return [tz, undefined];
  const [zone, zoneClass] = list(tz);
  return zone === "" ? ["UTC", undefined] : [zoneName(zone), optional(zoneClass)];
}

function dataFrame(data: unknown, name: string): DataFrame {
  return new DataFrame(text(data), name as DataFrameClass);
}

/** Returns the path, or an unchanged envelope if its scheme is not ours or it has options for its file system. */
function path(data: unknown, name: string): StoragePath | Envelope {
  const { path: at, conn_id: id, kwargs } = data as Record<string, unknown>;
  const bare = kwargs == null || Object.keys(kwargs).length === 0;
  const parsed = bare ? parsedPath(text(at)) : undefined;
  if (!parsed || providerOf(parsed.scheme) === undefined) return new Envelope(name, 1, data);
  const { scheme, bucket, key, connectionId = optional(id) } = parsed;
  return StoragePath.of({ scheme, bucket, key, connectionId });
}

function parsedPath(at: string): StoragePath | undefined {
  try {
    return StoragePath.parse(at);
  } catch {
    return undefined;
  }
}

function scalar(data: unknown): unknown {
  const value = plain(data);
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") return value;
  throw corrupt("not a number");
}

function decimalText(data: unknown): string {
  if (isInstance<Float>(data, "Float")) return pythonFloat(data.value);
  if (typeof data === "number" && !Number.isSafeInteger(data)) return pythonFloat(data);
  if (typeof data === "number" || typeof data === "bigint" || typeof data === "string") return String(data);
  throw corrupt("not a decimal");
}

function plain(data: unknown): unknown {
  return isInstance<Float>(data, "Float") ? data.value : data;
}

function list(data: unknown): unknown[] {
  if (Array.isArray(data)) return data;
  throw corrupt("not a list");
}

function text(data: unknown): string {
  if (typeof data === "string") return data;
  throw corrupt("not a text");
}

function number(data: unknown): number {
  const value = typeof data === "string" && data.trim() !== "" ? Number(data) : plain(data);
  if (typeof value === "number" && !Number.isNaN(value)) return value;
  throw corrupt("not a number");
}

function zoneName(data: unknown): string | number {
  if (typeof data === "string" || typeof data === "number") return data;
  throw corrupt("not a time zone");
}

function optional(data: unknown): string | undefined {
  return typeof data === "string" ? data : undefined;
}

function corrupt(detail: string, cause?: unknown): StorageError {
  return failure("Corrupt", `the value cannot be decoded: ${detail}`, cause === undefined ? {} : { cause });
}
