/** Recursive listings of many keys: several ranges of keys at once. */
import { LinkedAbortController } from "../concurrency.js";
import type { Driver, DriverListEntry, DriverListOptions } from "./driver/driver.js";
import { byUtf8, detached } from "./driver/listing.js";
import { type KeyRange, KeyStatistics } from "./key-ranges.js";
import { PackedPage } from "./packed-page.js";

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
 * Yields the pages of `driver.list`, each to be used before the next one is asked for: it is emptied then. A promise or
 * a suspended function that has waited for a response is old by V8's measure, and what it still refers to when it is
 * garbage itself is kept until the next full collection: with twelve requests at once, nearly all pages.
 *
 * Behind the fourth page, up to twelve ranges of keys are listed at once as long as that pays, so that a line with long
 * round trips is used better. Every key comes once: with `ordered` in the order of keys, otherwise as it arrives. Listings
 * of one directory, of versions, with a limit, or of a store that cannot begin at any key remain one request after the
 * other.
 */
export function listParallel(
  driver: Lister,
  prefix: string,
  options: DriverListOptions,
  { ordered, now = idleMs }: { ordered: boolean; now?: () => number },
): AsyncIterable<Page> {
  const { delimiter, versions, atMost } = options;
  if (!driver.startsAnywhere || delimiter !== undefined || versions || atMost !== undefined)
    return driver.list(prefix, options);
  return inRanges(driver, prefix, options, { ordered, now });
}

/**
 * Returns for how many milliseconds this thread has waited. Pages are timed by it: what it takes to parse them, or the
 * consumer to handle them, is no slower for the number of requests.
 */
