import type { IncomingHttpHeaders } from "node:http";
import { failure } from "../../../errors.js";
import type { CopyOptions, Receipt } from "../../driver.js";
import { HttpError } from "../../http.js";
import { encodeKey } from "../../sign.js";
import { Stop } from "../../stop.js";
import { fields, parseRoot } from "../../xml.js";
import type { Bucket } from "./bucket.js";
import { receiptOf } from "./info.js";
import { Multipart, PATIENCE, type PartDone } from "./multipart.js";

const MIB = 2 ** 20;
/** Largest source of CopyObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html */
const LARGEST = 5 * 1024 * MIB;
const SMALLEST_PART = 64 * MIB;
const PARALLEL = 16;

/** An object of any bucket that the same connection reaches. */
export interface Source {
  bucket: string;
  key: string;
}

/** Server-side. A source above 5 GiB, or a condition on the target, needs parts; the source is pinned to one version. */
export async function copy(from: Source, to: Bucket, key: string, options: CopyOptions): Promise<Receipt> {
  if (options.ifAbsent) return copyAbsent(from, to, key, options);
  try {
    return await copyWhole(from, to, key, options);
  } catch (error) {
    if (!isTooLarge(error)) throw error;
    return copyParts(from, to, key, options);
  }
}

function copyAbsent(from: Source, to: Bucket, key: string, options: CopyOptions): Promise<Receipt> {
  if (to.profile.conditionalCommit) return copyParts(from, to, key, options);
  throw failure("Unsupported", "this provider does not enforce ifAbsent on copies");
}

/** The code is that of any malformed request; only the words tell. */
function isTooLarge(error: unknown): boolean {
  if (!(error instanceof HttpError)) return false;
  return (
    error.code === "EntityTooLarge" ||
    (error.code === "InvalidRequest" && /larger than the maximum/i.test(error.detail))
  );
}

async function copyWhole(from: Source, to: Bucket, key: string, { ifMatch, signal }: CopyOptions): Promise<Receipt> {
  const headers = { ...to.encryption.create, ...sourceHeaders(to, from, ifMatch) };
  const { text, headers: answer } = await to.client.text({ method: "PUT", key, headers, signal, idle: PATIENCE });
  return receiptOf(answer, fields(parseRoot(text, "CopyObjectResult")).ETag);
}

function sourceHeaders(
  { encryption }: Bucket,
  { bucket, key }: Source,
  ifMatch: string | undefined,
): Record<string, string> {
  const headers: Record<string, string> = { ...encryption.source };
  headers["x-amz-copy-source"] = `/${encodeKey(bucket)}/${encodeKey(key)}`;
  if (ifMatch !== undefined) headers["x-amz-copy-source-if-match"] = ifMatch;
  return headers;
}

const KEPT = [
  "content-type",
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "expires",
];

/** What CopyObject takes over by itself. */
function described(headers: IncomingHttpHeaders): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name in headers) {
    if (KEPT.includes(name) || name.startsWith("x-amz-meta-")) kept[name] = String(headers[name]);
  }
  return kept;
}

async function copyParts(from: Source, to: Bucket, key: string, options: CopyOptions): Promise<Receipt> {
  const { ifAbsent, ifMatch, signal } = options;
  const { use } = to.encryption;
  const condition = ifMatch === undefined ? use : { ...use, "if-match": ifMatch };
  const { headers } = await to.client.send({ method: "HEAD", ...from, headers: condition, signal });
  const size = Number(headers["content-length"] ?? 0);
  const created = { ...to.encryption.create, ...described(headers) };
  // A part has at least one byte.
  if (size === 0) return copyEmpty(to, key, created, signal);
  const upload = await Multipart.begin(to, key, created, signal);
  try {
    const parts = await together(upload, sourceHeaders(to, from, headers.etag), size, signal);
    return await upload.commit(parts, { ifAbsent, ifMatch: undefined }, signal);
  } catch (error) {
    await upload.abort().catch(() => {});
    throw error;
  }
}

async function copyEmpty(to: Bucket, key: string, created: Record<string, string>, signal: AbortSignal | undefined) {
  const headers = { ...created, "if-none-match": "*" };
  return receiptOf((await to.client.send({ method: "PUT", key, headers, body: Buffer.alloc(0), signal })).headers);
}

/** All parts; the first failure stops the others. */
async function together(
  upload: Multipart,
  headers: Record<string, string>,
  size: number,
  signal: AbortSignal | undefined,
): Promise<PartDone[]> {
  const length = Math.min(LARGEST, Math.max(SMALLEST_PART, Math.ceil(size / 1000)));
  const done: PartDone[] = [];
  const stop = new Stop(signal);
  let next = 0;
  async function lane(): Promise<void> {
    for (let index = next++; index * length < size; index = next++) {
      const range = `bytes=${index * length}-${Math.min(size, (index + 1) * length) - 1}`;
      done[index] = await upload.copy(index + 1, { ...headers, "x-amz-copy-source-range": range }, stop.signal);
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, () => lane().catch((error) => stop.now(error))));
  stop.free();
  stop.signal.throwIfAborted();
  return done;
}
