/** The channel `stowage:operation` of node:diagnostics_channel. Without a subscriber, a call costs two comparisons. */
import { AsyncResource } from "node:async_hooks";
import { tracingChannel } from "node:diagnostics_channel";
import { providerOf, type StoragePath } from "../path.js";
import type { ByteStream } from "../streams.js";
import type { Buckets } from "./buckets.js";
import type { DriverContext } from "./driver/driver.js";
import { type Channel, inOperation, isObserved, type OperationEvent, published } from "./driver/observed-http.js";
import type { ListResult, PageOptions } from "./list.js";
import type { GlobOptions, ListEntry, ListOptions, PathLike, ReadOptions } from "./options.js";
import type { DriverRegistry } from "./registry.js";
import { Scope } from "./scope.js";
import { Storage } from "./storage.js";

const operations = tracingChannel<OperationEvent>("stowage:operation") as Channel<OperationEvent>;

/** The verbs that return a promise; `readable` and `writable` call `read` and `write`. */
const VERBS = [
  ...(["stat", "exists", "get", "bytes", "text", "json", "ranges", "write", "writeJson", "update"] as const),
  ...(["setAttributes", "copy", "move", "sync", "delete", "signedUrl", "signedPost"] as const),
];
const WITH_TARGET: ReadonlySet<string> = new Set(["copy", "move", "sync"]);
const WRITES: readonly string[] = ["write", "writeJson"];

/**
 * A Storage that publishes each call, if anyone subscribes. Verbs that are made of others are one operation: they run
 * on a Storage that publishes nothing.
 */
export class ObservedStorage extends Storage {
  readonly #registry: DriverRegistry;
  readonly #shared: DriverContext;
  readonly #plain: Storage;

  constructor(registry: DriverRegistry, shared: DriverContext) {
    super(registry, shared);
    this.#registry = registry;
    this.#shared = shared;
    this.#plain = new Storage(registry, shared);
  }

  static {
    for (const op of VERBS) {
      const verb = Storage.prototype[op] as (this: Storage, ...given: unknown[]) => Promise<unknown>;
      const value = function (this: ObservedStorage, ...given: unknown[]): Promise<unknown> {
        if (!isWatched()) return verb.apply(this, given);
        const event = this.#event(op, given);
        return this.#call(event, () => verb.apply(this.#plain, counting(event, given)));
      };
      Object.defineProperty(ObservedStorage.prototype, op, { value, writable: true, configurable: true });
    }
  }

