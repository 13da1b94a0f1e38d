/** Checks the listing of a foreign server: valid entries, in pages that end. */
import { failure } from "../../errors.js";
import type { DriverListEntry, DriverListOptions } from "./driver.js";

/** The maximum number of pages in a row without a new entry; a server may scan deleted keys for a while. */
const EMPTY_PAGES = 10_000;
/** The maximum number of pages in a row before entries of earlier pages. Some emulators have an order of their own. */
const STANDSTILL = 10;

type Asked = Pick<DriverListOptions, "delimiter" | "startAfter" | "versions">;

/** A listing in progress. A recursive delete acts on the entries that it passes. */
export class Listing {
  #last: DriverListEntry | undefined;
  #highest = "";
  #still = 0;
  #empty = 0;
  #before: string | undefined;
  #mark: string | undefined;
  #steps = 0;
  #stride = 1;

  /** `ordered`: whether the service lists in key order, as all do but S3 Express. */
  constructor(
    readonly prefix: string,
    readonly asked: Asked,
    readonly ordered = true,
  ) {}

  /**
   * Returns the entries of one page after `startAfter` in the order of UTF-8 bytes, without duplicates. Throws Corrupt
   * for invalid entries, and for pages that make no progress.
   */
  page(rows: readonly DriverListEntry[]): DriverListEntry[] {
    for (const row of rows) this.#check(row);
    const sorted = this.ordered ? inOrder(rows) : rows;
    this.#advance(sorted);
    const { startAfter } = this.asked;
    // What follows a key that is after it need not be compared.
    const all = this.ordered && sorted[0] !== undefined && isAfter(sorted[0].key, startAfter);
    const found = sorted.filter((row) => this.#isNew(row) && (all || isAfter(row.key, startAfter)));
    this.#last = detached(this.#last);
    return found;
  }

  /**
   * Records the marker of the next page. Throws Corrupt when the markers cycle, however long the cycle: keeps one past
   * marker, and replaces it after twice as many pages each time (R. P. Brent, BIT 20, 1980).
   */
  next(mark: string): string {
    if (mark === this.#mark || mark === this.#before)
      throw failure("Corrupt", "the server repeats a page of the listing");
    this.#before = mark;
    this.#steps += 1;
    if (this.#steps < this.#stride) return mark;
    this.#mark = mark;
    this.#steps = 0;
    this.#stride *= 2;
    return mark;
  }

  #check({ key, type, size, modified, deleted }: DriverListEntry): void {
    const { prefix } = this;
    const { delimiter } = this.asked;
    if (!key) throw wrong("name", key, "is empty");
    if (!key.startsWith(prefix)) throw wrong("name", key, "is outside the prefix that was asked for");
    const inside = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
    if (type === "directory") {
      if (inside !== key.length - 1) throw wrong("prefix", key, "is no directory of the listing");
      return;
    }
    if (inside >= 0) throw wrong("name", key, "is inside a directory; expected the directory entry");
    if (deleted !== true && !isSize(size)) throw wrong("size", key, "is no number of bytes");
    if (modified === undefined || Number.isNaN(modified.getTime())) throw wrong("date", key, "is none");
  }

  #advance(sorted: readonly DriverListEntry[]): void {
    this.#empty = sorted.length > 0 ? 0 : this.#empty + 1;
    if (this.#empty > EMPTY_PAGES)
      throw failure("Corrupt", "the server sends one empty page of the listing after another");
    const highest = sorted.at(-1)?.key ?? "";
    if (!this.ordered || sorted.length === 0) return;
    const advanced = byUtf8(highest, this.#highest) > 0;
    if (advanced) this.#highest = detached(highest);
    this.#still = advanced || this.asked.versions ? 0 : this.#still + 1;
    if (this.#still > STANDSTILL) throw failure("Corrupt", "the pages of the listing do not advance");
  }

  /** Some services repeat a directory on each page; others repeat the entry at which a page begins. */
  #isNew(row: DriverListEntry): boolean {
    const before = this.#last;
    this.#last = row;
    if (before?.key !== row.key || before.type !== row.type || before.version !== row.version) return true;
    if (before.size === row.size && before.etag === row.etag) return false;
    throw wrong("name", row.key, "is listed twice with different etags or sizes");
  }
}

/** Returns a copy of text, or of an entry, that outlives its page: a substring keeps the whole text that it was cut from. */
export function detached<T extends string | DriverListEntry | undefined>(part: T): T {
  return structuredClone(part);
}

function isSize(size: number | undefined): boolean {
  return Number.isSafeInteger(size) && size! >= 0;
}

/** Servers send pages in order, as a rule, which takes half the time to see that sorting takes. */
function inOrder(rows: readonly DriverListEntry[]): readonly DriverListEntry[] {
  for (let i = 1; i < rows.length; i++)
    if (byUtf8(rows[i - 1]!.key, rows[i]!.key) > 0) return [...rows].sort((a, b) => byUtf8(a.key, b.key));
  return rows;
}

function wrong(field: string, key: string, what: string): Error {
  return failure("Corrupt", `the listing has a row whose ${field} ${what}: ${JSON.stringify(key.slice(0, 100))}`);
}

/** Parses the size of an entry in bytes; returns NaN, which is invalid, for anything else. */
export function sizeInRow(text: string | undefined): number {
  return text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
}

/** Parses the time of an entry, in ISO 8601 or HTTP format; returns an invalid date for anything else. */
export function dateInRow(text: string | undefined): Date {
  return new Date(text !== undefined && text.length >= 10 ? text : Number.NaN);
}

/** Compares `a` and `b` by their UTF-8 bytes, the order of object stores: negative, zero or positive. */
export function byUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Returns whether an entry comes after `startAfter`; compares a directory by its own key, whatever it contains. */
export function isAfter(key: string, startAfter: string | undefined): boolean {
  return startAfter === undefined || byUtf8(key, startAfter) > 0;
}

// UTF-16 puts surrogates (characters from U+10000) before U+E000 to U+FFFF; UTF-8 puts them after.
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/**
 * Reverses the versions of each key, which Google and Azure list oldest first and across pages. Their versions are
 * numbers and timestamps: the longer, else the one that sorts later, is the newer.
 */
export class NewestFirst {
  #open: DriverListEntry[] = [];

  /** Adds entries and returns those of complete keys. */
  add(items: readonly DriverListEntry[]): DriverListEntry[] {
    const done: DriverListEntry[] = [];
    for (const item of items) {
      if (this.#open.length > 0 && this.#open[0]!.key !== item.key) done.push(...this.rest());
      this.#open.push(item);
    }
    return done;
  }

  /** Returns the versions of the last key. */
  rest(): DriverListEntry[] {
    const versions = this.#open;
    this.#open = [];
    return versions.sort(byAge);
  }
}

function byAge({ version: a = "" }: DriverListEntry, { version: b = "" }: DriverListEntry): number {
  if (a.length !== b.length) return b.length - a.length;
  return a < b ? 1 : a > b ? -1 : 0;
}

/** Entries per page: what every provider allows. Larger pages, where there are any, make a short listing expensive. */
const PAGE = 1000;

/** Returns the number of entries to request for a page. */
export function pageSize({ atMost = PAGE }: Pick<DriverListOptions, "atMost">): string {
  return String(Math.min(PAGE, atMost));
}
