/**
 * The interface between the core and the drivers of providers. Types, and almost nothing else.
 *
 * The core guarantees to a driver: keys are well-formed Unicode without NUL, at most 1,024 bytes of UTF-8 and not
 * empty; ranges are integers with 0 <= start < end; `ifAbsent` and `ifMatch` never come together; metadata names are
 * lower-case tokens and values have no line break; bodies yield non-empty chunks only and are consumed at most once.
 */

import { CLASS } from "../../brand.js";
import type { MemoryLimiter } from "../../concurrency.js";
import type { Connection, Secret } from "../../connections/connection.js";
import type { ErrorCode } from "../../errors.js";
import type { ByteStream } from "../../streams.js";
import type { HttpOptions } from "../http/types.js";

/** What a provider stores with an object besides its bytes. A driver's `attributes` names those that it can store. */
export interface ObjectAttributes {
  /** @default from the suffix, else `application/octet-stream` */
  contentType?: string | undefined;
  /** For browsers and CDNs: `public, max-age=31536000, immutable`. */
  cacheControl?: string | undefined;
  /** The name that a browser saves under: `attachment; filename="report.pdf"`. */
  contentDisposition?: string | undefined;
  /** How the stored bytes are encoded, such as `gzip`. Changes no byte: see `compression` for that. */
  contentEncoding?: string | undefined;
  contentLanguage?: string | undefined;
  /** User metadata. Names are stored in lower case; together with the values at most 2 KiB. */
  metadata?: Record<string, string> | undefined;
  /** The provider's own name: a storage class of S3 or GCS, an access tier of Azure. @default the bucket's */
  storageClass?: string | undefined;
  /** At most ten tags of S3 or Azure, which policies and lifecycle rules can refer to. */
  tags?: Record<string, string> | undefined;
}

export type AttributeName = keyof ObjectAttributes;

/** A key of 32 bytes that the provider does not keep: as bytes, or in base64. */
export type CustomerKey = Uint8Array | string | Secret;

/**
 * How the provider encrypts one object, instead of what the connection says. Without any field: what the bucket does by
 * itself.
 */
export interface ObjectEncryption {
  /** S3: the kind of encryption. @default "aws:kms" with `kmsKeyId` */
  sse?: "AES256" | "aws:kms" | "aws:kms:dsse" | undefined;
  /** S3 and GCS: a key of the provider's key management. */
  kmsKeyId?: string | undefined;
  /** S3, GCS and Azure: every read needs it again, as `customerKey`. Only over HTTPS. */
  customerKey?: CustomerKey | undefined;
  /** Azure: an encryption scope of the account. */
  scope?: string | undefined;
}

export type EncryptionName = keyof ObjectEncryption;

/** What the provider says about the encryption of an object. */
export interface StoredEncryption {
  sse?: string;
  kmsKeyId?: string;
  scope?: string;
  /** Whether reads need the customer's key. */
  customerKey?: true;
}

/** The encryption of one call, instead of that of the connection. Its keys are 32 bytes in base64. */
export interface CallEncryption {
  /** Of the objects that the call creates. Undefined: with the key that it reads with, or as the connection says. */
  create: (Omit<ObjectEncryption, "customerKey"> & { customerKey?: Secret | undefined }) | undefined;
  /** The customer's key of the objects that the call reads. */
  customerKey: Secret | undefined;
}

/** The encryption that calls can choose. */
export interface EncryptionSupport {
  /** The fields that the provider has. The core refuses the others. */
  readonly names: readonly EncryptionName[];
  /** Whether `copy` reads and writes with customers' keys. Otherwise the bytes pass through this process. */
  readonly customerKeyOnCopy: boolean;
  /** Returns the same bucket for calls with this encryption. It is never closed. */
  driver(encryption: CallEncryption): Driver;
}

export type ChecksumName = "md5" | "crc32c" | "sha256";

/** The checksum that the bytes of a write must have. */
export interface WriteChecksum {
  readonly name: ChecksumName;
  readonly value: Buffer;
  /** Starts a check of bytes that pass through this process. */
  begin(): ChecksumCheck;
}

/** A check of bytes in their order. */
export interface ChecksumCheck {
  add(data: Uint8Array): void;
  /** Throws `Corrupt` if the bytes have another checksum. */
  end(): void;
}

