/** How the backend and its layers refuse, and how they tell what failed. */
import { invalid, isStorageError } from "../errors.js";
import type { StoragePath } from "../path.js";

/** Throws what {@link invalid} makes. */
export function refuse(detail: string): never {
  throw invalid(detail);
}

/** An error as one of `op`; what it tells already is kept. */
export function told(op: string, at: StoragePath | string, error: unknown): unknown {
  return isStorageError(error) ? error.at(op, String(at)) : error;
}

/** What `work` fails with, told as a failure of `op`. */
export async function telling<T>(op: string, at: StoragePath | string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw told(op, at, error);
  }
}
