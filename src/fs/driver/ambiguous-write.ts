/** Determines whether a write whose response was lost took effect, by looking at the object. */
import type { IncomingHttpHeaders } from "node:http";
import { failure, isStorageError, type StorageError } from "../../errors.js";
import { HttpError, isSuccess } from "../http/errors.js";
import type { WriteResult } from "./driver.js";

/** A write that failed. */
export interface WriteAttempt<S extends ObservedObject> {
  /** `performance.now()` before the first attempt. */
  since: number;
  ifAbsent: boolean;
  ifMatch: string | undefined;
  /**
   * Returns whether the existing object is the one of this write. Under a condition only a nonce proves it, since
   * another writer's bytes may be equal; otherwise equal bytes are as good as ours.
   */
  isOurs(seen: S): boolean;
}

/** The object as it is now. */
export interface ObservedObject {
  result: WriteResult;
  /** By the server's clock: when the object was created, and when it was observed. */
  made?: Date | undefined;
  seen?: Date | undefined;
  /** Whether nothing observed derives from the content, such as the etag under KMS or a customer's own key. */
  opaque?: boolean;
}

/**
 * Returns the result of a write that failed with `error` but took effect; else throws `error`, or CommitUnknown. Omit
 * `look` if the object cannot show whose write it is.
 */
export async function reconcileAmbiguousWrite<S extends ObservedObject>(
  error: unknown,
  attempt: WriteAttempt<S>,
  look: (() => Promise<S>) | undefined,
): Promise<WriteResult> {
  if (!isAmbiguous(error)) throw error;
  const seen = await look?.().catch((failed: unknown) => onLookupFailure(failed, error, attempt));
  if (seen && attempt.isOurs(seen)) return seen.result;
  if (!(error instanceof HttpError) || isSettled(seen, error, attempt)) throw error;
  throw commitUnknown(error);
}

/** Returns whether the response was lost, or was a success that does not say what it stored. */
function isAmbiguous(error: unknown): error is HttpError | StorageError {
  return isStorageError(error, "CommitUnknown") || (error instanceof HttpError && error.ambiguous);
}

/** Returns whether it is certain, or makes no difference, that the existing object is not the one of this write. */
function isSettled(
  seen: ObservedObject | undefined,
  { status, suspected }: HttpError,
  { ifAbsent, ifMatch, since }: Pick<WriteAttempt<ObservedObject>, "ifAbsent" | "ifMatch" | "since">,
): boolean {
  // The client of an SDK hides its retries: its 409 or 412 counts as final.
  if (suspected && (status === 412 || status === 409)) return true;
  // A writer that has read our object may have replaced it, unless nothing was written since we began.
  if (ifMatch !== undefined) return seen?.result.etag === ifMatch || isOlder(seen, performance.now() - since);
  // The object that blocked the last attempt is gone: it may have been ours.
  if (ifAbsent) return seen !== undefined || (status !== 412 && status !== 409);
  return seen?.opaque !== true && !isSuccess(status);
}

/** Returns the two times of an object's headers; an invalid date for a missing one. */
export function timesIn({ "last-modified": made = "", date: seen = "" }: IncomingHttpHeaders) {
  return { made: new Date(made), seen: new Date(seen) };
}

/** Times in headers, both of them, have whole seconds. */
const SECOND = 1000;

/** Returns whether the object was created more than `milliseconds` before it was observed; false without an object. */
export function isOlder({ made, seen }: Pick<ObservedObject, "made" | "seen"> = {}, milliseconds: number): boolean {
  return Number(seen) - Number(made) > milliseconds + SECOND;
}

function onLookupFailure(
  failed: unknown,
  error: HttpError | StorageError,
  { ifAbsent, ifMatch }: WriteAttempt<never>,
): undefined {
  if (failed instanceof HttpError && failed.status === 404) return undefined;
  if (!(error instanceof HttpError)) throw error;
  const conditional = ifAbsent || ifMatch !== undefined;
  // Without a condition the same write can simply be repeated, unless the server reported success.
  throw conditional || isSuccess(error.status) ? commitUnknown(error) : error;
}

export function commitUnknown(cause: HttpError): Error {
  const why = "the response was lost; the write may have happened";
  return failure("CommitUnknown", why, { cause, attempts: cause.attempts });
}
