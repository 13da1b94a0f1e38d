/** Serializers convert values that are not JSON into objects and back. */
import { invalid, type StorageError } from "../errors.js";
import type { Abortable } from "../fs/index.js";
import type { ByteStream } from "../streams.js";
import { isCompressed } from "./settings.js";

export type SerializerOptions = Abortable;

/** The storage format of one kind of value: chosen by `test` on write, by the suffix of the object's name on read. */
export interface Serializer<T = unknown> {
  /** The type and version of the format: `acme.invoice@1`. */
  readonly name: string;
  /** The suffix of object names, before the codec's: `.csv`. Lower-case, one dot; `.json` belongs to the default. */
  readonly suffix: string;
  /** Whether this serializer handles the value. The first serializer that returns true stores it. */
  test(value: unknown): value is T;
  /** Returns the bytes to store, identical on each call; they are compressed afterwards. */
  encode(value: T, options: SerializerOptions): ByteStream;
  /** Returns the value of such bytes. Throws Corrupt if they contain none. */
  decode(body: ByteStream, options: SerializerOptions): Promise<T>;
}

/** The suffix of values without a serializer. */
export const JSON_SUFFIX = ".json";
/** Maximum characters of a suffix with its dot. */
const MAX_SUFFIX = 32;

/** Checks and returns a serializer. Throws InvalidArgument, with what to do, for an invalid one. */
export function defineSerializer<T>(serializer: Serializer<T>): Serializer<T> {
  const { name, suffix } = serializer;
  nameAndVersion(name);
  if (!/^\.[a-z0-9][a-z0-9_@+-]*$/.test(suffix) || suffix.length > MAX_SUFFIX)
    throw refuse(name, `its suffix is a dot and then up to ${MAX_SUFFIX - 1} of a-z 0-9 _ @ + -, such as ".invoice"`);
  if (suffix === JSON_SUFFIX)
    throw refuse(name, `the suffix ${JSON_SUFFIX} is that of all other values; choose another`);
  if (isCompressed(suffix)) throw refuse(name, `the suffix ${suffix} is a codec's, which \`compression\` names`);
  for (const method of ["test", "encode", "decode"] as const)
    if (typeof serializer[method] !== "function") throw refuse(name, `it needs a function ${method}`);
  return serializer;
}

/** Splits a name such as `acme.invoice@1` into its two parts. */
export function nameAndVersion(name: string): { type: string; version: number } {
  const [, type, version] = /^([A-Za-z_][\w.-]*)@([1-9]\d{0,8})$/.exec(String(name)) ?? [];
  if (type !== undefined) return { type, version: Number(version) };
  throw refuse(String(name).slice(0, 100), 'a name has its version behind it, as in "acme.invoice@1"');
}

/** Checks all serializers of a backend against each other. */
export function checkSerializers(serializers: readonly Serializer[]): readonly Serializer[] {
  const bySuffix = new Map<string, Serializer>();
  for (const one of serializers.map((serializer) => defineSerializer(serializer))) {
    const other = bySuffix.get(one.suffix);
    if (other) throw refuse(one.name, `${other.name} has the suffix ${one.suffix} too; give each its own`);
    bySuffix.set(one.suffix, one);
  }
  return [...bySuffix.values()];
}

function refuse(name: string, detail: string): StorageError {
  return invalid(`the serializer ${JSON.stringify(name)}: ${detail}`);
}
