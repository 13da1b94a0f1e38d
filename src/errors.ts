/** The reason why an operation failed. Programs act on the code, never on the message. */
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

/** The fields of a new {@link StorageError}; the core fills in `op` and `path` where they are missing. */
export interface StorageErrorOptions {
  code: ErrorCode;
  op?: string;
  path?: string;
  detail?: string;
  attempts?: number;
  cause?: unknown;
  /** @default depends on the code */
  retryable?: boolean;
}

/** The signatures of signed URLs, and a password before the host; also in paths and texts from outside. */
const SECRETS =
  /([?&](?:sig|signature|token|x-(?:amz|goog)-(?:si|cr|se)[a-z-]*)=)[^&\s"')]+|(:\/\/[^/@\s:]*:)[^/@\s]+(?=@)/gi;

function redacted(text: string): string {
  return text.replace(SECRETS, "$1$2[redacted]");
}

/** Marks the errors of all copies of this library; other libraries have a StorageError too. */
const OURS: unique symbol = Symbol.for("stowage.StorageError");

/** The only error class of this library: `message` is `op path: Code (detail)`. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly code: ErrorCode;
  /**
   * The verb that failed: `stat`, `read`, `copy`, `storeValue` and so on. `get`, `bytes`, `text`, `json` and `ranges` are
   * kinds of `read`, `exists` of `stat`, `writeJson` of `write`.
   */
  readonly op: string;
  /** The path that failed, as `String(path)`; empty if there was none. */
  readonly path: string;
  /** What is wrong and, where known, how to fix it; part of `message`. */
  readonly detail: string;
  /** Whether the same call may succeed later. The library has already retried what it could. */
  readonly retryable: boolean;
  /** The number of requests sent before giving up; 0 if the call was refused before the first. */
  readonly attempts: number;

  constructor(options: StorageErrorOptions) {
    const { code, op = "", attempts = 0, cause } = options;
    const [path, detail] = [redacted(options.path ?? ""), redacted(options.detail ?? "")];
    const where = [op, path].filter(Boolean).join(" ");
    const tail = detail ? `${code} (${detail})` : code;
    super(where ? `${where}: ${tail}` : tail, cause === undefined ? undefined : { cause });
    this.code = code;
    this.op = op;
    this.path = path;
    this.detail = detail;
    this.retryable = options.retryable ?? RETRYABLE.has(code);
    this.attempts = attempts;
  }

  /** Returns the same error from the caller's point of view, keeping an `op` and `path` that are already known. */
  at(op: string, path: string): StorageError {
    if (this.op && this.path) return this;
    const { code, detail, attempts, cause } = this;
    const error = new StorageError({ code, op: this.op || op, path: this.path || path, detail, attempts, cause });
    if (this.stack) error.stack = this.stack.replace(this.message, error.message);
    return error;
  }

  /** Identifies the class to other copies of this library. */
  get [OURS](): true {
    return true;
  }

  toJSON(): Record<string, unknown> {
    const { name, message, code, op, path, retryable, attempts } = this;
    return { name, message, code, op, path, retryable, attempts };
  }
}

/**
 * Returns whether `error` is a {@link StorageError} of this or another copy of the library and, if given, has `code`.
 */
export function isStorageError(error: unknown, code?: ErrorCode): error is StorageError {
  if (!(error instanceof Error) || !(OURS in error) || !("code" in error)) return false;
  return code === undefined || error.code === code;
}

/** Returns a {@link StorageError} whose `op` and `path` the core fills in. */
export function failure(
  code: ErrorCode,
  detail: string,
  more: { cause?: unknown; attempts?: number } = {},
): StorageError {
  return new StorageError({ code, detail, ...more });
}

/** Returns the error for an invalid argument, option or setting, found before any request. */
export function invalid(detail: string, more?: { cause?: unknown }): StorageError {
  return failure("InvalidArgument", detail, more);
}

/** A failed entry of an operation over many. */
export interface EntryFailure {
  /** The printed path. A name that no path can hold is escaped: `\xe9` is a byte that is not UTF-8. */
  path: string;
  error: unknown;
}

/** The fields of a new {@link BatchError}. */
export interface BatchErrorOptions {
  op: string;
  path: string;
  /** What was not done to the entries: `not copied`. */
  what: string;
  failures: readonly EntryFailure[];
  failureCount: number;
  completed: number;
  bytes?: number | undefined;
  retryable: boolean;
}

/** The maximum number of entries that the message names. */
const NAMED = 10;

/**
 * The failure of some entries of an operation that completed all others. Its code is that of the first failure;
 * `retryable` is true only if every failure is.
 */
export class BatchError extends StorageError {
  /** The first 1,000 failures, in order of occurrence. */
  readonly failures: readonly EntryFailure[];
  /** The number of failed entries, which can exceed `failures.length`. */
  readonly failureCount: number;
  /** The number of entries copied, moved, deleted or listed. */
  readonly completed: number;
  /** The total size of those entries in bytes, where known. */
  readonly bytes: number | undefined;

