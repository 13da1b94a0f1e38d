/** A serializer for the instances of a class, from methods that the class has for Airflow's serialization already. */
import { failure, invalid } from "../../errors.js";
import type { Bytes } from "../../fs/driver.js";
import type { Encoding } from "../json/encoding.js";
import { readJson } from "../json/read.js";
import { jsonBytes } from "../json/write.js";
import { keepsFloats } from "../serde/revive.js";
import { airflowEncoding, Envelope } from "../serde.js";
import { defineSerializer, nameAndVersion, type Serializer } from "../serializer.js";

/** What an instance has: the value that stands for it, which Airflow's encoding can carry. */
export interface Serializable {
  serialize(): unknown;
}

/** A class whose instances tell their data, and that makes an instance of such data, also of an older version's. */
export interface SerializableClass<T extends Serializable> {
  readonly prototype: T;
  deserialize(data: never, version: number): T | Promise<T>;
}

export interface ClassSerializerOptions {
  /** The class as Airflow names it, and the version of its data: `acme.invoice@2`. */
  name: string;
  /** @default made of the name: `.acme-invoice` */
  suffix?: string | undefined;
}

/** Numbers come back as numbers, whatever digits they have. */
const PLAIN_NUMBERS: Encoding = { ...airflowEncoding, opensExact: () => false };

/**
 * Stores the instances of a class, not those of its subclasses, as JSON in Airflow's envelope, which Python reads as
 * its own class of that name. Reading data of a newer version than `name` has is Unsupported.
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

async function envelopeOf(type: string, body: Bytes, signal: AbortSignal | undefined): Promise<Envelope> {
  const value = await readJson(body, PLAIN_NUMBERS, signal);
  if (value instanceof Envelope && value.classname === type) return value;
  throw failure("Corrupt", `the object does not hold a ${type}`);
}

function newer(type: string, stored: number, name: string): string {
  return `the object was written as ${type}@${stored}, registered is ${name}; register ${type}@${stored} in serializers`;
}
