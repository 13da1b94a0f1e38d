import { BatchError, type EntryFailure, isStorageError } from "../errors.js";

/** Failures that are kept; all are counted. */
const KEPT = 1000;

/** What becomes of the entries of one operation over many, which goes on past those that fail. */
export class Batch {
  readonly #failures: EntryFailure[] = [];
  #count = 0;
  #retryable = true;
  #completed = 0;
  #bytes: number | undefined;

  /** `count` entries are done. */
  done(count: number, bytes?: number): void {
    this.#completed += count;
    if (bytes !== undefined) this.#bytes = (this.#bytes ?? 0) + bytes;
  }

  fail(path: string, error: unknown): void {
    this.#count += 1;
    if (!(isStorageError(error) && error.retryable)) this.#retryable = false;
    if (this.#failures.length < KEPT) this.#failures.push({ path, error });
  }

  /** Whether nothing was done, and nothing has failed. */
  get untouched(): boolean {
    return this.#completed === 0 && this.#count === 0;
  }

  /** Throws a {@link BatchError} if an entry has failed. `what` was not done to them: `not copied`. */
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
