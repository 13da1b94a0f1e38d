/** Parallel reads of ranges of one version: delivered in order, or placed into one array. */

import { forEachConcurrent, LinkedAbortController, type MemoryLimiter } from "../concurrency.js";
import type { ErrorCode } from "../errors.js";
import { abortable, type ByteStream, collect, Delivery } from "../streams.js";
import { AdaptiveConcurrency } from "./driver/adaptive-concurrency.js";
import type { Driver, ObjectDriver, ObjectInfo } from "./driver/driver.js";
import {
  clampEnd,
  type OpenedRead,
  openRead,
  type ReadRequest,
  ResumableBody,
  ResumableRead,
  readAll,
  readStream,
  sizeOf,
  withSignal,
} from "./resumable-read.js";

/**
 * Bytes per range of a parallel read. On connections with a rate limit each, 4 of 8 MiB were 3.3 times as fast as one.
 */
const RANGE = 8 * 2 ** 20;

/** Bytes up to which a read is one request, unless `parallel` is set. */
const ONE_REQUEST = 16 * 2 ** 20;

/**
 * Ranges in flight at most of a stream, which hold memory until their turn, and of an array, which they fill in place.
 */
const MOST_OF_STREAM = 8;
const MOST_OF_ARRAY = 16;

/** The maximum size in bytes of a chunk of a prefetched range. */
const CHUNK = 2 ** 20;

export interface LimitedReadRequest extends ReadRequest {
  /** Ranges in flight; by default as many as pay. */
  parallel: number | undefined;
  /** Limits the memory of the ranges fetched ahead of the consumer. */
  limiter: MemoryLimiter;
}

/** How many ranges are in flight, and what it learns from them. */
type Concurrency = Pick<AdaptiveConcurrency, "limit" | "recordBytes" | "recordRefusal">;

function fixedConcurrency(limit: number): Concurrency {
  return { limit, recordBytes() {}, recordRefusal() {} };
}

/**
 * Reads as `readStream` does, a large object in as many ranges at once as pay, or in `parallel`. The first byte waits
 * for no second request.
 */
export async function readParallel(
  driver: ObjectDriver,
  key: string,
  wanted: LimitedReadRequest,
): Promise<{ info: ObjectInfo; body: ByteStream }> {
  const { parallel, start, end, limiter } = wanted;
  if (parallel === 1 || start === end) return readStream(driver, key, wanted);
  const opened = await (parallel === undefined ? openRead(driver, key, wanted) : openFirst(driver, key, wanted));
  const { info, pinned, body } = opened;
  if (!pinned.isCertain) return opened;
  if (parallel !== undefined)
    return { info, body: streamInOrder(opened, wanted, fixedConcurrency(parallel), { limiter }) };
  if (!isWorthRanges(driver, body.left)) return opened;
  return { info, body: streamInOrder(opened, wanted, new AdaptiveConcurrency(MOST_OF_STREAM, RANGE), { limiter }) };
}

/** Files are not: they wait for no network, and an open one stays the version that it was. */
function isWorthRanges(driver: ObjectDriver, size: number): boolean {
  return size > ONE_REQUEST && (driver as Partial<Driver>).fileSystem === undefined;
}

/** Reads as `readAll` does; fetches a large object as `readParallel` does, each range in its place. */
export async function readAllParallel(
  driver: ObjectDriver,
  key: string,
  wanted: LimitedReadRequest,
): Promise<Uint8Array> {
  const { start, end, parallel, signal } = wanted;
  if (start === end) return readAll(driver, key, wanted);
  const ahead = parallel !== undefined && parallel > 1;
  const opened = await (ahead ? openFirst(driver, key, wanted) : openRead(driver, key, wanted));
  const { pinned, body } = opened;
  const size = await sizeOf(opened, wanted);
  if (ahead && pinned.isCertain && body.left < size) return fill(opened, start, size, parallel, signal);
  if (parallel !== undefined || !pinned.isCertain || !isWorthRanges(driver, size))
    return collect(abortable(body, signal), { size });
  const into = Buffer.allocUnsafeSlow(size);
  const concurrency = new AdaptiveConcurrency(MOST_OF_ARRAY, RANGE);
  let at = 0;
  for await (const chunk of abortable(streamInOrder(opened, wanted, concurrency, { into }), signal)) {
    if (chunk.buffer !== into.buffer) into.set(chunk, at);
    at += chunk.byteLength;
  }
  return into;
}

/** Requests the first range, or everything in one request where several could return different versions. */
async function openFirst(driver: ObjectDriver, key: string, wanted: ReadRequest): Promise<OpenedRead> {
  const opened = await openRead(driver, key, wanted, firstEnd(wanted));
  const { pinned, info, body } = opened;
  if (pinned.isCertain || body.left === clampEnd(wanted.end, info.size) - wanted.start) return opened;
  await body.return();
  return openRead(driver, key, wanted);
}

function firstEnd({ start, end }: ReadRequest): number {
  return Math.min(end ?? Number.POSITIVE_INFINITY, start + RANGE);
}

/**
 * The first request supplies the first range, even if it asked for more; the others get the rest, each at its offset.
 */
