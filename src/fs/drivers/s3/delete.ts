/** Deletes many keys. */

import { createHash } from "node:crypto";
import { memoryLimiter } from "../../../concurrency.js";
import { failure } from "../../../errors.js";
import type { DeleteTarget } from "../../driver/batch-delete.js";
import {
  BatchDeleteError,
  type ConditionalIdentifier,
  type DeleteFailure,
  type ObjectIdentifier,
} from "../../driver/driver.js";
import { HttpError } from "../../http/errors.js";
import { readXml } from "../../http/xml.js";
import { escapeXml, isWritable } from "../../http/xml-fields.js";
import type { Bucket } from "./client.js";
import { versionQuery } from "./read.js";

/** Maximum number of keys per DeleteObjects. */
const BATCH = 1000;
/** Maximum number of attempts for keys with transient failures. */
const ROUNDS = 3;

interface FailedRow {
  Key?: string;
  VersionId?: string;
  Code?: string;
  Message?: string;
}

/**
 * Deletes objects, each only if it has its etag. Only Amazon's own service is known to compare in a bulk request:
 * others ignore the element, and would delete.
 */
export async function removeIfMatch(
  bucket: Bucket,
  objects: readonly ConditionalIdentifier[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const one = async ({ key, ifMatch = "" }: DeleteTarget) => {
    try {
      await bucket.client.send({ method: "DELETE", key, headers: { "if-match": ifMatch }, signal });
    } catch (error) {
      const code = error instanceof HttpError ? error.code : "";
      if (!MISSING.has(code)) throw error;
    }
  };
  await removeMany(bucket, objects, one, signal);
}

export async function remove(
  bucket: Bucket,
  objects: readonly ObjectIdentifier[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const one = (object: ObjectIdentifier) => removeObject(bucket, object, signal);
  if (objects.length < 2 || !bucket.profile.bulkDelete) return removeEach(one, objects, signal);
  await removeMany(bucket, objects, one, signal);
}

/** Deletes in batches what XML can name, and all else by `one`. */
async function removeMany(
  bucket: Bucket,
  objects: readonly DeleteTarget[],
  one: (object: DeleteTarget) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<void> {
  // The response of DeleteObjects is XML too, which cannot represent some keys.
  const batched = objects.filter(({ key }) => isWritable(key));
  const failures = await failuresOf(
    one,
    objects.filter(({ key }) => !isWritable(key)),
    signal,
  );
  for (let at = 0; at < batched.length; at += BATCH) {
    failures.push(...(await removeBatch(bucket, batched.slice(at, at + BATCH), signal)));
  }
  if (failures.length > 0) throw new BatchDeleteError(failures);
}

async function removeBatch(
  bucket: Bucket,
  objects: readonly DeleteTarget[],
  signal: AbortSignal | undefined,
): Promise<DeleteFailure[]> {
  const failures: DeleteFailure[] = [];
  const conditions = new Map(objects.map(({ key, ifMatch }) => [key, ifMatch]));
  let targets = objects;
  for (let round = 1; targets.length > 0; round++) {
    const rows = (await sendBatch(bucket, targets, signal)).filter(({ Code }) => !MISSING.has(Code));
    const keys = new Set(targets.map(({ key }) => key));
    const strange = rows.find(({ Key }) => Key === undefined || !keys.has(Key));
    if (strange) throw failure("Corrupt", "the server reports a key that was not to be deleted");
    const again = round < ROUNDS ? rows.filter(({ Code = "" }) => PASSING.has(Code)) : [];
    for (const row of rows) if (!again.includes(row)) failures.push(failureOf(row));
    targets = again.map(({ Key = "", VersionId }) => {
      const ifMatch = conditions.get(Key);
      return {
        key: Key,
        ...(VersionId ? { version: VersionId } : {}),
        // Without it the second attempt would delete what was written since.
        ...(ifMatch === undefined ? {} : { ifMatch }),
      };
    });
  }
  return failures;
}

const MISSING: ReadonlySet<string | undefined> = new Set(["NoSuchKey", "NoSuchVersion"]);
const STATUS: Partial<Record<string, number>> = { AccessDenied: 403, PreconditionFailed: 412 };
const PASSING: ReadonlySet<string> = new Set(["InternalError", "ServiceUnavailable", "SlowDown"]);

/** Converts a failed row, which has a code but no status. */
function failureOf({ Key = "", Code = "", Message = "" }: FailedRow): DeleteFailure {
  const status = PASSING.has(Code) ? 503 : (STATUS[Code] ?? 400);
  return { key: Key, error: new HttpError("answer", "DELETE", status, Code, Message.slice(0, 300)) };
}

// Deletes with one request per key.

/** Single deletes in flight. */
const PARALLEL = 16;

type RemoveOne = (object: ObjectIdentifier) => Promise<void>;

/** Sends DeleteObject; succeeds for a missing key. */
export async function removeObject(
  { client }: Bucket,
  { key, version }: ObjectIdentifier,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await client.send({ method: "DELETE", key, query: versionQuery(version), signal });
  } catch (error) {
    // AWS answers 204 for a missing key; other services may report it. A 404 without a code is that of a proxy.
    if (!(error instanceof HttpError && MISSING.has(error.code))) throw error;
  }
}

/** Throws the failure of a single object as it is; those of several together. */
export async function removeEach(
  one: RemoveOne,
  objects: readonly ObjectIdentifier[],
  signal: AbortSignal | undefined,
): Promise<void> {
  if (objects.length === 1) return one(objects[0]!);
  const failures = await failuresOf(one, objects, signal);
  if (failures.length > 0) throw new BatchDeleteError(failures);
}

async function failuresOf(
  one: RemoveOne,
  objects: readonly ObjectIdentifier[],
  signal: AbortSignal | undefined,
): Promise<DeleteFailure[]> {
  const failures: DeleteFailure[] = [];
  // The limiter of uploads: the smallest bundles have it, and no other helper of concurrency.
  const slots = memoryLimiter(PARALLEL, Number.POSITIVE_INFINITY);
  const tasks = objects.map(async (object) => {
    const leave = await slots.acquire(1, signal);
    await one(object)
      .catch((error) => {
        signal?.throwIfAborted();
        failures.push({ key: object.key, error });
      })
      .finally(leave);
  });
  await Promise.all(tasks);
  return failures;
}

/** Only this distinguishes a quiet success from a page of another service. */
const DELETED = /^Delete\w*(?:Result|Output|Response)$/;

/** Sends DeleteObjects for up to 1,000 keys; returns the rows of failed ones. */
async function sendBatch(
  bucket: Bucket,
  objects: readonly DeleteTarget[],
  signal: AbortSignal | undefined,
): Promise<FailedRow[]> {
  const body = Buffer.from(`<Delete><Quiet>true</Quiet>${objects.map(row).join("")}</Delete>`);
  // Content-MD5 is the one checksum that every service accepts here, where one is required.
  const md5 = createHash("md5").update(body).digest("base64");
  const headers = { "content-md5": md5, "content-type": "application/xml" };
  const ask = { method: "POST", key: "", query: "delete=", headers, body, signal } as const;
  const { text } = await bucket.client.text(ask);
  return readXml(text, DELETED, { Error: (row): FailedRow => row }).rows;
}

function row({ key, version, ifMatch }: DeleteTarget): string {
  const which = version === undefined ? "" : `<VersionId>${escapeXml(version)}</VersionId>`;
  const state = ifMatch === undefined ? "" : `<ETag>${escapeXml(ifMatch)}</ETag>`;
  return `<Object><Key>${escapeXml(key)}</Key>${which}${state}</Object>`;
}
