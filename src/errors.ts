/** Why an operation failed. Programs act on the code, never on the message. */
export type ErrorCode =
  | "NotFound"
  | "AlreadyExists"
  | "PreconditionFailed"
  | "ObjectChanged"
  | "PermissionDenied"
  | "Unauthenticated"
  | "InvalidArgument"
  | "Unsupported"
  | "Throttled"
  | "Timeout"
  | "Unavailable"
  | "Corrupt"
  | "TooLarge"
  | "CommitUnknown";

const RETRYABLE: ReadonlySet<ErrorCode> = new Set(["Throttled", "Timeout", "Unavailable"]);

/** What a {@link StorageError} is made of; `op` and `path` are filled in by the core when left out. */
export interface StorageErrorInit {
  code: ErrorCode;
  op?: string;
  path?: string;
  detail?: string;
  attempts?: number;
  cause?: unknown;
}

/** Marks the errors of all copies of this library; other libraries have a StorageError too. */
const OURS: unique symbol = Symbol.for("stowage.StorageError");

/** The one error of this library: `message` is `op path: Code (detail)`. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly code: ErrorCode;
  /** The verb that failed, as the caller named it: `read`, `write`, `storeValue` and so on. */
  readonly op: string;
  /** The path it failed on, as `String(path)`; empty when there was none. */
  readonly path: string;
  /** What is wrong and, where it can be known, how to mend it; part of `message`. */
  readonly detail: string;
  /** Whether the same call may succeed later. The library has already retried what it could. */
  readonly retryable: boolean;
  /** How many requests were sent before giving up; 0 when it was refused before the first. */
  readonly attempts: number;

  constructor(init: StorageErrorInit) {
    const { code, op = "", path = "", detail = "", attempts = 0, cause } = init;
    const where = [op, path].filter(Boolean).join(" ");
    const tail = detail ? `${code} (${detail})` : code;
    super(where ? `${where}: ${tail}` : tail, cause === undefined ? undefined : { cause });
    this.code = code;
    this.op = op;
    this.path = path;
    this.detail = detail;
    this.retryable = RETRYABLE.has(code);
    this.attempts = attempts;
  }

  /** The same error told from the caller's side. What is already known is kept. */
  at(op: string, path: string): StorageError {
    if (this.op && this.path) return this;
    const { code, detail, attempts, cause } = this;
    const told = new StorageError({ code, op: this.op || op, path: this.path || path, detail, attempts, cause });
    if (this.stack) told.stack = this.stack.replace(this.message, told.message);
    return told;
  }

  /** By which another copy of this library knows it. */
  get [OURS](): true {
    return true;
  }

  toJSON(): Record<string, unknown> {
    const { name, message, code, op, path, retryable, attempts } = this;
    return { name, message, code, op, path, retryable, attempts };
  }
}

/** Whether `error` is a {@link StorageError}, also one of another copy of this library; with `code`, of that code. */
export function isStorageError(error: unknown, code?: ErrorCode): error is StorageError {
  if (!(error instanceof Error) || !(OURS in error) || !("code" in error)) return false;
  return code === undefined || error.code === code;
}

/** A {@link StorageError} whose `op` and `path` the core fills in. */
export function failure(
  code: ErrorCode,
  detail: string,
  more: { cause?: unknown; attempts?: number } = {},
): StorageError {
  return new StorageError({ code, detail, ...more });
}

/** What is wrong with an argument, an option or a setting, found before any request. */
export function invalid(detail: string, more?: { cause?: unknown }): StorageError {
  return failure("InvalidArgument", detail, more);
}
