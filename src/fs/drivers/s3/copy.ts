/** Copies inside S3, by whatever client. */
import type { IncomingHttpHeaders } from "node:http";
import { LinkedAbortController } from "../../../concurrency.js";
import { failure } from "../../../errors.js";
import { sizeFrom } from "../../driver/content.js";
import type { DriverCopyOptions, WriteResult } from "../../driver/driver.js";
import { HttpError, strange } from "../../http/client.js";
import { leafFields } from "../../http/xml-fields.js";
import { encodeKey } from "../../signing/sigv4.js";
import type { Bucket } from "./client.js";
import { NONCE_HEADER, receiptOf } from "./object.js";
import type { Profile } from "./profile.js";
import {
  type Conditions,
  conditionHeaders,
  Multipart,
  nonceFor,
  PATIENCE,
  type PartDone,
  partEtag,
  putObject,
} from "./write.js";

const MIB = 2 ** 20;
/** Largest source of CopyObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html */
const LARGEST = 5 * 1024 * MIB;
const SMALLEST_PART = 64 * MIB;
const PARALLEL = 16;

/** An object of any bucket that the same connection reaches. */
export interface CopySource {
  bucket: string;
  key: string;
}

/** The requests that copy one object to one place. */
export interface CopyRoute {
  readonly profile: Profile;
  /** CopyObject. */
  whole(ifMatch: string | undefined, signal: Signal): Promise<WriteResult>;
  look(ifMatch: string | undefined, signal: Signal): Promise<Looked>;
}

/** A source whose version is known. */
export interface Looked {
  readonly size: number;
  /** Writes an empty object with the source's description. */
  empty(conditions: Conditions, signal: Signal): Promise<WriteResult>;
  /** An upload with the source's description, whose parts are copied from this version. */
  begin(conditions: Conditions, signal: Signal): Promise<PartCopies>;
}

export interface PartCopies {
  part(number: number, range: string, signal: AbortSignal): Promise<PartDone>;
  commit(parts: readonly PartDone[], signal: Signal): Promise<WriteResult>;
  abort(): Promise<void>;
}

/** Server-side. A source above 5 GiB, or a condition on the target, needs parts; the source is pinned to one version. */
export async function copy(route: CopyRoute, options: DriverCopyOptions): Promise<WriteResult> {
  if (options.ifAbsent && !route.profile.conditionalCommit) {
    throw failure("Unsupported", "this provider does not enforce ifAbsent on copies");
  }
  if (options.ifAbsent) return copyParts(route, options);
  try {
    return await route.whole(options.ifMatch, options.signal);
  } catch (error) {
    if (!isTooLarge(error)) throw error;
    return copyParts(route, options);
  }
}

/** The code is that of any malformed request; only the words tell. */
function isTooLarge(error: unknown): boolean {
  if (!(error instanceof HttpError)) return false;
  const told = error.code === "InvalidRequest" && /larger than the maximum/i.test(error.detail);
  return told || error.code === "EntityTooLarge";
}

async function copyParts(route: CopyRoute, { ifAbsent, ifMatch, signal }: DriverCopyOptions): Promise<WriteResult> {
  const source = await route.look(ifMatch, signal);
  const conditions = { ifAbsent, ifMatch: undefined };
  // A part has at least one byte.
  if (source.size === 0) return source.empty(conditions, signal);
  const upload = await source.begin(conditions, signal);
  try {
    return await upload.commit(await together(upload, source.size, signal), signal);
  } catch (error) {
    await upload.abort().catch(() => {});
    throw error;
  }
}

/** All parts; the first failure stops the others. */
async function together(upload: PartCopies, size: number, signal: Signal): Promise<PartDone[]> {
  const length = Math.min(LARGEST, Math.max(SMALLEST_PART, Math.ceil(size / 1000)));
  const done: PartDone[] = [];
  const stop = new LinkedAbortController(signal);
  let next = 0;
  async function lane(): Promise<void> {
    for (let index = next++; index * length < size; index = next++) {
      const range = `bytes=${index * length}-${Math.min(size, (index + 1) * length) - 1}`;
      done[index] = await upload.part(index + 1, range, stop.signal);
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, () => lane().catch((error) => stop.abort(error))));
  stop.dispose();
  stop.signal.throwIfAborted();
  return done;
}

type Headers = Record<string, string>;
type Signal = AbortSignal | undefined;

export class HttpCopy implements CopyRoute {
  constructor(
    readonly from: CopySource,
    readonly to: Bucket,
    readonly key: string,
  ) {}

  get profile() {
    return this.to.profile;
  }

  async whole(ifMatch: string | undefined, signal: Signal): Promise<WriteResult> {
    const { to, key } = this;
    const headers = { ...to.encryption.create, ...this.source(ifMatch) };
    const answer = await to.client.text({ method: "PUT", key, headers, signal, idle: PATIENCE });
    const { ETag } = leafFields(answer.text);
    if (!ETag) throw strange("PUT", answer.status, "the answer to the copy has no ETag");
    return receiptOf(answer.headers, ETag);
  }

  async look(ifMatch: string | undefined, signal: Signal): Promise<Looked> {
    const { use } = this.to.encryption;
    const condition = ifMatch === undefined ? use : { ...use, "if-match": ifMatch };
    const ask = { method: "HEAD", ...this.from, headers: condition, signal } as const;
    const { headers } = await this.to.client.send(ask);
    const created = { ...this.to.encryption.create, ...described(headers) };
    return {
      size: sizeFrom(headers["content-length"]),
      empty: (conditions, stop) => {
        const all = { ...created, ...conditionHeaders(conditions) };
        return putObject(this.to, this.key, all, conditions, new Uint8Array(0), stop);
      },
      begin: (conditions, stop) => this.#begin(created, this.source(headers.etag), conditions, stop),
    };
  }

  source(ifMatch: string | undefined): Headers {
    const { bucket, key } = this.from;
    const headers: Headers = { ...this.to.encryption.source };
    headers["x-amz-copy-source"] = `/${encodeKey(bucket)}/${encodeKey(key)}`;
    if (ifMatch !== undefined) headers["x-amz-copy-source-if-match"] = ifMatch;
    return headers;
  }

  async #begin(created: Headers, source: Headers, conditions: Conditions, signal: Signal): Promise<PartCopies> {
    const begun = { conditions, nonce: nonceFor(conditions) };
    const upload = await Multipart.begin(this.to, this.key, created, begun, signal);
    return {
      part: (number, range, stop) => copyPart(upload, number, { ...source, "x-amz-copy-source-range": range }, stop),
      commit: (parts, stop) => upload.commit(parts, stop),
      abort: () => upload.abort(),
    };
  }
}

async function copyPart(upload: Multipart, number: number, source: Headers, signal: AbortSignal): Promise<PartDone> {
  const { bucket, key } = upload;
  const headers = { ...bucket.encryption.use, ...source };
  const ask = { method: "PUT", key, query: upload.query(number), headers, signal, idle: PATIENCE } as const;
  const { text } = await bucket.client.text(ask);
  return { number, etag: partEtag(leafFields(text).ETag) };
}

const KEPT: ReadonlySet<string> = new Set([
  "content-type",
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "expires",
]);

/** What CopyObject takes over by itself. */
function described(headers: IncomingHttpHeaders): Headers {
  const kept: Headers = {};
  for (const name in headers) {
    if (KEPT.has(name) || (name.startsWith("x-amz-meta-") && name !== NONCE_HEADER)) kept[name] = String(headers[name]);
  }
  return kept;
}
