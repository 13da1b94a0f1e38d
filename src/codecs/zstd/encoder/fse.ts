import { spread } from "../fse.js";
import { BackwardWriter } from "./bits.js";

/** Counts scaled so that their sum is 2^accuracy and every symbol that comes keeps at least one. */
export function normalize(counts: Int32Array, total: number, accuracy: number): Int32Array {
  const size = 1 << accuracy;
  const scaled = counts.map((count) => (count > 0 ? Math.max(1, Math.floor((count * size) / total)) : 0));
  let rest = size - scaled.reduce((sum, count) => sum + count, 0);
  while (rest !== 0) {
    const most = scaled.indexOf(scaled.reduce((a, b) => Math.max(a, b), 0));
    const step = rest > 0 ? rest : Math.max(rest, -(scaled[most]! >> 1));
    scaled[most]! += step;
    rest -= step;
  }
  return scaled;
}

/** The description of a table, as `readTable` reads it. */
export function describe(counts: Int32Array, accuracy: number): Uint8Array {
  const bits = new BackwardWriter(64);
  bits.write(accuracy - 5, 4);
  let left = (1 << accuracy) + 1;
  let threshold = 1 << accuracy;
  for (let symbol = 0; left > 1; symbol++) {
    const count = counts[symbol]!;
    writeCount(bits, count + 1, threshold, left);
    left -= count;
    if (count === 0) symbol += writeZeros(bits, counts, symbol + 1);
    while (left < threshold) threshold >>= 1;
  }
  return bits.pad();
}

function writeCount(bits: BackwardWriter, value: number, threshold: number, left: number): void {
  const spare = 2 * threshold - 1 - left;
  const width = 31 - Math.clz32(threshold);
  if (value < spare) bits.write(value, width);
  else bits.write(value < threshold ? value : value + spare, width + 1);
}

/** Says how many more zeros follow from `from` on. */
function writeZeros(bits: BackwardWriter, counts: Int32Array, from: number): number {
  let zeros = 0;
  while (counts[from + zeros] === 0) zeros++;
  let left = zeros;
  for (; left >= 3; left -= 3) bits.write(3, 2);
  bits.write(left, 2);
  return zeros;
}

/** An encoding table. */
export class FseEncoder {
  readonly accuracy: number;
  readonly #states: Uint16Array;
  readonly #bits: Int32Array;
  readonly #places: Int32Array;

  constructor(counts: ArrayLike<number>, accuracy: number) {
    const size = 1 << accuracy;
    this.accuracy = accuracy;
    this.#states = new Uint16Array(size);
    this.#bits = new Int32Array(counts.length);
    this.#places = new Int32Array(counts.length);
    const next = new Int32Array(counts.length);
    let total = 0;
    for (let symbol = 0; symbol < counts.length; symbol++) {
      const count = Math.abs(counts[symbol]!);
      next[symbol] = total;
      const most = count > 1 ? accuracy - (31 - Math.clz32(count - 1)) : accuracy;
      this.#bits[symbol] = (most << 16) - (Math.max(count, 1) << most);
      this.#places[symbol] = total - Math.max(count, 1);
      total += count;
    }
    const symbols = spread(counts, size);
    for (let state = 0; state < size; state++) this.#states[next[symbols[state]!]!++] = size + state;
  }

  /** The state that stands for a last symbol. */
  first(symbol: number): number {
    const bits = this.#bits[symbol]!;
    const count = (bits + (1 << 15)) >> 16;
    return this.#states[(((count << 16) - bits) >> count) + this.#places[symbol]!]!;
  }

  /** Writes what leads from `state` back to a state of `symbol`, which it returns. */
  next(writer: BackwardWriter, state: number, symbol: number): number {
    const count = (state + this.#bits[symbol]!) >> 16;
    writer.write(state, count);
    return this.#states[(state >> count) + this.#places[symbol]!]!;
  }

  /** Writes the state that the reader begins with. */
  flush(writer: BackwardWriter, state: number): void {
    writer.write(state, this.accuracy);
  }
}
