/** A write whose answer was lost has happened or has not. Looking at the object can tell. */
import { failure } from "../../../errors.js";
import type { Receipt } from "../../driver.js";
import { HttpError } from "../../http.js";

export interface Attempt {
  /** The etag that the object has if this write made it. */
  etag: string;
  /** Whether the write depended on what was there before. */
  conditional: boolean;
}

/** What is there now. */
export interface Seen {
  receipt: Receipt;
  /** Whether the etag is not made of the content, as under KMS or a customer's own key. */
  opaque: boolean;
}

/** The receipt of a write that failed with `error` but did happen; else throws `error`, or CommitUnknown. */
export async function afterLoss(error: unknown, attempt: Attempt, look: () => Promise<Seen>): Promise<Receipt> {
  if (!(error instanceof HttpError) || !error.unsure) throw error;
  const seen = await look().catch((failed) => unseen(failed, error, attempt));
  if (seen?.receipt.etag === attempt.etag) return seen.receipt;
  throw seen?.opaque ? unknown(error) : error;
}

function unseen(failed: unknown, error: HttpError, { conditional }: Attempt): undefined {
  if (!(failed instanceof HttpError)) throw failed;
  if (failed.status === 404) return undefined;
  // Without a condition the same write may simply be made again.
  throw conditional ? unknown(error) : error;
}

function unknown(cause: HttpError): Error {
  const why = "the answer was lost, and nothing tells whether the write happened";
  return failure("CommitUnknown", why, { cause, attempts: cause.attempts });
}
