import { createHash, randomUUID } from "node:crypto";
import type { MemoryLimiter } from "../../../concurrency.js";
import { failure } from "../../../errors.js";
import type { ByteStream } from "../../../streams.js";
import {
  type ObservedObject,
  reconcileAmbiguousWrite,
  timesIn,
  type WriteAttempt,
} from "../../driver/ambiguous-write.js";
import { headerValue } from "../../driver/content.js";
import type {
  ChecksumName,
  DriverWriteOptions,
  ObjectAttributes,
  WriteChecksum,
  WriteResult,
} from "../../driver/driver.js";
import type { UploadLimits } from "../../driver/part-reader.js";
import { type MultipartUpload, type Part, type UploadTarget, upload } from "../../driver/upload.js";
import { verifiedParts } from "../../driver/verified-upload.js";
import { unexpectedResponse } from "../../http/errors.js";
import type { HttpHead, HttpText } from "../../http/types.js";
import { escapeXml, leafFields } from "../../http/xml-fields.js";
import { canonicalQuery } from "../../signing/sigv4.js";
import type { Bucket } from "./client.js";
import { CHECKSUM, checksumOf, isOpaque, metadataHeaders, NONCE_HEADER, writeResultOf } from "./object.js";
import type { Profile } from "./profile.js";

const MIB = 2 ** 20;

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const GROWING: UploadLimits = {
  maxSinglePut: 8 * MIB,
  partSize: 8 * MIB,
  maxPartSize: 5 * 1024 * MIB,
  maxParts: 10_000,
  partAlignment: 1,
  concurrency: 8,
  uniformParts: false,
};
const UNIFORM: UploadLimits = { ...GROWING, uniformParts: true };

function limitsOf({ uniformParts }: Profile): UploadLimits {
  return uniformParts ? UNIFORM : GROWING;
}

export async function write(
  bucket: Bucket,
  key: string,
  body: ByteStream,
  options: DriverWriteOptions,
  limiter: MemoryLimiter,
): Promise<WriteResult> {
  checkConditions(bucket.profile.conditionalPut, options);
  const { size, signal, onProgress } = options;
  return upload(body, new ObjectTarget(bucket, key, options), { limiter, size, signal, onProgress });
}

/** Throws Unsupported for conditions that the provider does not enforce; `which` says on what kind of writes. */
function checkConditions(enforced: boolean, conditions: Conditions, which = ""): void {
  if (!enforced && isConditional(conditions))
    throw failure(
      "Unsupported",
      `this S3 profile enforces no conditions on writes${which}; set provider or STOWAGE_S3_PROVIDER`,
    );
}

/** Returns the headers of attributes. */
export function attributeHeaders(bucket: Bucket, described: ObjectAttributes): Record<string, string> {
  const { contentType, metadata } = described;
  const headers = { ...metadataHeaders(metadata), ...bucket.attributes?.headersOf(described, bucket) };
  if (contentType !== undefined) headers["content-type"] = contentType;
  return headers;
}

function etagOfWhole(data: Uint8Array): string {
  return `"${createHash("md5").update(data).digest("hex")}"`;
}

