/** The options of every verb, and the checks that need no request. */
import type { CodecName } from "../codecs/codec.js";
import { checkOptions, failure, invalid, type OptionNames } from "../errors.js";
import type { StoragePath } from "../path.js";
import type {
  ChecksumName,
  CustomerKey,
  DriverListEntry,
  DriverPostOptions,
  DriverSignOptions,
  ObjectAttributes,
  ObjectEncryption,
  ResponseHeaders,
} from "./driver/driver.js";

/** A path, its text, or a `file:` URL, as {@link StoragePath.parse} accepts them. */
export type PathLike = StoragePath | string | URL;

/** A codec by name, by the last suffix of the path, or none (`null`): the bytes as stored. */
export type Compression = CodecName | "infer" | null;

export interface Abortable {
  /** Aborts the call at once: it rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

export interface ObjectStatOptions extends Abortable {
  /** A version of the object, from a listing with `versions` or from the result of a write. */
  version?: string | undefined;
}

/** For objects that were written with a customer's key. */
export interface KeyOptions {
  /** The key of `encryption.customerKey`: 32 bytes, or their base64. Sent over HTTPS only, and never part of a message. */
  customerKey?: CustomerKey | undefined;
}

export interface StatOptions extends ObjectStatOptions, KeyOptions {
  /** Includes the tags of the object, which takes another request on S3 and Azure. @default false */
  tags?: boolean | undefined;
}

interface EntryBase {
  path: StoragePath;
  /** Exact; a directory's ends with a slash, which its path does not have. */
  key: string;
}

/** What only objects have. */
type ObjectFields = Omit<DriverListEntry, "key" | "type" | "detail">;
type NoFields = { [Name in keyof ObjectFields]?: undefined };

/** An object in a listing. */
export interface ObjectEntry extends EntryBase, ObjectFields {
  type: "file";
  detail?: undefined;
}

/** A common prefix of keys. */
export interface DirectoryEntry extends EntryBase, NoFields {
  type: "directory";
  detail?: undefined;
}

/** Among files: a link that is not followed, a pipe, a socket, a device. */
export interface OtherEntry extends EntryBase, NoFields {
  type: "other";
  detail: string;
}

/** An entry of a listing. What the provider does not say is undefined. */
export type ListEntry = ObjectEntry | DirectoryEntry | OtherEntry;

export interface ListOptions extends Abortable {
  /** Lists everything below, instead of one level with its directories. */
  recursive?: boolean | undefined;
  /**
   * Only entries whose key comes after this one, which need not exist; or after an entry of an earlier listing. The key
   * of a directory ends with `/`, which its path does not.
   */
  startAfter?: string | ListEntry | undefined;
  /** Lists every version of every object, newest first per key. Throws `Unsupported` without versioning. */
  versions?: boolean | undefined;
  /**
   * Whether entries come in the order of their keys. Without it, `recursive` listings of many objects on Amazon S3, MinIO
   * and GCS need less time, since nothing waits for its turn. `byPage` needs the order. @default true
   */
  ordered?: boolean | undefined;
  /** The maximum number of entries, 1 or more. Pages say whether others follow. @default all */
  limit?: number | undefined;
  /** Files only: follows symbolic links to directories, which otherwise are entries of type `other`. */
  followLinks?: boolean | undefined;
}

export interface GlobOptions extends Abortable {
  /** Files only: wildcards also match behind symbolic links to directories. */
  followLinks?: boolean | undefined;
  /** Receives each link to a directory that could lead to matches and was not followed. An error in it ends the call. */
  onSkipped?: ((path: StoragePath) => void) | undefined;
}

/** Half open: `start` is the first byte, `end` the one after the last; clamped to the size of the object. */
export interface Range {
  start?: number | undefined;
  end?: number | undefined;
}

/** The options of a read of {@link Objects}. */
export interface ObjectReadOptions extends Abortable, Range {
  /** @default null */
  compression?: Compression | undefined;
  /** Throws `PreconditionFailed` unless the object still has this etag. */
  ifMatch?: string | undefined;
  version?: string | undefined;
  /**
   * The number of ranges of one version fetched in parallel and delivered in order; 1 is one request.
   *
   * @default above 16 MiB as many as pay, at most 8, and 16 for one array; otherwise 1
   */
  parallel?: number | undefined;
  /** With `compression`: the maximum number of decoded bytes; reading more throws `TooLarge`. */
  maxDecodedBytes?: number | undefined;
}

/** The options of a read of {@link Storage}. */
export interface ReadOptions extends ObjectReadOptions, KeyOptions {
  /**
   * Only the last bytes, everything if the object is smaller. Instead of `start` and `end`. One request, but two on
   * Azure and with `parallel`.
   */
  last?: number | undefined;
}

