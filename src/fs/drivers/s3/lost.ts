/** A write whose answer was lost has happened or has not. Looking at the object can tell. */
import { failure } from "../../../errors.js";
import type { Receipt } from "../../driver.js";
import { HttpError } from "../../http.js";
import type { Bucket } from "./bucket.js";
import { receiptOf } from "./info.js";
import type { Conditions } from "./multipart.js";

export interface Attempt {
  /** The etag that the object has if this write made it. */
  etag: string;
  conditions: Conditions;
  signal: AbortSignal | undefined;
}

/** The receipt of a write that failed with `error` but did happen; else throws `error`, or CommitUnknown. */
export async function afterLoss(bucket: Bucket, key: string, error: unknown, attempt: Attempt): Promise<Receipt> {
  if (!(error instanceof HttpError) || !error.unsure) throw error;
  const seen = await look(bucket, key, error, attempt);
  if (seen?.headers.etag === attempt.etag) return receiptOf(seen.headers);
  if (seen && isOpaque(seen.headers["x-amz-server-side-encryption"], bucket)) throw unknown(error);
  throw error;
}

async function look({ client, encryption }: Bucket, key: string, error: HttpError, { conditions, signal }: Attempt) {
  try {
    return await client.send({ method: "HEAD", key, headers: encryption.use, signal, tries: 3 });
  } catch (failed) {
    signal?.throwIfAborted();
    if (failed instanceof HttpError && failed.status === 404) return undefined;
    // Without a condition the same write may simply be made again.
    throw conditions.ifAbsent || conditions.ifMatch !== undefined ? unknown(error) : error;
  }
}

/** Etags of objects under KMS or a customer's key are not made of the content. */
function isOpaque(encryption: unknown, bucket: Bucket): boolean {
  return (
    String(encryption ?? "").startsWith("aws:kms") ||
    "x-amz-server-side-encryption-customer-key" in bucket.encryption.use
  );
}

function unknown(cause: HttpError): Error {
  const { attempts } = cause;
  return failure("CommitUnknown", "the answer was lost, and nothing tells whether the write happened", {
    cause,
    attempts,
  });
}
