/** How values that are not JSON become objects, and values again. */
import { invalid, type StorageError } from "../errors.js";
import type { Abortable } from "../fs/index.js";
import type { ByteStream } from "../streams.js";
import { isCompressed } from "./settings.js";

export type SerializerOptions = Abortable;

/** How values of one kind are stored: chosen by `test` on write, by the suffix of the object's name on read. */
export interface Serializer<T = unknown> {
  /** What it writes, and in which version: `acme.invoice@1`. */
  readonly name: string;
  /** The end of its objects' names, before the codec's: `.csv`. Lower-case, one dot; `.json` is the default's. */
  readonly suffix: string;
  /** Whether this value is one of its own. The first serializer that says so stores it. */
  test(value: unknown): value is T;
  /** The bytes to store, the same each time; they are compressed after it. */
  encode(value: T, options: SerializerOptions): ByteStream;
  /** The value of such bytes. Corrupt when there is none in them. */
  decode(body: ByteStream, options: SerializerOptions): Promise<T>;
}

/** The suffix of the values that no serializer takes. */
export const JSON_SUFFIX = ".json";
/** Characters of a suffix with its dot. */
const MAX_SUFFIX = 32;

/** A serializer, checked. InvalidArgument, with the mend, when it cannot be one. */
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

/** The two parts of a name such as `acme.invoice@1`. */
export function nameAndVersion(name: string): { type: string; version: number } {
  const [, type, version] = /^([A-Za-z_][\w.-]*)@([1-9]\d{0,8})$/.exec(String(name)) ?? [];
  if (type !== undefined) return { type, version: Number(version) };
  throw refuse(String(name).slice(0, 100), 'a name has its version behind it, as in "acme.invoice@1"');
}

/** All serializers of a backend, checked against each other. */
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