/** The metadata of one object. What the provider does not say is undefined. */
export interface ObjectInfo extends ObjectAttributes {
  key: string;
  /** Bytes at rest, as stored. */
  size: number;
  modified?: Date;
  /** Opaque: whatever `ifMatch` of this provider accepts (the quoted etag on S3 and Azure, the generation on GCS). */
  etag?: string;
  version?: string;
  /** Of the data at rest, in lower-case hex, where the response includes it. */
  md5?: string;
  /** The number of tags, where the response states it. `tags` are only read on request. */
  tagCount?: number;
  /** Where the response states it. */
  encryption?: StoredEncryption;
}

/** What a write stored. */
export interface WriteResult {
  etag?: string;
  version?: string;
  /** Only for a copy: source and target are one object under two names, and nothing was done. */
  same?: boolean;
}

/**
 * An entry of a listing. A directory is a common prefix; its key ends with the delimiter. Only file systems have
 * entries that are neither file nor directory (`other`): a link that is not followed, a pipe, a socket, a device.
 */
export interface DriverListEntry {
  key: string;
  type: "file" | "directory" | "other";
  /** Only for `other`: a description. */
  detail?: string;
  size?: number;
  modified?: Date | undefined;
  etag?: string | undefined;
  storageClass?: string;
  /** Only with `versions`. */
  version?: string;
  /** Only with `versions`: whether this is what a read without `version` returns. */
  latest?: boolean;
  /** Only with `versions`: whether this is a delete marker. */
  deleted?: boolean;
}

/** One object, or one of its versions, to delete. */
export interface ObjectIdentifier {
  key: string;
  version?: string;
}

/** An object in one state. */
export interface ConditionalIdentifier {
  key: string;
  /** The etag that it must have. */
  ifMatch: string;
}

/** A key that a bulk delete could not delete, with the provider's error. */
export interface DeleteFailure {
  key: string;
  error: unknown;
}

/** Thrown by `delete` when some keys failed; the others are deleted. */
export class BatchDeleteError extends Error {
  constructor(readonly failures: readonly DeleteFailure[]) {
    super(`${failures.length} keys were not deleted`);
  }

  /** Identifies the class to other copies of this library. */
  get [CLASS](): "BatchDeleteError" {
    return "BatchDeleteError";
  }
}

interface Cancel {
  signal: AbortSignal | undefined;
}
export interface DriverStatOptions extends Cancel {
  version: string | undefined;
  /** Includes the tags, which can take another request. */
  tags?: boolean | undefined;
}
export interface DriverListOptions extends Cancel {
  delimiter: "/" | undefined;
  /** Only keys after this one in the provider's order, exclusive. */
  startAfter: string | undefined;
  versions: boolean;
  /** The maximum number of entries that the caller reads: the driver need not request larger pages. */
  atMost?: number | undefined;
  /** Includes entries of type `other`, if there are any. */
  others?: boolean | undefined;
  /** Follows symbolic links to directories, if there are any. */
  followLinks?: boolean | undefined;
  /** Among files: rows of links to files, and no others. */
  onlyLinks?: boolean | undefined;
  /** Called for each entry that exists but cannot be listed, with its key in escapes. The listing continues. */
  unlisted?: ((key: string, error: unknown) => void) | undefined;
}
export interface DriverReadOptions extends Cancel {
  /** First byte, inclusive; 0 by default. */
  start: number;
  /** Byte after the last, or undefined for the end of the object. May exceed the size. */
  end: number | undefined;
  ifMatch: string | undefined;
  version: string | undefined;
}
export type DriverSuffixOptions = Pick<DriverReadOptions, "ifMatch" | "version" | "signal">;
export interface DriverReadResult {
  info: ObjectInfo;
  body: ByteStream;
  attempts?: number;
}
export interface DriverWriteOptions extends Cancel, ObjectAttributes {
  ifAbsent: boolean;
  ifMatch: string | undefined;
  /** Exact length in bytes, if known. The core fails the body if it differs. */
  size: number | undefined;
  /** Receives the number of bytes that the provider has accepted so far. */
  onProgress: ((bytes: number) => void) | undefined;
  /** One of the driver's `checksums`; nothing is stored if the bytes have another one. */
  checksum?: WriteChecksum | undefined;
}
export interface DriverCopyOptions extends Cancel {
  ifAbsent: boolean;
  /** The etag that the source must have. */
  ifMatch: string | undefined;
  /** All attributes of the copy. Undefined: those of the source, but its storage class. */
  attributes?: ObjectAttributes | undefined;
}
export interface DriverAttributeOptions extends Cancel {
  /** The object as the caller has seen it; the driver fails with PreconditionFailed if it is another one by now. */
  was: ObjectInfo;
  changed: ReadonlySet<AttributeName>;
  /** Whether the caller has set a condition, so that a request without one is no option. */
  conditional: boolean;
}
/** The headers of a response that a link can set. */
export type ResponseHeaders = Pick<
  ObjectAttributes,
  "contentType" | "cacheControl" | "contentDisposition" | "contentEncoding" | "contentLanguage"
