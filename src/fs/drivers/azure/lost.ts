/** A write whose answer was lost has happened or has not. Looking at the object can tell. */
import { failure } from "../../../errors.js";
import type { Receipt } from "../../driver.js";
import { HttpError } from "../../http.js";

/** The receipt of a write that failed with `error` but did happen, which `look` finds out; else throws. */
export async function committedByUs(error: unknown, look: () => Promise<Receipt | undefined>): Promise<Receipt> {
  if (!(error instanceof HttpError) || !error.unsure) throw error;
  const receipt = await look().catch((failed: unknown) => {
    if (failed instanceof HttpError && failed.status === 404) return undefined;
    const { attempts } = error;
    throw failure("CommitUnknown", "the answer was lost, and nothing tells whether the write happened", {
      cause: error,
      attempts,
    });
  });
  if (receipt) return receipt;
  throw error;
}
