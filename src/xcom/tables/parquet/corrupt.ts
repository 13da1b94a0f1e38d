/** What is said of data that is not Parquet. */
import { failure, type StorageError } from "../../../errors.js";

export function corrupt(what: string, at: number, cause?: unknown): StorageError {
  return failure("Corrupt", `parquet: ${what}, at byte ${at}`, cause === undefined ? {} : { cause });
}
