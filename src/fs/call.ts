/** One verb on its way from the caller to a driver: where it goes, and how its failure is told. */
import { setMaxListeners } from "node:events";
import { StoragePath } from "../path.js";
import { orAbort } from "./bytes.js";
import type { Driver, FailedCall, ObjectDriver } from "./driver.js";
import { told } from "./failures.js";
import type { Kit } from "./kit.js";
import { type At, checkKey } from "./options.js";
import type { Reach } from "./reach.js";

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

  constructor(op: string, verb: FailedCall["op"], { signal, ifAbsent, ifMatch }: Init) {
    this.#op = op;
    this.#signal = signal;
    // One signal for many calls at once is usual, and no leak that Node should warn of.
    if (signal) setMaxListeners(0, signal);
    this.#failed = { op: verb, ifAbsent: ifAbsent === true, ifMatch: ifMatch !== undefined };
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
    return told(error, { op: this.#op, path: this.#path, driver: this.#driver, failed: this.#failed });
  }
}

/** One verb on one object. */
export function onObject<T, D extends ObjectDriver>(
  reach: Reach<D>,
  op: FailedCall["op"],
  at: At,
  init: Init,
  work: (reached: Reached<D>) => Promise<T>,
): Promise<T> {
  const call = new Call(op, op, init);
  return call.telling(async () => work(await call.object(reach, at)));
}
