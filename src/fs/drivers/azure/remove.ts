/** Deletes, by whatever client. */
import type { Verdict } from "../../bulk.js";
import { type Explanation, HttpError, refusal } from "../../http.js";

/** Calls in one batch. https://learn.microsoft.com/rest/api/storageservices/blob-batch */
export const BATCH = 256;

export function isMissing(error: unknown): boolean {
  return error instanceof HttpError && error.status === 404 && error.code !== "ContainerNotFound";
}

/** Inside a batch nothing is tried again by itself. */
export function verdictOf(status: number, explanation: Explanation): Verdict {
  if (status === 429 || status >= 500) return "again";
  if (status === 202) return "gone";
  const error = refusal("DELETE", status, explanation, undefined);
  return isMissing(error) ? "gone" : error;
}
