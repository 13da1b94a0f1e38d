/** A driver outside this repository: buckets in a Map, under `map://`. Written against `stowage/driver` and nothing else. */
import { createHash } from "node:crypto";
import {
  type ByteStream,
  byUtf8,
  collect,
  type Driver,
  type DriverFactory,
  type DriverListEntry,
  type DriverListOptions,
  failure,
  isAfter,
  type ObjectInfo,
  single,
} from "stowage/driver";

interface StoredObject {
  data: Uint8Array;
  info: Omit<ObjectInfo, "key">;
}
type Bucket = Map<string, StoredObject>;

/** Returns drivers of `map://`: each call has buckets of its own. */
export function map(): DriverFactory {
  const buckets = new Map<string, Bucket>();
  const bucketOf = (name: string): Bucket => {
    const bucket = buckets.get(name) ?? new Map<string, StoredObject>();
    buckets.set(name, bucket);
    return bucket;
  };
  return { schemes: ["map"], open: (name) => driverOf(bucketOf(name), bucketOf) };
}

function driverOf(bucket: Bucket, bucketOf: (name: string) => Bucket): Driver {
  return {
    attributes: [],
    attributesOnCopy: [],
    async setAttributes() {
      throw failure("Unsupported", "a map keeps no attributes");
    },
    async stat(key, { version }) {
      refuseVersion(version);
      return { key, ...found(bucket, key).info };
    },
    async read(key, { start, end, ifMatch, version }) {
      refuseVersion(version);
      const { data, info } = found(bucket, key, ifMatch);
      return { info: { key, ...info }, body: chunks(data.subarray(start, end)) };
    },
    async write(key, body, { ifAbsent, ifMatch, contentType, metadata, signal, size, onProgress }) {
      if (metadata) throw failure("Unsupported", "a map keeps no metadata");
      checkConditions(bucket, key, { ifAbsent, ifMatch });
      const data = Uint8Array.from(await collect(copied(body, onProgress), size === undefined ? {} : { size }));
      signal?.throwIfAborted();
      // Another writer may have come while the body was read: from here on nothing is awaited.
      checkConditions(bucket, key, { ifAbsent, ifMatch });
      return put(bucket, key, data, contentType);
    },
    async copy(from, to, { ifAbsent, ifMatch }) {
      const { data, info } = found(bucketOf(from.bucket), from.key, ifMatch);
      checkConditions(bucket, to, { ifAbsent, ifMatch: undefined });
      return put(bucket, to, data, info.contentType);
    },
    async delete(objects) {
      for (const { version } of objects) refuseVersion(version);
      for (const { key } of objects) bucket.delete(key);
    },
    async *list(prefix, options) {
      const rows = [...rowsOf(bucket, prefix, options)];
      for (let at = 0; at < rows.length; at += PAGE) {
        options.signal?.throwIfAborted();
        yield rows.slice(at, at + PAGE);
      }
    },
    async signedPost() {
      throw failure("Unsupported", "a map takes no uploads by a form");
    },
    async signedUrl() {
      throw failure("Unsupported", "a map has no address");
    },
    codeOf: () => "Unavailable",
    async close() {},
  };
}

const PAGE = 1000;
const CHUNK = 64 * 1024;

function refuseVersion(version: string | undefined): void {
  if (version !== undefined) throw failure("Unsupported", "a map keeps no versions");
}

function found(bucket: Bucket, key: string, etag?: string | undefined): StoredObject {
  const stored = bucket.get(key);
  if (!stored) throw failure(etag === undefined ? "NotFound" : "PreconditionFailed", "no such object");
  if (etag !== undefined && stored.info.etag !== etag) throw failure("PreconditionFailed", "another etag");
  return stored;
}

function checkConditions(
  bucket: Bucket,
  key: string,
  { ifAbsent, ifMatch }: { ifAbsent: boolean; ifMatch: string | undefined },
): void {
  if (ifAbsent && bucket.has(key)) throw failure("AlreadyExists", "there is an object");
  if (ifMatch !== undefined) found(bucket, key, ifMatch);
}

function put(bucket: Bucket, key: string, data: Uint8Array, contentType: string | undefined): { etag: string } {
  const etag = `"${createHash("sha256").update(data).update(String(Math.random())).digest("hex").slice(0, 32)}"`;
  bucket.set(key, {
    data,
    info: { size: data.byteLength, modified: new Date(), etag, ...(contentType && { contentType }) },
  });
  return { etag };
}

/** The producer of a body may use its buffer again after each chunk. */
async function* copied(body: ByteStream, onProgress: ((bytes: number) => void) | undefined): ByteStream {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    onProgress?.(bytes);
    yield Uint8Array.from(chunk);
  }
}

async function* chunks(data: Uint8Array): ByteStream {
  for (let at = 0; at < data.byteLength; at += CHUNK) yield* single(data.slice(at, at + CHUNK));
}

function* rowsOf(
  bucket: Bucket,
  prefix: string,
  { delimiter, startAfter, versions }: DriverListOptions,
): Generator<DriverListEntry> {
  if (versions) refuseVersion("all");
  let directory: string | undefined;
  for (const key of [...bucket.keys()].filter((name) => name.startsWith(prefix)).sort(byUtf8)) {
    const cut = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
    if (cut >= 0) {
      const name = key.slice(0, cut + 1);
      if (name !== directory && isAfter(name, startAfter)) yield { key: name, type: "directory" };
      directory = name;
    } else if (isAfter(key, startAfter)) {
      const { size, modified, etag } = bucket.get(key)!.info;
      yield { key, type: "file", size, modified, etag };
    }
  }
}
