/** Recursive listings of many keys: several ranges of keys at once. */
import { LinkedAbortController } from "../concurrency.js";
import type { Driver, DriverListEntry, DriverListOptions } from "./driver/driver.js";
import { byUtf8 } from "./driver/listing.js";
import { type KeyRange, KeyStatistics } from "./key-ranges.js";

/** Requests in flight: at first, and at most. */
const [FIRST, MOST] = [4, 12];
/** Entries of a full page. */
const FULL_PAGE = 1000;
/** Pages that are listed one after the other; all but the first show how long one takes by itself. */
const ALONE = 4;
/** The share of a request's own rate that it must keep among others, so that it pays for pages that are fetched twice. */
const WORTHWHILE = 0.5;
/**
 * Pages of a range, as far as that can be guessed; the last one may reach into the next range and be fetched twice. Where
 * the order counts, all but the first range wait.
 */
const PAGES_PER_RANGE = { ordered: 5, unordered: 10 };
/** Pages held for the consumer, of all ranges together. */
const MAX_PAGES = 32;
/** A division may cost a request that brings nothing: so many are free, and two more for the pages of a range. */
const FREE_DIVISIONS = 8;

type Lister = Pick<Driver, "list" | "startsAnywhere">;
type Page = readonly DriverListEntry[];
type Pages = AsyncGenerator<Page, void, undefined>;

/**
 * Yields the pages of `driver.list`. Behind the fourth page, up to twelve ranges of keys are listed at once as long as
 * that pays, so that a line with long round trips is used better. Every key comes once: with `ordered` in the order of
 * keys, otherwise as it arrives. Listings of one directory, of versions, with a limit, or of a store that cannot begin at
 * any key remain one request after the other.
 */
export function listParallel(
  driver: Lister,
  prefix: string,
  options: DriverListOptions,
  { ordered, now = () => performance.now() }: { ordered: boolean; now?: () => number },
): AsyncIterable<Page> {
  const { delimiter, versions, atMost } = options;
  if (!driver.startsAnywhere || delimiter !== undefined || versions || atMost !== undefined)
    return driver.list(prefix, options);
  return inRanges(driver, prefix, options, { ordered, now });
}

async function* inRanges(
  driver: Lister,
  prefix: string,
  options: DriverListOptions,
  { ordered, now }: { ordered: boolean; now: () => number },
): Pages {
  const stop = new LinkedAbortController(options.signal);
  const open = (startAfter: string | undefined) =>
    driver.list(prefix, { ...options, startAfter, signal: stop.signal })[Symbol.asyncIterator]() as Pages;
  const ranges = new Ranges(open, prefix, ordered, now);
  try {
    yield* ranges.pages(options.startAfter);
  } finally {
    stop.abort(new Error("the listing has ended"));
    await ranges.settle();
    stop.dispose();
  }
}

/** A range of keys, and what was listed of it. `after` moves on with each page. */
interface Lane extends KeyRange {
  /** Undefined until its first page is asked for. */
  source: Pages | undefined;
  /** Pages that the consumer has not taken. */
  readonly pages: Page[];
  running: Promise<void> | undefined;
  isDone: boolean;
  /** The number of its pages. */
  listed: number;
}

function laneOf(after: string, last: string | undefined): Lane {
  return { after, last, source: undefined, pages: [], running: undefined, isDone: false, listed: 0 };
}

/** How many requests are in flight, and whether more of them bring more. */
class PageRate {
  limit = 1;
  /** The number of pages so far. */
  pages = 0;
  #alone = Number.POSITIVE_INFINITY;
  #sum = 0;
  #count = 0;

