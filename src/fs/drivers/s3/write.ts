import { createHash } from "node:crypto";
import { failure } from "../../../errors.js";
import type { Budget, Bytes, Receipt, WriteOptions } from "../../driver.js";
import { type HttpHead, strange } from "../../http.js";
import { afterLoss } from "../../lost.js";
import { type Part, type Session, type Target, upload } from "../../parts.js";
import type { Limits } from "../../plan.js";
import type { Bucket } from "./bucket.js";
import { CHECKSUM, checksumOf } from "./checksum.js";
import { attemptOf, type Conditions, conditionHeaders, isConditional, nonceFor } from "./conditions.js";
import { receiptOf } from "./info.js";
import { metadataHeaders, NONCE_HEADER } from "./metadata.js";
import { look, Multipart, type PartDone } from "./multipart.js";
import type { Profile } from "./profile.js";

const MIB = 2 ** 20;

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const GROWING: Limits = {
  single: 8 * MIB,
  part: 8 * MIB,
  largest: 5 * 1024 * MIB,
  count: 10_000,
  multiple: 1,
  parallel: 4,
  uniform: false,
};
const UNIFORM: Limits = { ...GROWING, uniform: true };

export function limitsOf({ uniformParts }: Profile): Limits {
  return uniformParts ? UNIFORM : GROWING;
}

export async function write(
  bucket: Bucket,
  key: string,
  body: Bytes,
  options: WriteOptions,
  budget: Budget,
): Promise<Receipt> {
  checkConditions(bucket.profile, options);
  const { size, signal, onProgress } = options;
  return upload(body, new ObjectTarget(bucket, key, options), { budget, size, signal, onProgress });
}

export function checkConditions({ conditionalPut }: Profile, conditions: Conditions): void {
  if (conditionalPut || !isConditional(conditions)) return;
  throw unenforced("");
}

export function checkCommitConditions({ conditionalCommit }: Profile, conditions: Conditions): void {
  if (conditionalCommit || !isConditional(conditions)) return;
  throw unenforced(" in parts, above 8 MiB");
}

function unenforced(which: string): Error {
  return failure("Unsupported", `this provider does not enforce conditions on writes${which}`);
}

export function describing({ contentType, metadata }: Pick<WriteOptions, "contentType" | "metadata">) {
  const headers = metadataHeaders(metadata);
  if (contentType !== undefined) headers["content-type"] = contentType;
  return headers;
}

export function etagOfWhole(data: Uint8Array): string {
  return `"${createHash("md5").update(data).digest("hex")}"`;
}

/** PutObject with `headers`, those of its conditions among them; a lost answer is settled. */
export async function putObject(
  bucket: Bucket,
  key: string,
  headers: Record<string, string>,
  conditions: Conditions,
  body: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Receipt> {
  const nonce = nonceFor(conditions);
  if (nonce !== undefined) headers[NONCE_HEADER] = nonce;
  if (bucket.checksums.write) headers[CHECKSUM] = checksumOf(body);
  const since = performance.now();
  try {
    return stored(await bucket.client.send({ method: "PUT", key, headers, body, signal }));
  } catch (error) {
    const attempt = attemptOf(conditions, nonce, since, () => etagOfWhole(body));
    return afterLoss(error, attempt, () => look(bucket, key, signal));
  }
}

function stored({ status, headers }: HttpHead): Receipt {
  if (headers.etag) return receiptOf(headers);
  throw strange("PUT", status, "the answer to the write has no ETag");
}

class ObjectTarget implements Target<PartDone> {
  readonly limits;

  constructor(
    readonly bucket: Bucket,
    readonly key: string,
    readonly options: WriteOptions,
  ) {
    this.limits = limitsOf(bucket.profile);
  }

  async whole(data: Uint8Array, _size: number, signal: AbortSignal | undefined): Promise<Receipt> {
    const { bucket, key, options } = this;
    const headers = { ...bucket.encryption.create, ...describing(options), ...conditionHeaders(options) };
    return putObject(bucket, key, headers, options, data, signal);
  }

  async begin(): Promise<Session<PartDone>> {
    const { bucket, key, options } = this;
    checkCommitConditions(bucket.profile, options);
    const headers = { ...bucket.encryption.create, ...describing(options) };
    // One checksum of all bytes, which reads can verify, instead of one of the parts' checksums.
    const sums = { "x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "FULL_OBJECT" };
    if (bucket.checksums.write) Object.assign(headers, sums);
    const begun = { conditions: options, nonce: nonceFor(options) };
    return new ObjectSession(await Multipart.begin(bucket, key, headers, begun));
  }
}

class ObjectSession implements Session<PartDone> {
  constructor(readonly multipart: Multipart) {}

  part({ index, data }: Part, signal: AbortSignal): Promise<PartDone> {
    const checksum = this.multipart.bucket.checksums.write ? checksumOf(data) : undefined;
    return this.multipart.put(index + 1, data, checksum, signal);
  }

  commit(parts: readonly PartDone[], _size: number, signal: AbortSignal): Promise<Receipt> {
    return this.multipart.commit(parts, signal);
  }

  abort(): Promise<void> {
    return this.multipart.abort();
  }
}
