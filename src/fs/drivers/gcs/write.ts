import { randomUUID } from "node:crypto";
import { failure } from "../../../errors.js";
import { type ObservedObject, reconcileAmbiguousWrite } from "../../driver/ambiguous-write.js";
import { headerValue } from "../../driver/content.js";
import type { DriverWriteOptions, WriteResult } from "../../driver/driver.js";
import { dateInRow } from "../../driver/listing.js";
import type { MultipartUpload, Part, UploadLimits, UploadTarget } from "../../driver/upload.js";
import { HttpError } from "../../http/errors.js";
import { documentOf, textOf } from "../../http/json.js";
import { type Answer, checkKey, type GcsRequest, parseDocument, type Server } from "./client.js";
import { fieldsOf, generationOf, NONCE, parsedResult, type Resource, storedResult } from "./object.js";

const MIB = 2 ** 20;

/** Chunks of one upload are sequential, so they are larger than the parts of other providers. 5 TiB in all. */
const LIMITS: UploadLimits = {
  maxSinglePut: 8 * MIB,
  partSize: 16 * MIB,
  maxPartSize: 16 * MIB,
  maxParts: 327_680,
  partAlignment: 256 * 1024,
  concurrency: 1,
  uniformParts: true,
};

/** Returns the field of a checksum, which the service compares with the bytes. It has none for SHA-256. */
function checksumField(checksum: DriverWriteOptions["checksum"]): Pick<Resource, "md5Hash" | "crc32c"> {
  const text = checksum?.value.toString("base64");
  if (text === undefined || checksum?.name === "sha256") return {};
  return checksum?.name === "md5" ? { md5Hash: text } : { crc32c: text };
}

/** The destination of one write. */
export class Upload implements UploadTarget<void> {
  readonly limits = LIMITS;
  readonly #api: Server;
  readonly #key: string;
  readonly #query: Record<string, string | undefined>;
  readonly #resource: Resource;
  readonly #conditions: Pick<DriverWriteOptions, "ifAbsent" | "ifMatch">;
  readonly #nonce: string | undefined;
  readonly #keys: Readonly<Record<string, string>> | undefined;
  /** `performance.now()` before the request that creates the object. */
  #since = 0;

