import { setMaxListeners } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

/** A byte budget that uploads, or downloads, share. */
export interface MemoryLimiter {
  /** Waits until `bytes` are free. Returns how to give them back. */
  acquire(bytes: number, signal?: AbortSignal): Promise<() => void>;
  /** The same with a buffer of that size, which holds old data and must not be touched after `release`. */
  acquireBuffer(bytes: number, signal?: AbortSignal): Promise<LimitedBuffer>;
}

export interface LimitedBuffer {
  data: Uint8Array;
  release(): void;
}

/** Bytes that the uploads, and separately the downloads, of one Storage may hold in buffers. */
export const MEMORY_LIMIT_BYTES = 64 * 2 ** 20;

/** Milliseconds without any byte given back after which the longest waiter is served over the limit. */
const DEADLOCK_TIMEOUT_MS = 5_000;

/** Milliseconds after which buffers that nobody asked for again are left to the collector. */
const IDLE_BUFFERS_MS = 1_000;

/**
 * Buffers between two parts. They are inside of the limit: with those in use they never have more bytes, so that a
 * thousand uploads hold no more of them than ten.
 */
class BufferPool {
  #idle: Uint8Array[] = [];
  #idleBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(readonly limit: number) {}

  /** A buffer of exactly `bytes`; `used` are the bytes in use, these among them. */
  take(bytes: number, used: number): Uint8Array {
    const at = this.#idle.findIndex(({ byteLength }) => byteLength === bytes);
    const [found] = at < 0 ? [] : this.#idle.splice(at, 1);
    if (found) this.#idleBytes -= bytes;
    this.#shrink(used);
    // Never from Node's shared pool, and not cleared: every byte that is sent has been written.
    return found ?? Buffer.allocUnsafeSlow(bytes);
  }

  /** `used` are the bytes in use, this buffer's no longer among them. */
  give(buffer: Uint8Array, used: number): void {
    this.#idle.push(buffer);
    this.#idleBytes += buffer.byteLength;
    this.#shrink(used);
    this.#timer ??= setTimeout(() => this.#clear(), IDLE_BUFFERS_MS).unref();
  }

  /** The buffers that waited longest go first. */
  #shrink(used: number): void {
    while (this.#idle.length > 0 && used + this.#idleBytes > this.limit)
      this.#idleBytes -= this.#idle.shift()!.byteLength;
  }

  #clear(): void {
    this.#timer = undefined;
    this.#idle = [];
    this.#idleBytes = 0;
  }
}

interface Waiter {
  readonly bytes: number;
  readonly grant: () => void;
}

/**
 * A weighted semaphore, first come first served. A request above `limit` is granted when nothing else is out.
 *
 * Holders may depend on each other (one producer that feeds many uploads in turn), which no order of grants can
 * untie: after `patience` milliseconds in which nothing was given back, one waiter is let through.
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
    for (const first of waiting) {
      serve(first);
      break;
    }
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
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      used -= bytes;
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
        // Into the pool first: whoever is let in by these bytes finds the buffer there.
        pool.give(data, used - bytes);
        free();
      };
      return { data, release };
    },
  };
}

/** Waits; rejects with the reason of `signal` when that aborts. */
export async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => signal?.throwIfAborted());
}

/** An abort of our own, for tasks that end together, that also happens when the caller's `signal` aborts. */
export class LinkedAbortController {
  readonly #own = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #forward = (): void => this.#own.abort(this.#outer?.reason);

  /** Throws the reason of a `signal` that has aborted already. Call `free` when the tasks are over. */
  constructor(outer: AbortSignal | undefined) {
    outer?.throwIfAborted();
    this.#outer = outer;
    // As many listeners as there are tasks; Node would take more than ten for a leak and warn.
    setMaxListeners(0, this.#own.signal);
    outer?.addEventListener("abort", this.#forward, { once: true });
  }

  get signal(): AbortSignal {
    return this.#own.signal;
  }

  /** Only the first reason counts; it is `signal.reason` from then on. */
  abort(reason: unknown): void {
    this.#own.abort(reason);
  }

  dispose(): void {
    this.#outer?.removeEventListener("abort", this.#forward);
  }
}
