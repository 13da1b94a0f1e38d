/** The context of one operation: resolves the driver and converts failures into StorageErrors. */

import { setMaxListeners } from "node:events";
import { isInstance } from "../brand.js";
import { checkOptions, type EntryFailure, isStorageError, type OptionNames, StorageError } from "../errors.js";
import type { StoragePath } from "../path.js";
import { orAbort } from "../streams.js";
import type { BatchDeleteError, Driver, ObjectDriver, OperationContext } from "./driver/driver.js";
import { checkKey, type PathLike } from "./options.js";
import type { DriverRegistry, StorageContext } from "./registry.js";

/** Marks an error of the caller's own body or callback, so that no layer wraps it. */
export class CallerError {
  constructor(readonly error: unknown) {}
}

/** Returns the callback with its errors marked: each conversion on the way to the caller takes off one mark. */
export function markErrors<A extends unknown[]>(callback: ((...args: A) => void) | undefined) {
  return (
    callback &&
    ((...args: A): void => {
      try {
        callback(...args);
      } catch (error) {
        throw new CallerError(error);
      }
    })
  );
}

/** The object of a call, with its driver. */
export interface ResolvedObject<D extends ObjectDriver = Driver> {
  path: StoragePath;
  key: string;
  driver: D;
  context: StorageContext;
}

interface OperationOptions {
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

  constructor(op: string, verb: OperationContext["op"], options: OperationOptions) {
    // An argument that is not an object is refused later, by a check that can name it.
    const { signal, ifAbsent, ifMatch } = options ?? {};
    this.#op = op;
    this.#signal = signal;
    // Sharing one signal among many calls is common, and no leak to warn of.
    if (signal instanceof AbortSignal) setMaxListeners(0, signal);
    this.#failed = { op: verb, ifAbsent: ifAbsent === true, ifMatch: ifMatch !== undefined };
  }

  /** The printed path. */
  get at(): string {
    return this.#path;
  }

  /** Returns the path alone, for steps that need no driver yet. */
  path(registry: Pick<DriverRegistry, "path">, path: PathLike): StoragePath {
    this.#signal?.throwIfAborted();
    const parsed = registry.path(path);
    this.#path = String(parsed);
    return parsed;
  }

  /** Resolves the driver of a bucket. */
  async bucket<D extends ObjectDriver>(registry: DriverRegistry<D>, path: PathLike): Promise<ResolvedObject<D>> {
    const parsed = this.path(registry, path);
    const driver = await orAbort(registry.driver(parsed), this.#signal);
    this.#driver = driver;
    return { path: parsed, key: parsed.key, driver, context: registry.context };
  }

  /** Checks the key, then resolves the driver of an object. */
  object<D extends ObjectDriver>(registry: DriverRegistry<D>, path: PathLike): Promise<ResolvedObject<D>> {
    const parsed = this.path(registry, path);
    checkKey(parsed);
    return this.bucket(registry, parsed);
  }

  /** Runs `work` and converts its failure for the caller; `then` may replace the converted error. */
  async run<T>(work: () => Promise<T>, then: (error: unknown) => unknown = (error) => error): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw then(this.toStorageError(error));
    }
  }

  /** Converts `error` for the caller. */
  toStorageError(error: unknown): unknown {
    if (error instanceof CallerError) return error.error;
    if (this.#signal?.aborted) return this.#signal.reason;
    return convertError(error, this.#context(this.#path));
  }

  /** Converts a failure about this key of the bucket for the caller. */
  failure(key: string, error: unknown): EntryFailure {
    const path = sibling(this.#path, key);
    return { path, error: convertError(error, this.#context(path)) };
  }

  #context(path: string) {
    return { op: this.#op, path, driver: this.#driver, failed: this.#failed };
  }
}

/** Runs one verb on one object, with options of these names. */
export function onObject<T, D extends ObjectDriver, I extends OperationOptions>(
  registry: DriverRegistry<D>,
  op: OperationContext["op"],
  path: PathLike,
  options: I,
  names: OptionNames<I>,
  work: (resolved: ResolvedObject<D>) => Promise<T>,
): Promise<T> {
  const call = new Operation(op, op, options);
  return call.run(async () => {
    checkOptions(op, options, names);
    return work(await call.object(registry, path));
  });
}

// The only place that converts provider errors into StorageErrors.

/** What the core knows of a call when it fails. */
export interface FailureContext {
  op: string;
  path: string;
  driver?: ObjectDriver | undefined;
  failed: OperationContext;
}

/** Converts `error` for the caller. Passes it unchanged without a driver, which could classify it. */
function convertError(error: unknown, call: FailureContext): unknown {
  if (isStorageError(error)) return error.at(call.op, call.path);
  // From a delete of one object.
  if (isInstance<BatchDeleteError>(error, "BatchDeleteError") && error.failures[0])
    return convertError(error.failures[0].error, call);
  if (!call.driver) return error;
  const { op, path } = call;
  const code = isBug(error) ? "InvalidArgument" : call.driver.codeOf(error, call.failed);
  return new StorageError({ code, op, path, detail: reason(error), attempts: attempts(error), cause: error });
}

/** Returns the printed path of another key in the bucket of `path`. */
function sibling(path: string, key: string): string {
  const authority = path.indexOf("/", path.indexOf("://") + 3);
  return authority < 0 ? `${path}/${key}` : `${path.slice(0, authority)}/${key}`;
}

/**
 * Returns whether the error is a programming error, ours or the caller's, which no retry fixes. A failed `fetch` is
 * also a TypeError, but has a cause.
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
