/** Steps of a loop between two looks at the clock. */
const STRETCH = 200_000;

/** The inverse Burrows-Wheeler transform of a block, and the runs that were folded before it. */
export class Inverse {
  readonly size: number;
  /** A byte each at first; then also, above it, the index of the byte that follows. */
  readonly table: Uint32Array;
  #left = 0;
  #next = 0;
  #last = -1;
  #same = 0;
  #pending = 0;

  constructor(size: number) {
    this.size = size;
    this.table = new Uint32Array(size);
  }

  /** Links the `length` bytes of the table, the content beginning at `origin`. Yields now and then. */
  *begin(length: number, origin: number): Generator<void> {
    const places = starts(this.table, length);
    for (let from = 0; from < length; from += STRETCH) {
      link(this.table, places, from, Math.min(length, from + STRETCH));
      yield;
    }
    this.#left = length;
    this.#next = this.table[origin]! >>> 8;
    this.#last = -1;
    this.#same = 0;
    this.#pending = 0;
  }

  /** Whether all content came out; not so when it ends where the length of a run should be. */
  get whole(): boolean {
    return this.#left === 0 && this.#same < 4;
  }

  /** Writes content into `out`; how much, 0 at the end. */
  fill(out: Uint8Array): number {
    const table = this.table;
    const size = out.byteLength;
    let [left, next, last, same, to] = [this.#left, this.#next, this.#last, this.#same, 0];
    for (; this.#pending > 0 && to < size; this.#pending--) out[to++] = last;
    while (left > 0 && to < size) {
      const entry = table[next]!;
      const byte = entry & 255;
      next = entry >>> 8;
      left--;
      if (same === 4) {
        const end = Math.min(size, to + byte);
        out.fill(last, to, end);
        this.#pending = byte - (end - to);
        to = end;
        same = 0;
      } else {
        same = byte === last ? same + 1 : 1;
        last = byte;
        out[to++] = byte;
      }
    }
    this.#left = left;
    this.#next = next;
    this.#last = last;
    this.#same = same;
    return to;
  }
}

/** Where the bytes of each value begin when all are sorted. */
function starts(table: Uint32Array, length: number): Uint32Array {
  const places = new Uint32Array(256);
  for (let at = 0; at < length; at++) places[table[at]!]!++;
  let sum = 0;
  for (let byte = 0; byte < 256; byte++) {
    const count = places[byte]!;
    places[byte] = sum;
    sum += count;
  }
  return places;
}

function link(table: Uint32Array, places: Uint32Array, from: number, to: number): void {
  for (let at = from; at < to; at++) {
    const byte = table[at]! & 255;
    const place = places[byte]!;
    places[byte] = place + 1;
    table[place] = table[place]! | (at << 8);
  }
}
