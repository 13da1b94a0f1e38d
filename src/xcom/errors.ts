/** How the backend and its layers refuse, and how they tell what failed. */
import { invalid, isStorageError } from "../errors.js";
import type { StoragePath } from "../path.js";

/** Throws what {@link invalid} makes. */
export function refuse(detail: string): never {
  throw invalid(detail);
}

/** An error as one of `op`; what it tells already is kept. */
export function errorAt(op: string, at: StoragePath | string, error: unknown): unknown {
  return isStorageError(error) ? error.at(op, String(at)) : error;
}

/** What `work` fails with, told as a failure of `op`. */
export async function withOperation<T>(op: string, at: StoragePath | string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw errorAt(op, at, error);
  }
}
