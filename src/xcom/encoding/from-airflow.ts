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

interface Known {
  /** The newest version that we know. */
  version: number;
  read: Reader;
}

const KNOWN: ReadonlyMap<string, Known> = new Map<string, Known>([
  ["builtins.tuple", { version: 1, read: (data) => Tuple.from(list(data)) }],
  ["builtins.set", { version: 1, read: (data) => new Set(list(data)) }],
  ["builtins.frozenset", { version: 1, read: (data) => new FrozenSet(list(data)) }],
  ...each(["datetime.datetime", "pendulum.datetime.DateTime"], 2, dateTime),
  ...each(["datetime.date", "pendulum.date.Date"], 2, (data, name) => new PlainDate(text(data), name as never)),
  ["datetime.timedelta", { version: 2, read: (data) => new Timedelta(number(data)) }],
  ...each(
    ["zoneinfo.ZoneInfo", "pendulum.tz.timezone.Timezone", "pendulum.tz.timezone.FixedTimezone"],
    1,
    (data, name) => new TimeZone(zoneName(data), name),
  ),
  ["decimal.Decimal", { version: 1, read: (data) => new Decimal(decimalText(data)) }],
  ["uuid.UUID", { version: 1, read: (data) => new Uuid(text(data)) }],
  ...each(numpyScalars(), 1, scalar),
  ...each(["pandas.core.frame.DataFrame", "pandas.DataFrame"], 1, dataFrame),
  ...each(["airflow.sdk.io.path.ObjectStoragePath", "airflow.io.path.ObjectStoragePath"], 1, path),
]);

/** The older form's names of the classes that it knows. */
const LEGACY: ReadonlyMap<unknown, string> = new Map([
  ["tuple", "builtins.tuple"],
  ["set", "builtins.set"],
  ["frozenset", "builtins.frozenset"],
  ["datetime", "datetime.datetime"],
  ["timedelta", "datetime.timedelta"],
]);

/** Returns what an object stands for, after its values have been converted. Throws Corrupt for an invalid envelope. */
export function revive(object: Record<string, unknown>): unknown {
  if (Object.hasOwn(object, "__classname__") && Object.hasOwn(object, "__version__")) return fromEnvelope(object);
  if (Object.hasOwn(object, "__type") && Object.hasOwn(object, "__var")) return fromLegacy(object);
  return object;
}

/** Whether `1.0` and `1` differ in the data of this class: in a Decimal, and in data that is written back unchanged. */
export function keepsFloats(classname: unknown): boolean {
  return typeof classname === "string" && (classname === "decimal.Decimal" || !KNOWN.has(classname));
}

function fromEnvelope(object: Record<string, unknown>): unknown {
  const { __classname__: name, __version__: version, __data__: data = null } = object;
  if (typeof name !== "string" || name === "") throw corrupt("its __classname__ is no text");
  if (!Number.isSafeInteger(version)) throw corrupt(`the __version__ of its ${name} is no integer`);
  const known = KNOWN.get(name);
  if (!known || known.version < (version as number)) return new Envelope(name, version as number, data);
  return read(known.read, data, name);
}

function fromLegacy(object: Record<string, unknown>): unknown {
  const { __type: type, __var: data } = object;
  if (type === "dict") return data;
  const name = LEGACY.get(type);
  return name === undefined ? object : read(KNOWN.get(name)!.read, data, name);
}

function read(reader: Reader, data: unknown, name: string): unknown {
  try {
    return reader(data, name);
  } catch (cause) {
    throw corrupt(`its ${name} has data of another form`, isStorageError(cause) ? undefined : cause);
  }
}

function each(names: readonly string[], version: number, reader: Reader): [string, Known][] {
  return names.map((name) => [name, { version, read: reader }]);
}

function numpyScalars(): string[] {
  const sizes = [
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
  ];
  return ["bool", "bool_", "intc", "intp", "int_", "float_", ...sizes].map((name) => `numpy.${name}`);
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
  const hex = text(data);
  if (hex.length % 2 !== 0 || !/^[0-9A-Fa-f]*$/.test(hex)) throw corrupt("not hexadecimal");
  return new DataFrame(hex, name as DataFrameClass);
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
