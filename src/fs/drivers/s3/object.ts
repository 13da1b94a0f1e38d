/** Converts between our descriptions of objects and the service's headers, and verifies checksums. */
import type { IncomingHttpHeaders } from "node:http";
import { crc32 } from "node:zlib";
import { failure } from "../../../errors.js";
import type { ByteStream } from "../../../streams.js";
import { decodeRfc2047, encodeRfc2047, modifiedIn } from "../../driver/content.js";
import type { ObjectInfo, WriteResult } from "../../driver/driver.js";
import type { Bucket } from "./client.js";

export const CHECKSUM = "x-amz-checksum-crc32";

/** Returns the CRC32 in S3's format: big endian, base64. */
export function checksumOf(data: Uint8Array): string {
  return encoded(crc32(data));
}

function encoded(value: number): string {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes.toString("base64");
}

/**
 * Returns the checksum of all bytes of an object. A checksum of part checksums says nothing about the bytes; only the
 * response states which it is, since a server may ignore the upload's choice.
 */
export function promisedChecksum(headers: IncomingHttpHeaders): string | undefined {
  const value = headers[CHECKSUM];
  const type = headers["x-amz-checksum-type"];
  const whole = type === undefined ? !/-\d+"?$/.test(headers.etag ?? "") : type === "FULL_OBJECT";
  return whole && typeof value === "string" && value.length === 8 ? value : undefined;
}

/** Yields the same bytes; throws Corrupt at the end if they are not those that were stored. */
export function verified(body: ByteStream, expected: string): ByteStream {
  return {
    [Symbol.asyncIterator]: () => new Verified(body[Symbol.asyncIterator](), expected),
  };
}

class Verified implements AsyncIterator<Uint8Array> {
  #sum = 0;

  constructor(
    readonly from: AsyncIterator<Uint8Array>,
    readonly expected: string,
  ) {}

  next(): Promise<IteratorResult<Uint8Array>> {
    return this.from.next().then(this.#seen);
  }

  readonly #seen = (step: IteratorResult<Uint8Array>): IteratorResult<Uint8Array> => {
    if (!step.done) this.#sum = crc32(step.value, this.#sum);
    else if (encoded(this.#sum) !== this.expected)
      throw failure("Corrupt", "the bytes do not have the stored checksum");
    return step;
  };

  async return(): Promise<IteratorResult<Uint8Array>> {
    await this.from.return?.();
    return { done: true, value: undefined };
  }
}

// Parses the response headers that describe an object.

export function infoOf(
  key: string,
  size: number,
  headers: IncomingHttpHeaders,
  { profile, attributes }: Bucket,
): ObjectInfo {
  const { "last-modified": time, "content-type": type, etag } = headers;
  const info: ObjectInfo = { key, size };
  const modified = modifiedIn(time, etag);
  if (modified) info.modified = modified;
  if (etag) info.etag = etag;
  const version = versionIn(headers["x-amz-version-id"]);
  if (version) info.version = version;
  const md5 = profile.md5Etags && !isOpaque(headers) ? md5In(etag) : undefined;
  if (md5) info.md5 = md5;
  if (type) info.contentType = type;
  const metadata = metadataOf(headers);
  if (metadata) info.metadata = metadata;
  attributes?.addTo(info, headers);
  return info;
}

export function writeResultOf(headers: IncomingHttpHeaders, etag = headers.etag): WriteResult {
  const version = versionIn(headers["x-amz-version-id"]);
  return { ...(etag === undefined ? {} : { etag }), ...(version === undefined ? {} : { version }) };
}

/** Returns the version id; none for `null`, which all writes without versioning share, one object after the other. */
export function versionIn(id: string | string[] | undefined): string | undefined {
  return typeof id === "string" && id !== "null" ? id : undefined;
}

/** Returns whether the etag derives from more than the data. */
export function isOpaque(headers: IncomingHttpHeaders): boolean {
  const managed = String(headers["x-amz-server-side-encryption"] ?? "").startsWith("aws:kms");
  return managed || headers["x-amz-server-side-encryption-customer-algorithm"] !== undefined;
}

/** Returns the MD5 of an etag. That of an object of several parts has a `-` and is of their MD5s. */
export function md5In(etag = ""): string | undefined {
  return /^"([0-9a-f]{32})"$/.exec(etag)?.[1];
}

// User metadata as headers.

const PREFIX = "x-amz-meta-";

/**
 * The user metadata name of a conditional write's nonce, by which it recognizes its own object when a response is lost.
 * Hidden from callers.
 */
export const NONCE = "stowage-nonce";
export const NONCE_HEADER = PREFIX + NONCE;

export function metadataHeaders(metadata: Record<string, string> | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata ?? {})) headers[PREFIX + name] = encodeRfc2047(value);
  return headers;
}

export function metadataOf(headers: IncomingHttpHeaders): Record<string, string> | undefined {
  let metadata: Record<string, string> | undefined;
  for (const name in headers) {
    if (!name.startsWith(PREFIX) || name === NONCE_HEADER) continue;
    metadata ??= {};
    metadata[name.slice(PREFIX.length)] = decodeRfc2047(String(headers[name]));
  }
  return metadata;
}
