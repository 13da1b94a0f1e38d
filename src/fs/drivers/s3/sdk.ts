import type {
  GetObjectCommandOutput,
  HeadObjectCommandOutput,
  ListObjectsV2CommandOutput,
  ListObjectVersionsCommandOutput,
  ObjectVersion,
  S3Client,
} from "@aws-sdk/client-s3";
import { failure } from "../../../errors.js";
import { type ByteStream, single } from "../../../streams.js";
import { reconcileAmbiguousWrite } from "../../driver/ambiguous-write.js";
import { decodeRfc2047, encodeRfc2047, parseContentRange, rangeHeader, sizeFrom } from "../../driver/content.js";
import type {
  Driver,
  DriverContext,
  DriverListEntry,
  DriverListOptions,
  DriverReadOptions,
  DriverSignOptions,
  DriverStatOptions,
  DriverWriteOptions,
  ObjectIdentifier,
  ObjectInfo,
  WriteResult,
} from "../../driver/driver.js";
import { Listing } from "../../driver/listing.js";
import { clientBody } from "../../driver/sdk-body.js";
import { type MultipartUpload, type Part, type UploadTarget, upload } from "../../driver/upload.js";
import { HttpError, isSuccess, lineFailure, mayHaveLanded, refusal, strange } from "../../http/client.js";
import { encodeKey } from "../../signing/sigv4.js";
import { type CopyRoute, type CopySource, copy, type Looked, type PartCopies } from "./copy.js";
import { type DeleteRoute, type FailedRow, remove } from "./delete.js";
import { codeOf, declined } from "./errors.js";
import { decoder, required } from "./list.js";
import { md5In, NONCE, versionIn } from "./object.js";
import type { Profile } from "./profile.js";
import {
  attemptOf,
  type Begin,
  type Conditions,
  checkCommitConditions,
  checkConditions,
  etagOf,
  etagOfWhole,
  limitsOf,
  type Marked,
  nonceFor,
  type PartDone,
  partEtag,
  uploadIdOf,
} from "./write.js";

export function conditionInput({ ifAbsent, ifMatch }: Conditions): { IfNoneMatch?: string; IfMatch?: string } {
  if (ifAbsent) return { IfNoneMatch: "*" };
  return ifMatch === undefined ? {} : { IfMatch: ifMatch };
}

/** What is at `key` now. */
export async function look(
  { client, library, bucket }: Sdk,
  key: string,
  signal: AbortSignal | undefined,
): Promise<Marked> {
  const command = new library.HeadObjectCommand({ Bucket: bucket, Key: key });
  const head = await calling("HeadObject", signal, (options) => client.send(command, options));
  const opaque = head.ServerSideEncryption?.startsWith("aws:kms") === true || head.SSECustomerAlgorithm !== undefined;
  return { receipt: receiptOf(head), nonce: head.Metadata?.[NONCE], opaque };
}

/** What the client answered to a write, if it names an object. */
function stored(found: { $metadata: { httpStatusCode?: number | undefined }; ETag?: string | undefined }) {
  const { httpStatusCode: status = 200 } = found.$metadata;
  if (status === 200 && found.ETag) return receiptOf(found);
  throw strange("PUT", status, "the answer to the write has no ETag, or another status than 200");
}

