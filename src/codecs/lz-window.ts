/** Maximum bits of a hash: one slot for every few positions keeps the chains of noise short. */
const MOST_BITS = 19;
/** A match of this length is taken without searching for a better one. */
const LONG_ENOUGH = 128;

/** Finds earlier occurrences of the following bytes, along chains of positions whose four bytes have the same hash. */
export class MatchFinder {
  /** The last match's position and length. */
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
  /** The last search position. */
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

  /**
   * Finds the longest match at `at` that ends by `limit`, the nearest of equals. Returns whether one has at least four
   * bytes. Positions only increase.
   */
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

  /** Adds all positions up to and including `at` to the chains. */
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

/** Returns how many bytes at `ref` and at `at` agree, up to `limit`. */
export function matchLength(data: Uint8Array, view: DataView, ref: number, at: number, limit: number): number {
  let a = ref;
  let b = at;
  for (; b + 4 <= limit; a += 4, b += 4) {
    const differ = view.getInt32(a, true) ^ view.getInt32(b, true);
    // The lowest differing bit is in the first differing byte.
    if (differ !== 0) return b - at + ((31 - Math.clz32(differ & -differ)) >>> 3);
  }
  while (b < limit && data[a] === data[b]) {
    a++;
    b++;
  }
  return b - at;
}

/** Initial size of the output buffer. */
const FIRST = 256 * 1024;

/**
 * Decoded bytes, of which the last `reach` stay readable for back references. The buffer grows with the content, not
 * with the reach declared in a header, up to a quarter more than `reach`.
 */
export class History {
  bytes: Uint8Array;
  /** A view of the same memory. */
  view: DataView;
  /** The position of the next byte. */
  at = 0;
  /** The start of the readable bytes. */
  low = 0;
  readonly #reach: number;
  readonly #room: number;

  /** `room` is the maximum requested at once. */
  constructor(reach: number, room: number) {
    this.#reach = reach;
    this.#room = room;
    this.bytes = new Uint8Array(Math.min(FIRST, this.#most()));
    this.view = viewOf(this.bytes);
  }

  /** Makes room for `count` more bytes. Invalidates earlier positions: the bytes may have moved. */
  reserve(count: number): void {
    if (this.at + count <= this.bytes.byteLength) return;
    if (this.bytes.byteLength < this.#most()) this.#grow(count);
    if (this.at + count > this.bytes.byteLength) this.#slide();
  }

  /** Returns a copy of the bytes written since `from`, for the consumer. */
  since(from: number): Uint8Array {
    return this.bytes.slice(from, this.at);
  }

  #most(): number {
    return this.#reach + Math.max(this.#reach >> 2, 2 * this.#room, FIRST);
  }

  #grow(count: number): void {
    const larger = new Uint8Array(Math.min(this.#most(), Math.max(2 * this.bytes.byteLength, this.at + count)));
    larger.set(this.bytes.subarray(0, this.at));
    this.bytes = larger;
    this.view = viewOf(larger);
  }

  #slide(): void {
    const from = Math.max(0, this.at - this.#reach);
    this.bytes.copyWithin(0, from, this.at);
    this.at -= from;
    this.low = Math.max(0, this.low - from);
  }
}

/**
 * Copies `length` bytes from `distance` back to `at`, repeating them when they overlap. Short copies by four bytes are
 * inlined where the decoders need them most: a call costs more than they do.
 */
export function copyMatch(bytes: Uint8Array, at: number, distance: number, length: number): void {
  let from = at - distance;
  if (distance >= length) bytes.copyWithin(at, from, from + length);
  else if (distance === 1) bytes.fill(bytes[from]!, at, at + length);
  else for (let to = at, end = at + length; to < end; ) bytes[to++] = bytes[from++]!;
}

/** Returns a view of the same memory, for multi-byte numbers. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
