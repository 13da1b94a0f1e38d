/** Provider errors become StorageErrors here, in one place. */
import { type EntryFailure, isStorageError, StorageError } from "../errors.js";
import { Batch } from "./batch.js";
import { type FailedCall, type ObjectDriver, PartialDelete } from "./driver.js";

/** What the core knows of a call when it fails. */
export interface Call {
  op: string;
  path: string;
  driver?: ObjectDriver | undefined;
  failed: FailedCall;
}

/** `error` as the caller sees it. Without a driver nothing can classify it, so it passes unchanged. */
export function told(error: unknown, call: Call): unknown {
  if (isStorageError(error)) return error.at(call.op, call.path);
  if (error instanceof PartialDelete) return partial(error, call);
  if (!call.driver) return error;
  const { op, path } = call;
  const code = isBug(error) ? "InvalidArgument" : call.driver.codeOf(error, call.failed);
  return new StorageError({ code, op, path, detail: reason(error), attempts: attempts(error), cause: error });
}

/** What the caller sees of each key that a driver could not delete. */
export function entriesOf({ failures }: PartialDelete, call: Call): EntryFailure[] {
  return failures.map(({ key, error }) => {
    const path = sibling(call.path, key);
    return { path, error: told(error, { ...call, path }) };
  });
}

function partial(error: PartialDelete, call: Call): unknown {
  const entries = entriesOf(error, call);
  const [only] = entries;
  if (only && entries.length === 1) return only.error;
  const batch = new Batch();
  for (const { path, error } of entries) batch.fail(path, error);
  return batch.error(call.op, call.path, "not deleted");
}

/** The printed path of another key in the bucket of `path`. */
export function sibling(path: string, key: string): string {
  const authority = path.indexOf("/", path.indexOf("://") + 3);
  return authority < 0 ? `${path}/${key}` : `${path.slice(0, authority)}/${key}`;
}

/**
 * Whether a program made a mistake, ours or the caller's, which no second try mends. The failure of a `fetch` is a
 * TypeError, too, that names its cause.
 */
function isBug(error: unknown): boolean {
  return (
    (error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError) &&
    error.cause === undefined &&
    error.message !== "fetch failed"
  );
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function attempts(error: unknown): number {
  const count = (error as { attempts?: unknown } | null)?.attempts;
  return typeof count === "number" ? count : 1;
}
