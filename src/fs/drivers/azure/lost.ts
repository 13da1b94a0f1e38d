/** A write whose answer was lost has happened or has not. Looking at the object can tell. */
import { failure } from "../../../errors.js";
import type { Receipt } from "../../driver.js";
import { HttpError } from "../../http.js";

/**
 * The receipt of a write that failed with `error` but did happen, as `look` finds out; else throws `error`. Where
 * nobody can look, a write under a condition throws CommitUnknown; any other may simply be made again.
 */
export async function afterLoss(
  error: unknown,
  conditional: boolean,
  look: () => Promise<Receipt | undefined>,
): Promise<Receipt> {
  if (!(error instanceof HttpError) || !error.unsure) throw error;
  const receipt = await look().catch((failed: unknown) => {
    if (!(failed instanceof HttpError)) throw failed;
    throw conditional && failed.status !== 404 ? unknown(error) : error;
  });
  if (receipt) return receipt;
  throw error;
}

export function unknown(cause: HttpError): Error {
  const why = "the answer was lost, and nothing tells whether the write happened";
  return failure("CommitUnknown", why, { cause, attempts: cause.attempts });
}
