/** Where codecs meet paths. */
import type { Codec } from "../codecs/codec.js";
import type { Reached } from "./call.js";
import type { Bytes, ObjectDriver } from "./driver.js";
import type { Compression, ReadInit, WriteInit } from "./options.js";

type Place = Pick<Reached<ObjectDriver>, "path" | "kit">;

type Stage = (bytes: Bytes) => Bytes;

const asIs: Stage = (bytes) => bytes;

/** The codec that `compression` means for this path; none for null, and for a suffix that says nothing. */
export function codecOf(compression: Compression | undefined, { path, kit }: Place): Codec | undefined {
  if (compression == null) return undefined;
  return compression === "infer" ? kit.codecs.forSuffix(path.name) : kit.codecs.get(compression);
}

export function decoding(place: Place, { compression, maxDecodedBytes, signal }: ReadInit): Stage {
  const codec = codecOf(compression, place);
  return codec ? (bytes) => released(bytes, () => codec.decode(bytes, { maxDecodedBytes, signal })) : asIs;
}

/** What `read` makes of `bytes`, which are let go in the end, also when it fails before it has asked for the first. */
async function* released(bytes: Bytes, read: () => Bytes): Bytes {
  try {
    yield* read();
  } finally {
    await bytes[Symbol.asyncIterator]().return?.();
  }
}

export function encoding(place: Place, { compression, level, signal }: WriteInit): Stage | undefined {
  const codec = codecOf(compression, place);
  return codec && ((bytes) => codec.encode(bytes, { level, signal }));
}
