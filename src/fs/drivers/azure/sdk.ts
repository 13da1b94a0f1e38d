import type {
  BlobDownloadResponseParsed,
  BlobGetPropertiesResponse,
  BlobItem,
  BlobSASPermissions,
  BlobServiceClient,
  BlockBlobClient,
  ContainerClient,
} from "@azure/storage-blob";
import { failure } from "../../../errors.js";
import { type ByteStream, single } from "../../../streams.js";
import { type BatchDelete, batchDelete, type DeleteOutcome } from "../../driver/batch-delete.js";
import { parseContentRange, sizeFrom } from "../../driver/content.js";
import type {
  Driver,
  DriverContext,
  DriverCopyOptions,
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
import { clientBody } from "../../driver/sdk-body.js";
import { upload } from "../../driver/upload.js";
import { HttpError, lineFailure, refusal, strange } from "../../http/client.js";
import { faithful } from "./client.js";
import { type CopyRoute, copyObject, type Progress } from "./copy.js";
import { BATCH, isMissing, verdictOf } from "./delete.js";
import { codeOf } from "./errors.js";
import { fileItem, listBlobs, PAGE, type Page } from "./list.js";
import { infoOf, NONCE, receipt, type Told, wireMetadata } from "./object.js";
import { type Committed, type Found, Upload, type WriteRoute } from "./write.js";

class SdkWrite implements WriteRoute {
  readonly #object: BlockBlobClient;
  readonly #scope: { encryptionScope?: string };
  readonly #describing;

  constructor({ encryptionScope, ...sdk }: Sdk, key: string, options: DriverWriteOptions) {
    this.#object = objectOf({ ...sdk, encryptionScope }, key);
    this.#scope = encryptionScope === undefined ? {} : { encryptionScope };
    this.#describing = describing(options);
  }

  async put(data: Uint8Array, nonce: string | undefined, signal: Signal): Promise<WriteResult> {
    const { metadata, ...rest } = this.#describing;
    const marked = { ...rest, ...this.#scope, metadata: { ...metadata, ...(nonce && { [NONCE]: nonce }) } };
    const done = await calling("PUT", signal, (cancel) =>
      this.#object.upload(buffer(data), data.byteLength, { ...marked, ...cancel }),
    );
    return stored(done);
  }

  async stage(id: string, data: Uint8Array, signal: Signal): Promise<void> {
    await calling("PUT", signal, (cancel) =>
      this.#object.stageBlock(id, buffer(data), data.byteLength, { ...this.#scope, ...cancel }),
    );
  }

  async commit(ids: readonly string[], signal: Signal): Promise<WriteResult> {
    const done = await calling("PUT", signal, (cancel) =>
      this.#object.commitBlockList([...ids], { ...this.#describing, ...this.#scope, ...cancel }),
    );
    return stored(done);
  }

  async look(signal: Signal): Promise<Found> {
    const found = await calling("HEAD", signal, (cancel) => this.#object.getProperties(cancel));
    const { etag, versionId, metadata = {}, contentMD5, lastModified: made, date: seen } = found;
    const md5 = contentMD5 && Buffer.from(contentMD5).toString("base64");
    return { receipt: receipt(etag, versionId), nonce: metadata[NONCE], md5, made, seen };
  }

  async committed(signal: Signal): Promise<Committed> {
    const found = await calling("GET", signal, (cancel) => this.#object.getBlockList("committed", cancel));
    return {
      ids: (found.committedBlocks ?? []).map(({ name }) => name),
      receipt: receipt(found.etag, undefined),
      made: found.lastModified,
      seen: found.date,
    };
  }
}

/** The client itself demands the status; it knows of no field that an answer must have. */
function stored({ etag, versionId }: { etag?: string | undefined; versionId?: string | undefined }): WriteResult {
  if (etag) return receipt(etag, versionId);
  throw strange("PUT", 201, "the answer to the write has no ETag");
}

/** The client signs the length of buffers only. */
function buffer(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function describing({ contentType, metadata, ifAbsent, ifMatch }: DriverWriteOptions) {
  return {
    metadata: wireMetadata(metadata),
    conditions: { ...(ifAbsent && { ifNoneMatch: "*" }), ...(ifMatch !== undefined && { ifMatch }) },
    blobHTTPHeaders: contentType === undefined ? {} : { blobContentType: contentType },
  };
}

// What all verbs on the official client work with.

interface Sdk {
  readonly container: ContainerClient;
  readonly encryptionScope: string | undefined;
}

/** The object of this key, or one version of it. */
function objectOf({ container }: Sdk, key: string, version?: string): BlockBlobClient {
  const object = container.getBlockBlobClient(faithful(key));
  return version === undefined ? object : object.withVersion(version).getBlockBlobClient();
}

type Signal = AbortSignal | undefined;

/** `work` with its failure as an `HttpError`: the client's own errors hold the request, and what signed it. */
async function calling<T>(
  method: string,
  signal: Signal,
  work: (cancel: { abortSignal?: AbortSignal }) => Promise<T>,
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
  statusCode?: number;
  code?: string;
  details?: { errorCode?: string };
  request?: { requestId?: string };
}

function failureOf(method: string, error: unknown): Error {
  const { name, message, statusCode, code, details } = error as SdkError;
  const detail = message.split("\n")[0]!.slice(0, 300);
  if (/^(Authentication|CredentialUnavailable|AggregateAuthentication)/.test(name)) {
    return failure("Unauthenticated", `no token from Azure: ${name}: ${detail}`);
  }
  const failed = statusCode
    ? refusal(method, statusCode, { code: code ?? details?.errorCode, detail }, undefined)
    : lineFailure(method, { code, message: detail });
  // The client tries again by itself and does not say so: each lost answer may have been that of a success.
  failed.ambiguous = true;
  failed.suspected = true;
  return failed;
}

class SdkCopy implements CopyRoute {
  constructor(
    readonly source: BlockBlobClient,
    readonly target: BlockBlobClient,
  ) {}

  async begin({ ifAbsent, ifMatch, signal }: DriverCopyOptions): Promise<Progress> {
    const conditions = {
      ...(ifAbsent && { conditions: { ifNoneMatch: "*" } }),
      ...(ifMatch !== undefined && { sourceConditions: { ifMatch } }),
    };
    const poller = await calling("PUT", signal, (cancel) =>
      this.target.beginCopyFromURL(this.source.url, { ...conditions, ...cancel }),
    ).catch(taken);
    const { result } = poller.getOperationState();
    return result ? progressOf(result) : this.look(signal);
  }

  async look(signal: AbortSignal | undefined): Promise<Progress> {
    return progressOf(await calling("HEAD", signal, (cancel) => this.target.getProperties(cancel)));
  }

  async stop(id: string): Promise<void> {
    await this.target.abortCopyFromURL(id);
  }

  async drop(etag: string): Promise<void> {
    await this.target.delete({ conditions: { ifMatch: etag } });
  }
}

/** Nothing tells whether the client has copied twice, so the object in the way counts as another's. */
function taken(error: unknown): never {
  if (error instanceof HttpError) error.ambiguous &&= error.status !== 409;
  throw error;
}

interface Copied {
  copyId?: string;
  copyStatus?: string;
  copyStatusDescription?: string;
  etag?: string;
  versionId?: string;
}

function progressOf({ copyId, copyStatus, copyStatusDescription, etag, versionId }: Copied): Progress {
  return { id: copyId, status: copyStatus, description: copyStatusDescription, receipt: receipt(etag, versionId) };
}

/** A container on the official client. The client stays the caller's: closing the driver leaves it open. */
export function sdkDriver(
  service: BlobServiceClient,
  bucket: string,
  encryptionScope: string | undefined,
  { uploads }: DriverContext,
): Driver {
  const sdkOf = (name: string): Sdk => ({ container: service.getContainerClient(name), encryptionScope });
  const sdk = sdkOf(bucket);
  return {
    metadata: true,
    stat: (key, options) => statObject(sdk, key, options),
    list: (prefix, options) => listBlobs(sdkPages(sdk, prefix, options), prefix, options),
    read: (key, options) => readObject(sdk, key, options),
    write: async (key, body, options) => {
      const { size, signal, onProgress } = options;
      const target = new Upload(new SdkWrite(sdk, key, options), options);
      return upload(body, target, { limiter: uploads, size, signal, onProgress });
    },
    copy: async (from, to, options) => {
      const source = objectOf(sdkOf(from.bucket), from.key);
      return copyObject(new SdkCopy(source, objectOf(sdk, to)), options);
    },
    delete: (objects, { signal }) => batchDelete(new SdkDelete(sdk), objects, signal),
    signedUrl: (key, options) => sign(sdk, key, options),
    codeOf,
    close: async () => {},
  };
}

async function sign(sdk: Sdk, key: string, { method, expiresIn }: DriverSignOptions): Promise<string> {
  const object = objectOf(sdk, key);
  // The client takes the text of its permissions; making them with its own class would load all of it here.
  const permissions = (method === "GET" ? "r" : "cw") as unknown as BlobSASPermissions;
  try {
    return await object.generateSasUrl({ permissions, expiresOn: new Date(Date.now() + expiresIn * 1000) });
  } catch (error) {
    throw failure("Unsupported", `this client cannot sign: ${(error as Error).message}`);
  }
}

interface Segment {
  blobItems: BlobItem[];
  blobPrefixes?: { name: string }[];
}

async function* sdkPages({ container }: Sdk, prefix: string, options: DriverListOptions): AsyncGenerator<Page> {
  const { delimiter, versions, signal } = options;
  const init = { prefix, includeVersions: versions, includeMetadata: true, ...(signal && { abortSignal: signal }) };
  const listing = delimiter ? container.listBlobsByHierarchy(delimiter, init) : container.listBlobsFlat(init);
  try {
    for await (const { segment, continuationToken } of listing.byPage({ maxPageSize: PAGE })) {
      yield { items: itemsIn(segment), next: continuationToken || undefined };
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw failureOf("GET", error);
  }
}

function itemsIn({ blobItems, blobPrefixes = [] }: Segment): DriverListEntry[] {
  // A hierarchical namespace has directories that exist by themselves; the client tells them by this mark only.
  const files = blobItems.filter(({ metadata }) => metadata?.hdi_isfolder !== "true");
  return [...files.map(file), ...blobPrefixes.map(({ name }): DriverListEntry => ({ key: name, type: "directory" }))];
}

function file({ name, versionId: id, isCurrentVersion = false, properties }: BlobItem): DriverListEntry {
  const { contentLength: size = Number.NaN, lastModified: modified, etag } = properties;
  return fileItem(name, { size, modified, etag }, id === undefined ? undefined : { id, latest: isCurrentVersion });
}

async function statObject(
  sdk: Sdk,
  key: string,
  { version, signal, ifMatch }: DriverStatOptions & { ifMatch?: string | undefined },
): Promise<ObjectInfo> {
  const object = objectOf(sdk, key, version);
  const found = await calling("HEAD", signal, (cancel) => object.getProperties({ ...cancel, ...matching(ifMatch) }));
  return infoOf(key, sizeFrom(found.contentLength), toldBy(found));
}

async function readObject(
  sdk: Sdk,
  key: string,
  options: DriverReadOptions,
): Promise<{ info: ObjectInfo; body: ByteStream }> {
  try {
    return await download(sdk, key, options);
  } catch (error) {
    if (!(error instanceof HttpError) || error.status !== 416) throw error;
    // The range starts past the end, or the object is empty, where every range is refused.
    return { info: await statObject(sdk, key, options), body: single(new Uint8Array(0)) };
  }
}

async function download(
  sdk: Sdk,
  key: string,
  options: DriverReadOptions,
): Promise<{ info: ObjectInfo; body: ByteStream }> {
  const { start, end, ifMatch, version, signal } = options;
  const object = objectOf(sdk, key, version);
  const count = end === undefined ? undefined : end - start;
  const got = await calling("GET", signal, (cancel) =>
    object.download(start, count, { ...cancel, ...matching(ifMatch) }),
  );
  const stream = got.readableStreamBody as unknown as ByteStream & { destroy(): unknown };
  try {
    const range = start === 0 && end === undefined ? undefined : { start, end };
    const { size, length } = parseContentRange(answerOf(got), range);
    return { info: infoOf(key, size, toldBy(got)), body: clientBody(stream, { expected: length, signal }) };
  } catch (error) {
    stream.destroy();
    throw error;
  }
}

function answerOf({ contentLength, contentRange, _response: { status } }: BlobDownloadResponseParsed) {
  return {
    status,
    headers: {
      "content-length": String(contentLength),
      ...(contentRange !== undefined && { "content-range": contentRange }),
    },
  };
}

function matching(ifMatch: string | undefined): { conditions?: { ifMatch: string } } {
  return ifMatch === undefined ? {} : { conditions: { ifMatch } };
}

function toldBy(found: BlobGetPropertiesResponse | BlobDownloadResponseParsed): Told {
  // With a range, the plain one is of the range.
  const md5 = "contentRange" in found && found.contentRange ? found.blobContentMD5 : found.contentMD5;
  return {
    modified: found.lastModified,
    etag: found.etag,
    version: found.versionId,
    contentType: found.contentType,
    md5: md5 && Buffer.from(md5).toString("base64"),
    metadata: Object.entries(found.metadata ?? {}),
  };
}

class SdkDelete implements BatchDelete {
  readonly size = BATCH;

  constructor(readonly sdk: Sdk) {}

  async one({ key, version }: ObjectIdentifier, signal: Signal): Promise<void> {
    const object = objectOf(this.sdk, key, version);
    try {
      await calling("DELETE", signal, (cancel) => object.delete(cancel));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  async many(objects: readonly ObjectIdentifier[], signal: Signal): Promise<(DeleteOutcome | undefined)[]> {
    const clients = objects.map(({ key, version }) => objectOf(this.sdk, key, version));
    const batches = this.sdk.container.getBlobBatchClient();
    const { subResponses } = await calling("POST", signal, (cancel) => batches.deleteBlobs(clients, cancel));
    return objects.map((_, i) => {
      const answer = subResponses[i];
      return answer && verdictOf(answer.status, { code: answer.errorCode, detail: answer.statusMessage });
    });
  }
}
