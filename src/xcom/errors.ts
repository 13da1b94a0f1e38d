/** Errors of the backend and its layers. */
import { invalid, isStorageError } from "../errors.js";
import type { StoragePath } from "../path.js";

/** Throws the error that {@link invalid} creates. */
export function refuse(detail: string): never {
  throw invalid(detail);
}

/** Returns an error attributed to `op`; keeps an operation and path that it already has. */
export function errorAt(op: string, path: StoragePath | string, error: unknown): unknown {
  return isStorageError(error) ? error.at(op, String(path)) : error;
}

/** Runs `work` and attributes its failure to `op`. */
export async function withOperation<T>(op: string, path: StoragePath | string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw errorAt(op, path, error);
  }
}
