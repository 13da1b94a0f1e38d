const TOP = 2 ** 24;

/** The range encoder of LZMA, into a buffer that is long enough. */
export class RangeEncoder {
  readonly bytes: Uint8Array;
  /** Bytes written. */
  at = 0;
  /** Up to 2^32 + 2^32: a carry shows above 32 bits. */
  #low = 0;
  #range = 2 ** 32 - 1;
  #cache = 0;
  #pending = 1;

  constructor(room: number) {
    this.bytes = new Uint8Array(room);
  }

  reset(): void {
    this.at = 0;
    this.#low = 0;
    this.#range = 2 ** 32 - 1;
    this.#cache = 0;
    this.#pending = 1;
  }

  bit(probs: Uint16Array, index: number, bit: number): void {
    const prob = probs[index]!;
    const bound = (this.#range >>> 11) * prob;
    if (bit === 0) {
      this.#range = bound;
      probs[index] = prob + ((2048 - prob) >> 5);
    } else {
      this.#low += bound;
      this.#range -= bound;
      probs[index] = prob - (prob >> 5);
    }
    if (this.#range < TOP) this.#shift();
  }

  /** `count` bits under the probabilities of a tree, the highest first. */
  tree(probs: Uint16Array, base: number, count: number, value: number): void {
    let symbol = 1;
    for (let place = count - 1; place >= 0; place--) {
      const bit = (value >> place) & 1;
      this.bit(probs, base + symbol, bit);
      symbol = (symbol << 1) | bit;
    }
  }

  /** `count` bits under the probabilities of a tree, the lowest first. */
  reverseTree(probs: Uint16Array, base: number, count: number, value: number): void {
    let symbol = 1;
    for (let place = 0; place < count; place++) {
      const bit = (value >> place) & 1;
      this.bit(probs, base + symbol, bit);
      symbol = (symbol << 1) | bit;
    }
  }

  /** `count` bits without probabilities. */
  direct(count: number, value: number): void {
    for (let place = count - 1; place >= 0; place--) {
      this.#range >>>= 1;
      if ((value >> place) & 1) this.#low += this.#range;
      if (this.#range < TOP) this.#shift();
    }
  }

  /** Writes what is left. All bytes. */
  finish(): Uint8Array {
    for (let byte = 0; byte < 5; byte++) this.#shiftLow();
    return this.bytes.subarray(0, this.at);
  }

  #shift(): void {
    this.#range = (this.#range << 8) >>> 0;
    this.#shiftLow();
  }

  /** A byte is written once no carry can reach it: bytes of 255 wait. */
  #shiftLow(): void {
    if (this.#low < 0xff000000 || this.#low >= 2 ** 32) {
      const carry = this.#low >= 2 ** 32 ? 1 : 0;
      let byte = this.#cache;
      for (; this.#pending > 0; this.#pending--) {
        this.bytes[this.at++] = byte + carry;
        byte = 0xff;
      }
      this.#cache = (this.#low >>> 24) & 255;
    }
    this.#pending++;
    this.#low = (this.#low % TOP) * 256;
  }
}