>;
export interface DriverSignOptions {
  method: "GET" | "PUT" | "HEAD" | "DELETE";
  /** Seconds. */
  expiresIn: number;
  /** Only for PUT. */
  contentType?: string | undefined;
  /** Only for PUT, in bytes. */
  contentLength?: number | undefined;
  /** Only for GET. */
  responseHeaders?: ResponseHeaders | undefined;
}
/** A request that its holder can send without credentials. */
export interface DriverSignedUrl {
  url: string;
  /** Must be sent with it; lower-case names. */
  headers: Record<string, string>;
}
export interface DriverPostOptions {
  /** Seconds. */
  expiresIn: number;
  minBytes: number;
  maxBytes: number;
  contentType: string | undefined;
  /** Whether the key is only the beginning of the keys that can be uploaded. */
  prefix: boolean;
}
/** A form of a browser. */
export interface DriverSignedPost {
  url: string;
  /** Come before the field `file`, in this order. */
  fields: Record<string, string>;
}

/** The failed operation, so that a driver can tell a 404 or 412 apart. */
export interface OperationContext {
  op: "stat" | "list" | "read" | "write" | "copy" | "delete" | "sign";
  ifAbsent: boolean;
  ifMatch: boolean;
}

/** One bucket of one provider, for single objects. Every method is required: a wrapper cannot lose one silently. */
export interface ObjectDriver {
  stat(key: string, options: DriverStatOptions): Promise<ObjectInfo>;
  /**
   * Sends one request: the info comes with the body, `info.size` is the size of the whole object. A `start` at or past
   * the end gives an empty body. `attempts` is the number of requests that the response took, if the driver counts them:
   * parallel reads become fewer when it is more than one.
   */
  read(key: string, options: DriverReadOptions): Promise<DriverReadResult>;
  /** Writes atomically: the object exists if and only if the promise resolves. */
  write(key: string, body: ByteStream, options: DriverWriteOptions): Promise<WriteResult>;
  /** Succeeds for missing keys; throws one {@link BatchDeleteError} for the failed ones. */
  delete(objects: readonly ObjectIdentifier[], options: Cancel): Promise<void>;
  /** Returns the category of an error that this driver threw, even mid-body. The core never passes a StorageError. */
  codeOf(error: unknown, call: OperationContext): ErrorCode;
  close(): Promise<void>;
}

/** Features of file systems that object stores lack: links, and real directories. */
export interface FileSystem {
  /** Returns whether `key` itself is a symbolic link. */
  isLink(key: string): Promise<boolean>;
  /** Returns the real key of `key`, as far as it exists. */
  realKey(key: string): Promise<string>;
  /** Renames a link, whatever its target. */
  moveLink(from: string, to: string, options: { ifAbsent: boolean }): Promise<void>;
  /** Creates a directory and its parents. Succeeds if it exists. */
  makeDirectory(key: string): Promise<void>;
}

/** What a driver can have besides: suffix ranges. */
export interface SuffixReader {
  /**
   * Reads the last `last` bytes, 1 or more, in one request; everything if the object is smaller. A driver omits it if
   * the provider has no such ranges; the core then asks for the size first.
   */
  readLast?(key: string, last: number, options: DriverSuffixOptions): Promise<{ info: ObjectInfo; body: ByteStream }>;
}

/** A bucket in the list of an account. */
export interface DriverBucket {
  name: string;
  created?: Date | undefined;
  /** The provider's own name of its place, where the list states it. */
  region?: string | undefined;
}

export interface DriverCreateBucketOptions extends Cancel {
  /** The provider's own name of a place. @default that of the connection */
  region: string | undefined;
}

/** The buckets of one account. */
export interface BucketService {
  /** Yields pages. */
  list(options: Cancel): AsyncIterable<readonly DriverBucket[]>;
  /**
   * Throws InvalidArgument for a name that the provider does not allow, before any request; AlreadyExists for a bucket
   * of this account, and PermissionDenied for a name that another account has.
   */
  create(name: string, options: DriverCreateBucketOptions): Promise<void>;
  /** Throws NotFound for a missing bucket, and PreconditionFailed for one that is not empty. */
  delete(name: string, options: Cancel): Promise<void>;
}

