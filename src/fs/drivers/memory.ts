import { failure } from "../../errors.js";
import type { ByteStream } from "../../streams.js";
import type {
  Driver,
  DriverFactory,
  DriverListEntry,
  DriverListOptions,
  DriverWriteOptions,
  ObjectAttributes,
  ObjectIdentifier,
  ObjectInfo,
} from "../driver/driver.js";
import { byUtf8, isAfter } from "../driver/listing.js";

/** A stored object. Its data is never changed, only replaced as a whole. */
interface Kept extends Omit<ObjectInfo, "key" | "modified" | "etag"> {
  data: Uint8Array;
  modified: Date;
  etag: string;
}
type Bucket = Map<string, Kept>;

const PAGE = 1000;
/** Maximum size in bytes of a chunk of a read. */
const CHUNK = 1024 * 1024;
const FIRST_GUESS = 16 * 1024;

/**
 * Returns drivers of `memory://`: buckets in the memory of this process, created on first use. Each call has separate
 * buckets, which it shares with no other. Etags are a quoted count of writes; versions and signing are Unsupported.
 */
export function memory(): DriverFactory {
  const buckets = new Map<string, Bucket>();
  const bucket = (name: string) => buckets.get(name) ?? buckets.set(name, new Map()).get(name)!;
  let writes = 0;
  const nextEtag = () => `"${++writes}"`;
  return { schemes: ["memory"], open: (name) => memoryDriver(bucket(name), bucket, nextEtag) };
}

function memoryDriver(objects: Bucket, bucketOf: (name: string) => Bucket, nextEtag: () => string): Driver {
  const put = (key: string, kept: Omit<Kept, "etag" | "modified">) => {
    const etag = nextEtag();
    objects.set(key, { ...kept, etag, modified: new Date() });
    return { etag };
  };
  return {
    attributes: ATTRIBUTES,
    attributesOnCopy: ATTRIBUTES,
    async stat(key, { version, tags }) {
      refuseVersion(version);
      const kept = findObject(objects, key);
      return { ...info(key, kept), ...(tags && { tags: { ...kept.tags } }) };
    },
    async *list(prefix, options) {
      yield* pages(listed(objects, prefix, options), options.signal);
    },
    async read(key, { start, end, ifMatch, version }) {
      refuseVersion(version);
      const kept = findObject(objects, key);
      if (ifMatch !== undefined) match(kept, ifMatch);
      return { info: info(key, kept), body: copies(kept.data.subarray(start, end)) };
    },
    async readLast(key, last, options) {
      // Counted from the end, as `subarray` does.
      return this.read(key, { ...options, start: -last, end: undefined });
    },
    async write(key, body, options) {
      const { size, signal, onProgress } = options;
      check(objects.get(key), options);
      const data = await collect(body, size, onProgress);
      signal?.throwIfAborted();
      check(objects.get(key), options);
      return put(key, { data, size: data.byteLength, ...attributesIn(options) });
    },
    async copy(from, to, { ifAbsent, ifMatch, attributes }) {
      const source = findObject(bucketOf(from.bucket), from.key);
      if (ifMatch !== undefined) match(source, ifMatch);
      check(objects.get(to), { ifAbsent, ifMatch: undefined });
      const { data, size } = source;
      return put(to, { data, size, ...attributesIn(attributes ?? source) });
    },
    async setAttributes(key, attributes, { was }) {
      const { data, size, ...rest } = findObject(objects, key);
      match({ data, size, ...rest }, was.etag ?? "");
      return put(key, { data, size, ...attributesIn(attributes) });
    },
    async delete(targets: readonly ObjectIdentifier[]) {
      for (const { version } of targets) refuseVersion(version);
      for (const { key } of targets) objects.delete(key);
    },
    async deleteIfMatch(key, etag) {
      const kept = objects.get(key);
      if (kept) match(kept, etag);
      objects.delete(key);
    },
    async signedPost() {
      throw failure("Unsupported", "memory:// has no signed URLs: no other process can reach it");
    },
    async signedUrl() {
      throw failure("Unsupported", "memory:// has no signed URLs: no other process can reach it");
    },
    codeOf: () => "Unavailable",
    async close() {},
  };
}

