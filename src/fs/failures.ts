/** Provider errors become StorageErrors here, in one place. */
import { isStorageError, StorageError } from "../errors.js";
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
  const code = call.driver.codeOf(error, call.failed);
  return new StorageError({ code, op, path, detail: reason(error), attempts: attempts(error), cause: error });
}

function partial({ failures }: PartialDelete, call: Call): StorageError {
  const errors = failures.map(
    ({ key, error }) => told(error, { ...call, path: sibling(call.path, key) }) as StorageError,
  );
  const code = errors[0]?.code ?? "Unavailable";
  const names = failures.slice(0, 10).map(({ key }, i) => `${key}: ${errors[i]?.code}`);
  const more = failures.length > names.length ? ` and ${failures.length - names.length} more` : "";
  const detail = `${failures.length} not deleted: ${names.join(", ")}${more}`;
  return new StorageError({ code, op: call.op, path: call.path, detail, cause: new AggregateError(errors, detail) });
}

/** The printed path of another key in the bucket of `path`. */
function sibling(path: string, key: string): string {
  const authority = path.indexOf("/", path.indexOf("://") + 3);
  return authority < 0 ? `${path}/${key}` : `${path.slice(0, authority)}/${key}`;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function attempts(error: unknown): number {
  const count = (error as { attempts?: unknown } | null)?.attempts;
  return typeof count === "number" ? count : 1;
}
