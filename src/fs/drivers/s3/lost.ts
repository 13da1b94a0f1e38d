/** A write whose answer was lost has happened or has not. Looking at the object can tell. */
import { failure } from "../../../errors.js";
import type { Receipt } from "../../driver.js";
import { HttpError } from "../../http.js";
import type { Conditions } from "./conditions.js";

export interface Attempt extends Conditions {
  /** The mark of a conditional write in the metadata of its object: another writer's bytes may be equal to ours. */
  nonce: string | undefined;
  /** The etag that the object has if an unconditional write made it; undefined where it is not made of the content. */
  etag(): string | undefined;
}

/** What is there now. */
export interface Seen {
  receipt: Receipt;
  nonce: string | undefined;
  /** Whether the etag is not made of the content, as under KMS or a customer's own key. */
  opaque: boolean;
}

/** The receipt of a write that failed with `error` but did happen; else throws `error`, or CommitUnknown. */
export async function afterLoss(error: unknown, attempt: Attempt, look: () => Promise<Seen>): Promise<Receipt> {
  if (!(error instanceof HttpError) || !error.unsure) throw error;
  const seen = await look().catch((failed) => unseen(failed, error, attempt));
  if (seen && isOurs(seen, attempt)) return seen.receipt;
  throw isSettled(seen, error, attempt) ? error : unknown(error);
}

function isOurs({ nonce, receipt }: Seen, attempt: Attempt): boolean {
  if (attempt.nonce !== undefined) return nonce === attempt.nonce;
  const etag = attempt.etag();
  return etag !== undefined && receipt.etag === etag;
}

/** Whether it is certain, or makes no difference, that the object that is there is not the one of this write. */
function isSettled(seen: Seen | undefined, error: HttpError, { nonce, ifMatch }: Attempt): boolean {
  if (nonce === undefined) return !seen?.opaque && !isSuccess(error);
  // Our object may have been replaced by a writer that has read it, unless what we were to replace is still there.
  if (ifMatch !== undefined) return seen?.receipt.etag === ifMatch;
  // Something was in the way of the last try and is gone: it may have been ours.
  return seen !== undefined || (error.status !== 412 && error.status !== 409);
}

function unseen(failed: unknown, error: HttpError, { nonce }: Attempt): undefined {
  if (!(failed instanceof HttpError)) throw failed;
  if (failed.status === 404) return undefined;
  // Without a condition the same write may simply be made again.
  throw nonce === undefined && !isSuccess(error) ? error : unknown(error);
}

/** An answer that reads as a success but is none of the protocol's: a login page, or one that names no object. */
function isSuccess({ status }: HttpError): boolean {
  return status >= 200 && status < 300;
}

function unknown(cause: HttpError): Error {
  const why = "the answer was lost, and nothing tells whether the write happened";
  return failure("CommitUnknown", why, { cause, attempts: cause.attempts });
}
