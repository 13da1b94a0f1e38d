/** What the providers' verbs about buckets share: the kinds of refusals, and listings that end. */
import { failure } from "../../errors.js";
import { HttpError } from "../http/errors.js";
import type { DriverBucket } from "./driver.js";
import { Listing } from "./listing.js";

/**
 * `own`: it exists already; `taken`: another account has it; `full`: it is not empty; `missing`: the service itself
 * says that there is none; `busy`: later, perhaps.
 */
export type BucketRefusal = "own" | "taken" | "full" | "missing" | "busy";

/** Runs one verb, and converts the provider's refusals about buckets. */
export async function onBucket(
  work: () => Promise<unknown>,
  refusalOf: (error: HttpError) => BucketRefusal | undefined,
): Promise<void> {
  try {
    await work();
  } catch (cause) {
    const refusal = cause instanceof HttpError ? refusalOf(cause) : undefined;
    if (refusal === undefined) throw cause;
    const { ambiguous, suspected, attempts } = cause as HttpError;
    const more = { cause, attempts };
    if (refusal === "missing") throw failure("NotFound", "there is no such bucket", more);
    if (refusal === "full") throw failure("PreconditionFailed", "the bucket is not empty", more);
    if (refusal === "busy") throw failure("Unavailable", "the bucket is being deleted or changed", more);
    if (refusal === "taken") throw failure("PermissionDenied", "another account has a bucket of this name", more);
    if (!ambiguous || suspected) throw failure("AlreadyExists", "this account has the bucket already", more);
    throw failure("CommitUnknown", "the bucket exists, and an earlier response was lost", more);
  }
}

/** Deletes, and takes a bucket that is gone after a lost response for deleted. */
export async function onDelete(
  work: () => Promise<unknown>,
  refusalOf: (error: HttpError) => BucketRefusal | undefined,
): Promise<void> {
  const repeated = async () => {
    try {
      await work();
    } catch (error) {
      const gone = error instanceof HttpError && error.ambiguous && !error.suspected;
      if (!gone || refusalOf(error) !== "missing") throw error;
    }
  };
  await onBucket(repeated, refusalOf);
}

export interface BucketPage {
  rows: readonly DriverBucket[];
  next: string | undefined;
}

/** Yields pages until one has no mark of a next one. Throws Corrupt when the marks go round in circles. */
export async function* bucketPages(
  page: (mark: string | undefined) => Promise<BucketPage>,
): AsyncGenerator<readonly DriverBucket[]> {
  const listing = new Listing("", { delimiter: undefined, startAfter: undefined, versions: false });
  let mark: string | undefined;
  do {
    const { rows, next } = await page(mark);
    mark = next === undefined ? undefined : listing.next(next);
    if (rows.length > 0) yield rows;
  } while (mark !== undefined);
}