/** The options of a write of {@link Objects}. */
export interface ObjectWriteOptions extends Abortable, Pick<ObjectAttributes, "contentType" | "metadata"> {
  /** Throws `AlreadyExists` if the object exists. */
  ifAbsent?: boolean | undefined;
  /** Throws `PreconditionFailed` unless the existing object has this etag. */
  ifMatch?: string | undefined;
  /** @default null */
  compression?: Compression | undefined;
  /** Compression level on the codec's own scale. */
  level?: number | undefined;
  /** Exact length of `body` in bytes; the write fails if it differs. Avoids buffering large streams. */
  size?: number | undefined;
  /** Receives the number of stored bytes that the provider has accepted so far. An error in it ends the call as it is. */
  onProgress?: ((bytes: number) => void) | undefined;
}

/** One checksum of all bytes: 4 bytes for crc32c, 16 for md5, 32 for sha256; as they are, in hex, or in base64. */
export type Checksum = { [Name in ChecksumName]?: Uint8Array | string | undefined };

/** The options of a write of {@link Storage}: `Unsupported` for an attribute that the provider cannot store. */
export interface WriteOptions extends ObjectWriteOptions, ObjectAttributes {
  /** Server-side encryption of this object. @default that of the connection, else of the bucket */
  encryption?: ObjectEncryption | undefined;
  /**
   * Throws `Corrupt`, and stores nothing, if the bytes have another checksum. The provider verifies it where it can, this
   * process otherwise. Not with `compression`.
   */
  checksum?: Checksum | undefined;
}

export interface UpdateOptions extends Omit<WriteOptions, "ifAbsent" | "ifMatch" | "checksum"> {
  /** How often to try while other writers come between. @default 30 */
  attempts?: number | undefined;
  /** With `compression`: the maximum number of decoded bytes of the current object. */
  maxDecodedBytes?: number | undefined;
}

export interface SetAttributesOptions extends Abortable, KeyOptions {
  /** Throws `PreconditionFailed` unless the object has this etag. */
  ifMatch?: string | undefined;
}

/**
 * The options of a copy. A source with a customer's key needs `customerKey`, and its copy has the same key unless
 * `encryption` says otherwise. Every other encryption is that of the target's place, as the storage class is.
 */
export interface CopyOptions extends Abortable, KeyOptions {
  /** Copies everything below the source path, each object separately. */
  recursive?: boolean | undefined;
  ifAbsent?: boolean | undefined;
  /** The etag that the source must have. */
  ifMatch?: string | undefined;
  /**
   * Whether a copy has the attributes of its source. Copies keep them by default and throw `Unsupported` for one that
   * the target cannot store; only files drop all of them. The storage class is never kept: it is that of the target's
   * bucket, or of `replace`. `"keep"` throws for files too, and `"drop"` leaves out all attributes but the content type
   * that the suffix determines.
   */
  attributes?: "keep" | "drop" | undefined;
  /** Attributes of the copies that differ from those of their sources. */
  replace?: ObjectAttributes | undefined;
  /** Server-side encryption of the copies. */
  encryption?: ObjectEncryption | undefined;
  /** For a recursive copy of files: follows symbolic links to directories, which otherwise fail. Never for a move. */
  followLinks?: boolean | undefined;
  /**
   * Receives the number of bytes that have passed through this process so far, of all objects together. An error in it
   * ends the call as it is, and so does one in `onStep`; what is copied by then stays.
   */
  onProgress?: ((bytes: number) => void) | undefined;
  /** Receives the object in the target when it is complete, of a recursive copy or move; its size if it is listed. */
  onStep?: ((step: { path: StoragePath; size: number | undefined }) => void) | undefined;
}

export interface DeleteObjectOptions extends Abortable {
  version?: string | undefined;
}

export interface DeleteOptions extends DeleteObjectOptions {
  /** Deletes the object and everything below it; a sibling that only shares the prefix stays. */
  recursive?: boolean | undefined;
  /** Required to empty a whole bucket with `recursive`. */
  emptyBucket?: boolean | undefined;
  /**
   * Of one object: throws `PreconditionFailed` unless it still has this etag, or is what `stat` or a listing returned,
   * whose time counts too: on S3 equal content has equal etags. S3 checks right before it deletes, the others in one
   * step.
   */
  ifMatch?:
    | string
    | { etag?: string | undefined; version?: string | undefined; modified?: Date | undefined }
    | undefined;
}

/** What tells one state of an object from another. */
export type ObjectState = Exclude<DeleteOptions["ifMatch"], string | undefined>;

export interface SignedUrlOptions {
  /** @default "GET" */
  method?: DriverSignOptions["method"] | undefined;
  /** Seconds, 1 to 604,800 (seven days). @default 3600 */
  expiresIn?: number | undefined;
  /** For PUT: the content type that the holder must send. Azure stores it, but cannot demand it. */
  contentType?: string | undefined;
  /** For PUT: the bytes that the holder must send. `Unsupported` on Azure. */
  contentLength?: number | undefined;
  /** For GET: headers of the response, such as a `contentDisposition` to save under another name. */
  responseHeaders?: ResponseHeaders | undefined;
}

