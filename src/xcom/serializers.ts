/** Derives a serializer for a class from the methods it already has for Airflow's serialization. */
import { isInstance } from "../brand.js";
import { failure, invalid, type StorageError } from "../errors.js";
import type { ByteStream } from "../streams.js";
import { airflowEncoding, Envelope } from "./encoding/airflow.js";
import { type Encoding, isPlain } from "./encoding/encoding.js";
import { keepsFloats } from "./encoding/from-airflow.js";
import { readJson } from "./encoding/json-read.js";
import { jsonBytes } from "./encoding/json-write.js";
import type { Serializers, TypeLimits, XComFeatures } from "./features.js";
import { checkSerializers, defineSerializer, JSON_SUFFIX, nameAndVersion, type Serializer } from "./serializer.js";

/** An instance that returns its data as a value that Airflow's encoding can carry. */
export interface Serializable {
  serialize(): unknown;
}

/**
 * A class whose instances return their data and that restores an instance from it, also from an older version's data.
 */
export interface SerializableClass<T extends Serializable> {
  readonly prototype: T;
  deserialize(data: never, version: number): T | Promise<T>;
}

export interface ClassSerializerOptions {
  /** The class's name in Airflow and the version of its data: `acme.invoice@2`. */
  name: string;
  /** @default derived from the name: `.acme-invoice` */
  suffix?: string | undefined;
}

/** Numbers are read as plain numbers, whatever digits they have. */
const PLAIN_NUMBERS: Encoding = { ...airflowEncoding, opensExact: () => false };

/**
 * Returns a serializer for the instances of a class, not of its subclasses: JSON in Airflow's envelope, which Python
 * reads as its own class of that name. Reading data of a version newer than `name` has throws Unsupported.
 */
export function serializerOf<T extends Serializable>(
  Class: SerializableClass<T>,
  { name, suffix }: ClassSerializerOptions,
): Serializer<T> {
  const { type, version } = nameAndVersion(name);
  checkClass(Class, type);
  return defineSerializer<T>({
    name,
    suffix: suffix ?? `.${type.toLowerCase().replaceAll(".", "-")}`,
    test: (value): value is T =>
      typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Class.prototype,
    encode: (value, { signal }) =>
      jsonBytes(new Envelope(type, version, value.serialize()), "object", airflowEncoding, signal),
    async decode(body, { signal }) {
      const { data, version: stored } = await envelopeOf(type, body, signal);
      if (stored > version) throw failure("Unsupported", newer(type, stored, name));
      return Class.deserialize(data as never, stored);
    },
  });
}

function checkClass(Class: SerializableClass<Serializable>, type: string): void {
  if (typeof Class?.deserialize !== "function" || typeof Class.prototype?.serialize !== "function")
    throw invalid(`the class of ${type} needs a method serialize and a static method deserialize`);
  if (!keepsFloats(type) || type === "decimal.Decimal")
    throw invalid(`${type} is one of the types that need no serializer; choose another name`);
}

async function envelopeOf(type: string, body: ByteStream, signal: AbortSignal | undefined): Promise<Envelope> {
  const value = await readJson(body, PLAIN_NUMBERS, signal);
  if (isInstance<Envelope>(value, "Envelope") && value.classname === type) return value;
  throw failure("Corrupt", `the object does not hold a ${type}`);
}

function newer(type: string, stored: number, name: string): string {
  return `the object was written as ${type}@${stored}, registered is ${name}; register ${type}@${stored} in serializers`;
}

// The choice of a serializer, on store and on load.

/** Treats all values as JSON. */
export const JSON_ONLY: Serializers = {
  forValue: () => undefined,
  forSuffix(suffix) {
    if (isJson(suffix)) return undefined;
    throw unknownSuffix(suffix, "none");
  },
};

/** Implements the backend's option `serializers`. */
export const serializers: XComFeatures = {
  serializers: (given, limits, threshold) => new SerializerSet(checkSerializers(given), limits, threshold),
};

class SerializerSet implements Serializers {
  constructor(
    readonly all: readonly Serializer[],
    readonly limits: TypeLimits | undefined,
    readonly threshold: number,
  ) {}

  forValue(value: unknown): Serializer | undefined {
    const chosen = this.all.find((one) => one.test(value));
    if (!chosen) return undefined;
    this.limits?.checkSerializer(chosen.name, "InvalidArgument");
    if (this.threshold >= 0) return chosen;
    if (isPlainJson(value)) return undefined;
    const detail = `only the serializer ${chosen.name} can carry this value, and what it makes fits into no row`;
    throw invalid(`${detail}; give the backend a threshold >= 0, so that it becomes an object`);
  }

  forSuffix(suffix: string): Serializer | undefined {
    if (isJson(suffix)) return undefined;
    const found = this.all.find((one) => one.suffix === suffix);
    if (!found) throw unknownSuffix(suffix, this.all.map((one) => `${one.name} for ${one.suffix}`).join(", "));
    this.limits?.checkSerializer(found.name, "PermissionDenied");
    return { ...found, decode: (body, options) => lendStream(body, (bytes) => found.decode(bytes, options)) };
  }
}

/**
 * Gives a foreign decoder a stream that is open, and closes it afterwards: an object that is missing is an error also for
 * a decoder that reads nothing, and one that stops early leaves no connection behind.
 */
async function lendStream<T>(body: ByteStream, use: (bytes: ByteStream) => Promise<T>): Promise<T> {
  const source = body[Symbol.asyncIterator]();
  try {
    const first = await source.next();
    return await use(resumed(first, source));
  } finally {
    await source.return?.();
  }
}

async function* resumed(first: IteratorResult<Uint8Array, unknown>, rest: AsyncIterator<Uint8Array>): ByteStream {
  for (let next = first; !next.done; next = await rest.next()) yield next.value;
}

function isJson(suffix: string): boolean {
  return suffix === "" || suffix === JSON_SUFFIX;
}

function unknownSuffix(suffix: string, known: string): StorageError {
  const fix = `register the one with suffix "${suffix}" in serializers (there is ${known})`;
  return failure("Unsupported", `no serializer reads ${suffix}; ${fix}`);
}

/** Whether a value may be the top level of a row; nested values are checked when they are written. */
function isPlainJson(value: unknown): boolean {
  return typeof value !== "object" || value === null || Array.isArray(value) || isPlain(value);
}
