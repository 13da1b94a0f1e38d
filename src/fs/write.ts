import type { Codec } from "../codecs/codec.js";
import { invalid, isStorageError } from "../errors.js";
import {
  abortable,
  type Body,
  type ByteStream,
  checkUnread,
  exactly,
  single,
  toByteStream,
  whole,
} from "../streams.js";
import type { DriverWriteOptions, ObjectAttributes, ObjectDriver, WriteResult } from "./driver/driver.js";
import { CallerError, markErrors, type ResolvedObject } from "./operation.js";
import {
  type Compression,
  checkAttribute,
  checkConditions,
  checkCount,
  checkMetadata,
  type ObjectReadOptions,
  type ObjectWriteOptions,
} from "./options.js";

const UNKNOWN_TYPE = "application/octet-stream";

/**
 * Writes one object: body, codec and driver form one pull chain, paced by the provider. `more`: what is checked already,
 * besides that in `options`.
 */
export function writeObject(
  resolved: ResolvedObject<ObjectDriver>,
  body: Body,
  options: ObjectWriteOptions,
  more?: ObjectAttributes & Pick<DriverWriteOptions, "checksum">,
): Promise<WriteResult> {
  const { path, key, driver, context } = resolved;
  const { ifAbsent = false, ifMatch, size, signal } = options;
  checkConditions(ifAbsent, ifMatch);
  checkCount("size", size, 0);
  const contentType = options.contentType ?? context.contentTypeOf(path.name) ?? UNKNOWN_TYPE;
  checkAttribute("contentType", contentType);
  checkUnread(body, context.written);
  const metadata = checkMetadata(options.metadata);
  const source = sizedBody(body, size);
  const encode = encoding(resolved, options);
  const stored = encode ? { bytes: encode(source.bytes), size: undefined } : source;
  const onProgress = markErrors(options.onProgress);
  const writing = { ...more, ifAbsent, ifMatch, contentType, metadata, size: stored.size, signal, onProgress };
  return driver.write(key, abortable(stored.bytes, signal), writing);
}

/** Returns the body as bytes, with a length that is known, or promised and enforced. */
function sizedBody(body: Body, size: number | undefined): { bytes: ByteStream; size: number | undefined } {
  const data = whole(body);
  const bytes = data ? single(data) : tagCallerErrors(toByteStream(body));
  const known = data?.byteLength ?? (body instanceof Blob ? body.size : undefined);
  if (known !== undefined && (size === undefined || size === known)) return { bytes, size: known };
  return { bytes: size === undefined ? bytes : exactly(bytes, size), size };
}

/** Yields the same bytes; marks an error of the caller's own stream, so that no layer wraps it. */
async function* tagCallerErrors(bytes: ByteStream): ByteStream {
  try {
    yield* bytes;
  } catch (error) {
    throw isStorageError(error) && error.op === "" ? error : new CallerError(error);
  }
}

// Where codecs meet paths.

type Place = Pick<ResolvedObject<ObjectDriver>, "path" | "context">;

type Stage = (bytes: ByteStream) => ByteStream;

const asIs: Stage = (bytes) => bytes;

/** Returns the codec that `compression` selects for this path; none for null and for an unknown suffix. */
export function codecOf(compression: Compression | undefined, { path, context }: Place): Codec | undefined {
  if (compression == null) return undefined;
  return compression === "infer" ? context.codecs.forSuffix(path.name) : context.codecs.get(compression);
}

export function decoding(place: Place, { compression, maxDecodedBytes, signal }: ObjectReadOptions): Stage {
  const codec = codecOf(compression, place);
  return codec ? (bytes) => releaseOnEnd(bytes, () => codec.decode(bytes, { maxDecodedBytes, signal })) : asIs;
}

/** Runs `read` over `bytes` and always closes the source, even if decoding fails before the first chunk. */
async function* releaseOnEnd(bytes: ByteStream, read: () => ByteStream): ByteStream {
  try {
    yield* read();
  } finally {
    await bytes[Symbol.asyncIterator]().return?.();
  }
}

function encoding(place: Place, { compression, level, signal }: ObjectWriteOptions): Stage | undefined {
  const codec = codecOf(compression, place);
  return codec && ((bytes) => codec.encode(bytes, { level, signal }));
}

/** A body of `storage.write`: also a response or a request with its body, and the fields of a form. */
export type WriteBody = Body | Response | Request | URLSearchParams;

/**
 * Returns the bytes of a body and its content type, if it states one. Throws InvalidArgument for a response that is no
 * success: its body is an error page.
 */
export function unwrapBody(body: WriteBody): { body: Body; contentType?: string | undefined } {
  if (body instanceof URLSearchParams)
    return { body: body.toString(), contentType: "application/x-www-form-urlencoded;charset=UTF-8" };
  if (body instanceof Blob) return { body, contentType: body.type || undefined };
  if (!(body instanceof Response || body instanceof Request)) return { body };
  if (body.bodyUsed) throw invalid("the body of the response or request was already read");
  if (body instanceof Response && !body.ok)
    throw invalid(`the response is no success: its status is ${body.status}; check response.ok`);
  return { body: body.body ?? "", contentType: body.headers.get("content-type") || undefined };
}
