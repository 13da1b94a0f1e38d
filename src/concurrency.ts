import { setMaxListeners } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

/** A byte budget shared by uploads, or by downloads. */
export interface MemoryLimiter {
  /** Waits until `bytes` are free and returns a function that releases them. */
  acquire(bytes: number, signal?: AbortSignal): Promise<() => void>;
  /** As `acquire`, with a buffer of that size. It holds old data; the caller must not touch it after `release`. */
  acquireBuffer(bytes: number, signal?: AbortSignal): Promise<LimitedBuffer>;
}

export interface LimitedBuffer {
  data: Uint8Array;
  release(): void;
}

/** Bytes that the parts of all uploads of one Storage may hold in buffers; its parallel reads have as much of their own. */
export const MEMORY_LIMIT_BYTES = 64 * 2 ** 20;

/** Milliseconds without any release after which the longest waiter is admitted over the limit. */
const DEADLOCK_TIMEOUT_MS = 5_000;

/** Milliseconds after which unused buffers are left to the garbage collector. */
const IDLE_BUFFERS_MS = 1_000;

/**
 * Keeps buffers between two parts. They count towards the limit: together with those in use they never exceed it, so
 * that a thousand uploads keep no more of them than ten.
 */
class BufferPool {
  #idle: Uint8Array[] = [];
  #idleBytes = 0;
  /** Restarts whenever a buffer is returned, so that active transfers keep their buffers. */
  #timer: NodeJS.Timeout | undefined;

  constructor(readonly limit: number) {}

  /** Returns a buffer of exactly `bytes`; `used` is the bytes in use, including this buffer. */
  take(bytes: number, used: number): Uint8Array {
    const at = this.#idle.findIndex(({ byteLength }) => byteLength === bytes);
    const [found] = at < 0 ? [] : this.#idle.splice(at, 1);
    if (found) this.#idleBytes -= bytes;
    this.#shrink(used);
    // Never from Node's shared pool, and not zeroed: the driver overwrites every byte before it sends it.
    return found ?? Buffer.allocUnsafeSlow(bytes);
  }

  /** Takes a buffer back; `used` is the bytes in use, without this buffer. */
  give(buffer: Uint8Array, used: number): void {
    this.#idle.push(buffer);
    this.#idleBytes += buffer.byteLength;
    this.#shrink(used);
    this.#timer = this.#timer?.refresh() ?? setTimeout(() => this.#clear(), IDLE_BUFFERS_MS).unref();
  }

  /** Drops the buffers that have waited longest. */
  #shrink(used: number): void {
    while (this.#idle.length > 0 && used + this.#idleBytes > this.limit)
      this.#idleBytes -= this.#idle.shift()!.byteLength;
  }

  #clear(): void {
    this.#idle = [];
    this.#idleBytes = 0;
  }
}

interface Waiter {
  readonly bytes: number;
  readonly grant: () => void;
}

/**
 * Returns a weighted semaphore, first come first served. Grants a request above `limit` when nothing else is held.
 *
 * Holders may depend on each other (one producer that feeds many uploads in turn), a deadlock that no order of grants
 * prevents: after `patience` milliseconds without a release, one waiter is admitted over the limit.
 */