/** PutObject; a lost answer is settled. */
async function putObject(
  sdk: Sdk,
  key: string,
  described: { Metadata?: Record<string, string> | undefined },
  conditions: Conditions,
  data: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<WriteResult> {
  const nonce = nonceFor(conditions);
  const place = { Bucket: sdk.bucket, Key: key, Body: data };
  const input = { ...place, ...marked(described, nonce), ...conditionInput(conditions) };
  const command = new sdk.library.PutObjectCommand(input);
  const since = performance.now();
  try {
    return stored(await calling("PutObject", signal, (o) => sdk.client.send(command, o)));
  } catch (error) {
    const attempt = attemptOf(conditions, nonce, since, () => etagOfWhole(data));
    return reconcileAmbiguousWrite(error, attempt, () => look(sdk, key, signal));
  }
}

function marked(described: { Metadata?: Record<string, string> | undefined }, nonce: string | undefined) {
  return nonce === undefined ? described : { ...described, Metadata: { ...described.Metadata, [NONCE]: nonce } };
}

function describing({ contentType, metadata }: DriverWriteOptions) {
  const values = Object.entries(metadata ?? {}).map(([name, value]) => [name, encodeRfc2047(value)]);
  return {
    ContentType: contentType,
    ...(metadata && { Metadata: Object.fromEntries(values) as Record<string, string> }),
  };
}

class SdkTarget implements UploadTarget<PartDone> {
  readonly limits;

  constructor(
    readonly sdk: Sdk,
    readonly key: string,
    readonly options: DriverWriteOptions,
  ) {
    this.limits = limitsOf(sdk.profile);
  }

  async putObject(data: Uint8Array, _size: number, signal: AbortSignal | undefined): Promise<WriteResult> {
    return putObject(this.sdk, this.key, describing(this.options), this.options, data, signal);
  }

  async createUpload(): Promise<SdkSession> {
    checkCommitConditions(this.sdk.profile, this.options);
    return SdkSession.begin(this.sdk, this.key, describing(this.options), this.options);
  }
}

/** An upload in parts; the client's own setting decides about checksums. */
class SdkSession implements MultipartUpload<PartDone> {
  private constructor(
    readonly sdk: Sdk,
    readonly upload: { Bucket: string; Key: string; UploadId: string },
    readonly begun: Begin,
  ) {}

  static async begin(
    sdk: Sdk,
    key: string,
    described: { Metadata?: Record<string, string> | undefined },
    conditions: Conditions,
  ): Promise<SdkSession> {
    const place = { Bucket: sdk.bucket, Key: key };
    const nonce = nonceFor(conditions);
    const command = new sdk.library.CreateMultipartUploadCommand({ ...place, ...marked(described, nonce) });
    const { UploadId } = await calling("CreateMultipartUpload", undefined, (o) => sdk.client.send(command, o));
    return new SdkSession(sdk, { ...place, UploadId: uploadIdOf(UploadId) }, { conditions, nonce });
  }

  async uploadPart({ index, data }: Part, signal: AbortSignal): Promise<PartDone> {
    const number = index + 1;
    const command = new this.sdk.library.UploadPartCommand({ ...this.upload, PartNumber: number, Body: data });
    const done = await calling("UploadPart", signal, (options) => this.sdk.client.send(command, options));
    return { number, etag: partEtag(done.ETag), checksum: done.ChecksumCRC32 };
  }

  async copy(
    number: number,
    source: { CopySource: string; CopySourceIfMatch?: string },
    range: string,
    signal: AbortSignal,
  ) {
    const input = { ...this.upload, ...source, PartNumber: number, CopySourceRange: range };
    const command = new this.sdk.library.UploadPartCopyCommand(input);
    const { CopyPartResult } = await calling("UploadPartCopy", signal, (options) =>
      this.sdk.client.send(command, options),
    );
    return { number, etag: partEtag(CopyPartResult?.ETag) };
  }

  async complete(parts: readonly PartDone[], _size: number, signal: AbortSignal | undefined): Promise<WriteResult> {
    const { sdk, upload } = this;
    const { conditions, nonce } = this.begun;
    const Parts = parts.map(({ number, etag, checksum }) => ({
      PartNumber: number,
      ETag: etag,
      ChecksumCRC32: checksum,
    }));
    const input = { ...upload, MultipartUpload: { Parts }, ...conditionInput(conditions) };
    const command = new sdk.library.CompleteMultipartUploadCommand(input);
    const since = performance.now();
    try {
      return stored(await calling("CompleteMultipartUpload", signal, (o) => sdk.client.send(command, o)));
    } catch (error) {
      const attempt = attemptOf(conditions, nonce, since, () => etagOf(parts));
      return reconcileAmbiguousWrite(error, attempt, () => look(sdk, upload.Key, signal));
    }
  }

  async abort(): Promise<void> {
    const command = new this.sdk.library.AbortMultipartUploadCommand(this.upload);
    await calling("AbortMultipartUpload", undefined, (options) => this.sdk.client.send(command, options));
  }
}

// What all verbs on the official client work with.

export type Library = typeof import("@aws-sdk/client-s3");

interface Sdk {
  readonly client: S3Client;
  readonly library: Library;
  readonly bucket: string;
  readonly profile: Profile;
}

export async function loadSdk(): Promise<Library> {
  try {
    return await import("@aws-sdk/client-s3");
  } catch (cause) {
    throw failure("Unsupported", "fromS3Client needs the package @aws-sdk/client-s3", { cause });
  }
}

type Signal = AbortSignal | undefined;

/** `work` with its failure as an {@link HttpError}: the client's own errors hold the request, and what signed it. */
async function calling<T>(
  method: string,
  signal: Signal,
  work: (options: { abortSignal?: AbortSignal }) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  try {
    return await work(signal ? { abortSignal: signal } : {});
  } catch (error) {
    signal?.throwIfAborted();
    throw failureOf(method, error);
  }
}

interface SdkError extends Error {
  Code?: string;
  $metadata?: { httpStatusCode?: number; requestId?: string; attempts?: number };
}

function failureOf(method: string, error: unknown): Error {
  const { name, message, Code, $metadata = {} } = error as SdkError;
  if (name === "CredentialsProviderError") return failure("Unauthenticated", message.slice(0, 300));
  const { httpStatusCode: status, requestId, attempts = 1 } = $metadata;
  if (status !== undefined && isSuccess(status) && isUnreadable(error)) return unreadable(method, status);
  const failed = status
    ? refusal(method, status < 300 ? 500 : status, { code: Code ?? name, detail: message, requestId }, undefined)
    : lineFailure(method, error);
  failed.attempts = attempts;
  // The client tells only how often it tried: each lost answer may have been that of a success.
  failed.ambiguous = attempts > 1 || (mayHaveLanded(failed) && !declined(failed));
  return failed;
}

/** What the client's reader of answers throws, besides what an answer says. */
function isUnreadable(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError;
}

function unreadable(method: string, status: number): Error {
  const why = "the official client cannot read the server's answer";
  return /^(?:List|Get|Head)/.test(method) ? failure("Corrupt", why) : strange(method, status, why);
}

/** Whether the client found bytes that are not those that were stored. */
function isChecksumMismatch(error: unknown): boolean {
  return error instanceof Error && !(error instanceof HttpError) && /^Checksum mismatch/i.test(error.message);
}

type Described = HeadObjectCommandOutput | GetObjectCommandOutput;

function infoOf(key: string, size: number, head: Described, { md5Etags }: Profile): ObjectInfo {
  const info: ObjectInfo = { key, size, modified: head.LastModified ?? new Date(0), etag: head.ETag ?? "" };
  const version = versionIn(head.VersionId);
  if (version !== undefined) info.version = version;
  const opaque = head.ServerSideEncryption?.startsWith("aws:kms") || head.SSECustomerAlgorithm !== undefined;
  const md5 = md5Etags && !opaque ? md5In(info.etag) : undefined;
  if (md5 !== undefined) info.md5 = md5;
  if (head.ContentType !== undefined) info.contentType = head.ContentType;
  const own = Object.entries(head.Metadata ?? {}).filter(([name]) => name !== NONCE);
  const metadata = own.map(([name, value]) => [name, decodeRfc2047(value)]);
  if (metadata.length > 0) info.metadata = Object.fromEntries(metadata);
  return info;
}

function receiptOf({ ETag, VersionId }: { ETag?: string | undefined; VersionId?: string | undefined }): WriteResult {
  const version = versionIn(VersionId);
  return { ...(ETag === undefined ? {} : { etag: ETag }), ...(version === undefined ? {} : { version }) };
}

async function stat(
  { client, library, bucket, profile }: Sdk,
  key: string,
  { version, signal, ifMatch }: DriverStatOptions & { ifMatch?: string | undefined },
): Promise<ObjectInfo> {
  const command = new library.HeadObjectCommand({ Bucket: bucket, Key: key, VersionId: version, IfMatch: ifMatch });
  const head = await calling("HeadObject", signal, (options) => client.send(command, options));
  return infoOf(key, sizeFrom(head.ContentLength), head, profile);
}

async function read(
  sdk: Sdk,
  key: string,
  options: DriverReadOptions,
): Promise<{ info: ObjectInfo; body: ByteStream }> {
  try {
    return await get(sdk, key, options);
  } catch (error) {
    if (!(error instanceof HttpError) || error.status !== 416) throw error;
    // The range starts past the end, or the object is empty, where every range is refused.
    return { info: await stat(sdk, key, options), body: single(new Uint8Array(0)) };
  }
}

async function get({ client, library, bucket, profile }: Sdk, key: string, options: DriverReadOptions) {
  const { start, end, ifMatch, version, signal } = options;
  const whole = start === 0 && end === undefined;
  const Range = rangeHeader(start, end);
  const input = { Bucket: bucket, Key: key, VersionId: version, IfMatch: ifMatch, Range };
  const got = await calling("GetObject", signal, (o) => client.send(new library.GetObjectCommand(input), o));
  const stream = got.Body as unknown as ByteStream & { destroy(): void };
  try {
    const { size, length } = parseContentRange(answerOf(got), whole ? undefined : { start, end });
    return {
      info: infoOf(key, size, got, profile),
      body: clientBody(stream, { expected: length, signal, failureOf: failureOfBody }),
    };
  } catch (error) {
    stream.destroy();
    throw error;
  }
}

function answerOf({ ContentLength, ContentRange, $metadata: { httpStatusCode = 200 } }: GetObjectCommandOutput) {
  const range = ContentRange === undefined ? {} : { "content-range": ContentRange };
  return { status: httpStatusCode, headers: { "content-length": String(ContentLength), ...range } };
}

function failureOfBody(error: unknown): Error | undefined {
  if (!isChecksumMismatch(error)) return undefined;
  return failure("Corrupt", "the bytes do not have the stored checksum");
}

class SdkCopy implements CopyRoute {
  constructor(
    readonly from: CopySource,
    readonly sdk: Sdk,
    readonly key: string,
  ) {}

  get profile() {
    return this.sdk.profile;
  }

  async whole(ifMatch: string | undefined, signal: Signal): Promise<WriteResult> {
    const { client, library, bucket } = this.sdk;
    const command = new library.CopyObjectCommand({ Bucket: bucket, Key: this.key, ...this.#source(ifMatch) });
    const done = await calling("CopyObject", signal, (o) => client.send(command, o));
    return stored({ ...done, ETag: done.CopyObjectResult?.ETag });
  }

  async look(ifMatch: string | undefined, signal: Signal): Promise<Looked> {
    const { client, library } = this.sdk;
    const { bucket, key } = this.from;
    const command = new library.HeadObjectCommand({ Bucket: bucket, Key: key, IfMatch: ifMatch });
    const head = await calling("HeadObject", signal, (options) => client.send(command, options));
    return {
      size: sizeFrom(head.ContentLength),
      empty: (conditions, stop) => putObject(this.sdk, this.key, described(head), conditions, new Uint8Array(0), stop),
      begin: (conditions) => this.#begin(head, conditions),
    };
  }

  #source(ifMatch: string | undefined) {
    const { bucket, key } = this.from;
    const CopySource = `${encodeKey(bucket)}/${encodeKey(key)}`;
    return { CopySource, ...(ifMatch === undefined ? {} : { CopySourceIfMatch: ifMatch }) };
  }

  async #begin(head: HeadObjectCommandOutput, conditions: Conditions): Promise<PartCopies> {
    const upload = await SdkSession.begin(this.sdk, this.key, described(head), conditions);
    const source = this.#source(head.ETag);
    return {
      part: (number, range, stop) => upload.copy(number, source, range, stop),
      commit: (parts, stop) => upload.complete(parts, 0, stop),
      abort: () => upload.abort(),
    };
  }
}

/** What CopyObject takes over by itself. */
function described(head: HeadObjectCommandOutput) {
  const { ContentType, CacheControl, ContentDisposition, ContentEncoding, ContentLanguage } = head;
  const { [NONCE]: _, ...Metadata } = head.Metadata ?? {};
  return { ContentType, CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, Metadata };
}

class SdkDelete implements DeleteRoute {
  constructor(readonly sdk: Sdk) {}

  get bulk(): boolean {
    return this.sdk.profile.bulkDelete;
  }

  async one({ key, version }: ObjectIdentifier, signal: Signal): Promise<void> {
    const { client, library, bucket } = this.sdk;
    const command = new library.DeleteObjectCommand({ Bucket: bucket, Key: key, VersionId: version });
    try {
      await calling("DeleteObject", signal, (options) => client.send(command, options));
    } catch (error) {
      if (!(error instanceof HttpError && error.status === 404 && error.code !== "NoSuchBucket")) throw error;
    }
  }

  async many(objects: readonly ObjectIdentifier[], signal: Signal): Promise<FailedRow[]> {
    const { client, library, bucket } = this.sdk;
    const Objects = objects.map(({ key, version }) => ({ Key: key, VersionId: version }));
    const command = new library.DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } });
    const { Errors = [] } = await calling("DeleteObjects", signal, (options) => client.send(command, options));
    return Errors;
  }
}

