// The codes of a sequence, RFC 8878, section 3.1.1.3.2.
import { buildTable, type FseTable } from "./fse.js";

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
