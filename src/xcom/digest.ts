/** Digests of stored bytes in object names. */
import { createHash } from "node:crypto";
import type { Codecs } from "../codecs/codec.js";
import { Pace } from "../codecs/stream.js";
import { failure, invalid, isStorageError } from "../errors.js";
import type { StoragePath } from "../path.js";
import type { ByteStream } from "../streams.js";
import { abortable, type Body, toByteStream } from "../streams.js";
import { errorAt, refuse } from "./errors.js";
import type { Digested, XComFeatures } from "./features.js";
import { parseObjectName } from "./keys/layout.js";
import type { XComCompression } from "./settings.js";

/** Maximum stored bytes kept between hashing and writing; larger values are encoded a second time. */
const KEPT = 1024 * 1024;

/** Implements the backend's option `digest`. */
export const digests: XComFeatures = {
  checkDigest({ threshold = -1, keyTemplate }) {
    if (threshold < 0) refuse("digest is set, but with threshold -1 nothing becomes an object; give a threshold >= 0");
    if (keyTemplate !== undefined && !keyTemplate.includes("{uuid}"))
      refuse("digest needs a name of its own for each value; add {uuid} to keyTemplate");
  },
  digest: (codecs, body, compression, signal) =>
    digestBody(() => compressed(codecs, body(), compression, signal), signal),
};

/** Returns the digest of `encode`'s output and a body of the same bytes. Memory is bounded, whatever their size. */
async function digestBody(encode: () => ByteStream, signal: AbortSignal | undefined): Promise<Digested> {
  const hash = createHash("sha256");
  const kept: Uint8Array[] = [];
  const pace = new Pace();
  let length = 0;
  for await (const chunk of abortable(encode(), signal)) {
    hash.update(chunk);
    length += chunk.byteLength;
    // A producer may reuse its chunk.
    if (length <= KEPT) kept.push(Buffer.from(chunk));
    else kept.length = 0;
    await pace.rest();
  }
  const digest = hash.digest("hex");
  return { digest, body: length <= KEPT ? Buffer.concat(kept) : isSameObject(encode(), digest) };
}

async function* isSameObject(bytes: ByteStream, digest: string): ByteStream {
  const hash = createHash("sha256");
  for await (const chunk of bytes) {
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest("hex") === digest) return;
  throw invalid("the value changed while it was stored, or its serializer encodes it differently");
}

/** Returns the body compressed by the codec, as it is stored. */
function compressed(
  codecs: Codecs,
  body: Body,
  name: XComCompression | null,
  signal: AbortSignal | undefined,
): ByteStream {
  const bytes = toByteStream(body);
  return name === null ? bytes : codecs.get(name).encode(bytes, signal ? { signal } : {});
}

/** Yields the stored bytes decompressed by the path's codec. Errors belong to `read`. */
export async function* decompressed(
  codecs: Codecs,
  path: StoragePath,
  bytes: ByteStream,
  maxDecodedBytes: number,
  signal: AbortSignal | undefined,
): ByteStream {
  try {
    yield* codecs.forSuffix(path)?.decode(bytes, signal ? { maxDecodedBytes, signal } : { maxDecodedBytes }) ?? bytes;
  } catch (error) {
    throw errorAt("read", path, error);
  }
}

/** Returns the digest in an object's name; undefined for a name that is meant to be overwritten. */
export function digestOf(path: StoragePath): string | undefined {
  const { digest } = parseObjectName(path.name);
  return digest === undefined || path.parent.name.startsWith("ti-") ? undefined : digest;
}

/** Returns the result of `read` once all bytes match the digest; throws Corrupt otherwise. */
export async function readChecked<T>(
  path: string,
  stored: ByteStream,
  digest: string,
  read: (bytes: ByteStream) => Promise<T>,
): Promise<T> {
  const hash = createHash("sha256");
  const iterator = stored[Symbol.asyncIterator]();
  const next = async () => {
    const step = await iterator.next();
    if (!step.done) hash.update(step.value);
    return step;
  };
  try {
    // No `return` method: bytes that the reader leaves must still be hashed.
    const outcome = await outcomeOf(read({ [Symbol.asyncIterator]: () => ({ next }) }));
    while (!(await next()).done);
    if (hash.digest("hex") !== digest) throw failure("Corrupt", OTHER_BYTES).at("read", path);
    return outcome();
  } finally {
    await iterator.return?.();
  }
}

const OTHER_BYTES = "the stored bytes do not have the SHA-256 in the object's name";

/** Captures the outcome. Corrupt data does not abort the hashing: the digest is the better evidence of it. */
async function outcomeOf<T>(work: Promise<T>): Promise<() => T> {
  try {
    const value = await work;
    return () => value;
  } catch (error) {
    if (!isStorageError(error, "Corrupt")) throw error;
    return () => {
      throw error;
    };
  }
}