async function fill(
  { pinned, body }: OpenedRead,
  start: number,
  size: number,
  parallel: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const into = Buffer.allocUnsafeSlow(size);
  await forEachConcurrent(starts(size), { concurrency: parallel, signal }, async (at, signal) => {
    const end = Math.min(at + RANGE, size);
    const range = at === 0 ? body : new ResumableBody(withSignal(signal, pinned), start + at, start + end);
    await place(range, into.subarray(at, end), signal);
  });
  return into;
}

function* starts(size: number): Generator<number, void, undefined> {
  for (let at = 0; at < size; at += RANGE) yield at;
}

/** Fills `into` and closes `body`. */
async function place(body: ResumableBody, into: Uint8Array, signal: AbortSignal): Promise<void> {
  let at = 0;
  for await (const chunk of abortable(body, signal)) {
    into.set(chunk.subarray(0, into.byteLength - at), at);
    at += chunk.byteLength;
    if (at >= into.byteLength && body.left > 0) break;
  }
}

/**
 * Where ranges ahead go: into memory of their own, as far as the limiter grants it, or into their place in one array.
 */
type Room = { limiter: MemoryLimiter } | { into: Uint8Array };

function streamInOrder(opened: OpenedRead, wanted: ReadRequest, concurrency: Concurrency, room: Room): ByteStream {
  const read = new OrderedRead(opened, wanted, concurrency, room);
  const delivery = new Delivery(read.deliver(), () => read.close());
  return { [Symbol.asyncIterator]: () => delivery };
}

/**
 * Delivers a range in order: from an open response, and behind it from ranges fetched ahead, as many as `concurrency`
 * says. A response that reaches to the end is cut off for them, once the first of them has shown that the server
 * answers it.
 */
class OrderedRead {
  readonly #first: ResumableBody;
  readonly #concurrency: Concurrency;
  readonly #room: Room;
  readonly #start: number;
  readonly #end: number;
  readonly #stop: LinkedAbortController;
  readonly #pinned: ResumableRead;
  readonly #ahead: PrefetchedRange[] = [];
  #at: number;
  /** The end of what the open response delivers. */
  #until: number;
  /** The first byte that nothing fetches yet. */
  #next: number;
  #rangesHelp = true;

  constructor({ pinned, info, body }: OpenedRead, wanted: ReadRequest, concurrency: Concurrency, room: Room) {
    this.#first = body;
    this.#concurrency = concurrency;
    this.#room = room;
    this.#start = wanted.start;
    // A range may start past the end.
    this.#end = Math.max(wanted.start, clampEnd(wanted.end, info.size));
    this.#stop = new LinkedAbortController(wanted.signal);
    this.#pinned = new WatchedRead(this.#stop.signal, pinned, concurrency);
    this.#at = wanted.start;
    this.#until = wanted.start + body.left;
    this.#next = this.#until;
  }

  async *deliver(): ByteStream {
    try {
      this.#prefetchMore();
      yield* this.#respond(this.#first);
      for (;;) {
        for (let range = this.#ahead.shift(); range; range = this.#ahead.shift()) {
          this.#prefetchMore();
          // One request alone, and later more: by now there are too many for the server.
          if (await range.isRefused()) {
            range.drop();
            break;
          }
          yield* range.deliver();
          this.#at = range.end;
        }
        if (this.#at === this.#end) return;
        this.#dropAhead();
        this.#until = this.#end;
        this.#next = this.#end;
        yield* this.#respond(new ResumableBody(this.#pinned, this.#at, this.#end));
      }
    } finally {
      this.#leave();
    }
  }

  /** For a reader that leaves before the first chunk. */
  async close(): Promise<void> {
    this.#leave();
    await this.#first.return();
  }

  #leave(): void {
    this.#rangesHelp = false;
    this.#stop.abort(new Error("the reader has left"));
    this.#stop.dispose();
    this.#dropAhead();
  }