function refuseVersion(version: string | undefined): void {
  if (version !== undefined) throw failure("Unsupported", "memory keeps no versions");
}

function findObject(objects: Bucket, key: string): Kept {
  const kept = objects.get(key);
  if (!kept) throw failure("NotFound", "no such object");
  return kept;
}

function match(kept: Kept | undefined, etag: string): void {
  if (kept?.etag === etag) return;
  throw failure("PreconditionFailed", kept ? `the etag is ${kept.etag}, not ${etag}` : "no such object");
}

function check(kept: Kept | undefined, { ifAbsent, ifMatch }: Pick<DriverWriteOptions, "ifAbsent" | "ifMatch">): void {
  if (ifAbsent && kept) throw failure("AlreadyExists", `it is there with the etag ${kept.etag}`);
  if (ifMatch !== undefined) match(kept, ifMatch);
}

/** All attributes but the storage class: memory has one. */
const ATTRIBUTES = [
  "contentType",
  "cacheControl",
  "contentDisposition",
  "contentEncoding",
  "contentLanguage",
  "metadata",
  "tags",
] as const;

/** Returns copies of the attributes that are set. */
function attributesIn(given: ObjectAttributes): ObjectAttributes {
  const found: ObjectAttributes = {};
  for (const name of ATTRIBUTES) {
    const value = given[name];
    if (value !== undefined) Object.assign(found, { [name]: typeof value === "string" ? value : { ...value } });
  }
  return found;
}

function info(key: string, kept: Kept): ObjectInfo {
  const { tags, ...attributes } = attributesIn(kept);
  const count = Object.keys(tags ?? {}).length;
  const { size, modified, etag } = kept;
  return { key, size, modified: new Date(modified), etag, ...attributes, ...(count > 0 && { tagCount: count }) };
}

/** Copies the body into one array of our own: its producer may reuse its chunks. */
async function collect(
  body: ByteStream,
  size: number | undefined,
  onProgress: DriverWriteOptions["onProgress"],
): Promise<Uint8Array> {
  let data = new Uint8Array(size ?? FIRST_GUESS);
  let used = 0;
  for await (const chunk of body) {
    if (used + chunk.byteLength > data.byteLength) data = growBuffer(data, used + chunk.byteLength);
    data.set(chunk, used);
    used += chunk.byteLength;
    onProgress?.(used);
  }
  return used === data.byteLength ? data : data.slice(0, used);
}

function growBuffer(data: Uint8Array, least: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(least, 2 * data.byteLength));
  larger.set(data);
  return larger;
}

async function* copies(data: Uint8Array): ByteStream {
  for (let at = 0; at < data.byteLength; at += CHUNK) yield data.slice(at, at + CHUNK);
}

function* listed(
  objects: Bucket,
  prefix: string,
  { delimiter, startAfter, versions }: DriverListOptions,
): Generator<DriverListEntry> {
  if (versions) refuseVersion("all");
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).sort(byUtf8);
  let directory: string | undefined;
  for (const key of keys) {
    const child = delimiter && childDirectory(key, prefix, delimiter);
    if (child && child === directory) continue;
    directory = child;
    const after = isAfter(child ?? key, startAfter);
    if (after && child) yield { key: child, type: "directory" };
    // Skips keys deleted since they were collected.
    else if (after && objects.has(key)) yield file(key, objects.get(key)!);
  }
}

/** Returns the directory one level below `prefix` that contains `key`, with its delimiter. */
function childDirectory(key: string, prefix: string, delimiter: string): string | undefined {
  const at = key.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : key.slice(0, at + 1);
}

function file(key: string, { size, modified, etag }: Kept): DriverListEntry {
  return { key, type: "file", size, modified: new Date(modified), etag };
}

async function* pages(
  items: Iterable<DriverListEntry>,
  signal: AbortSignal | undefined,
): AsyncGenerator<DriverListEntry[]> {
  let page: DriverListEntry[] = [];
  for (const item of items) {
    page.push(item);
    if (page.length < PAGE) continue;
    signal?.throwIfAborted();
    yield page;
    page = [];
  }
  signal?.throwIfAborted();
  if (page.length > 0) yield page;
}
