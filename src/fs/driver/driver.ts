/**
 * The seam: what a provider's driver owes the core, and what the core guarantees to it. Types, and next to nothing else.
 *
 * Guaranteed to a driver: keys are well-formed Unicode without NUL, at most 1,024 bytes of UTF-8 and not empty;
 * ranges are integers with 0 <= start < end; `ifAbsent` and `ifMatch` never come together; metadata names are
 * lower-case tokens and values have no line break; bodies yield non-empty chunks only and are consumed at most once.
 */

import { CLASS } from "../../brand.js";
import type { MemoryLimiter } from "../../concurrency.js";
import type { Connection } from "../../connections/connection.js";
import type { ErrorCode } from "../../errors.js";
import type { ByteStream } from "../../streams.js";

/** What is known of one object. */
export interface ObjectInfo {
  key: string;
  /** Bytes at rest, as stored. */
  size: number;
  modified: Date;
  /** Opaque: whatever `ifMatch` of this provider accepts (the quoted etag on S3 and Azure, the generation on GCS). */
  etag: string;
  version?: string;
  /** Of the data at rest, in lower-case hex, where the provider states it with the answer. */
  md5?: string;
  contentType?: string;
  /** User metadata with lower-case names. */
  metadata?: Record<string, string>;
}

/** What a write leaves behind. */
export interface WriteResult {
  etag?: string;
  version?: string;
  /** Only of a copy: source and target are one object, under two names. Nothing was done. */
  same?: boolean;
}

/**
 * One row of a listing. A directory is a common prefix; its key ends with the delimiter. What is neither file nor
 * directory (`other`) exists in file systems: a link that is not followed, a pipe, a socket, a device.
 */
export interface DriverListEntry {
  key: string;
  type: "file" | "directory" | "other";
  /** Only of `other`: what it is. */
  detail?: string;
  size?: number;
  modified?: Date;
  etag?: string;
  /** Only with `versions`. */
  version?: string;
  /** Only with `versions`: whether this is what a read without `version` returns. */
  latest?: boolean;
  /** Only with `versions`: a marker that says the object was deleted at this point. */
  deleted?: boolean;
}

/** One object, or one of its versions, to delete. */
export interface ObjectIdentifier {
  key: string;
  version?: string;
}

/** One key that a bulk delete could not delete: the provider's error and the key. */
export interface DeleteFailure {
  key: string;
  error: unknown;
}

/** Thrown by `delete` when some keys failed; the others are gone. */
export class BatchDeleteError extends Error {
  constructor(readonly failures: readonly DeleteFailure[]) {
    super(`${failures.length} keys were not deleted`);
  }

  /** By which another copy of this library knows it. */
  get [CLASS](): "BatchDeleteError" {
    return "BatchDeleteError";
  }
}

interface Cancel {
  signal: AbortSignal | undefined;
}
export interface DriverStatOptions extends Cancel {
  version: string | undefined;
}
export interface DriverListOptions extends Cancel {
  delimiter: "/" | undefined;
  /** Only keys after this one in the order of the provider, exclusive. */
  startAfter: string | undefined;
  versions: boolean;
  /** Rows of the type `other`, too, where there are any. */
  others?: boolean | undefined;
  /** Goes through symbolic links to directories, where there are any. */
  followLinks?: boolean | undefined;
  /** Among files: rows of links to files, and no others. */
  onlyLinks?: boolean | undefined;
  /** Is told what exists and cannot be a row, or cannot be looked into; its key is spelled with escapes. The listing goes on. */
  unlisted?: ((key: string, error: unknown) => void) | undefined;
}
export interface DriverReadOptions extends Cancel {
  /** First byte, inclusive; 0 when not asked for. */
  start: number;
  /** Byte after the last, or undefined for the end of the object. May lie past the end. */
  end: number | undefined;
  ifMatch: string | undefined;
  version: string | undefined;
}
export interface DriverWriteOptions extends Cancel {
  ifAbsent: boolean;
  ifMatch: string | undefined;
  contentType: string | undefined;
  metadata: Record<string, string> | undefined;
  /** Exact byte length when known. The core fails the body when it lies. */
  size: number | undefined;
  /** Called with the number of bytes that the provider has accepted so far. */
  onProgress: ((bytes: number) => void) | undefined;
}
export interface DriverCopyOptions extends Cancel {
  ifAbsent: boolean;
  /** Etag of the source. */
  ifMatch: string | undefined;
}
export interface DriverSignOptions {
  method: "GET" | "PUT";
  /** Seconds. */
  expiresIn: number;
}