  override read(path: PathLike, options?: ReadOptions): ByteStream {
    if (!isWatched()) return super.read(path, options);
    const event = this.#event("read", [path]);
    event.bytes = 0;
    return this.#iterate(event, this.#plain.read(path, options), (chunk) => {
      event.bytes! += chunk.byteLength;
    });
  }

  override list(path: PathLike, options?: ListOptions): ListResult {
    if (!isWatched()) return super.list(path, options);
    const found = this.#plain.list(path, options);
    return Object.assign(this.#iterate(this.#event("list", [path]), found), {
      byPage: (paging?: PageOptions) => this.#iterate(this.#event("list", [path]), found.byPage(paging)),
    });
  }

  override glob(pattern: PathLike, options?: GlobOptions): AsyncGenerator<ListEntry, void, undefined> {
    if (!isWatched()) return super.glob(pattern, options);
    return this.#iterate(this.#event("glob", [pattern]), this.#plain.glob(pattern, options));
  }

  override at(base: PathLike): Storage {
    return new ObservedStorage(new Scope(this.#registry, this.#registry.path(base)), this.#shared);
  }

  override buckets(account: string): Buckets {
    const buckets = super.buckets(account);
    if (!isWatched()) return buckets;
    const event = (op: string, name: string): OperationEvent => {
      const provider = providerIn(account.slice(0, account.indexOf(":")));
      return { op, path: `${account.replace(/\/$/, "")}${name}`, provider, requests: 0, attempts: 0 };
    };
    const create: Buckets["create"] = (name, options) =>
      this.#call(event("createBucket", name), () => Object.getPrototypeOf(buckets).create.call(buckets, name, options));
    const remove: Buckets["delete"] = (name, options) =>
      this.#call(event("deleteBucket", name), () => Object.getPrototypeOf(buckets).delete.call(buckets, name, options));
    const list: Buckets["list"] = (options) =>
      this.#iterate(event("listBuckets", ""), Object.getPrototypeOf(buckets).list.call(buckets, options));
    return Object.assign(buckets, { create, delete: remove, list });
  }

  #event(op: string, [first, second]: readonly unknown[]): OperationEvent {
    const path = this.#path(Array.isArray(first) ? first[0] : first);
    const target = WITH_TARGET.has(op) ? this.#path(second) : undefined;
    return {
      ...{ op, path: path && String(path), provider: path && providerIn(path.scheme), requests: 0, attempts: 0 },
      ...(target && { target: String(target) }),
    };
  }

  /** Returns the path of an argument that is one. What is refused can hold a password. */
  #path(at: unknown): StoragePath | undefined {
    try {
      return this.#registry.path(at as PathLike);
    } catch {
      return undefined;
    }
  }

  #call<T>(event: OperationEvent, work: () => Promise<T>): Promise<T> {
    return published(
      operations,
      event,
      () => inOperation(event, work),
      (result) => {
        event.bytes ??= bytesOf(result);
      },
    );
  }

  /** Publishes an iteration from its first step to its end. Each step runs in the context of the operation. */
  async *#iterate<T>(
    event: OperationEvent,
    items: AsyncIterable<T>,
    seen: (item: T) => void = () => {},
  ): AsyncGenerator<T, void, undefined> {
    const steps = items[Symbol.asyncIterator]();
    let finish: (() => void) | undefined;
    let fail: ((error: unknown) => void) | undefined;
    const ended = new Promise<void>((resolve, reject) => {
      finish = resolve;
      fail = reject;
    });
    const context = { step: (work: () => Promise<IteratorResult<T>>) => work() };
    const done = published(
      operations,
      event,
      () => {
        const resource = inOperation(event, () => new AsyncResource("stowage"));
        context.step = (work) => resource.runInAsyncScope(work);
        return ended;
      },
      () => {},
    );
    // The caller gets the error from the step.
    done.catch(() => {});
    try {
      for (;;) {
        const { done, value } = await context.step(() => steps.next());
        if (done) return;
        seen(value);
        yield value;
      }
    } catch (error) {
      fail!(error);
      throw error;
    } finally {
      await context.step(async () => (await steps.return?.()) ?? { done: true, value: undefined });
      finish!();
      await done.catch(() => {});
    }
  }
}

function isWatched(): boolean {
  return operations.hasSubscribers || isObserved();
}

function providerIn(scheme: string): string {
  return providerOf(scheme.toLowerCase()) ?? scheme.toLowerCase();
}

/** Returns the arguments of a write, whose bytes are counted as the provider accepts them. */
function counting(event: OperationEvent, given: unknown[]): unknown[] {
  const [path, body, options = {}] = given;
  if (!WRITES.includes(event.op) || typeof options !== "object" || options === null) return given;
  const { onProgress } = options as { onProgress?: unknown };
  if (onProgress !== undefined && typeof onProgress !== "function") return given;
  const counted = (bytes: number) => {
    event.bytes = bytes;
    onProgress?.(bytes);
  };
  return [path, body, { ...options, onProgress: counted }];
}

/** Returns the bytes of a result that is data, or says how many it copied. */
function bytesOf(result: unknown): number | undefined {
  if (typeof result === "string") return Buffer.byteLength(result);
  if (result instanceof Uint8Array) return result.byteLength;
  if (Array.isArray(result)) return result.reduce((sum: number, one: unknown) => sum + (bytesOf(one) ?? 0), 0);
  const { bytes } = (result ?? {}) as { bytes?: unknown };
  return typeof bytes === "number" ? bytes : undefined;
}