/** A bucket on the official client. The client stays the caller's: closing the driver leaves it open. */
export function sdkDriver(sdk: Sdk, { uploads }: DriverContext): Driver {
  return {
    metadata: true,
    stat: (key, options) => stat(sdk, key, options),
    list: (prefix, options) => list(sdk, prefix, options),
    read: (key, options) => read(sdk, key, options),
    write: async (key, body, options) => {
      checkConditions(sdk.profile, options);
      const { size, signal, onProgress } = options;
      return upload(body, new SdkTarget(sdk, key, options), { limiter: uploads, size, signal, onProgress });
    },
    copy: (from, to, options) => copy(new SdkCopy(from, sdk, to), options),
    delete: (objects, { signal }) => remove(new SdkDelete(sdk), objects, signal),
    signedUrl: (key, options) => sign(sdk, key, options),
    codeOf,
    close: async () => {},
  };
}

async function sign(
  { client, library, bucket }: Sdk,
  key: string,
  { method, expiresIn }: DriverSignOptions,
): Promise<string> {
  const { getSignedUrl } = await loadPresigner();
  const place = { Bucket: bucket, Key: key };
  const command = method === "GET" ? new library.GetObjectCommand(place) : new library.PutObjectCommand(place);
  return getSignedUrl(client, command, { expiresIn });
}