  constructor(options: BatchErrorOptions) {
    const { op, path, failures, failureCount, completed, bytes, retryable } = options;
    const detail = detailOf(options);
    const cause = new AggregateError(
      failures.map(({ error }) => error),
      detail,
    );
    super({ code: codeOf(failures[0]?.error), op, path, detail, cause, retryable });
    this.failures = failures;
    this.failureCount = failureCount;
    this.completed = completed;
    this.bytes = bytes;
  }

  override toJSON(): Record<string, unknown> {
    const { failureCount, completed, bytes } = this;
    const failures = this.failures.map(({ path, error }) => ({
      path,
      code: codeOf(error),
      message: (error as Error)?.message ?? `${error}`,
    }));
    return { ...super.toJSON(), completed, bytes, failureCount, failures };
  }
}

/** Returns whether `error` is a {@link BatchError} of this or another copy of the library. */
export function isBatchError(error: unknown): error is BatchError {
  return isStorageError(error) && "failures" in error && Array.isArray(error.failures);
}

function detailOf({ failures, failureCount, what }: BatchErrorOptions): string {
  const names = failures.slice(0, NAMED).map(({ path, error }) => `${keyOf(path)}: ${codeOf(error)}`);
  const more = failureCount > names.length ? ` and ${failureCount - names.length} more` : "";
  return `${failureCount} ${what}: ${names.join(", ")}${more}`;
}

/** Returns the key of a printed path; the message names the bucket earlier. */
function keyOf(path: string): string {
  return path.slice(path.indexOf("/", path.indexOf("://") + 3) + 1);
}

function codeOf(error: unknown): ErrorCode {
  return isStorageError(error) ? error.code : "Unavailable";
}

/** All option names of `T`: a new option that is missing here does not compile. */
export type OptionNames<T> = Readonly<Record<keyof T, true>>;

/** Option names of other libraries, mapped to the names used here. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  ifnonematch: "ifAbsent",
  overwrite: "ifAbsent",
  etag: "ifMatch",
  length: "size",
  concurrency: "parallel",
  force: "emptyBucket",
  dereference: "followLinks",
};

/**
 * Throws InvalidArgument for options that are no object, for one that has no meaning here, for a flag that is no
 * boolean, and for a callback that is no function: a misspelled condition that is ignored overwrites data. An option
 * that is undefined counts as left out.
 */
export function checkOptions<T>(verb: string, options: T, names: OptionNames<T>): void {
  if (typeof options !== "object" || options === null) throw invalid(`the options of ${verb} must be an object`);
  for (const name in options) {
    const value = options[name];
    if (value === undefined) continue;
    if ((names as Readonly<Record<string, unknown>>)[name] !== true)
      throw unknownOption(verb, name, Object.keys(names));
    const kind = missedKind(name, value);
    if (kind) throw invalid(`${name} of ${verb} must be ${kind}`);
  }
}

/** Returns what an option must be and is not; empty for one that is. */
function missedKind(name: string, value: unknown): string {
  if (FLAGS.has(name)) return typeof value === "boolean" ? "" : "true or false";
  // Signals of other realms count too.
  if (name === "signal") return isFunction(Object(value).throwIfAborted) ? "" : "an AbortSignal";
  // `onMissing` is a word.
  return isFunction(value) || !/^on(?!Missing)[A-Z]/.test(name) ? "" : "a function";
}

const isFunction = (value: unknown): boolean => typeof value === "function";

/** Options that are on or off: the text "false", as a form or a query has it, would else turn them on. */
const FLAGS: ReadonlySet<string> = new Set(["recursive", "ifAbsent", "followLinks", "emptyBucket", "versions"]);

function unknownOption(verb: string, name: string, names: readonly string[]): StorageError {
  const shown = JSON.stringify(name.slice(0, 100));
  return invalid(`unknown option ${shown} of ${verb}${suggestion(name, names)} (known: ${names.join(", ")})`);
}

/** Returns which of `names` was probably meant, as `; did you mean …?`; empty if none is near. */
export function suggestion(name: string, names: readonly string[]): string {
  const near = name && nearest(name, names);
  return near ? `; did you mean ${near}?` : "";
}

/**
 * Returns the name used here for another library's option, for a different case or hyphens, or for the same beginning.
 */
function nearest(name: string, names: readonly string[]): string | undefined {
  const lower = name.toLowerCase().replaceAll(/[_-]/g, "");
  const other = OTHER_NAMES[lower];
  const start = lower.slice(0, ALIKE);
  return (
    names.find((known) => known === other || known.toLowerCase() === lower) ??
    names.find((known) => known.toLowerCase().startsWith(start))
  );
}

/** The number of leading letters by which a misspelled name is still recognized. */
const ALIKE = 3;