  async *#respond(response: ResumableBody): ByteStream {
    let waited = 0;
    try {
      for (;;) {
        const asked = performance.now();
        const step = await response.next();
        if (step.done) return;
        const now = performance.now();
        waited += now - asked;
        let more = step.value;
        do {
          const chunk = more.subarray(0, this.#until - this.#at);
          more = more.subarray(chunk.byteLength);
          this.#at += chunk.byteLength;
          // The clock of one response is the time that it was waited for: a slow consumer is no slow line.
          this.#concurrency.recordBytes(chunk.byteLength, this.#concurrency.limit === 1 ? waited : now);
          this.#prefetchMore();
          yield chunk;
          if (this.#at < this.#until || more.byteLength + response.left === 0) continue;
          if (this.#ahead[0]?.answered) return;
          this.#takeOver();
        } while (more.byteLength > 0);
      }
    } finally {
      if (response.left > 0) await response.return();
    }
  }

  /**
   * If the open response reaches a range before the response to that range starts, it delivers the range itself, and
   * the rest too if the server does not answer ranges at all.
   */
  #takeOver(): void {
    const range = this.#ahead.shift();
    range?.drop();
    this.#concurrency.recordRefusal();
    if (range && !range.failed) {
      this.#until = range.end;
      return;
    }
    this.#rangesHelp = range === undefined;
    this.#dropAhead();
    this.#until = this.#end;
    this.#next = this.#end;
  }

  #prefetchMore(): void {
    if (!this.#rangesHelp || this.#concurrency.limit === 1) return;
    if (this.#until === this.#end && this.#end - this.#at > 2 * RANGE && this.#ahead.length === 0) {
      this.#until = this.#at + RANGE;
      this.#next = this.#until;
    }
    for (; this.#next < this.#end && this.#ahead.length < this.#concurrency.limit - 1; this.#next += RANGE) {
      const end = Math.min(this.#next + RANGE, this.#end);
      this.#ahead.push(new PrefetchedRange(this.#pinned, this.#next, end, this.#memory(end), this.#moved));
    }
  }

  /** A range that moves may show that more of them pay while the consumer waits for one. */
  readonly #moved = (bytes: number): void => {
    this.#concurrency.recordBytes(bytes, performance.now());
    this.#prefetchMore();
  };

  #memory(end: number): Memory {
    if ("limiter" in this.#room) return this.#room.limiter;
    return this.#room.into.subarray(this.#next - this.#start, end - this.#start);
  }

  #dropAhead(): void {
    for (const range of this.#ahead.splice(0)) range.drop();
  }
}

const REFUSALS: ReadonlySet<ErrorCode> = new Set(["Throttled", "Timeout", "Unavailable"]);

/** Tells `concurrency` of every request that the server refused, or that broke. */
class WatchedRead extends ResumableRead {
  readonly #concurrency: Concurrency;

  constructor(signal: AbortSignal, { driver, key, info, version }: ResumableRead, concurrency: Concurrency) {
    const read: ObjectDriver["read"] = async (...request) => {
      const answer = await driver.read(...request);
      if ((answer.attempts ?? 1) > 1) concurrency.recordRefusal();
      return answer;
    };
    super({ read, codeOf: (...failed) => driver.codeOf(...failed) }, key, info, version, signal);
    this.#concurrency = concurrency;
  }

  override codeOf(error: unknown): ErrorCode {
    const code = super.codeOf(error);
    if (REFUSALS.has(code)) this.#concurrency.recordRefusal();
    return code;
  }
}

/** What grants a range its memory, or that memory. */
type Memory = MemoryLimiter | Uint8Array;

/** A range that is fetched into memory before its turn. */
class PrefetchedRange {
  /** Whether its first bytes have come. */
  answered = false;
  /** Whether it failed in a way that no other request can fix. */
  failed = false;
  readonly #pinned: ResumableRead;
  readonly #start: number;
  readonly #body: ResumableBody;
  readonly #moved: (bytes: number) => void;
  readonly #queue = new AbortController();
  readonly #data: Promise<Uint8Array | undefined>;
  #dropped = false;
  #release: () => void = () => {};

  constructor(
    pinned: ResumableRead,
    start: number,
    readonly end: number,
    memory: Memory,
    moved: (bytes: number) => void,
  ) {
    this.#pinned = pinned;
    this.#start = start;
    this.#body = new ResumableBody(pinned, start, end);
    this.#moved = moved;
    this.#data = this.#fetch(memory);
    // The failure surfaces when its turn comes; until then nothing awaits it.
    this.#data.catch((error) => {
      this.failed = !REFUSALS.has(pinned.codeOf(error));
    });
  }

  /** Returns whether the server refused the range; another request may get it. For when its turn has come. */
  async isRefused(): Promise<boolean> {
    this.#queue.abort();
    return this.#data.then(
      () => false,
      () => !this.failed,
    );
  }

  /**
   * Streams the range when its turn comes before its memory is granted: it must not wait for memory that later ranges
   * hold.
   */
  async *deliver(): ByteStream {
    this.#queue.abort();
    try {
      const data = await this.#data;
      if (!data) return yield* new ResumableBody(this.#pinned, this.#start, this.end);
      for (let at = 0; at < data.byteLength; at += CHUNK) yield data.subarray(at, at + CHUNK);
    } finally {
      this.drop();
    }
  }

  /** Ends the request and releases the memory, now or once granted. */
  drop(): void {
    this.#dropped = true;
    this.#queue.abort();
    this.#body.return().catch(() => {});
    this.#release();
  }

  async #fetch(memory: Memory): Promise<Uint8Array | undefined> {
    const into = memory instanceof Uint8Array ? memory : await this.#acquireBuffer(memory);
    if (!into) return undefined;
    let at = 0;
    for await (const chunk of this.#body) {
      this.answered = true;
      into.set(chunk, at);
      at += chunk.byteLength;
      this.#moved(chunk.byteLength);
    }
    return into;
  }

  async #acquireBuffer(limiter: MemoryLimiter): Promise<Uint8Array | undefined> {
    const size = this.end - this.#start;
    const release = await limiter.acquire(size, this.#queue.signal).catch(() => undefined);
    if (!release) return undefined;
    this.#release = release;
    if (this.#dropped) return void release();
    return Buffer.allocUnsafeSlow(size);
  }
}