async function loadPresigner(): Promise<typeof import("@aws-sdk/s3-request-presigner")> {
  try {
    return await import("@aws-sdk/s3-request-presigner");
  } catch (cause) {
    throw failure("Unsupported", "signing with fromS3Client needs the package @aws-sdk/s3-request-presigner", {
      cause,
    });
  }
}

function list(sdk: Sdk, prefix: string, options: DriverListOptions): AsyncGenerator<readonly DriverListEntry[]> {
  return options.versions ? versions(sdk, prefix, options) : objects(sdk, prefix, options);
}

async function* objects({ client, library, bucket }: Sdk, prefix: string, options: DriverListOptions) {
  const { delimiter, startAfter, signal } = options;
  const fixed = { Bucket: bucket, Prefix: prefix, Delimiter: delimiter, EncodingType: "url" as const };
  const listing = listingOf(bucket, prefix, options);
  let token: string | undefined;
  do {
    const command = new library.ListObjectsV2Command({ ...fixed, StartAfter: startAfter, ContinuationToken: token });
    const page: ListObjectsV2CommandOutput = await calling("ListObjectsV2", signal, (o) => client.send(command, o));
    token = isTruncated(page) ? listing.next(required(page.NextContinuationToken, "NextContinuationToken")) : undefined;
    const decode = decoder(page.EncodingType);
    const files = (page.Contents ?? []).map((row) => file(row, decode));
    yield* filled(listing.page([...files, ...directories(page, decode)]));
  } while (token !== undefined);
}