/** Sends PutObject with `headers`, including those of its conditions; settles a lost response. */
export async function putObject(
  bucket: Bucket,
  key: string,
  headers: Record<string, string>,
  conditions: Conditions,
  body: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<WriteResult> {
  const nonce = nonceFor(conditions);
  if (nonce !== undefined) headers[NONCE_HEADER] = nonce;
  const checksum = bucket.checksums.write ? checksumOf(body) : undefined;
  if (checksum !== undefined) headers[CHECKSUM] = checksum;
  const since = performance.now();
  try {
    const answer = await bucket.client.send({ method: "PUT", key, headers, body, signal });
    checkStored(answer, checksum);
    return toWriteResult(answer);
  } catch (error) {
    const attempt = attemptOf(conditions, nonce, since, () => etagOfWhole(body));
    return reconcileAmbiguousWrite(error, attempt, () => statMarked(bucket, key, signal));
  }
}

/** Of a write, a part or a commit. */
const NO_ETAG = "the answer has no ETag";

/** Compares the checksum that AWS and MinIO repeat: it is that of the bytes that they stored. */
function checkStored({ status, headers }: HttpHead, sent: string | undefined): void {
  const said = headers[CHECKSUM];
  if (sent !== undefined && said !== undefined && said !== sent)
    throw unexpectedResponse("PUT", status, "the stored checksum differs");
}

function toWriteResult({ status, headers }: HttpHead): WriteResult {
  if (headers.etag) return writeResultOf(headers);
  throw unexpectedResponse("PUT", status, NO_ETAG);
}

export class ObjectTarget implements UploadTarget<PartDone> {
  readonly limits;

  constructor(
    readonly bucket: Bucket,
    readonly key: string,
    readonly options: DriverWriteOptions,
  ) {
    this.limits = limitsOf(bucket.profile);
  }

  async putObject(data: Uint8Array, _size: number, signal: AbortSignal | undefined): Promise<WriteResult> {
    const { bucket, key, options } = this;
    const headers = { ...bucket.encryption.create, ...attributeHeaders(bucket, options), ...conditionHeaders(options) };
    return putObject(bucket, key, headers, options, data, signal);
  }

  async createUpload(): Promise<MultipartUpload<PartDone>> {
    const { bucket, key, options } = this;
    checkConditions(bucket.profile.conditionalCommit, options, " in parts, above 8 MiB");
    const headers = { ...bucket.encryption.create, ...attributeHeaders(bucket, options) };
    // One checksum of all bytes, which reads can verify, instead of one of the parts' checksums.
    const sums = { "x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "FULL_OBJECT" };
    if (bucket.checksums.write) Object.assign(headers, sums);
    const begun = { conditions: options, nonce: nonceFor(options) };
    return Multipart.begin(bucket, key, headers, begun);
  }
}

// The conditions of a write, and the nonce by which it recognizes its own object.

export interface Conditions {
  ifAbsent: boolean;
  ifMatch: string | undefined;
}

export function conditionHeaders({ ifAbsent, ifMatch }: Conditions): Record<string, string> {
  if (ifAbsent) return { "if-none-match": "*" };
  return ifMatch === undefined ? {} : { "if-match": ifMatch };
}

function isConditional({ ifAbsent, ifMatch }: Conditions): boolean {
  return ifAbsent || ifMatch !== undefined;
}

/** Returns a new nonce for a write under a condition; other writes need none. */
export function nonceFor(conditions: Conditions): string | undefined {
  return isConditional(conditions) ? randomUUID() : undefined;
}

/** The object observed after a response was lost. */
export interface Marked extends ObservedObject {
  nonce: string | undefined;
}

/**
 * Describes a write with `nonce`; `etagOf` returns the etag of an object with these bytes, if etags derive from them.
 */
function attemptOf(
  { ifAbsent, ifMatch }: Conditions,
  nonce: string | undefined,
  since: number,
  etagOf: () => string | undefined,
): WriteAttempt<Marked> {
  return {
    since,
    ifAbsent,
    ifMatch,
    isOurs(seen) {
      if (nonce !== undefined) return seen.nonce === nonce;
      const etag = etagOf();
      return etag !== undefined && seen.result.etag === etag;
    },
  };
}

// The requests of a multipart upload, shared by parts and copies.

/** Milliseconds that the server may be silent while it assembles or copies an object. */
export const PATIENCE = 5 * 60_000;

/** A stored part. */
export interface PartDone {
  number: number;
  etag: string;
  checksum?: string | undefined;
}

/** The start of an upload besides its headers. */
export interface Begin {
  conditions: Conditions;
  /** From `nonceFor(conditions)`. */
  nonce: string | undefined;
}

export class Multipart implements MultipartUpload<PartDone> {
  private constructor(
    readonly bucket: Bucket,
    readonly key: string,
    readonly id: string,
    readonly begun: Begin,
  ) {}

  static async begin(
    bucket: Bucket,
    key: string,
    described: Readonly<Record<string, string>>,
    begun: Begin,
    signal?: AbortSignal,
  ): Promise<Multipart> {
    const headers = begun.nonce === undefined ? described : { ...described, [NONCE_HEADER]: begun.nonce };
    const ask = { method: "POST", key, query: "uploads=", headers, body: Buffer.alloc(0), signal } as const;
    const { text } = await bucket.client.text(ask);
    const upload = (id: string | undefined) => new Multipart(bucket, key, uploadIdOf(id), begun);
    try {
      return upload(leafFields(text).UploadId);
    } catch (error) {
      // Aborts the upload if the server's invalid response names one.
      const id = /<UploadId>([^<>&\s]+)<\/UploadId>/.exec(text)?.[1];
      if (id !== undefined)
        await upload(id)
          .abort()
          .catch(() => {});
      throw error;
    }
  }

  query(number: number): string {
    return canonicalQuery([
      ["partNumber", String(number)],
      ["uploadId", this.id],
    ]);
  }

  async uploadPart({ index, data: body }: Part, signal: AbortSignal): Promise<PartDone> {
    const { client, encryption, checksums } = this.bucket;
    const number = index + 1;
    const checksum = checksums.write ? checksumOf(body) : undefined;
    const headers = checksum === undefined ? encryption.use : { ...encryption.use, [CHECKSUM]: checksum };
    const query = this.query(number);
    const answer = await client.send({ method: "PUT", key: this.key, query, headers, body, signal });
    checkStored(answer, checksum);
    return { number, etag: partEtag(answer.headers.etag), checksum };
  }

  async complete(parts: readonly PartDone[], _size: number, signal: AbortSignal | undefined): Promise<WriteResult> {
    const { bucket, key } = this;
    const { conditions, nonce } = this.begun;
    const body = Buffer.from(`<CompleteMultipartUpload>${parts.map(row).join("")}</CompleteMultipartUpload>`);
    const headers = { ...bucket.encryption.use, ...conditionHeaders(conditions), "content-type": "application/xml" };
    const query = canonicalQuery([["uploadId", this.id]]);
    const since = performance.now();
    try {
      return commitResult(
        await bucket.client.text({ method: "POST", key, query, headers, body, signal, idleTimeoutMs: PATIENCE }),
      );
    } catch (error) {
      const attempt = attemptOf(conditions, nonce, since, () => etagOf(parts));
      return reconcileAmbiguousWrite(error, attempt, () => statMarked(bucket, key, signal));
    }
  }

  async abort(): Promise<void> {
    const query = canonicalQuery([["uploadId", this.id]]);
    await this.bucket.client.send({ method: "DELETE", key: this.key, query, signal: undefined });
  }
}

function commitResult({ text, status, headers }: HttpText & HttpHead): WriteResult {
  const { ETag } = leafFields(text);
  if (!ETag) throw unexpectedResponse("POST", status, NO_ETAG);
  return writeResultOf(headers, ETag);
}

/** Returns the id of a started upload. Refuses an empty one before any request: its abort would delete the object. */
function uploadIdOf(id: string | undefined): string {
  if (id) return id;
  throw failure("Unsupported", "the server began an upload in parts without an UploadId");
}

export function partEtag(etag: string | undefined): string {
  if (etag) return etag;
  throw failure("Unsupported", NO_ETAG);
}

/** Returns the current object at `key`. */
async function statMarked(
  { client, encryption }: Bucket,
  key: string,
  signal: AbortSignal | undefined,
): Promise<Marked> {
  const { headers } = await client.send({ method: "HEAD", key, headers: encryption.use, signal, maxAttempts: 3 });
  const opaque = isOpaque(headers) || Object.keys(encryption.use).length > 0;
  return { result: writeResultOf(headers), nonce: headerValue(headers[NONCE_HEADER]), opaque, ...timesIn(headers) };
}

function row({ number, etag, checksum }: PartDone): string {
  const sum = checksum === undefined ? "" : `<ChecksumCRC32>${checksum}</ChecksumCRC32>`;
  return `<Part><PartNumber>${number}</PartNumber><ETag>${escapeXml(etag)}</ETag>${sum}</Part>`;
}

/** Returns the etag of the object that the parts form: the MD5 of their MD5s. Undefined if their etags are not MD5s. */
function etagOf(parts: readonly PartDone[]): string | undefined {
  const md5 = createHash("md5");
  for (const { etag } of parts) {
    const sum = /^"?([0-9a-f]{32})"?$/i.exec(etag)?.[1];
    if (sum === undefined) return undefined;
    md5.update(sum, "hex");
  }
  return `"${md5.digest("hex")}-${parts.length}"`;
}

/** The checksums that a service verifies. All know Content-MD5; older ones refuse or ignore the others. */
export function checksumsOf({ checksums }: Profile): readonly ChecksumName[] {
  return checksums ? ["md5", "crc32c", "sha256"] : ["md5"];
}

/** Writes an object. The service verifies the checksum of a body in one request, this process that of one in parts. */
export async function writeChecked(
  bucket: Bucket,
  key: string,
  body: ByteStream,
  options: DriverWriteOptions,
  limiter: MemoryLimiter,
): Promise<WriteResult> {
  const { checksum, size, signal, onProgress } = options;
  if (!checksum) return write(bucket, key, body, options, limiter);
  checkConditions(bucket.profile.conditionalPut, options);
  const inParts = new ObjectTarget(bucket, key, options);
  const atOnce = new ObjectTarget(stating(bucket, checksum), key, options);
  const target: UploadTarget<PartDone> = {
    limits: inParts.limits,
    putObject: (data, length, ending) => atOnce.putObject(data, length, ending),
    createUpload: () => inParts.createUpload(),
  };
  return upload(body, verifiedParts(target, checksum), { limiter, size, signal, onProgress });
}

/**
 * Returns the same bucket, whose objects are created with this checksum. Besides the MD5 the service takes only one.
 */
function stating(bucket: Bucket, { name, value }: WriteChecksum): Bucket {
  const header = name === "md5" ? "content-md5" : `x-amz-checksum-${name}`;
  const create = { ...bucket.encryption.create, [header]: value.toString("base64") };
  const { write: own, read } = bucket.checksums;
  return {
    ...bucket,
    encryption: { ...bucket.encryption, create },
    checksums: { write: own && name === "md5", read },
  };
}