/** What failed, so that a driver can tell a 404 or 412 apart. */
export interface OperationContext {
  op: "stat" | "list" | "read" | "write" | "copy" | "delete" | "sign";
  ifAbsent: boolean;
  ifMatch: boolean;
}

/** One bucket of one provider, as far as single objects need it. Every method is required: a wrapper cannot lose one silently. */
export interface ObjectDriver {
  /** Whether objects can carry user metadata here. Where they cannot, a copy from elsewhere leaves it behind and a write refuses it. */
  readonly metadata: boolean;
  stat(key: string, options: DriverStatOptions): Promise<ObjectInfo>;
  /**
   * One request: the info comes with the body, `info.size` is the size of the whole object.
   * A `start` at or past the end gives an empty body.
   */
  read(key: string, options: DriverReadOptions): Promise<{ info: ObjectInfo; body: ByteStream }>;
  /** All or nothing: the object exists if and only if the promise resolves. */
  write(key: string, body: ByteStream, options: DriverWriteOptions): Promise<WriteResult>;
  /** A missing key is success; failed keys come in one {@link BatchDeleteError}. */
  delete(objects: readonly ObjectIdentifier[], options: Cancel): Promise<void>;
  /** The category of an error that this driver threw, mid-body errors included. A StorageError never gets here. */
  codeOf(error: unknown, call: OperationContext): ErrorCode;
  close(): Promise<void>;
}

/** What file systems have and object stores do not: names that lead to other names, and directories of their own. */
export interface FileSystem {
  /** Whether `key` itself is a symbolic link. */
  isLink(key: string): Promise<boolean>;
  /** The key that `key` really leads to, as far as it exists. */
  realKey(key: string): Promise<string>;
  /** Renames a link, whatever it leads to. */
  moveLink(from: string, to: string, options: { ifAbsent: boolean }): Promise<void>;
  /** Makes a directory and those above it. One that is there is a success. */
  makeDirectory(key: string): Promise<void>;
}

/** One bucket of one provider, whole. */
export interface Driver extends ObjectDriver {
  /** Only of drivers whose objects are files. */
  readonly fileSystem?: FileSystem;
  /** Pages in the provider's order; `prefix` is a string and may end in a part of a name. */
  list(prefix: string, options: DriverListOptions): AsyncIterable<readonly DriverListEntry[]>;
  /** Within the provider, from any of its buckets that this connection can read. Two names of one object: see {@link WriteResult}. */
  copy(from: { bucket: string; key: string }, to: string, options: DriverCopyOptions): Promise<WriteResult>;
  signedUrl(key: string, options: DriverSignOptions): Promise<string>;
  /**
   * Deletes an object only if it has this etag: PreconditionFailed otherwise. A missing key is success. A driver leaves
   * it out where the provider cannot compare and delete in one step; a move then looks right before it deletes.
   */
  deleteIfMatch?(key: string, etag: string, options: Cancel): Promise<void>;
}

/** What all drivers of one Storage have in common. Reads and writes have separate budgets, or a copy between stores deadlocks. */
export interface DriverContext {
  uploads: MemoryLimiter;
  downloads: MemoryLimiter;
  env: Readonly<Record<string, string | undefined>>;
}

/** Opens the driver of one bucket. Called at most once per bucket and connection of a Storage. */
export interface OpenDriver<D extends ObjectDriver = Driver> {
  (bucket: string, connection: Connection | undefined, shared: DriverContext): D | Promise<D>;
  /** It brings its own credentials: the connection id of a path is a name only, which nobody is asked for. */
  readonly ownCredentials?: true;
}

/** A provider's part of a Storage: the schemes that it serves, and how the driver of one bucket is opened. */
export interface DriverFactory<D extends ObjectDriver = Driver> {
  /** Without `://`, the one that references print first: `["s3", "s3a"]`. */
  readonly schemes: readonly string[];
  readonly open: OpenDriver<D>;
}

/** Marks the opening of drivers that bring their own credentials. */
export function withOwnCredentials<D extends ObjectDriver>(
  open: (bucket: string, connection: Connection | undefined, shared: DriverContext) => D | Promise<D>,
): OpenDriver<D> {
  return Object.assign(open, { ownCredentials: true as const });
}
