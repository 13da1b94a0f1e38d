/** Copies inside S3. */
import type { IncomingHttpHeaders } from "node:http";
import { forEachConcurrent } from "../../../concurrency.js";
import { failure } from "../../../errors.js";
import { sizeFrom } from "../../driver/content.js";
import type { DriverCopyOptions, WriteResult } from "../../driver/driver.js";
import { HttpError, unexpectedResponse } from "../../http/errors.js";
import { leafFields } from "../../http/xml-fields.js";
import { encodeKey } from "../../signing/sigv4.js";
import { readTags } from "./attributes.js";
import type { Bucket } from "./client.js";
import { NONCE_HEADER, writeResultOf } from "./object.js";
import {
  attributeHeaders,
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

/** The copy of one object to one place. */
export interface CopyRequest {
  readonly from: CopySource;
  readonly to: Bucket;
  readonly key: string;
}

/**
 * Copies on the server. A source above 5 GiB, or a condition on the target, needs parts; the source is pinned to one
 * version.
 */
export async function copy(request: CopyRequest, options: DriverCopyOptions): Promise<WriteResult> {
  if (options.ifAbsent && !request.to.profile.conditionalCommit) {
    throw failure("Unsupported", "this provider does not enforce ifAbsent on copies");
  }
  if (options.ifAbsent) return copyParts(request, options);
  try {
    return await copyWhole(request, options);
  } catch (error) {
    if (!isTooLarge(error)) throw error;
    return copyParts(request, options);
  }
}

/** Checks the message: the code is that of any malformed request. */
function isTooLarge(error: unknown): boolean {
  if (!(error instanceof HttpError)) return false;
  const isInvalid = error.code === "InvalidRequest" && /larger than the maximum/i.test(error.detail);
  return isInvalid || error.code === "EntityTooLarge";
}

/** Sends CopyObject, which keeps the attributes of the source, but its storage class, unless it is given others. */
async function copyWhole(request: CopyRequest, options: DriverCopyOptions): Promise<WriteResult> {
  const { to, key } = request;
  const { ifMatch, attributes, signal } = options;
  const replaced = attributes && {
    ...attributeHeaders(to, attributes),
    "x-amz-metadata-directive": "REPLACE",
    "x-amz-tagging-directive": "REPLACE",
  };
  const headers = { ...to.encryption.create, ...replaced, ...sourceHeaders(request, ifMatch) };
  const answer = await to.client.text({ method: "PUT", key, headers, signal, idleTimeoutMs: PATIENCE });
  const { ETag } = leafFields(answer.text);
  if (!ETag) throw unexpectedResponse("PUT", answer.status, "the answer to the copy has no ETag");
  return writeResultOf(answer.headers, ETag);
}

async function copyParts(request: CopyRequest, options: DriverCopyOptions): Promise<WriteResult> {
  const { from, to, key } = request;
  const { ifAbsent, ifMatch, attributes, signal } = options;
  const { create } = to.encryption;
  const use = reading(to.encryption.source);
  const condition = ifMatch === undefined ? use : { ...use, "if-match": ifMatch };
  const { headers } = await to.client.send({ method: "HEAD", ...from, headers: condition, signal });
  const kept = attributes
    ? attributeHeaders(to, attributes)
    : { ...described(headers), ...(await tagging(request, headers, signal)) };
  const created = { ...create, ...kept };
  const size = sizeFrom(headers["content-length"]);
  const conditions = { ifAbsent, ifMatch: undefined };
  // A part has at least one byte.
  if (size === 0) {
    const all = { ...created, ...conditionHeaders(conditions) };
    return putObject(to, key, all, conditions, new Uint8Array(0), signal);
  }
  const begun = { conditions, nonce: nonceFor(conditions) };
  const upload = await Multipart.begin(to, key, created, begun, signal);
  try {
    const parts = await together(upload, sourceHeaders(request, headers.etag), size, signal);
    return await upload.complete(parts, size, signal);
  } catch (error) {
    await upload.abort().catch(() => {});
    throw error;
  }
}

/** Returns the headers of a copy's source for a look at it. */
function reading(source: Bucket["encryption"]["source"]): Headers {
  const own = Object.entries(source).map(([name, value]) => [name.replace("-copy-source", ""), value]);
  return Object.fromEntries(own);
}

/** Copies all parts; the first failure stops the others. */
async function together(
  upload: Multipart,
  source: Headers,
  size: number,
  signal: AbortSignal | undefined,
): Promise<PartDone[]> {
  const length = Math.min(LARGEST, Math.max(SMALLEST_PART, Math.ceil(size / 1000)));
  const parts = new Array<PartDone>(Math.ceil(size / length));
  await forEachConcurrent(parts.keys(), { concurrency: PARALLEL, signal }, async (index, signal) => {
    const range = `bytes=${index * length}-${Math.min(size, (index + 1) * length) - 1}`;
    const headers = { ...source, "x-amz-copy-source-range": range };
    parts[index] = await copyPart(upload, index + 1, headers, signal);
  });
  return parts;
}

type Headers = Record<string, string>;

function sourceHeaders({ from: { bucket, key }, to }: CopyRequest, ifMatch: string | undefined): Headers {
  const headers: Headers = { ...to.encryption.source };
  headers["x-amz-copy-source"] = `/${encodeKey(bucket)}/${encodeKey(key)}`;
  if (ifMatch !== undefined) headers["x-amz-copy-source-if-match"] = ifMatch;
  return headers;
}

async function copyPart(upload: Multipart, number: number, source: Headers, signal: AbortSignal): Promise<PartDone> {
  const { bucket, key } = upload;
  const headers = { ...bucket.encryption.use, ...source };
  const ask = { method: "PUT", key, query: upload.query(number), headers, signal, idleTimeoutMs: PATIENCE } as const;
  const { text } = await bucket.client.text(ask);
  return { number, etag: partEtag(leafFields(text).ETag) };
}

/** Returns the header with the tags of the source, which CopyObject would copy by itself; none if there are none. */
async function tagging(
  { from, to }: CopyRequest,
  headers: IncomingHttpHeaders,
  signal: AbortSignal | undefined,
): Promise<Headers> {
  if (headers["x-amz-tagging-count"] === undefined) return {};
  return attributeHeaders(to, { tags: await readTags(to, from, undefined, signal) });
}

const KEPT: ReadonlySet<string> = new Set([
  "content-type",
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "expires",
]);

/** Returns the headers that CopyObject would copy by itself. */
function described(headers: IncomingHttpHeaders): Headers {
  const kept: Headers = {};
  for (const name in headers) {
    if (KEPT.has(name) || (name.startsWith("x-amz-meta-") && name !== NONCE_HEADER)) kept[name] = String(headers[name]);
  }
  return kept;
}
