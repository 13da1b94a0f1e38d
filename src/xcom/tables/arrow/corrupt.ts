/** What is said of data that is not Arrow. */
import { failure, type StorageError } from "../../../errors.js";

export function corrupt(what: string, cause?: unknown): StorageError {
  return failure("Corrupt", `arrow: ${what}`, cause === undefined ? {} : { cause });
}
