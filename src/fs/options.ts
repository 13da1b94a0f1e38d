/** The options of every verb, and the checks that need no request. */
import type { CodecName } from "../codecs/codec.js";
import { failure, invalid, type OptionNames } from "../errors.js";
import type { StoragePath } from "../path.js";
import type { DriverListEntry } from "./driver/driver.js";

/** A path, its text, or a `file:` URL, as {@link StoragePath.parse} accepts them. */
export type PathLike = StoragePath | string | URL;

/** A codec by name, by the last suffix of the path, or none (`null`): the bytes as stored. */
export type Compression = CodecName | "infer" | null;

export interface Abortable {
  /** Aborts the call at once: it rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

export interface StatOptions extends Abortable {
  /** A version of the object, from a listing with `versions` or from a receipt. */
  version?: string | undefined;
}

/**
 * An entry of a listing: an object; a directory, which is only a common prefix of keys; or, among files, anything else
 * (`other`), which `detail` describes.
 */
export interface ListEntry extends Omit<DriverListEntry, "key"> {
  path: StoragePath;
}

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
  /** Files only: follows symbolic links to directories, which otherwise are entries of type `other`. */
  followLinks?: boolean | undefined;
}

export interface GlobOptions extends Abortable {
  /** Files only: wildcards also match behind symbolic links to directories. */
  followLinks?: boolean | undefined;
  /** Receives the path of each link to a directory that could lead to matches and was not followed. */
  onSkipped?: ((path: StoragePath) => void) | undefined;
}

/** Half open: `start` is the first byte, `end` the one after the last; clamped to the size of the object. */
export interface Range {
  start?: number | undefined;
  end?: number | undefined;
}

export interface ReadOptions extends Abortable, Range {
  /** @default null */
  compression?: Compression | undefined;
  /** Throws `PreconditionFailed` unless the object still has this etag. */
  ifMatch?: string | undefined;
  version?: string | undefined;
  /** The number of ranges of one version fetched in parallel and delivered in order. @default 1 */
  parallel?: number | undefined;
  /** With `compression`: the maximum number of decoded bytes; reading more throws `TooLarge`. */
  maxDecodedBytes?: number | undefined;
}

export interface WriteOptions extends Abortable {
  /** Throws `AlreadyExists` if the object exists. */
  ifAbsent?: boolean | undefined;
  /** Throws `PreconditionFailed` unless the existing object has this etag. */
  ifMatch?: string | undefined;
  /** @default null */
  compression?: Compression | undefined;
  /** Compression level on the codec's own scale. */
  level?: number | undefined;
  /** @default from the suffix, else `application/octet-stream` */
  contentType?: string | undefined;
  /** User metadata. Names are stored in lower case; together with the values at most 2 KiB. */
  metadata?: Record<string, string> | undefined;
  /** Exact length of `body` in bytes; the write fails if it differs. Avoids buffering large streams. */
  size?: number | undefined;
  /** Receives the number of stored bytes that the provider has accepted so far. */
  onProgress?: ((bytes: number) => void) | undefined;
}

export interface CopyOptions extends Abortable {
  /** Copies everything below the source path, each object separately. */
  recursive?: boolean | undefined;
  ifAbsent?: boolean | undefined;
  /** The etag that the source must have. */
  ifMatch?: string | undefined;
  /** For a recursive copy of files: follows symbolic links to directories, which otherwise fail. Never for a move. */
  followLinks?: boolean | undefined;
  /** Receives the number of bytes that have passed through this process so far, of all objects together. */
  onProgress?: ((bytes: number) => void) | undefined;
}

export interface DeleteObjectOptions extends Abortable {
  version?: string | undefined;
}

export interface DeleteOptions extends DeleteObjectOptions {
  /** Deletes the object and everything below it; a sibling that only shares the prefix stays. */
  recursive?: boolean | undefined;
  /** Required to empty a whole bucket with `recursive`. */
  emptyBucket?: boolean | undefined;
}

export interface SignedUrlOptions {
  /** @default "GET" */
  method?: "GET" | "PUT" | undefined;
  /** Seconds, 1 to 604,800 (seven days). @default 3600 */
  expiresIn?: number | undefined;
}

export type RangesInit = StatOptions & { ifMatch?: string | undefined };

/** The options of each verb, for `checkOptions`. */
export const STAT: OptionNames<StatOptions> = { version: true, signal: true };
export const READ: OptionNames<ReadOptions> = {
  start: true,
  end: true,
  compression: true,
  ifMatch: true,
  version: true,
  parallel: true,
  maxDecodedBytes: true,
  signal: true,
};
export const RANGES: OptionNames<RangesInit> = { ifMatch: true, version: true, signal: true };
export const WRITE: OptionNames<WriteOptions> = {
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
export const DELETE: OptionNames<DeleteOptions> = { recursive: true, emptyBucket: true, version: true, signal: true };
export const LIST: OptionNames<ListOptions> = {
  recursive: true,
  startAfter: true,
  versions: true,
  followLinks: true,
  signal: true,
};
export const GLOB: OptionNames<GlobOptions> = { followLinks: true, onSkipped: true, signal: true };
export const COPY: OptionNames<CopyOptions> = {
  recursive: true,
  ifAbsent: true,
  ifMatch: true,
  followLinks: true,
  onProgress: true,
  signal: true,
};
export const SIGN: OptionNames<SignedUrlOptions> = { method: true, expiresIn: true };

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

export function checkRange({ start = 0, end }: Range): { start: number; end: number | undefined } {
  checkCount("start", start, 0);
  checkCount("end", end, 0);
  if (end !== undefined && end < start) throw invalid(`the range ends (${end}) before it starts (${start})`);
  return { start, end };
}

/** Checks the options of a read and returns the request for the driver. */
export function checkRead(init: ReadOptions) {
  const { ifMatch, version, signal, parallel } = init;
  checkCount("parallel", parallel, 1);
  checkCount("maxDecodedBytes", init.maxDecodedBytes, 0);
  if (init.compression != null && (init.start !== undefined || init.end !== undefined)) {
    throw failure(
      "Unsupported",
      "a range of compressed data cannot be decoded; read it whole, or raw without compression",
    );
  }
  const { start, end } = checkRange(init);
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
  if (typeof value !== "string") throw invalid(`${what} must be text`);
  if (/[\u0000-\u001f\u007f]/.test(value)) throw invalid(`${what} has a control character`);
  if (/[\ud800-\udfff]/u.test(value)) throw invalid(`${what} is not well-formed Unicode`);
}

export function checkSign({ method = "GET", expiresIn = 3600 }: SignedUrlOptions): {
  method: "GET" | "PUT";
  expiresIn: number;
} {
  if (method !== "GET" && method !== "PUT") throw invalid("method must be GET or PUT");
  if (!(Number.isSafeInteger(expiresIn) && expiresIn >= 1 && expiresIn <= MAX_SIGN_SECONDS)) {
    throw invalid(`expiresIn must be 1 to ${MAX_SIGN_SECONDS} seconds, not ${expiresIn}`);
  }
  return { method, expiresIn };
}
