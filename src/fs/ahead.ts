/** Reads of several ranges of one version at the same time: delivered in order, or each at its place in one array. */
import { abortable, collect } from "./bytes.js";
import type { Budget, Bytes, Info, ObjectDriver } from "./driver.js";
import { clamped, endingWith, type Opened, open, type Pinned, PinnedBody, type Wanted } from "./pinned.js";
import { readAll, resumed, sizeOf } from "./resume.js";
import { Stop } from "./stop.js";

/** Bytes of one range of a parallel read: on lines limited each on its own, 4 of 8 MiB gave 3.3 times one line. */
const RANGE = 8 * 2 ** 20;

/** Bytes up to which `fetchedWhole` leaves it at one request, unless told otherwise. */
const ONE_REQUEST = 16 * 2 ** 20;

/** Ranges in flight of a large `fetchedWhole`. */
const PARALLEL = 4;

/** Bytes that a chunk of a range that was fetched ahead has at most. */
const CHUNK = 2 ** 20;

export interface ReadWanted extends Wanted {
  /** Ranges in flight; when left out, 1 of a stream, and 4 of an array above 16 MiB. */
  parallel: number | undefined;
  /** Holds the ranges that were fetched ahead of the consumer. */
  budget: Budget;
}

/** As `resumed`; with `parallel`, ranges are fetched ahead. The first byte waits for no second request. */
export async function fetched(
  driver: ObjectDriver,
  key: string,
  wanted: ReadWanted,
): Promise<{ info: Info; body: Bytes }> {
  const { parallel = 1 } = wanted;
  if (parallel === 1 || wanted.start === wanted.end) return resumed(driver, key, wanted);
  const opened = await openFirst(driver, key, wanted);
  if (!opened.pinned.isCertain) return opened;
  return { info: opened.info, body: inOrder(opened, wanted, parallel) };
}

/** As `readAll`; a large object comes in ranges, of which the first request may already bring several. */
export async function fetchedWhole(driver: ObjectDriver, key: string, wanted: ReadWanted): Promise<Uint8Array> {
  const { start, end, parallel, signal } = wanted;
  if (start === end) return readAll(driver, key, wanted);
  const ahead = parallel !== undefined && parallel > 1;
  const opened = await (ahead ? openFirst(driver, key, wanted) : open(driver, key, wanted, end));
  const size = await sizeOf(opened, wanted);
  const serial = parallel === undefined ? size <= ONE_REQUEST : opened.body.left === size;
  if (serial || !opened.pinned.isCertain) return collect(abortable(opened.body, signal), { size });
  return fill(opened, start, size, parallel ?? PARALLEL, signal);
}

/** Asks for the first range, and for all in one request where several could be of different versions. */
async function openFirst(driver: ObjectDriver, key: string, wanted: Wanted): Promise<Opened> {
  const opened = await open(driver, key, wanted, firstEnd(wanted));
  const { pinned, info, body } = opened;
  if (pinned.isCertain || body.left === clamped(wanted.end, info.size) - wanted.start) return opened;
  await body.return();
  return open(driver, key, wanted);
}

function firstEnd({ start, end }: Wanted): number {
  return Math.min(end ?? Number.POSITIVE_INFINITY, start + RANGE);
}

/** The first request has the first range, even where it was sent for more; the others get the rest, each at its place. */
async function fill(
  { pinned, body }: Opened,
  start: number,
  size: number,
  parallel: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const into = Buffer.allocUnsafeSlow(size);
  const stop = new Stop(signal);
  const rest = endingWith(stop.signal, pinned);
  let next = RANGE;
  async function lane(first?: PinnedBody): Promise<void> {
    if (first) await place(first, into.subarray(0, RANGE), stop.signal);
    while (next < size) {
      const at = next;
      next += RANGE;
      const end = Math.min(at + RANGE, size);
      await place(new PinnedBody(rest, start + at, start + end), into.subarray(at, end), stop.signal);
    }
  }
  try {
    await together([lane(body), ...Array.from({ length: parallel - 1 }, () => lane())], stop);
    return into;
  } finally {
    stop.free();
  }
}

/** Fills `into` and lets the rest of `body` go. */
async function place(body: PinnedBody, into: Uint8Array, signal: AbortSignal): Promise<void> {
  let at = 0;
  for await (const chunk of abortable(body, signal)) {
    into.set(chunk.subarray(0, into.byteLength - at), at);
    at += chunk.byteLength;
    if (at >= into.byteLength && body.left > 0) break;
  }
}

/** All of them; the first failure stops the others and is what is thrown when they have ended. */
async function together(tasks: readonly Promise<void>[], stop: Stop): Promise<void> {
  await Promise.all(tasks.map((task) => task.catch((error) => stop.now(error))));
  stop.signal.throwIfAborted();
}

async function* inOrder({ pinned, info, body }: Opened, wanted: ReadWanted, parallel: number): Bytes {
  const stop = new Stop(wanted.signal);
  const rest = endingWith(stop.signal, pinned);
  const end = clamped(wanted.end, info.size);
  const ahead: Ahead[] = [];
  let next = wanted.start + RANGE;
  const refill = () => {
    for (; next < end && ahead.length < parallel - 1; next += RANGE) {
      ahead.push(new Ahead(rest, next, Math.min(next + RANGE, end), wanted.budget));
    }
  };
  try {
    refill();
    yield* body;
    for (let range = ahead.shift(); range; range = ahead.shift()) {
      refill();
      yield* range.deliver();
    }
  } finally {
    stop.now(new Error("the reader has left"));
    stop.free();
    for (const range of ahead) range.drop();
  }
}

/** A range that is being fetched into a buffer before its turn. */
class Ahead {
  readonly #pinned: Pinned;
  readonly #start: number;
  readonly #end: number;
  readonly #queue = new AbortController();
  readonly #data: Promise<Uint8Array | undefined>;
  #dropped = false;
  #release: () => void = () => {};

  constructor(pinned: Pinned, start: number, end: number, budget: Budget) {
    this.#pinned = pinned;
    this.#start = start;
    this.#end = end;
    this.#data = this.#fetch(budget);
    // Told when its turn comes; until then nobody listens.
    this.#data.catch(() => {});
  }

  /** The range whose turn it is must not wait for memory that the ones behind it hold, so it is streamed then. */
  async *deliver(): Bytes {
    this.#queue.abort();
    try {
      const data = await this.#data;
      if (!data) return yield* new PinnedBody(this.#pinned, this.#start, this.#end);
      for (let at = 0; at < data.byteLength; at += CHUNK) yield data.subarray(at, at + CHUNK);
    } finally {
      this.drop();
    }
  }

  /** Gives the memory back, now or when it has been granted. */
  drop(): void {
    this.#dropped = true;
    this.#queue.abort();
    this.#release();
  }

  async #fetch(budget: Budget): Promise<Uint8Array | undefined> {
    const size = this.#end - this.#start;
    const release = await budget.take(size, this.#queue.signal).catch(() => undefined);
    if (!release) return undefined;
    this.#release = release;
    if (this.#dropped) return void release();
    return collect(new PinnedBody(this.#pinned, this.#start, this.#end), { size });
  }
}