export interface SignedPostOptions {
  /** Seconds, 1 to 604,800 (seven days). @default 3600 */
  expiresIn?: number | undefined;
  /** @default 0 */
  minBytes?: number | undefined;
  maxBytes: number;
  /** The content type that the form must state. */
  contentType?: string | undefined;
  /** Whether the path is a directory: the browser adds the name of the file. */
  prefix?: boolean | undefined;
}

export type RangesOptions = ObjectStatOptions & KeyOptions & { ifMatch?: string | undefined };

/** The options of each verb, for `checkOptions`. */
export const STAT: OptionNames<ObjectStatOptions> = { version: true, signal: true };
export const SET_ATTRIBUTES: OptionNames<SetAttributesOptions> = { ifMatch: true, customerKey: true, signal: true };
export const READ: OptionNames<ObjectReadOptions> = {
  start: true,
  end: true,
  compression: true,
  ifMatch: true,
  version: true,
  parallel: true,
  maxDecodedBytes: true,
  signal: true,
};
export const RANGES: OptionNames<RangesOptions> = { ifMatch: true, version: true, customerKey: true, signal: true };
export const WRITE: OptionNames<ObjectWriteOptions> = {
  ifAbsent: true,
  ifMatch: true,
  compression: true,
  level: true,
  contentType: true,
  metadata: true,
  size: true,
  onProgress: true,
  signal: true,
};
export const REMOVE: OptionNames<DeleteObjectOptions> = { version: true, signal: true };
export const DELETE: OptionNames<DeleteOptions> = {
  recursive: true,
  emptyBucket: true,
  version: true,
  ifMatch: true,
  signal: true,
};
export const LIST: OptionNames<ListOptions> = {
  recursive: true,
  startAfter: true,
  versions: true,
  ordered: true,
  limit: true,
  followLinks: true,
  signal: true,
};
export const GLOB: OptionNames<GlobOptions> = { followLinks: true, onSkipped: true, signal: true };
export const COPY: OptionNames<CopyOptions> = {
  recursive: true,
  ifAbsent: true,
  ifMatch: true,
  followLinks: true,
  attributes: true,
  replace: true,
  encryption: true,
  customerKey: true,
  onProgress: true,
  onStep: true,
  signal: true,
};
export const SIGN: OptionNames<SignedUrlOptions> = {
  method: true,
  expiresIn: true,
  contentType: true,
  contentLength: true,
  responseHeaders: true,
};
export const POST: OptionNames<SignedPostOptions> = {
  expiresIn: true,
  minBytes: true,
  maxBytes: true,
  contentType: true,
  prefix: true,
};

const MAX_KEY_BYTES = 1024;
const MAX_METADATA_BYTES = 2048;
const MAX_SIGN_SECONDS = 604_800;

/** Returns the key of an object. Throws InvalidArgument if it is empty or too long for some provider. */
export function checkKey(path: StoragePath): string {
  const { key } = path;
  if (key === "") throw invalid("a bucket is not an object: the key is empty");
  // A UTF-16 unit is at most three bytes of UTF-8, so most keys need no counting.
  if (key.length * 3 > MAX_KEY_BYTES) {
    const length = Buffer.byteLength(key, "utf8");
    if (length > MAX_KEY_BYTES) throw invalid(`the key has ${length} bytes, at most ${MAX_KEY_BYTES} are allowed`);
  }
  return key;
}

/** Whether this is the text of a directory: parsing drops its slash. A path object has exactly the key that it prints. */
export function isDirectoryText(path: PathLike): boolean {
  return (typeof path === "string" || path instanceof URL) && String(path).endsWith("/");
}

/** Throws InvalidArgument for the text of a directory: the object would take its name, in the place of the ones below. */
export function checkNoDirectory(path: PathLike): void {
  if (isDirectoryText(path)) throw invalid("a path that ends in a slash is a directory; name the object below it");
}

/** Returns the checked ranges of `ranges`. A misspelled field would ask for the whole object. */
export function checkRanges(ranges: readonly Range[]) {
  if (!Array.isArray(ranges)) throw invalid("ranges must be an array of { start, end }");
  for (const range of ranges as unknown[]) {
    if (typeof range !== "object" || range === null || Array.isArray(range))
      throw invalid(`a range must be { start, end }, not ${JSON.stringify(range)}`);
    checkOptions("ranges", range, RANGE);
  }
  return ranges.map(checkRange);
}

const RANGE = { start: true, end: true };

