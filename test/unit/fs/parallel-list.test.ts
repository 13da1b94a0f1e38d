/** Listings in ranges: every key once, in order if asked, with few requests more than one listing needs. */
import { setImmediate, setTimeout } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import type { DriverListEntry, DriverListOptions } from "../../../src/fs/driver/driver.js";
import { byUtf8 } from "../../../src/fs/driver/listing.js";
import { PackedPage } from "../../../src/fs/packed-page.js";
import { listParallel } from "../../../src/fs/parallel-list.js";

const PAGE = 1000;
const MODIFIED = new Date("2026-01-02T03:04:05.678Z");
const OPTIONS: DriverListOptions = { delimiter: undefined, startAfter: undefined, versions: false, signal: undefined };

/** A store that answers all requests that wait at the same time together: a round is one round trip. */
function storeOf(keys: readonly string[], failing?: (after: string | undefined) => boolean) {
  const sorted = [...new Set(keys)].sort(byUtf8);
  const counts = { requests: 0, rounds: 0, most: 0, open: 0 };
  let waiting: (() => void)[] = [];
  async function roundTrip(): Promise<void> {
    counts.requests += 1;
    const turn = new Promise<void>((done) => waiting.push(done));
    if (waiting.length === 1) void release();
    await turn;
  }
  async function release(): Promise<void> {
    // Everything that is ready to ask has asked by then.
    for (let i = 0; i < 3; i++) await setImmediate();
    counts.rounds += 1;
    counts.most = Math.max(counts.most, waiting.length);
    const all = waiting;
    waiting = [];
    for (const done of all) done();
  }
  let prefixed: readonly string[] | undefined;
  const below = (prefix: string) => {
    prefixed ??= sorted.filter((key) => key.startsWith(prefix));
    return prefixed;
  };
  async function* list(prefix: string, { startAfter, signal }: DriverListOptions) {
    counts.open += 1;
    try {
      const own = below(prefix);
      let at = startAfter === undefined ? 0 : indexAfter(own, startAfter);
      do {
        await roundTrip();
        signal?.throwIfAborted();
        if (failing?.(own[at])) throw new Error("the server is away");
        const page = own
          .slice(at, at + PAGE)
          .map((key): DriverListEntry => ({ key, type: "file", size: 1, modified: MODIFIED }));
        if (page.length > 0) yield page;
        at += PAGE;
      } while (at < own.length);
    } finally {
      counts.open -= 1;
    }
  }
  return { driver: { list, startsAnywhere: true }, sorted, counts, now: () => counts.rounds };
}

/** The index of the first key after another. */
function indexAfter(keys: readonly string[], after: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (byUtf8(keys[middle]!, after) > 0) high = middle;
    else low = middle + 1;
  }
  return low;
}

async function keysOf(pages: AsyncIterable<readonly DriverListEntry[]>): Promise<string[]> {
  const found: string[] = [];
  for await (const page of pages) found.push(...page.map(({ key }) => key));
  return found;
}

/** The first difference; a comparison of 100,000 lines would take minutes to print. */
function difference(found: readonly string[], wanted: readonly string[]): object | undefined {
  const at = wanted.findIndex((key, i) => found[i] !== key);
  if (at < 0 && found.length === wanted.length) return undefined;
  return { at, found: found[at < 0 ? wanted.length : at], wanted: wanted[at], lengths: [found.length, wanted.length] };
}

const number = (i: number) => String(i).padStart(6, "0");
const hash = (i: number) => ((i * 2654435761) >>> 0).toString(16).padStart(8, "0");
const WORDS = [
  "ab",
  "al",
  "be",
  "ca",
  "co",
  "da",
  "de",
  "en",
  "fa",
  "go",
  "ha",
  "in",
  "le",
  "ma",
  "no",
  "re",
  "st",
  "um",
];
const word = (i: number) => WORDS[i % 18]! + WORDS[(i * 7) % 18]! + WORDS[(i * 5) % 17]!;
const SHAPES: Record<string, (i: number) => string> = {
  "numbers of one width": (i) => `p/key-${number(i)}`,
  "numbers as they are": (i) => `p/${i}`,
  hashes: (i) => `p/${hash(i)}.json`,
  "folders of days": (i) =>
    `p/2026/${String(1 + (i % 12)).padStart(2, "0")}/${String(1 + (i % 28)).padStart(2, "0")}/${hash(i)}`,
  "few large folders": (i) => `p/${i % 10 === 0 ? "small" : "large"}/${number(i)}/data.json`,
  words: (i) => `p/${word(i)}-${i}`,
  "names beyond ASCII": (i) => `p/${i % 3 === 0 ? "é" : i % 3 === 1 ? "\u{1f600}" : "～"}${number(i)}`,
};

