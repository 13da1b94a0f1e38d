import { BackwardBits } from "./bits.js";
import { readTable } from "./fse.js";

/** Longest code of literals. */
const LONGEST = 11;
/** Most bits of the table that codes the weights. */
const WEIGHT_ACCURACY = 6;

/** A decoding table of literals. */
export interface HuffmanTable {
  /** Bits to look at. */
  bits: number;
  /** By the next bits: length << 8 | symbol. */
  cells: Uint16Array;
}

/** Reads the description of a table at `at`; undefined when it is damaged. */
export function readHuffman(
  bytes: Uint8Array,
  at: number,
  end: number,
): { table: HuffmanTable; at: number } | undefined {
  const head = bytes[at]!;
  const size = head < 128 ? head : (head - 126) >> 1;
  const next = at + 1 + size;
  if (at >= end || next > end) return undefined;
  const weights = head < 128 ? codedWeights(bytes, at + 1, next) : plainWeights(bytes, at + 1, head - 127);
  const table = weights && build(weights);
  return table && { table, at: next };
}

function plainWeights(bytes: Uint8Array, at: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const byte = bytes[at + (index >> 1)]!;
    return index % 2 === 0 ? byte >> 4 : byte & 15;
  });
}

/** Two states take turns; where the bits run out, the other one has one symbol left. */
function codedWeights(bytes: Uint8Array, at: number, end: number): number[] | undefined {
  const read = readTable(bytes, at, end, WEIGHT_ACCURACY, 13);
  if (!read) return undefined;
  const { cells, accuracy } = read.table;
  const bits = new BackwardBits(bytes, read.at, end);
  let now = bits.read(accuracy);
  let other = bits.read(accuracy);
  const weights: number[] = [];
  if (bits.at < bits.start) return undefined;
  while (weights.length < 255) {
    const cell = cells[now]!;
    weights.push(cell & 255);
    const width = (cell >> 8) & 255;
    if (bits.at - width < bits.start) return [...weights, cells[other]! & 255];
    now = other;
    other = (cell >>> 16) + bits.read(width);
  }
  return undefined;
}

/** The last weight is not written: it fills up to a power of two. */
function build(weights: number[]): HuffmanTable | undefined {
  const sum = weights.reduce((total, weight) => total + (weight > 0 ? 2 ** (weight - 1) : 0), 0);
  if (sum === 0 || weights.length > 255) return undefined;
  const bits = 32 - Math.clz32(sum);
  const rest = 2 ** bits - sum;
  if (bits > LONGEST || (rest & (rest - 1)) !== 0) return undefined;
  const all = [...weights, 32 - Math.clz32(rest)];
  const cells = new Uint16Array(1 << bits);
  let at = 0;
  for (let weight = 1; weight <= bits; weight++) {
    for (let symbol = 0; symbol < all.length; symbol++) {
      if (all[symbol] !== weight) continue;
      const span = 1 << (weight - 1);
      cells.fill(((bits + 1 - weight) << 8) | symbol, at, at + span);
      at += span;
    }
  }
  return at === cells.length ? { bits, cells } : undefined;
}

/** Decodes the stream in the bytes `from` to `to` into `out` from `at` to `end`. Whether it came out even. */
export function decodeStream(
  bytes: Uint8Array,
  from: number,
  to: number,
  { bits, cells }: HuffmanTable,
  out: Uint8Array,
  at: number,
  end: number,
): boolean {
  const stream = new BackwardBits(bytes, from, to);
  const { view, start } = stream;
  const mask = (1 << bits) - 1;
  const first = 25 - bits;
  let place = stream.at;
  let next = at;
  // 25 bits can be read at once, which is enough for two codes.
  for (; next + 1 < end && place >= start; next += 2) {
    const low = place - 25;
    const word = view.getUint32(low >>> 3, true) >>> (low & 7);
    const one = cells[(word >>> first) & mask]!;
    const length = one >>> 8;
    const two = cells[(word >>> (first - length)) & mask]!;
    out[next] = one;
    out[next + 1] = two;
    place -= length + (two >>> 8);
  }
  if (next < end && place >= start) {
    const low = place - 25;
    const one = cells[((view.getUint32(low >>> 3, true) >>> (low & 7)) >>> first) & mask]!;
    out[next++] = one;
    place -= one >>> 8;
  }
  return next === end && place === start;
}
