/** Where codecs meet paths. */
import type { Codec } from "../codecs/codec.js";
import { codecs } from "../codecs/index.js";
import type { StoragePath } from "../path.js";
import type { Bytes } from "./driver.js";
import type { Compression, ReadInit, WriteInit } from "./options.js";

type Stage = (bytes: Bytes) => Bytes;

const asIs: Stage = (bytes) => bytes;

/** The codec that `compression` means for this path; none for null, and for a suffix that says nothing. */
export function codecOf(compression: Compression | undefined, path: StoragePath): Codec | undefined {
  if (compression == null) return undefined;
  return compression === "infer" ? codecs.forSuffix(path.name) : codecs.get(compression);
}

/** Settings that were given, without the ones that were not. */
function given<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}

export function decoding(path: StoragePath, { compression, maxDecodedBytes, signal }: ReadInit): Stage {
  const codec = codecOf(compression, path);
  return codec ? (bytes) => codec.decode(bytes, given({ maxDecodedBytes, signal })) : asIs;
}

export function encoding(path: StoragePath, { compression, level, signal }: WriteInit): Stage | undefined {
  const codec = codecOf(compression, path);
  return codec && ((bytes) => codec.encode(bytes, given({ level, signal })));
}
