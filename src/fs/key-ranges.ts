/** Where to divide the rest of a listing, judged by the keys that it has shown so far. */

/** Characters of a key that are looked at; keys have at most 1,024 bytes. */
const MAX_POSITIONS = 256;
const DIGITS = "0123456789";
const HEX = "0123456789abcdef";
/** Positions behind the one at which a page's first and last key differ, to count in parts of a page. */
const FINER = 2;
/** Split points are made of ASCII, where the order of code units is that of UTF-8. */
const HIGHEST = "~";

/** Keys after `after`, up to and including `last`. */
export interface KeyRange {
  after: string;
  last: string | undefined;
}

/** What the pages of a listing say about its keys: the characters at each position, and how far a page goes. */
export class KeyStatistics {
  readonly #seen: Set<string>[] = [];
  readonly #expected: (string | undefined)[] = [];
  /** Whether a position has begun anew, as seconds do after 59: no character beyond those seen is to be expected. */
  readonly #turned: boolean[] = [];
  /** The last position that is counted with. */
  #position = 0;
  /** The keys that the latest page passed, counted at that position, whether they exist or not. */
  #perPage = 1;

  constructor(readonly prefix: string) {}

  /** Adds a page, which is in order. */
  add(page: readonly { key: string }[]): void {
    const [first, last] = [page[0]!.key, page.at(-1)!.key];
    const changing = sharedLength(first, last, this.prefix);
    const turn = indexOfTurn(page, changing);
    const before = page[Math.max(0, turn - 1)]!.key;
    for (const key of [first, before, page[turn]!.key, page[page.length >> 1]!.key, last]) this.#note(key);
    for (let at = changing + 1; at < before.length && at < MAX_POSITIONS; at++) {
      if (!this.#turned[at]) this.#expected[at] = undefined;
      this.#turned[at] = true;
    }
    this.#position = Math.min(changing + FINER, first.length - 1, last.length - 1);
    this.#perPage = Math.max(1, this.#numberOf(last, changing) - this.#numberOf(first, changing));
  }

  /** Reads a key, from a position up to the one that is counted with, as a number with the expected characters as digits. */
  #numberOf(key: string, start: number): number {
    let sum = 0;
    for (let at = start; at <= this.#position; at++) {
      const all = this.#expectedAt(at);
      sum = sum * all.length + Math.max(0, all.indexOf(key[at]!));
    }
    return sum;
  }

  /**
   * Returns a key of the range that has about so many pages before it; it need not exist. Undefined if the range seems
   * to be shorter. What follows the key is then listed by itself, so that a wrong guess costs a request and loses
   * nothing.
   */
  divide({ after, last }: KeyRange, pages: number): string | undefined {
    const shared = last === undefined ? this.prefix.length : sharedLength(after, last, this.prefix);
    const key = this.#plus(after, Math.max(1, Math.round(pages * this.#perPage)), shared);
    if (key === undefined) return beyond({ after, last }, shared);
    return last === undefined || key < last ? key : undefined;
  }

  /**
   * Adds a count to a key at the position where pages change, as to a number whose digits are the expected characters.
   * Undefined if the sum carries over into what all keys share.
   */
  #plus(key: string, count: number, shared: number): string | undefined {
    let rest = "";
    let carry = count;
    for (let at = this.#position; at >= shared; at--) {
      const all = this.#expectedAt(at);
      const digit = at < key.length ? all.indexOf(key[at]!) : 0;
      if (digit < 0 || all.length === 0) {
        // No such character was expected here, and what is behind it has another order.
        rest = "";
        carry = Math.max(1, carry);
        continue;
      }
      const sum = digit + carry;
      rest = all[sum % all.length]! + rest;
      carry = Math.floor(sum / all.length);
      if (carry === 0) return key.slice(0, at) + rest;
    }
    return undefined;
  }

  #note(key: string): void {
    for (let at = this.prefix.length; at < key.length && at < MAX_POSITIONS; at++) {
      const char = key[at]!;
      if (char > HIGHEST) return;
      const seen = this.#seen[at] ?? new Set();
      if (seen.has(char)) continue;
      this.#seen[at] = seen.add(char);
      this.#expected[at] = undefined;
    }
  }

  #expectedAt(position: number): string {
    this.#expected[position] ??= expectedOf(this.#seen[position], this.#turned[position]);
    return this.#expected[position];
  }
}

/**
 * Returns the seen characters in order, and all digits of a number of which some were seen; if `closed` only those
 * between the seen ones.
 */
function expectedOf(seen: ReadonlySet<string> = new Set(), closed = false): string {
  const all = [...seen].sort();
  const hasDigits = all.some((char) => DIGITS.includes(char));
  const isHex = hasDigits && all.some((char) => char > "9") && all.every((char) => HEX.includes(char));
  const more = [...(isHex ? HEX : hasDigits ? DIGITS : "")].filter(
    (char) => !closed || (char > all[0]! && char < all.at(-1)!),
  );
  return [...new Set([...all, ...more])].sort().join("");
}

/** Returns the index of the first key of a page whose character at this position is not that of the page's first key. */
function indexOfTurn(page: readonly { key: string }[], position: number): number {
  let [low, high] = [0, page.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (page[middle]!.key[position] === page[0]!.key[position]) low = middle;
    else high = middle;
  }
  return high;
}

/** Returns a key behind all that begin as `after` does, as short as possible: what follows shows other characters. */
function beyond({ after, last }: KeyRange, shared: number): string | undefined {
  for (let at = shared; at < after.length; at++) {
    const next = String.fromCharCode(after.charCodeAt(at) + 1);
    const key = after.slice(0, at) + next;
    if (next <= HIGHEST && (last === undefined || key < last)) return key;
  }
  return undefined;
}

/** Returns the number of characters that both keys begin with, at least those of the prefix. */
function sharedLength(one: string, other: string, prefix: string): number {
  let at = prefix.length;
  while (at < one.length && one[at] === other[at]) at++;
  return at;
}