/** One bucket of one provider, with all verbs. */
export interface Driver extends ObjectDriver, SuffixReader {
  /** Only for drivers whose objects are files. */
  readonly fileSystem?: FileSystem;
  /** Yields pages in the provider's order; `prefix` is a string and may end in a part of a name. */
  list(prefix: string, options: DriverListOptions): AsyncIterable<readonly DriverListEntry[]>;
  /**
   * Whether `list` is in the order of UTF-8 bytes and finds any `startAfter` without reading what is before it. Then
   * listings of many keys are divided, and several parts listed at once.
   */
  readonly startsAnywhere?: boolean;
  /**
   * Copies within the provider, from any bucket that this connection can read. Two names of one object: see {@link
   * WriteResult}.
   */
  copy(from: { bucket: string; key: string }, to: string, options: DriverCopyOptions): Promise<WriteResult>;
  /** The attributes that objects can carry. A write refuses the others. */
  readonly attributes: readonly AttributeName[];
  /** The attributes that `copy` can set. Others are only set by copying the bytes through this process. */
  readonly attributesOnCopy: readonly AttributeName[];
  /** The checksums of a write that the provider, or this driver, verifies. The core verifies the others. @default none */
  readonly checksums?: readonly ChecksumName[];
  /** @default none: the core refuses every encryption of one call */
  readonly encryption?: EncryptionSupport;
  /** Changes attributes in place; `attributes` are all that the object has afterwards. */
  setAttributes(key: string, attributes: ObjectAttributes, options: DriverAttributeOptions): Promise<WriteResult>;
  signedUrl(key: string, options: DriverSignOptions): Promise<DriverSignedUrl>;
  signedPost(key: string, options: DriverPostOptions): Promise<DriverSignedPost>;
  /**
   * Deletes an object only if it has this etag: throws PreconditionFailed otherwise. Succeeds for a missing key. A
   * driver omits it if the provider cannot compare and delete in one step; a move then checks right before it deletes.
   */
  deleteIfMatch?(key: string, etag: string, options: Cancel): Promise<void>;
  /**
   * Deletes many objects in few requests, each only if it has its etag: the provider compares and deletes in one step.
   * Succeeds for missing keys, unless the provider takes them for a state that differs. Throws one {@link
   * BatchDeleteError} for the failed ones, in which PreconditionFailed stands for an object with another etag.
   */
  deleteManyIfMatch?(objects: readonly ConditionalIdentifier[], options: Cancel): Promise<void>;
  /**
   * The buckets of the account, which only a driver that was opened with an empty name must have. A driver omits it if
   * the provider has no buckets, or none to create.
   */
  readonly buckets?: BucketService;
}

/**
 * The context that all drivers of one Storage share. Reads and writes have separate budgets, or a copy between stores
 * deadlocks.
 */
export interface DriverContext {
  uploads: MemoryLimiter;
  downloads: MemoryLimiter;
  env: Readonly<Record<string, string | undefined>>;
  /** For `openHttp`, so that the driver's requests are published to whom observes them. */
  observe?: HttpOptions["observe"];
}

/**
 * Opens the driver of one bucket, or with an empty name that of the account, for its `buckets`. Called at most once per
 * bucket and connection of a Storage.
 */
export interface OpenDriver<D extends ObjectDriver = Driver> {
  (bucket: string, connection: Connection | undefined, shared: DriverContext): D | Promise<D>;
  /** Brings its own credentials: the connection id of a path is only a name, and no lookup takes place. */
  readonly ownCredentials?: true;
}

/** A provider's part of a Storage: the schemes that it serves, and the function that opens the driver of one bucket. */
export interface DriverFactory<D extends ObjectDriver = Driver> {
  /** Without `://`; references print the first one: `["s3", "s3a"]`. */
  readonly schemes: readonly string[];
  readonly open: OpenDriver<D>;
}

/** Marks a function that opens drivers with their own credentials. */
export function withOwnCredentials<D extends ObjectDriver>(
  open: (bucket: string, connection: Connection | undefined, shared: DriverContext) => D | Promise<D>,
): OpenDriver<D> {
  return Object.assign(open, { ownCredentials: true as const });
}