  /** Takes the milliseconds and the entries of a page, and the limit when it was asked for. */
  add(ms: number, entries: number, limit: number): void {
    this.pages += 1;
    // The first one may wait for a connection, and a short one is mostly the last.
    if (this.pages > 1 && this.pages <= ALONE) this.#alone = Math.min(this.#alone, ms);
    if (this.pages === ALONE && entries >= FULL_PAGE) this.limit = FIRST;
    if (limit !== this.limit || limit === 1) return;
    this.#sum += ms;
    this.#count += 1;
    if (this.#count < limit) return;
    const share = (this.#alone * this.#count) / this.#sum;
    if (share < WORTHWHILE) this.limit = limit === FIRST ? 1 : FIRST;
    else this.limit = Math.min(MOST, limit * 2);
    this.#sum = 0;
    this.#count = 0;
  }
}

class Ranges {
  /** In the order of their keys. At most one has not begun: the rest. */
  readonly #lanes: Lane[] = [];
  readonly #keys: KeyStatistics;
  #divisions = 0;
  readonly #rate = new PageRate();
  #failure: { reason: unknown } | undefined;

  constructor(
    readonly open: (startAfter: string | undefined) => Pages,
    readonly prefix: string,
    readonly ordered: boolean,
    readonly now: () => number,
  ) {
    this.#keys = new KeyStatistics(prefix);
  }

  async *pages(startAfter: string | undefined): Pages {
    const first = laneOf(
      startAfter === undefined || isPast(this.prefix, { after: "", last: startAfter }) ? this.prefix : startAfter,
      undefined,
    );
    first.source = this.open(startAfter);
    this.#lanes.push(first);
    for (;;) {
      if (this.#failure) throw this.#failure.reason;
      const page = this.#take();
      if (page) {
        yield page;
        continue;
      }
      if (this.#lanes.length === 0) return;
      this.#start();
      await Promise.race(this.#lanes.flatMap(({ running }) => running ?? []));
    }
  }

  /** Waits for what is still running. */
  async settle(): Promise<void> {
    await Promise.all(
      this.#lanes.map(async ({ running, source }) => {
        await running;
        await source?.return();
      }),
    );
  }

  /** Returns the next page for the consumer, and drops ranges that have no more. */
  #take(): Page | undefined {
    for (let index = 0; index < this.#lanes.length; ) {
      const lane = this.#lanes[index]!;
      const page = lane.pages.shift();
      if (page) return page;
      if (lane.isDone) this.#lanes.splice(index, 1);
      else if (this.ordered) return undefined;
      else index += 1;
    }
    return undefined;
  }

  /** Asks for the next page of each range, in their order, and divides the rest while there is room for more requests. */
  #start(): void {
    let running = this.#lanes.filter((lane) => lane.running).length;
    let room = MAX_PAGES - running - this.#lanes.reduce((sum, { pages }) => sum + pages.length, 0);
    for (const [index, lane] of this.#lanes.entries()) {
      if (running >= this.#rate.limit) return;
      // The consumer waits for the first one, whatever the others hold.
      if (room <= 0 && index > 0) break;
      if (lane.running || lane.isDone || !lane.source) continue;
      void this.#advance(lane);
      running += 1;
      room -= 1;
    }
    while (running < this.#rate.limit && (room > 0 || running === 0)) {
      const lane = this.#next();
      if (!lane) return;
      lane.source = this.open(lane.after);
      void this.#advance(lane);
      running += 1;
      room -= 1;
    }
  }

  /** Returns a range to begin: the first part of the rest, which is the end of a range in progress if there is none. */
  #next(): Lane | undefined {
    let rest = this.#lanes.find(({ source, isDone }) => !source && !isDone);
    if (this.#rate.limit === 1) return rest;
    for (const lane of rest ? [] : this.#busy()) rest ??= this.#divide(lane);
    if (rest) this.#divide(rest);
    return rest;
  }

  /** Returns the ranges in progress: the first one first where the order counts, else the one with the most pages. */
  #busy(): Lane[] {
    const busy = this.#lanes.filter(({ isDone, listed }) => !isDone && listed > 0);
    return this.ordered ? busy : busy.sort((a, b) => b.listed - a.listed);
  }

  /** Ends a range earlier, and returns the rest of it as another one. */
  #divide(lane: Lane): Lane | undefined {
    const pages = this.ordered ? PAGES_PER_RANGE.ordered : PAGES_PER_RANGE.unordered;
    if (this.#divisions >= FREE_DIVISIONS + (2 * this.#rate.pages) / pages) return undefined;
    const key = this.#keys.divide(lane, pages);
    if (key === undefined || byUtf8(key, lane.after) <= 0 || (lane.last !== undefined && byUtf8(key, lane.last) >= 0))
      return undefined;
    this.#divisions += 1;
    const rest = laneOf(key, lane.last);
    lane.last = key;
    this.#lanes.splice(this.#lanes.indexOf(lane) + 1, 0, rest);
    return rest;
  }

  #advance(lane: Lane): Promise<void> {
    const { limit } = this.#rate;
    const start = this.now();
    lane.running = lane
      .source!.next()
      .then(
        ({ done, value }) => {
          if (done) return this.#endAt(lane);
          this.#rate.add(this.now() - start, value.length, limit);
          this.#add(lane, value);
        },
        (reason: unknown) => {
          this.#failure ??= { reason };
        },
      )
      .finally(() => {
        lane.running = undefined;
      });
    return lane.running;
  }

  #add(lane: Lane, page: Page): void {
    lane.listed += 1;
    const last = page.at(-1)!.key;
    this.#keys.add(page[0]!.key, page[page.length >> 1]!.key, last);
    lane.after = last;
    // It goes on into what nobody else has begun.
    while (isAtEnd(lane) && this.#extend(lane));
    const own = isPast(last, lane) ? page.filter(({ key }) => !isPast(key, lane)) : page;
    if (own.length > 0) lane.pages.push(own);
    if (isAtEnd(lane)) this.#close(lane);
  }

  #extend(lane: Lane): boolean {
    const index = this.#lanes.indexOf(lane) + 1;
    const next = this.#lanes[index];
    if (!next || next.source) return false;
    lane.last = next.last;
    this.#lanes.splice(index, 1);
    return true;
  }

  /** The server has nothing after the last key of this range: what has not begun behind it is empty. */
  #endAt(lane: Lane): void {
    this.#close(lane);
    for (const later of this.#lanes.slice(this.#lanes.indexOf(lane))) if (!later.source) this.#close(later);
  }

  #close(lane: Lane): void {
    lane.isDone = true;
    void lane.source?.return();
  }
}

function isAtEnd({ after, last }: Lane): boolean {
  return last !== undefined && byUtf8(after, last) >= 0;
}

function isPast(key: string, { last }: KeyRange): boolean {
  return last !== undefined && byUtf8(key, last) > 0;
}
