/** One verb on its way from the caller to a driver: where it goes, and how its failure is told. */

import { setMaxListeners } from "node:events";
import { isInstance } from "../brand.js";
import { checkOptions, type EntryFailure, isStorageError, type OptionNames, StorageError } from "../errors.js";
import { StoragePath } from "../path.js";
import { orAbort } from "../streams.js";
import type { BatchDeleteError, Driver, ObjectDriver, OperationContext } from "./driver/driver.js";
import { checkKey, type PathLike } from "./options.js";
import type { DriverRegistry, StorageContext } from "./registry.js";

/** An error of the caller's own body on its way out: it is not ours to wrap. */
export class CallerError {
  constructor(readonly error: unknown) {}
}

/** Where a call has arrived. */
export interface ResolvedObject<D extends ObjectDriver = Driver> {
  path: StoragePath;
  key: string;
  driver: D;
  kit: StorageContext;
}

interface Init {
  signal?: AbortSignal | undefined;
  ifAbsent?: boolean | undefined;
  ifMatch?: string | undefined;
}

export class Operation {
  readonly #op: string;
  readonly #signal: AbortSignal | undefined;
  readonly #failed: OperationContext;
  #path = "";
  #driver: ObjectDriver | undefined;

  constructor(op: string, verb: OperationContext["op"], init: Init) {
    // What is no object is refused by name, once it can be.
    const { signal, ifAbsent, ifMatch } = init ?? {};
    this.#op = op;
    this.#signal = signal;
    // One signal for many calls at once is usual, and no leak that Node should warn of.
    if (signal) setMaxListeners(0, signal);
    this.#failed = { op: verb, ifAbsent: ifAbsent === true, ifMatch: ifMatch !== undefined };
  }

  /** The printed path. */
  get at(): string {
    return this.#path;
  }

  /** The path alone, for what needs no driver yet. */
  path(at: PathLike): StoragePath {
    this.#signal?.throwIfAborted();
    const path = typeof at === "string" ? StoragePath.parse(at) : at;
    this.#path = String(path);
    return path;
  }

  /** The driver of a bucket. */
  async bucket<D extends ObjectDriver>(reach: DriverRegistry<D>, at: PathLike): Promise<ResolvedObject<D>> {
    const path = this.path(at);
    const driver = await orAbort(reach.driver(path), this.#signal);
    this.#driver = driver;
    return { path, key: path.key, driver, kit: reach.kit };
  }

  /** The driver of an object, whose key is checked first. */
  object<D extends ObjectDriver>(reach: DriverRegistry<D>, at: PathLike): Promise<ResolvedObject<D>> {
    const path = this.path(at);
    checkKey(path);
    return this.bucket(reach, path);
  }

  /** Runs `work`; its failure comes out as the caller is to see it, after `then` had a look. */
  async run<T>(work: () => Promise<T>, then: (error: unknown) => unknown = (error) => error): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw then(this.toStorageError(error));
    }
  }

  /** What the caller gets to see of `error`. */
  toStorageError(error: unknown): unknown {
    if (error instanceof CallerError) return error.error;
    if (this.#signal?.aborted) return this.#signal.reason;
    return told(error, this.#context(this.#path));
  }

  /** What the caller gets to see of a failure that is about `keys` of the bucket: key by key. */
  failures(error: unknown, keys: readonly string[]): EntryFailure[] {
    if (isInstance<BatchDeleteError>(error, "BatchDeleteError")) return entriesOf(error, this.#context(this.#path));
    return keys.map((key) => this.failure(key, error));
  }

  /** What the caller gets to see of a failure that is about this key of the bucket. */
  failure(key: string, error: unknown): EntryFailure {
    const path = sibling(this.#path, key);
    return { path, error: told(error, this.#context(path)) };
  }

  #context(path: string) {
    return { op: this.#op, path, driver: this.#driver, failed: this.#failed };
  }
}

/** One verb on one object, with options of these names. */
export function onObject<T, D extends ObjectDriver, I extends Init>(
  reach: DriverRegistry<D>,
  op: OperationContext["op"],
  at: PathLike,
  init: I,
  names: OptionNames<I>,
  work: (reached: ResolvedObject<D>) => Promise<T>,
): Promise<T> {
  const call = new Operation(op, op, init);
  return call.run(async () => {
    checkOptions(op, init, names);
    return work(await call.object(reach, at));
  });
}

// Provider errors become StorageErrors here, in one place.

/** What the core knows of a call when it fails. */
export interface FailureContext {
  op: string;
  path: string;
  driver?: ObjectDriver | undefined;
  failed: OperationContext;
}

/** `error` as the caller sees it. Without a driver nothing can classify it, so it passes unchanged. */
function told(error: unknown, call: FailureContext): unknown {
  if (isStorageError(error)) return error.at(call.op, call.path);
  // Of a delete of one object; what becomes of many is a matter of {@link Operation.failures}.
  if (isInstance<BatchDeleteError>(error, "BatchDeleteError")) return entriesOf(error, call)[0]?.error ?? error;
  if (!call.driver) return error;
  const { op, path } = call;
  const code = isBug(error) ? "InvalidArgument" : call.driver.codeOf(error, call.failed);
  return new StorageError({ code, op, path, detail: reason(error), attempts: attempts(error), cause: error });
}

/** What the caller sees of each key that a driver could not delete. */
function entriesOf({ failures }: BatchDeleteError, call: FailureContext): EntryFailure[] {
  return failures.map(({ key, error }) => {
    const path = sibling(call.path, key);
    return { path, error: told(error, { ...call, path }) };
  });
}

/** The printed path of another key in the bucket of `path`. */
function sibling(path: string, key: string): string {
  const authority = path.indexOf("/", path.indexOf("://") + 3);
  return authority < 0 ? `${path}/${key}` : `${path.slice(0, authority)}/${key}`;
}

/**
 * Whether a program made a mistake, ours or the caller's, which no second try mends. The failure of a `fetch` is a
 * TypeError, too, that names its cause.
 */
function isBug(error: unknown): boolean {
  return (
    (error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError) &&
    error.cause === undefined &&
    error.message !== "fetch failed"
  );
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function attempts(error: unknown): number {
  const count = (error as { attempts?: unknown } | null)?.attempts;
  return typeof count === "number" ? count : 1;
}