export function memoryLimiter(
  limit: number = MEMORY_LIMIT_BYTES,
  patience: number = DEADLOCK_TIMEOUT_MS,
): MemoryLimiter {
  const waiting = new Set<Waiter>();
  const pool = new BufferPool(limit);
  let used = 0;
  let timer: NodeJS.Timeout | undefined;

  function serve(waiter: Waiter): void {
    waiting.delete(waiter);
    used += waiter.bytes;
    waiter.grant();
  }

  function watch(): void {
    clearTimeout(timer);
    timer = waiting.size > 0 && patience < Number.POSITIVE_INFINITY ? setTimeout(relent, patience) : undefined;
  }

  function relent(): void {
    const [first] = waiting;
    if (first) serve(first);
    settle();
  }

  function settle(): void {
    for (const next of waiting) {
      if (used > 0 && used + next.bytes > limit) break;
      serve(next);
    }
    watch();
  }

  function releaseOf(bytes: number): () => void {
    let held = bytes;
    return () => {
      used -= held;
      held = 0;
      settle();
    };
  }

  function queue(bytes: number, signal: AbortSignal | undefined): Promise<() => void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        bytes,
        grant() {
          signal?.removeEventListener("abort", leave);
          resolve(releaseOf(bytes));
        },
      };
      function leave(): void {
        waiting.delete(waiter);
        reject(signal?.reason);
        settle();
      }
      signal?.addEventListener("abort", leave, { once: true });
      waiting.add(waiter);
      if (waiting.size === 1) watch();
    });
  }

  async function acquire(bytes: number, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (waiting.size > 0 || (used > 0 && used + bytes > limit)) return queue(bytes, signal);
    used += bytes;
    return releaseOf(bytes);
  }

  return {
    acquire,
    async acquireBuffer(bytes, signal) {
      const free = await acquire(bytes, signal);
      const data = pool.take(bytes, used);
      let taken = true;
      const release = () => {
        if (!taken) return;
        taken = false;
        // Into the pool first, so that the waiter that these bytes admit finds the buffer there.
        pool.give(data, used - bytes);
        free();
      };
      return { data, release };
    },
  };
}

/** Waits; rejects with `signal.reason` when `signal` aborts. */
export async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => signal?.throwIfAborted());
}

/**
 * Objects of a tree, a sweep or a command that are worked on in parallel. In a copy each holds at most two descriptors
 * and, while its data is buffered, a part of the memory that all transfers of a Storage share.
 */
export const OBJECTS_IN_PARALLEL = 32;

/**
 * Runs `work` on every item, `concurrency` at a time. Begins nothing after the first failure, of the work or of the
 * items, or an abort, and throws it once all that run have ended. Work that takes the signal is ended by it.
 */
export async function forEachConcurrent<T>(
  items: AsyncIterable<T> | Iterable<T>,
  { concurrency, signal }: { concurrency: number; signal?: AbortSignal | undefined },
  work: (item: T, signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  const stop = new LinkedAbortController(signal);
  const running = new Set<Promise<unknown>>();
  // Not Promise.race: it would leave something at the slowest work for each item that passes it.
  let wake: () => void = () => {};
  try {
    for await (const item of items) {
      const one: Promise<unknown> = work(item, stop.signal)
        .catch((error: unknown) => stop.abort(error))
        .finally(() => {
          running.delete(one);
          wake();
        });
      running.add(one);
      if (running.size >= concurrency)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      if (stop.signal.aborted) break;
    }
  } catch (error) {
    stop.abort(error);
  }
  await Promise.all(running);
  stop.dispose();
  signal?.throwIfAborted();
  stop.signal.throwIfAborted();
}

/** An abort controller for tasks that end together; it also aborts when the caller's `signal` does. */
export class LinkedAbortController {
  readonly #own = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #forward = (): void => this.#own.abort(this.#outer?.reason);

  /** Throws the reason of a `signal` that has already aborted. Call `dispose` when the tasks have ended. */
  constructor(outer: AbortSignal | undefined) {
    outer?.throwIfAborted();
    this.#outer = outer;
    // One listener per task; Node would report more than ten as a leak.
    setMaxListeners(0, this.#own.signal);
    outer?.addEventListener("abort", this.#forward, { once: true });
  }

  get signal(): AbortSignal {
    return this.#own.signal;
  }

  /** Aborts the tasks. Only the first reason counts; it becomes `signal.reason`. */
  abort(reason: unknown): void {
    this.#own.abort(reason);
  }

  dispose(): void {
    this.#outer?.removeEventListener("abort", this.#forward);
  }
}
