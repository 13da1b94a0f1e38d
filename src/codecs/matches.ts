import { viewOf } from "./history.js";

/** Most bits of a hash: one slot for every few positions keeps the chains of noise short. */
const MOST_BITS = 19;
/** A match that is this long is taken without looking for a better one. */
const LONG_ENOUGH = 128;

/** Finds earlier occurrences of what comes next, along chains of positions whose four bytes have the same hash. */
export class MatchFinder {
  /** Of the last match that was found. */
  length = 0;
  distance = 0;
  readonly #data: Uint8Array;
  readonly #view: DataView;
  readonly #heads: Int32Array;
  readonly #shift: number;
  readonly #before: Int32Array;
  readonly #depth: number;
  /** Positions below this are in the chains. */
  #next = 0;
  /** Where it looked last. */
  #last = -1;

  /** Follows chains to at most `depth` positions. */
  constructor(data: Uint8Array, depth: number) {
    this.#data = data;
    this.#view = viewOf(data);
    this.#before = new Int32Array(data.byteLength);
    const bits = Math.max(8, Math.min(MOST_BITS, 32 - Math.clz32(data.byteLength)));
    this.#heads = new Int32Array(1 << bits).fill(-1);
    this.#shift = 32 - bits;
    this.#depth = depth;
  }

  /** Looks for the longest match at `at` that ends by `limit`; the nearest of equals. Whether there is one of four bytes. Positions only go up. */
  find(at: number, limit: number): boolean {
    if (at === this.#last) return this.length > 3;
    this.#last = at;
    this.#insert(at);
    this.length = 3;
    if (at + 4 > limit) return false;
    const data = this.#data;
    const view = this.#view;
    const word = view.getInt32(at, true);
    let ref = this.#before[at]!;
    for (let left = this.#depth; left > 0 && ref >= 0; left--, ref = this.#before[ref]!) {
      const best = this.length;
      if (data[ref + best] !== data[at + best] || view.getInt32(ref, true) !== word) continue;
      const length = matchLength(data, view, ref, at, limit);
      if (length <= best) continue;
      this.length = length;
      this.distance = at - ref;
      if (length >= LONG_ENOUGH || at + length >= limit) break;
    }
    return this.length > 3;
  }

  /** Puts all positions up to `at`, itself included, into the chains. */
  #insert(at: number): void {
    const heads = this.#heads;
    const before = this.#before;
    const view = this.#view;
    const end = Math.min(at, this.#data.byteLength - 4);
    const shift = this.#shift;
    let next = this.#next;
    for (; next <= end; next++) {
      const hash = Math.imul(view.getInt32(next, true), 0x9e3779b1) >>> shift;
      before[next] = heads[hash]!;
      heads[hash] = next;
    }
    this.#next = next;
  }
}

/** How far the bytes at `ref` and at `at` agree, up to `limit`. */
export function matchLength(data: Uint8Array, view: DataView, ref: number, at: number, limit: number): number {
  let a = ref;
  let b = at;
  for (; b + 4 <= limit; a += 4, b += 4) {
    const differ = view.getInt32(a, true) ^ view.getInt32(b, true);
    // The lowest bit that differs is in the first byte that does.
    if (differ !== 0) return b - at + ((31 - Math.clz32(differ & -differ)) >>> 3);
  }
  while (b < limit && data[a] === data[b]) {
    a++;
    b++;
  }
  return b - at;
}