export function checkRange({ start = 0, end }: Range): { start: number; end: number | undefined } {
  checkCount("start", start, 0);
  checkCount("end", end, 0);
  if (end !== undefined && end < start) throw invalid(`the range ends (${end}) before it starts (${start})`);
  return { start, end };
}

/** Checks the options of a read and returns the request for the driver. */
export function checkRead(options: ObjectReadOptions) {
  const { ifMatch, version, signal, parallel } = options;
  checkCount("parallel", parallel, 1);
  checkCount("maxDecodedBytes", options.maxDecodedBytes, 0);
  if (options.compression != null && (options.start !== undefined || options.end !== undefined)) {
    throw failure(
      "Unsupported",
      "a range of compressed data cannot be decoded; read it whole, or raw without compression",
    );
  }
  const { start, end } = checkRange(options);
  return { start, end, ifMatch, version, signal, parallel };
}

export function checkCount(name: string, value: number | undefined, least: number): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && value >= least)) {
    throw invalid(`${name} must be an integer >= ${least}, not ${value}`);
  }
}

export function checkConditions(ifAbsent: boolean | undefined, ifMatch: string | undefined): void {
  if (ifAbsent && ifMatch !== undefined) throw invalid("ifAbsent and ifMatch contradict each other");
  if (ifMatch === "") throw invalid("ifMatch is empty; leave it out for an unconditional write");
}

/** Returns metadata with lower-case names, or undefined if there is none. */
export function checkMetadata(metadata: Record<string, string> | undefined): Record<string, string> | undefined {
  const pairs = Object.entries(metadata ?? {});
  if (pairs.length === 0) return undefined;
  let length = 0;
  for (const [name, value] of pairs) {
    if (!/^[A-Za-z0-9_.-]+$/.test(name)) throw invalid("a metadata name is made of letters, digits, `_`, `.` and `-`");
    checkHeader(`metadata ${name}`, value);
    length += name.length + Buffer.byteLength(value, "utf8");
  }
  if (length > MAX_METADATA_BYTES)
    throw invalid(`metadata of ${length} bytes, at most ${MAX_METADATA_BYTES} are allowed`);
  const lower = Object.fromEntries(pairs.map(([name, value]) => [name.toLowerCase(), value]));
  if (Object.keys(lower).length < pairs.length) throw invalid("two metadata names differ in case only");
  return lower;
}

/** Checks that text can travel in a header: no control characters, well-formed Unicode. */
export function checkHeader(what: string, value: string): void {
  if (typeof value !== "string") throw invalid(`${what} must be a string`);
  if (/[\u0000-\u001f\u007f]/.test(value)) throw invalid(`${what} has a control character`);
  if (/[\ud800-\udfff]/u.test(value)) throw invalid(`${what} is not well-formed Unicode`);
}

/** Checks an attribute that is a text. Providers disagree about an empty one: some keep it, others ignore it. */
export function checkAttribute(name: string, value: string): void {
  checkHeader(name, value);
  if (value === "") throw invalid(`${name} is empty`);
}

const METHODS: readonly string[] = ["GET", "PUT", "HEAD", "DELETE"];

export function checkSign({ method = "GET", expiresIn = 3600, ...rest }: SignedUrlOptions): DriverSignOptions {
  const { contentType, contentLength, responseHeaders } = rest;
  if (!METHODS.includes(method)) throw invalid(`method must be one of ${METHODS.join(", ")}`);
  checkExpiry(expiresIn);
  if (method !== "PUT" && (contentType !== undefined || contentLength !== undefined))
    throw invalid("contentType and contentLength are those of an upload, with the method PUT");
  if (method !== "GET" && responseHeaders !== undefined)
    throw invalid("responseHeaders are those of a download, with the method GET");
  if (contentType !== undefined) checkAttribute("contentType", contentType);
  checkCount("contentLength", contentLength, 0);
  return { method, expiresIn, contentType, contentLength, responseHeaders };
}

export function checkPost(options: SignedPostOptions): DriverPostOptions {
  const { expiresIn = 3600, minBytes = 0, maxBytes, contentType, prefix = false } = options;
  checkExpiry(expiresIn);
  checkCount("minBytes", minBytes, 0);
  checkCount("maxBytes", maxBytes, minBytes);
  if (maxBytes === undefined) throw invalid("maxBytes is missing: a form without it takes any amount");
  if (contentType !== undefined) checkAttribute("contentType", contentType);
  return { expiresIn, minBytes, maxBytes, contentType, prefix };
}

function checkExpiry(expiresIn: number): void {
  if (Number.isSafeInteger(expiresIn) && expiresIn >= 1 && expiresIn <= MAX_SIGN_SECONDS) return;
  throw invalid(`expiresIn must be seconds, such as 900, from 1 to ${MAX_SIGN_SECONDS}; not ${expiresIn}`);
}
