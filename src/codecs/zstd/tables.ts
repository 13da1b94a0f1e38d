/** A decoding table of a finite state entropy code. */
export interface FseTable {
  /** Bits of a state. */
  accuracy: number;
  /** By state: the base of the next state << 16, the bits to add to it << 8, the symbol. */
  cells: Uint32Array;
}

/** The table in which every state is `symbol` and needs no bits. */
export function constantTable(symbol: number): FseTable {
  return { accuracy: 0, cells: Uint32Array.of(symbol) };
}

/** Builds a table from how often each symbol comes in 2^accuracy; -1 is "less than once". */
function buildTable(counts: ArrayLike<number>, accuracy: number): FseTable {
  const size = 1 << accuracy;
  const next = Uint16Array.from({ length: counts.length }, (_, symbol) => Math.abs(counts[symbol]!));
  const cells = spread(counts, size);
  for (let state = 0; state < size; state++) {
    const symbol = cells[state]!;
    const place = next[symbol]!++;
    const bits = accuracy - (31 - Math.clz32(place));
    cells[state] = (((place << bits) - size) << 16) | (bits << 8) | symbol;
  }
  return { accuracy, cells };
}

/** Deals the states out to the symbols: rare ones from the end, the others by a stride that reaches every state. */
export function spread(counts: ArrayLike<number>, size: number): Uint32Array {
  const cells = new Uint32Array(size);
  const stride = (size >> 1) + (size >> 3) + 3;
  let high = size - 1;
  for (let symbol = 0; symbol < counts.length; symbol++) if (counts[symbol] === -1) cells[high--] = symbol;
  let state = 0;
  for (let symbol = 0; symbol < counts.length; symbol++) {
    for (let left = counts[symbol]!; left > 0; left--) {
      cells[state] = symbol;
      do state = (state + stride) & (size - 1);
      while (state > high);
    }
  }
  return cells;
}

/** Reads the description of a table from `at` on, of at most `most` bits and `symbols` symbols; undefined when damaged. */
export function readTable(
  bytes: Uint8Array,
  at: number,
  end: number,
  most: number,
  symbols: number,
): { table: FseTable; at: number } | undefined {
  const bits = new ForwardBits(bytes, at);
  const accuracy = bits.read(4) + 5;
  if (accuracy > most) return undefined;
  const counts: number[] = [];
  let left = (1 << accuracy) + 1;
  for (let threshold = 1 << accuracy; left > 1; ) {
    const count = readCount(bits, threshold, left) - 1;
    left -= Math.abs(count);
    counts.push(count);
    if (count === 0) readZeros(bits, counts);
    if (left < 1 || counts.length > symbols || bits.end > end) return undefined;
    while (left < threshold) threshold >>= 1;
  }
  return { table: buildTable(counts, accuracy), at: bits.end };
}

/** Values that the remaining probability rules out make the small ones a bit shorter. */
function readCount(bits: ForwardBits, threshold: number, left: number): number {
  const spare = 2 * threshold - 1 - left;
  const width = 31 - Math.clz32(threshold);
  const low = bits.read(width);
  if (low < spare) return low;
  const value = low + bits.read(1) * threshold;
  return value >= threshold ? value - spare : value;
}

/** Behind a zero stands how many more follow: 3 says that the next two bits go on. */
function readZeros(bits: ForwardBits, counts: number[]): void {
  for (let more = 3; more === 3 && counts.length < 256; ) {
    more = bits.read(2);
    for (let zero = 0; zero < more; zero++) counts.push(0);
  }
}

class ForwardBits {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, from: number) {
    this.#bytes = bytes;
    this.#at = 8 * from;
  }

  /** The byte behind the last one touched. */
  get end(): number {
    return (this.#at + 7) >> 3;
  }

  /** Reads up to 16 bits. */
  read(count: number): number {
    const from = this.#at >> 3;
    const bytes = this.#bytes;
    const word = bytes[from]! | (bytes[from + 1]! << 8) | (bytes[from + 2]! << 16);
    const value = (word >> (this.#at & 7)) & ((1 << count) - 1);
    this.#at += count;
    return value;
  }
}

// The codes of a sequence, RFC 8878, section 3.1.1.3.2.

/** One of the three codes: how its symbols are spread by default, the largest table, how many symbols there are. */
export interface Code {
  counts: readonly number[];
  accuracy: number;
  most: number;
  symbols: number;
}

const ones = (count: number) => new Array<number>(count).fill(1);
const rare = (count: number) => new Array<number>(count).fill(-1);

export const LITERAL_LENGTH: Code = {
  counts: [
    4,
    3,
    ...new Array<number>(11).fill(2),
    1,
    1,
    1,
    ...new Array<number>(9).fill(2),
    3,
    2,
    ...ones(5),
    ...rare(4),
  ],
  accuracy: 6,
  most: 9,
  symbols: 36,
};
export const OFFSET: Code = {
  counts: [...ones(6), 2, 2, 2, ...ones(15), ...rare(5)],
  accuracy: 5,
  most: 8,
  symbols: 32,
};
export const MATCH_LENGTH: Code = {
  counts: [1, 4, 3, ...new Array<number>(6).fill(2), ...ones(37), ...rare(7)],
  accuracy: 6,
  most: 9,
  symbols: 53,
};
/** In the order of their tables. */
export const CODES = [LITERAL_LENGTH, OFFSET, MATCH_LENGTH] as const;

export function standardTable(code: Code): FseTable {
  return buildTable(code.counts, code.accuracy);
}

const zeros = (count: number) => new Array<number>(count).fill(0);
/** Bits that are added to the first value of each code. */
export const LITERAL_BITS = Uint8Array.of(
  ...zeros(16),
  1,
  1,
  1,
  1,
  2,
  2,
  3,
  3,
  4,
  6,
  7,
  8,
  9,
  10,
  11,
  12,
  13,
  14,
  15,
  16,
);
export const MATCH_BITS = Uint8Array.of(
  ...zeros(32),
  1,
  1,
  1,
  1,
  2,
  2,
  3,
  3,
  4,
  4,
  5,
  7,
  8,
  9,
  10,
  11,
  12,
  13,
  14,
  15,
  16,
);
/** The first value of each code. */
export const LITERAL_BASES = bases(LITERAL_BITS, 0);
export const MATCH_BASES = bases(MATCH_BITS, 3);

/** Each code begins where the one before ends. */
function bases(bits: Uint8Array, first: number): Uint32Array {
  let base = first;
  return Uint32Array.from(bits, (width) => {
    const here = base;
    base += 2 ** width;
    return here;
  });
}