async function* versions({ client, library, bucket }: Sdk, prefix: string, options: DriverListOptions) {
  const { delimiter, startAfter, signal } = options;
  const fixed = { Bucket: bucket, Prefix: prefix, Delimiter: delimiter, EncodingType: "url" as const };
  const listing = listingOf(bucket, prefix, options);
  let at: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } | undefined;
  do {
    const command = new library.ListObjectVersionsCommand({ ...fixed, ...(at ?? { KeyMarker: startAfter }) });
    const page: ListObjectVersionsCommandOutput = await calling("ListObjectVersions", signal, (o) =>
      client.send(command, o),
    );
    const decode = decoder(page.EncodingType);
    at = undefined;
    if (isTruncated(page)) {
      at = {
        KeyMarker: decode(required(page.NextKeyMarker, "NextKeyMarker")),
        VersionIdMarker: page.NextVersionIdMarker,
      };
      listing.next(JSON.stringify(at));
    }
    yield* filled(listing.page([...history(page, decode), ...directories(page, decode)]));
  } while (at !== undefined);
}

type Decode = (text: string) => string;

/** The names of directory buckets end so; they alone are not listed in order. */
function listingOf(bucket: string, prefix: string, options: DriverListOptions): Listing {
  return new Listing(prefix, options, !bucket.endsWith("--x-s3"));
}