  constructor(api: Server, key: string, options: DriverWriteOptions) {
    const { ifAbsent, ifMatch, metadata, checksum } = options;
    this.#api = api;
    this.#keys = api.place.keys?.create;
    this.#key = checkKey(key);
    this.#conditions = { ifAbsent, ifMatch };
    this.#nonce = ifAbsent || ifMatch !== undefined ? randomUUID() : undefined;
    const all = { ...metadata, ...(this.#nonce && { [NONCE]: this.#nonce }) };
    this.#resource = {
      name: key,
      ...fieldsOf(options),
      ...checksumField(checksum),
      ...(Object.keys(all).length > 0 && { metadata: all }),
    };
    const ifGenerationMatch = ifAbsent ? "0" : generationOf(ifMatch);
    this.#query = { ifGenerationMatch, kmsKeyName: api.place.kmsKeyName, fields: "generation" };
  }

  async putObject(data: Uint8Array, _size: number, signal: AbortSignal | undefined): Promise<WriteResult> {
    const boundary = randomUUID();
    this.#since = performance.now();
    try {
      const { text } = await this.#api.text({
        method: "POST",
        path: this.#api.uploads(),
        query: { uploadType: "multipart", ...this.#query },
        headers: { ...this.#keys, "content-type": `multipart/related; boundary=${boundary}` },
        body: multipartRelated(boundary, this.#resource, data),
        signal,
      });
      return parsedResult(text);
    } catch (error) {
      return this.#reconcile(error, signal);
    }
  }

  async createUpload(): Promise<MultipartUpload<void>> {
    this.#since = performance.now();
    const { headers } = await this.#api.text({
      method: "POST",
      path: this.#api.uploads(),
      query: { uploadType: "resumable", ...this.#query },
      headers: { ...this.#keys, "content-type": "application/json; charset=UTF-8" },
      body: Buffer.from(JSON.stringify(this.#resource)),
      signal: undefined,
    });
    if (!headers.location) throw failure("Unavailable", "the server began an upload without saying where");
    return new Resumable(this.#api, headers.location, (error, signal) => this.#reconcile(error, signal));
  }

  /** A condition that fails after a lost response may have been broken by our own first attempt. */
  #reconcile(error: unknown, signal: AbortSignal | undefined): Promise<WriteResult> {
    const isOurs = ({ nonce }: ObservedUpload) => nonce === this.#nonce;
    const attempt = { ...this.#conditions, since: this.#since, isOurs };
    return reconcileAmbiguousWrite(error, attempt, this.#nonce ? () => this.#look(signal) : undefined);
  }

  async #look(signal: AbortSignal | undefined): Promise<ObservedUpload> {
    const query = { fields: "generation,metadata,updated" };
    const path = this.#api.objects(this.#key);
    const { text, headers } = await this.#api.text({ method: "GET", path, query, signal });
    const resource = parseDocument(text);
    const times = {
      made: dateInRow(textOf(resource, "updated")),
      seen: new Date(headerValue(headers.date) ?? Number.NaN),
    };
    const nonce = textOf(documentOf(resource, "metadata") ?? {}, NONCE);
    return { result: storedResult(resource), nonce, ...times };
  }
}

interface ObservedUpload extends ObservedObject {
  nonce: string | undefined;
}

/** https://cloud.google.com/storage/docs/uploading-objects#uploading-an-object: the resource, then the data. */
function multipartRelated(boundary: string, resource: Resource, data: Uint8Array): Uint8Array[] {
  const type = resource.contentType ?? "application/octet-stream";
  const head = `--${boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n${JSON.stringify(resource)}\r\n`;
  return [
    Buffer.from(`${head}--${boundary}\r\ncontent-type: ${type}\r\n\r\n`),
    data,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ];
}

/** The maximum number of times in a row that the service may accept nothing of a chunk. */
const MAX_RESUMES = 5;

/** Statuses of a session that is over: expired, cancelled, or finished. */
const GONE: ReadonlySet<number> = new Set([404, 410]);
const ENDED: readonly number[] = [499, 204, 200, ...GONE];
/** Statuses of a request that created the object, or keeps the chunks so far. */
const TAKEN: readonly number[] = [200, 201, 308];

/** Returns the result of a write that failed with `error` but did happen; else throws. */
type Settle = (error: unknown, signal: AbortSignal | undefined) => Promise<WriteResult>;

/**
 * A resumable upload: sequential chunks, the last of which creates the object.
 * https://cloud.google.com/storage/docs/performing-resumable-uploads
 */
class Resumable implements MultipartUpload<void> {
  readonly #api: Server;
  /** Contains the secret of the session, so it never appears in a message. */
  readonly #path: string;
  readonly #settle: Settle;
  #result: WriteResult | undefined;

  constructor(api: Server, location: string, settle: Settle) {
    this.#api = api;
    this.#settle = settle;
    // Keeps the configured origin: the response does not decide where the data goes.
    const { pathname, search } = new URL(location, "https://any.invalid");
    this.#path = `${pathname}${search}`;
  }

  async uploadPart(part: Part, signal: AbortSignal): Promise<void> {
    if (!part.last) return this.#chunk(part, signal);
    try {
      await this.#chunk(part, signal);
    } catch (error) {
      // The last chunk creates the object.
      this.#result = await this.#settle(error, signal);
    }
  }

  async #chunk(part: Part, signal: AbortSignal): Promise<void> {
    const end = part.offset + part.size;
    let fruitless = 0;
    for (let at = part.offset; ; ) {
      const answer = await this.#put(part, at, signal);
      if (answer.status !== 308) {
        this.#result = parsedResult(answer.text);
        return;
      }
      const reached = persistedBytes(answer);
      fruitless = reached > at ? 0 : fruitless + 1;
      if (reached < part.offset || reached > end || fruitless > MAX_RESUMES) throw discardedError();
      if (reached === end && !part.last) return;
      at = reached;
    }
  }

  async complete(): Promise<WriteResult> {
    if (!this.#result) throw failure("Unavailable", "the server received all data but did not create the object");
    return this.#result;
  }

  async abort(): Promise<void> {
    await this.#api.text({ method: "DELETE", path: this.#path, signal: undefined, statuses: ENDED });
  }

  /**
   * Sends the rest of a chunk; when the connection breaks, asks how far the service has got instead of sending it
   * again.
   */
  async #put(part: Part, at: number, signal: AbortSignal): Promise<Answer> {
    const common = { method: "PUT", path: this.#path, signal, statuses: TAKEN };
    const data = part.data.subarray(at - part.offset);
    const headers = { ...this.#api.place.keys?.create, "content-range": contentRange(part, at) };
    const call: GcsRequest = { ...common, headers, body: data };
    const question: GcsRequest = { ...common, headers: { "content-range": "bytes */*" } };
    const retrying = this.#api.place.google ? { again: question } : { maxAttempts: 1 };
    try {
      return await this.#api.text({ ...call, ...retrying });
    } catch (error) {
      throw isSessionGone(error)
        ? failure("Unavailable", "the server has forgotten the upload", { cause: error })
        : error;
    }
  }
}

function contentRange({ offset, size, last }: Part, at: number): string {
  const end = offset + size;
  const range = at === end ? "*" : `${at}-${end - 1}`;
  return `bytes ${range}/${last ? end : "*"}`;
}

/** Returns the bytes that the service keeps, from the start of the object; none without the header. */
function persistedBytes({ headers }: Answer): number {
  const last = /^bytes=0-(\d+)$/.exec(headerValue(headers.range) ?? "")?.[1];
  return last === undefined ? 0 : Number(last) + 1;
}

function isSessionGone(error: unknown): boolean {
  return error instanceof HttpError && GONE.has(error.status);
}

function discardedError(): Error {
  return failure("Unavailable", "the server discarded uploaded data");
}
