/** Bytes that begin a stretch: a zero and the first four of the code. */
export const RANGE_START = 5;

/** The range decoder of LZMA. Its two numbers are unsigned, kept as signed ones, which are fast in fields. */
export class RangeDecoder {
  input: Uint8Array = new Uint8Array(0);
  /** Next byte of the input; beyond its end when it was too short. */
  at = 0;
  #range = -1;
  #code = 0;

  /** Begins at `at` of `input`. Whether it can. */
  start(input: Uint8Array, at: number): boolean {
    this.input = input;
    this.at = at + RANGE_START;
    this.#range = -1;
    this.#code = (input[at + 1]! << 24) | (input[at + 2]! << 16) | (input[at + 3]! << 8) | input[at + 4]!;
    return input[at] === 0;
  }

  /** Whether nothing is left to decode. */
  get isFinished(): boolean {
    return this.#code === 0;
  }

  /** One bit under the probability at `index`, which adapts. */
  bit(probs: Uint16Array, index: number): number {
    const prob = probs[index]!;
    const bound = Math.imul(this.#range >>> 11, prob);
    let bit: number;
    // Flipping the highest bit compares as unsigned.
    if ((this.#code ^ 0x80000000) < (bound ^ 0x80000000)) {
      this.#range = bound;
      probs[index] = prob + ((2048 - prob) >> 5);
      bit = 0;
    } else {
      this.#range = (this.#range - bound) | 0;
      this.#code = (this.#code - bound) | 0;
      probs[index] = prob - (prob >> 5);
      bit = 1;
    }
    if (this.#range >>> 24 === 0) {
      this.#range <<= 8;
      this.#code = (this.#code << 8) | this.input[this.at++]!;
    }
    return bit;
  }

  /** `count` bits under the probabilities of a tree, the highest first. */
  tree(probs: Uint16Array, base: number, count: number): number {
    let symbol = 1;
    for (let left = count; left > 0; left--) symbol = (symbol << 1) | this.bit(probs, base + symbol);
    return symbol - (1 << count);
  }

  /** `count` bits under the probabilities of a tree, the lowest first. */
  reverseTree(probs: Uint16Array, base: number, count: number): number {
    let symbol = 1;
    let value = 0;
    for (let place = 0; place < count; place++) {
      const bit = this.bit(probs, base + symbol);
      symbol = (symbol << 1) | bit;
      value |= bit << place;
    }
    return value;
  }

  /** `count` bits without probabilities. */
  direct(count: number): number {
    let value = 0;
    for (let left = count; left > 0; left--) {
      this.#range >>>= 1;
      const bit = (this.#code ^ 0x80000000) < (this.#range ^ 0x80000000) ? 0 : 1;
      if (bit) this.#code = (this.#code - this.#range) | 0;
      value = (value << 1) | bit;
      if (this.#range >>> 24 === 0) {
        this.#range <<= 8;
        this.#code = (this.#code << 8) | this.input[this.at++]!;
      }
    }
    return value;
  }
}