function isTruncated({ IsTruncated }: { IsTruncated?: boolean | undefined }): boolean {
  if (IsTruncated !== undefined) return IsTruncated;
  throw failure("Corrupt", "the server's answer is no listing: it has no IsTruncated");
}

function* filled(items: readonly DriverListEntry[]): Generator<readonly DriverListEntry[]> {
  if (items.length > 0) yield items;
}

function file(row: Pick<ObjectVersion, "Key" | "Size" | "LastModified" | "ETag">, decode: Decode): DriverListEntry {
  const { Key, Size = Number.NaN, LastModified, ETag } = row;
  const item: DriverListEntry = { key: decode(required(Key, "Key")), type: "file", size: Size };
  if (LastModified) item.modified = LastModified;
  if (ETag) item.etag = ETag;
  return item;
}

function directories(
  { CommonPrefixes = [] }: Pick<ListObjectsV2CommandOutput, "CommonPrefixes">,
  decode: Decode,
): DriverListEntry[] {
  return CommonPrefixes.map(({ Prefix }) => ({ key: decode(required(Prefix, "Prefix")), type: "directory" }));
}

/** Versions and markers come as two lists; those of one key go from new to old. */
function history(
  { Versions = [], DeleteMarkers = [] }: ListObjectVersionsCommandOutput,
  decode: Decode,
): DriverListEntry[] {
  const stored = Versions.map((row) => ({ ...file(row, decode), ...versioned(row), deleted: false }));
  const markers = DeleteMarkers.map((row) => {
    const { size: _, etag: __, ...item } = file(row, decode);
    return { ...item, ...versioned(row), deleted: true };
  });
  return [...markers, ...stored].sort((a, b) => Number(b.modified) - Number(a.modified));
}

function versioned({ VersionId, IsLatest }: ObjectVersion): { version: string; latest: boolean } {
  return { version: required(VersionId, "VersionId"), latest: IsLatest === true };
}
