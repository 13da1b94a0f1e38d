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
  /** @default told by the code */
  retryable?: boolean;
}

/** What a signed URL proves its right with, and a password before the host; also of paths and texts that come from outside. */
const SECRETS =
  /([?&](?:sig|signature|token|awsaccesskeyid|x-(?:amz|goog)-(?:signature|credential|security-token))=)[^&\s"')]+|(:\/\/[^/@\s:]*:)[^/@\s]+(?=@)/gi;

function redacted(text: string): string {
  return text.replace(SECRETS, "$1$2[redacted]");
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
    const { code, op = "", attempts = 0, cause } = init;
    const [path, detail] = [redacted(init.path ?? ""), redacted(init.detail ?? "")];
    const where = [op, path].filter(Boolean).join(" ");
    const tail = detail ? `${code} (${detail})` : code;
    super(where ? `${where}: ${tail}` : tail, cause === undefined ? undefined : { cause });
    this.code = code;
    this.op = op;
    this.path = path;
    this.detail = detail;
    this.retryable = init.retryable ?? RETRYABLE.has(code);
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

/** One entry of an operation over many that failed. */
export interface EntryFailure {
  /** The printed path. A name that no path can hold is spelled with escapes: `\xe9` is a byte that is not UTF-8. */
  path: string;
  error: unknown;
}

/** What a {@link BatchError} is made of. */
export interface BatchErrorInit {
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

/** Entries that the message names. */
const NAMED = 10;

/**
 * An operation over many entries that went on past those that failed, and was carried out on all others. Its code is
 * that of the first failure; `retryable` is true only if every failure is.
 */
export class BatchError extends StorageError {
  /** The first 1,000 failures, in the order in which they came. */
  readonly failures: readonly EntryFailure[];
  /** How many entries failed, which can be more than `failures` holds. */
  readonly failureCount: number;
  /** How many entries were copied, moved, deleted or listed. */
  readonly completed: number;
  /** The bytes of those entries, where they are known. */
  readonly bytes: number | undefined;

  constructor(init: BatchErrorInit) {
    const { op, path, failures, failureCount, completed, bytes, retryable } = init;
    const detail = detailOf(init);
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

/** Whether `error` is a {@link BatchError}, also one of another copy of this library. */
export function isBatchError(error: unknown): error is BatchError {
  return isStorageError(error) && "failures" in error && Array.isArray(error.failures);
}

function detailOf({ failures, failureCount, what }: BatchErrorInit): string {
  const names = failures.slice(0, NAMED).map(({ path, error }) => `${keyOf(path)}: ${codeOf(error)}`);
  const more = failureCount > names.length ? ` and ${failureCount - names.length} more` : "";
  return `${failureCount} ${what}: ${names.join(", ")}${more}`;
}

/** The key of a printed path: the bucket is named before. */
function keyOf(path: string): string {
  return path.slice(path.indexOf("/", path.indexOf("://") + 3) + 1);
}

function codeOf(error: unknown): ErrorCode {
  return isStorageError(error) ? error.code : "Unavailable";
}

/** The names of the options `T`, all of them: a new option that is not added here does not compile. */
export type OptionNames<T> = Readonly<Record<keyof T, true>>;

/** What callers of other libraries write, by what it is called here. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  ifnonematch: "ifAbsent",
  overwrite: "ifAbsent",
  exclusive: "ifAbsent",
  etag: "ifMatch",
  versionid: "version",
  generation: "version",
  abortsignal: "signal",
  expires: "expiresIn",
  contentlength: "size",
  length: "size",
  concurrency: "parallel",
  force: "emptyBucket",
  dereference: "followLinks",
};

/**
 * Throws InvalidArgument for options that are no object, for one that has no meaning here, and for a flag that is no
 * boolean: a misspelled condition that is ignored overwrites data. An option that is undefined counts as left out.
 */
export function checkOptions<T>(verb: string, options: T, names: OptionNames<T>): void {
  if (typeof options !== "object" || options === null) throw invalid(`the options of ${verb} must be an object`);
  for (const name in options) {
    const value = options[name];
    if (value === undefined) continue;
    if ((names as Readonly<Record<string, unknown>>)[name] !== true)
      throw unknownOption(verb, name, Object.keys(names));
    if (FLAGS.has(name) && typeof value !== "boolean") throw invalid(`${name} of ${verb} must be true or false`);
  }
}

/** Options that are on or off: the text "false", as a form or a query has it, would else turn them on. */
const FLAGS: ReadonlySet<string> = new Set(["recursive", "ifAbsent", "followLinks", "emptyBucket", "versions"]);

function unknownOption(verb: string, name: string, names: readonly string[]): StorageError {
  const near = nearest(name, names);
  const hint = near === undefined ? "" : `; did you mean ${near}?`;
  return invalid(`unknown option ${JSON.stringify(name.slice(0, 100))} of ${verb}${hint} (known: ${names.join(", ")})`);
}

/** What another library calls it, the same letters in another case or with hyphens, or a name that begins alike. */
function nearest(name: string, names: readonly string[]): string | undefined {
  const lower = name.toLowerCase().replaceAll(/[_-]/g, "");
  const other = OTHER_NAMES[lower];
  const start = lower.slice(0, ALIKE);
  return (
    names.find((known) => known === other || known.toLowerCase() === lower) ??
    names.find((known) => known.toLowerCase().startsWith(start))
  );
}

/** Letters at the beginning by which a misspelled name is still known. */
const ALIKE = 3;
