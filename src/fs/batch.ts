import { BatchError, type EntryFailure, isStorageError } from "../errors.js";

/** The maximum number of failures kept; all are counted. */
const KEPT = 1000;

/** The outcome of an operation over many entries, which continues after failures. */
export class Batch {
  readonly #failures: EntryFailure[] = [];
  #count = 0;
  #retryable = true;
  #completed = 0;
  #bytes: number | undefined;

  /** Counts `count` entries as done. */
  done(count: number, bytes?: number): void {
    this.#completed += count;
    if (bytes !== undefined) this.#bytes = (this.#bytes ?? 0) + bytes;
  }

  fail(failed: EntryFailure): void {
    this.#count += 1;
    if (!(isStorageError(failed.error) && failed.error.retryable)) this.#retryable = false;
    if (this.#failures.length < KEPT) this.#failures.push(failed);
  }

  /** Whether no entry has been done or has failed. */
  get untouched(): boolean {
    return this.#completed === 0 && this.#count === 0;
  }

  /** Throws a {@link BatchError} if an entry has failed. `what` says what was not done: `not copied`. */
  check(op: string, path: string, what: string): void {
    if (this.#count > 0) throw this.error(op, path, what);
  }

  error(op: string, path: string, what: string): BatchError {
    return new BatchError({
      op,
      path,
      what,
      failures: this.#failures,
      failureCount: this.#count,
      completed: this.#completed,
      bytes: this.#bytes,
      retryable: this.#retryable,
    });
  }
}
