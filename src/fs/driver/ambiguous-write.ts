/** A write whose answer was lost has happened or has not. Looking at the object can tell. */
import { failure } from "../../errors.js";
import { HttpError, isSuccess } from "../http/client.js";
import type { WriteResult } from "./driver.js";

/** A write that failed. */
export interface WriteAttempt<S extends ObservedObject> {
  /** By `performance.now()`, before the first try. */
  since: number;
  ifAbsent: boolean;
  ifMatch: string | undefined;
  /**
   * Whether the object that is there is the one of this write. Under a condition only a mark can tell, since another
   * writer's bytes may be equal; else equal bytes are as good as ours.
   */
  isOurs(seen: S): boolean;
}

/** What is there now. */
export interface ObservedObject {
  receipt: WriteResult;
  /** By the server's clock: when the object was made, and when it was looked at. */
  made?: Date | undefined;
  seen?: Date | undefined;
  /** Whether nothing that is seen is made of the content, as the etag under KMS or a customer's own key. */
  opaque?: boolean;
}

/** The receipt of a write that failed with `error` but did happen; else throws `error`, or CommitUnknown. */
export async function reconcileAmbiguousWrite<S extends ObservedObject>(
  error: unknown,
  attempt: WriteAttempt<S>,
  look: () => Promise<S>,
): Promise<WriteResult> {
  if (!(error instanceof HttpError) || !error.ambiguous) throw error;
  const seen = await look().catch((failed: unknown) => unseen(failed, error, attempt));
  if (seen && attempt.isOurs(seen)) return seen.receipt;
  throw isSettled(seen, error, attempt) ? error : commitUnknown(error);
}

/** Whether it is certain, or makes no difference, that the object that is there is not the one of this write. */
function isSettled(
  seen: ObservedObject | undefined,
  { status, suspected }: HttpError,
  { ifAbsent, ifMatch, since }: Pick<WriteAttempt<ObservedObject>, "ifAbsent" | "ifMatch" | "since">,
): boolean {
  // A plain refusal, of a client that does not say whether it had tried before: mostly it had not.
  if (suspected && (status === 412 || status === 409)) return true;
  // Our object may have been replaced by a writer that has read it, unless nothing was written since we began.
  if (ifMatch !== undefined) return seen?.receipt.etag === ifMatch || isOlder(seen, performance.now() - since);
  // Something was in the way of the last try and is gone: it may have been ours.
  if (ifAbsent) return seen !== undefined || (status !== 412 && status !== 409);
  return seen?.opaque !== true && !isSuccess(status);
}

/** Times in headers are those of whole seconds, both of them. */
const SECOND = 1000;

/** Whether the object was made more than `milliseconds` before it was looked at. Nothing is known of no object. */
export function isOlder({ made, seen }: Pick<ObservedObject, "made" | "seen"> = {}, milliseconds: number): boolean {
  return Number(seen) - Number(made) > milliseconds + SECOND;
}

function unseen(failed: unknown, error: HttpError, { ifAbsent, ifMatch }: WriteAttempt<never>): undefined {
  if (!(failed instanceof HttpError)) throw failed;
  if (failed.status === 404) return undefined;
  const conditional = ifAbsent || ifMatch !== undefined;
  // Without a condition the same write may simply be made again, unless it is told to have worked.
  throw conditional || isSuccess(error.status) ? commitUnknown(error) : error;
}

export function commitUnknown(cause: HttpError): Error {
  const why = "the answer was lost, and nothing tells whether the write happened";
  return failure("CommitUnknown", why, { cause, attempts: cause.attempts });
}
