/** One verb on its way from the caller to a driver: where it goes, and how its failure is told. */
import { setMaxListeners } from "node:events";
import { checkOptions, type EntryFailure, isStorageError, type OptionNames, StorageError } from "../errors.js";
import { StoragePath } from "../path.js";
import { orAbort } from "../streams.js";
import { Batch } from "./batch.js";
import { type Driver, type FailedCall, type ObjectDriver, PartialDelete } from "./driver/driver.js";
import { type At, checkKey } from "./options.js";
import type { Kit, Reach } from "./registry.js";

/** An error of the caller's own body on its way out: it is not ours to wrap. */
export class Foreign {
  constructor(readonly error: unknown) {}
}

/** Where a call has arrived. */
export interface Reached<D extends ObjectDriver = Driver> {
  path: StoragePath;
  key: string;
  driver: D;
  kit: Kit;
}

interface Init {
  signal?: AbortSignal | undefined;
  ifAbsent?: boolean | undefined;
  ifMatch?: string | undefined;
}

export class Call {
  readonly #op: string;
  readonly #signal: AbortSignal | undefined;
  readonly #failed: FailedCall;
  #path = "";
  #driver: ObjectDriver | undefined;

  constructor(op: string, verb: FailedCall["op"], init: Init) {
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
  path(at: At): StoragePath {
    this.#signal?.throwIfAborted();
    const path = typeof at === "string" ? StoragePath.parse(at) : at;
    this.#path = String(path);
    return path;
  }

  /** The driver of a bucket. */
  async bucket<D extends ObjectDriver>(reach: Reach<D>, at: At): Promise<Reached<D>> {
    const path = this.path(at);
    const driver = await orAbort(reach.driver(path), this.#signal);
    this.#driver = driver;
    return { path, key: path.key, driver, kit: reach.kit };
  }

  /** The driver of an object, whose key is checked first. */
  object<D extends ObjectDriver>(reach: Reach<D>, at: At): Promise<Reached<D>> {
    const path = this.path(at);
    checkKey(path);
    return this.bucket(reach, path);
  }

  /** Runs `work`; its failure comes out as the caller is to see it, after `then` had a look. */
  async telling<T>(work: () => Promise<T>, then: (error: unknown) => unknown = (error) => error): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw then(this.told(error));
    }
  }

  /** What the caller gets to see of `error`. */
  told(error: unknown): unknown {
    if (error instanceof Foreign) return error.error;
    if (this.#signal?.aborted) return this.#signal.reason;
    return told(error, this.#context(this.#path));
  }

  /** What the caller gets to see of a failure that is about `keys` of the bucket: key by key. */
  failures(error: unknown, keys: readonly string[]): EntryFailure[] {
    if (error instanceof PartialDelete) return entriesOf(error, this.#context(this.#path));
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
  reach: Reach<D>,
  op: FailedCall["op"],
  at: At,
  init: I,
  names: OptionNames<I>,
  work: (reached: Reached<D>) => Promise<T>,
): Promise<T> {
  const call = new Call(op, op, init);
  return call.telling(async () => {
    checkOptions(op, init, names);
    return work(await call.object(reach, at));
  });
}

// Provider errors become StorageErrors here, in one place.

/** What the core knows of a call when it fails. */
export interface OperationContext {
  op: string;
  path: string;
  driver?: ObjectDriver | undefined;
  failed: FailedCall;
}

/** `error` as the caller sees it. Without a driver nothing can classify it, so it passes unchanged. */
function told(error: unknown, call: OperationContext): unknown {
  if (isStorageError(error)) return error.at(call.op, call.path);
  if (error instanceof PartialDelete) return partial(error, call);
  if (!call.driver) return error;
  const { op, path } = call;
  const code = isBug(error) ? "InvalidArgument" : call.driver.codeOf(error, call.failed);
  return new StorageError({ code, op, path, detail: reason(error), attempts: attempts(error), cause: error });
}

/** What the caller sees of each key that a driver could not delete. */
function entriesOf({ failures }: PartialDelete, call: OperationContext): EntryFailure[] {
  return failures.map(({ key, error }) => {
    const path = sibling(call.path, key);
    return { path, error: told(error, { ...call, path }) };
  });
}

function partial(error: PartialDelete, call: OperationContext): unknown {
  const entries = entriesOf(error, call);
  const [only] = entries;
  if (only && entries.length === 1) return only.error;
  const batch = new Batch();
  for (const { path, error } of entries) batch.fail(path, error);
  return batch.error(call.op, call.path, "not deleted");
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