function idleMs(): number {
  // Bun has no such count, and that of Deno remains 0: there, all of the time counts.
  return performance.eventLoopUtilization?.().idle || performance.now();
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
interface ListedRange extends KeyRange {
  /** Undefined until its first page is asked for. */
  source: Pages | undefined;
  /** Pages that the consumer has not taken. */
  readonly pages: (DriverListEntry[] | PackedPage)[];
  running: Promise<void> | undefined;
  isDone: boolean;
  /** The number of its pages. */
  listed: number;
}

function rangeOf(after: string, last: string | undefined): ListedRange {
  return { after, last, source: undefined, pages: [], running: undefined, isDone: false, listed: 0 };
}

/** How many requests are in flight, and whether more of them bring more. */
class PageRate {
  limit = 1;
  /** The number of pages so far. */
  pages = 0;
  readonly #alone: number[] = [];
  #sum = 0;
  #count = 0;

  /** Takes the milliseconds of waiting for a page, its entries, and the limit when it was asked for. */
  add(ms: number, entries: number, limit: number): void {
    this.pages += 1;
    // The first one may wait for a connection, and a short one is mostly the last.
    if (this.pages > 1 && this.pages <= ALONE) this.#alone.push(ms);
    if (this.pages === ALONE && entries >= FULL_PAGE) this.limit = FIRST;
    if (limit !== this.limit || limit === 1) return;
    this.#sum += ms;
    this.#count += 1;
    if (this.#count < limit) return;
    // The median: a thread that is busy with something else meanwhile seems to wait less.
    const alone = this.#alone.sort((a, b) => a - b)[this.#alone.length >> 1]!;
    if (this.#sum * WORTHWHILE <= alone * this.#count) this.limit = Math.min(MOST, limit * 2);
    // A thread that was woken late has slowed all the pages that it waited for: once more.
    else if (this.#count < 2 * limit) return;
    else this.limit = limit === FIRST ? 1 : FIRST;
    this.#sum = 0;
    this.#count = 0;
  }
}

class Ranges {
  /** In the order of their keys. At most one has not begun: the rest. */
  readonly #ranges: ListedRange[] = [];
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
    const first = rangeOf(
      startAfter === undefined || isPast(this.prefix, { after: "", last: startAfter }) ? this.prefix : startAfter,
      undefined,
    );
    first.source = this.open(startAfter);
    this.#ranges.push(first);
    for (;;) {
      if (this.#failure) throw this.#failure.reason;
      const page = this.#take();
      if (page) {
        yield page;
        page.length = 0;
        continue;
      }
      if (this.#ranges.length === 0) return;
      this.#start();
      await Promise.race(this.#ranges.flatMap(({ running }) => running ?? []));
    }
  }

  /** Waits for what is still running. */
  async settle(): Promise<void> {
    await Promise.all(
      this.#ranges.map(async ({ running, source }) => {
        await running;
        await source?.return();
      }),
    );
  }

  /** Returns the next page for the consumer, and drops ranges that have no more. */
  #take(): DriverListEntry[] | undefined {
    for (let index = 0; index < this.#ranges.length; ) {
      const range = this.#ranges[index]!;
      const page = range.pages.shift();
      if (page) return page instanceof PackedPage ? page.entries() : page;
      if (range.isDone) this.#ranges.splice(index, 1);
      else if (this.ordered) return undefined;
      else index += 1;
    }
    return undefined;
  }

  /** Asks for the next page of each range, in their order, and divides the rest while there is room for more requests. */
  #start(): void {
    let running = this.#ranges.filter((range) => range.running).length;
    let room = MAX_PAGES - running - this.#ranges.reduce((sum, { pages }) => sum + pages.length, 0);
    for (const [index, range] of this.#ranges.entries()) {
      if (running >= this.#rate.limit) return;
      // The consumer waits for the first one, whatever the others hold.
      if (room <= 0 && index > 0) break;
      if (range.running || range.isDone || !range.source) continue;
      void this.#advance(range);
      running += 1;
      room -= 1;
    }
    while (running < this.#rate.limit && (room > 0 || running === 0)) {
      const range = this.#next();
      if (!range) return;
      range.source = this.open(range.after);
      void this.#advance(range);
      running += 1;
      room -= 1;
    }
  }

  /** Returns a range to begin: the first part of the rest, which is the end of a range in progress if there is none. */
  #next(): ListedRange | undefined {
    let rest = this.#ranges.find(({ source, isDone }) => !source && !isDone);
    if (this.#rate.limit === 1) return rest;
    for (const range of rest ? [] : this.#busy()) rest ??= this.#divide(range);
    if (rest) this.#divide(rest);
    return rest;
  }

  /** Returns the ranges in progress: the first one first where the order counts, else the one with the most pages. */
  #busy(): ListedRange[] {
    const busy = this.#ranges.filter(({ isDone, listed }) => !isDone && listed > 0);
    return this.ordered ? busy : busy.sort((a, b) => b.listed - a.listed);
  }

  /** Ends a range earlier, and returns the rest of it as another one. */
  #divide(range: ListedRange): ListedRange | undefined {
    const pages = this.ordered ? PAGES_PER_RANGE.ordered : PAGES_PER_RANGE.unordered;
    if (this.#divisions >= FREE_DIVISIONS + (2 * this.#rate.pages) / pages) return undefined;
    const key = this.#keys.divide(range, pages);
    if (
      key === undefined ||
      byUtf8(key, range.after) <= 0 ||
      (range.last !== undefined && byUtf8(key, range.last) >= 0)
    )
      return undefined;
    this.#divisions += 1;
    const rest = rangeOf(key, range.last);
    range.last = key;
    this.#ranges.splice(this.#ranges.indexOf(range) + 1, 0, rest);
    return rest;
  }

  #advance(range: ListedRange): Promise<void> {
    const { limit } = this.#rate;
    const start = this.now();
    range.running = range
      .source!.next()
      .then(
        ({ done, value }) => {
          if (done) return this.#endAt(range);
          this.#rate.add(this.now() - start, value.length, limit);
          this.#add(range, value);
        },
        (reason: unknown) => {
          this.#failure ??= { reason };
        },
      )
      .finally(() => {
        range.running = undefined;
      });
    return range.running;
  }

  #add(range: ListedRange, page: Page): void {
    range.listed += 1;
    const last = page.at(-1)!.key;
    this.#keys.add(page);
    range.after = detached(last);
    // It goes on into what nobody else has begun.
    while (isAtEnd(range) && this.#extend(range));
    const own = isPast(last, range) ? page.filter(({ key }) => !isPast(key, range)) : page.slice();
    const waits = this.ordered && (range !== this.#ranges[0] || range.pages.length > 0);
    if (own.length > 0) range.pages.push((waits && PackedPage.of(own)) || own);
    if (isAtEnd(range)) this.#close(range);
  }

  #extend(range: ListedRange): boolean {
    const index = this.#ranges.indexOf(range) + 1;
    const next = this.#ranges[index];
    if (!next || next.source) return false;
    range.last = next.last;
    this.#ranges.splice(index, 1);
    return true;
  }

  /** The server has nothing after the last key of this range: what has not begun behind it is empty. */
  #endAt(range: ListedRange): void {
    this.#close(range);
    for (const later of this.#ranges.slice(this.#ranges.indexOf(range))) if (!later.source) this.#close(later);
  }

  #close(range: ListedRange): void {
    range.isDone = true;
    void range.source?.return();
  }
}

function isAtEnd({ after, last }: ListedRange): boolean {
  return last !== undefined && byUtf8(after, last) >= 0;
}

function isPast(key: string, { last }: KeyRange): boolean {
  return last !== undefined && byUtf8(key, last) > 0;
}