describe.each([true, false])("with ordered: %s", (ordered) => {
  test.each(Object.keys(SHAPES))("100,000 keys, %s: each once, with few requests more", async (shape) => {
    const { driver, sorted, counts, now } = storeOf(Array.from({ length: 100_000 }, (_, i) => SHAPES[shape]!(i)));
    const found = await keysOf(listParallel(driver, "p/", OPTIONS, { ordered, now }));
    expect(difference(ordered ? found : found.sort(byUtf8), sorted)).toBeUndefined();
    // One listing takes 100 of both.
    expect(counts.requests).toBeLessThan(200);
    expect(counts.rounds).toBeLessThan(55);
    expect(counts.most).toBeLessThanOrEqual(12);
    expect(counts.open).toBe(0);
  });

  test("any keys: each once", async () => {
    const part = fc.constantFrom("a", "b", "0", "1", "9", "f", "/", "-", "é", "\u{10000}", "￿", "zz");
    const stems = fc.array(
      fc.array(part, { maxLength: 6 }).map((all) => all.join("")),
      { minLength: 1, maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(stems, fc.integer({ min: 1, max: 400 }), fc.option(part), async (all, copies, after) => {
        const keys = all.flatMap((stem) => Array.from({ length: copies }, (_, i) => `${stem}${i}`));
        const { driver, sorted, now } = storeOf(keys);
        const startAfter = after ?? undefined;
        const found = await keysOf(listParallel(driver, "", { ...OPTIONS, startAfter }, { ordered, now }));
        const wanted = sorted.filter((key) => startAfter === undefined || byUtf8(key, startAfter) > 0);
        expect(difference(ordered ? found : found.sort(byUtf8), wanted)).toBeUndefined();
      }),
      { numRuns: 60 },
    );
  });

  test("a failure of one range ends the listing with it, and leaves nothing open", async () => {
    const { driver, counts, now } = storeOf(
      Array.from({ length: 100_000 }, (_, i) => `p/${number(i)}`),
      (key) => key !== undefined && key > "p/02",
    );
    await expect(keysOf(listParallel(driver, "p/", OPTIONS, { ordered, now }))).rejects.toThrow("the server is away");
    expect(counts.open).toBe(0);
  });

  test("a consumer that stops early, or aborts, leaves nothing open", async () => {
    const keys = Array.from({ length: 100_000 }, (_, i) => `p/${number(i)}`);
    const early = storeOf(keys);
    let pages = 0;
    for await (const _ of listParallel(early.driver, "p/", OPTIONS, { ordered, now: early.now }))
      if (++pages === 9) break;
    expect(early.counts.open).toBe(0);
    const { driver, counts, now } = storeOf(keys);
    const abort = new AbortController();
    const listing = listParallel(driver, "p/", { ...OPTIONS, signal: abort.signal }, { ordered, now });
    const reading = (async () => {
      for await (const _ of listing) if (counts.requests > 20) abort.abort(new Error("enough"));
    })();
    await expect(reading).rejects.toThrow("enough");
    expect(counts.open).toBe(0);
  });

  test("a listing of up to four pages costs these, and the first page waits for no other request", async () => {
    const short = storeOf(Array.from({ length: 999 }, (_, i) => `p/${number(i)}`));
    await keysOf(listParallel(short.driver, "p/", OPTIONS, { ordered, now: short.now }));
    expect(short.counts.requests).toBe(1);
    const four = storeOf(Array.from({ length: 3999 }, (_, i) => `p/${number(i)}`));
    await keysOf(listParallel(four.driver, "p/", OPTIONS, { ordered, now: four.now }));
    expect(four.counts.requests).toBe(4);
    const long = storeOf(Array.from({ length: 50_000 }, (_, i) => `p/${number(i)}`));
    for await (const _ of listParallel(long.driver, "p/", OPTIONS, { ordered, now: long.now })) break;
    expect(long.counts.requests).toBe(1);
  });

  test("a slow consumer holds few pages", async () => {
    const { driver, counts, now } = storeOf(Array.from({ length: 300_000 }, (_, i) => `p/${hash(i)}`));
    let taken = 0;
    for await (const _ of listParallel(driver, "p/", OPTIONS, { ordered, now })) {
      taken += 1;
      for (let i = 0; i < 8; i++) await setImmediate();
      // Those held, those on their way, and those that were fetched twice.
      if (counts.requests - taken > 32 + 12 + 20) break;
    }
    expect(taken).toBeGreaterThanOrEqual(300);
  });
});

test.each<[string, Partial<DriverListOptions>]>([
  ["one directory", { delimiter: "/" }],
  ["versions", { versions: true }],
  ["a limit", { atMost: 5000 }],
])("%s is one listing", async (_, options) => {
  const { driver, counts, now } = storeOf(Array.from({ length: 20_000 }, (_, i) => `p/${number(i)}`));
  await keysOf(listParallel(driver, "p/", { ...OPTIONS, ...options }, { ordered: false, now }));
  expect(counts.most).toBe(1);
});

describe("by the clock of the thread", () => {
  /** A store whose pages take `waitMs`, one after the other if it is `serial`, and the client's thread `busyMs` each. */
  function timed({ serial, waitMs, busyMs }: { serial: boolean; waitMs: number; busyMs: number }) {
    let turn: Promise<unknown> = Promise.resolve();
    const flights: number[] = [];
    let flying = 0;
    async function wait(): Promise<void> {
      flights.push(++flying);
      const before = serial ? turn : undefined;
      const own = (async () => {
        await before;
        await setTimeout(waitMs);
      })();
      turn = own;
      await own;
      flying -= 1;
      const end = performance.now() + busyMs;
      while (performance.now() < end);
    }
    const keys = Array.from({ length: 60 * PAGE }, (_, i) => `p/${number(i)}`);
    async function* list(_: string, { startAfter = "" }: DriverListOptions) {
      for (let at = indexAfter(keys, startAfter); at < keys.length; at += PAGE) {
        await wait();
        yield keys.slice(at, at + PAGE).map((key): DriverListEntry => ({ key, type: "file" }));
      }
    }
    return { driver: { list, startsAnywhere: true }, flights };
  }

  test("the time that pages take to parse does not lower the number of requests", async () => {
    const { driver, flights } = timed({ serial: false, waitMs: 20, busyMs: 30 });
    await keysOf(listParallel(driver, "p/", OPTIONS, { ordered: false }));
    expect(Math.max(...flights)).toBeGreaterThan(4);
    expect(Math.min(...flights.slice(-30, -15))).toBeGreaterThan(1);
  });

  test("a server that answers one request after the other gets one after the other", async () => {
    const { driver, flights } = timed({ serial: true, waitMs: 20, busyMs: 1 });
    await keysOf(listParallel(driver, "p/", OPTIONS, { ordered: false }));
    expect(Math.max(...flights)).toBe(4);
    expect(flights.slice(-15)).toEqual(flights.slice(-15).map(() => 1));
  });

  test.each([
    ["a runtime that has no count of idle time", undefined],
    ["a runtime that counts none", () => ({ idle: 0, active: 0, utilization: 0 })],
  ])("%s measures all of the time", async (_, eventLoopUtilization) => {
    vi.stubGlobal("performance", { now: performance.now.bind(performance), eventLoopUtilization });
    try {
      const { driver, flights } = timed({ serial: true, waitMs: 20, busyMs: 1 });
      await keysOf(listParallel(driver, "p/", OPTIONS, { ordered: false }));
      expect(Math.max(...flights)).toBe(4);
    } finally {
      vi.unstubAllGlobals();
    }
  });
});

test("one page that seems to take no time does not keep the others from being asked for at once", async () => {
  const { driver, counts } = storeOf(Array.from({ length: 100_000 }, (_, i) => SHAPES.hashes!(i)));
  const now = () => (counts.rounds === 3 ? 2 : counts.rounds);
  await keysOf(listParallel(driver, "p/", OPTIONS, { ordered: true, now }));
  expect(counts.rounds).toBeLessThan(55);
});

test.each([true, false])("days that end before 99 leave few gaps to ask for, with ordered: %s", async (ordered) => {
  const { driver, counts, now } = storeOf(Array.from({ length: 100_000 }, (_, i) => SHAPES["folders of days"]!(i)));
  await keysOf(listParallel(driver, "p/", OPTIONS, { ordered, now }));
  expect(counts.rounds).toBeLessThan(40);
});

describe("memory", () => {
  const keys = Array.from({ length: 100_000 }, (_, i) => `p/${number(i)}`);

  test("in order, the pages that wait are packed, and entries are as they were", async () => {
    const packed = vi.spyOn(PackedPage, "of");
    const { driver, now } = storeOf(keys);
    let count = 0;
    for await (const page of listParallel(driver, "p/", OPTIONS, { ordered: true, now })) {
      if (count === 0) expect(page[0]).toEqual({ key: keys[0], type: "file", size: 1, modified: MODIFIED });
      count += page.length;
      expect(page.at(-1)).toEqual({ key: keys[count - 1], type: "file", size: 1, modified: MODIFIED });
    }
    expect(count).toBe(keys.length);
    expect(packed.mock.calls.length).toBeGreaterThan(50);
    packed.mockRestore();
  });

  test("a page is emptied once the next one is asked for, and the driver's own remains", async () => {
    const { driver, now } = storeOf(keys.slice(0, 5 * PAGE));
    const own: (readonly DriverListEntry[])[] = [];
    const list = async function* (prefix: string, options: DriverListOptions) {
      for await (const page of driver.list(prefix, options)) {
        own.push(page);
        yield page;
      }
    };
    const pages: (readonly DriverListEntry[])[] = [];
    for await (const page of listParallel({ ...driver, list }, "p/", OPTIONS, { ordered: true, now })) {
      expect(page.length).toBeGreaterThan(0);
      pages.push(page);
    }
    expect(pages.slice(0, -1).map(({ length }) => length)).toEqual([0, 0, 0, 0]);
    expect(own.every(({ length }) => length > 0)).toBe(true);
  });
});
