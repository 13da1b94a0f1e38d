import type { Bits } from "./bits.js";

const LONGEST = 20;
/** Codes up to this length are looked up at once. */
const QUICK = 10;

/** One Huffman table of a block, read from its code lengths. */
export class HuffmanDecoder {
  /** By the next ten bits: symbol * 32 + length; 0 for a longer code. */
  readonly #quick = new Uint16Array(1 << QUICK);
  readonly #symbols: Uint16Array;
  /** By length: the first code behind the codes of that length, on the left of 20 bits, and where its symbols begin. */
  readonly #limits = new Int32Array(LONGEST + 2);
  readonly #starts = new Int32Array(LONGEST + 2);

  constructor(bits: Bits, size: number) {
    const lengths = readLengths(bits, size);
    this.#symbols = new Uint16Array(size);
    let code = 0;
    let filled = 0;
    for (let length = 1; length <= LONGEST; length++) {
      const first = code;
      this.#starts[length] = filled - code;
      for (let symbol = 0; symbol < size; symbol++) {
        if (lengths[symbol] !== length) continue;
        this.#symbols[filled++] = symbol;
        if (length <= QUICK) this.#fill(code, length, symbol);
        code++;
      }
      if (code > 1 << length) throw bits.corrupt("impossible code lengths");
      this.#limits[length] = code > first ? code << (LONGEST - length) : this.#limits[length - 1]!;
      code <<= 1;
    }
  }

  /** The next symbol. */
  next(bits: Bits): number {
    const at = bits.at;
    const word = bits.view.getInt32(at >>> 3) << (at & 7);
    const entry = this.#quick[word >>> (32 - QUICK)]!;
    if (entry === 0) return this.#long(bits, word >>> (32 - LONGEST));
    bits.at = at + (entry & 31);
    return entry >>> 5;
  }

  #long(bits: Bits, code: number): number {
    for (let length = QUICK + 1; length <= LONGEST; length++) {
      if (code >= this.#limits[length]!) continue;
      bits.at += length;
      return this.#symbols[this.#starts[length]! + (code >>> (LONGEST - length))]!;
    }
    throw bits.corrupt("an unknown code");
  }

  #fill(code: number, length: number, symbol: number): void {
    const from = code << (QUICK - length);
    this.#quick.fill(symbol * 32 + length, from, from + (1 << (QUICK - length)));
  }
}

/** Lengths as differences to the one before: 0 ends a symbol, 10 adds one, 11 takes one. */
function readLengths(bits: Bits, size: number): Uint8Array {
  let length = bits.read(5);
  return Uint8Array.from({ length: size }, () => {
    while (bits.read(1)) {
      length += bits.read(1) ? -1 : 1;
      if (length < 1 || length > LONGEST) throw bits.corrupt("an impossible code length");
    }
    if (length < 1 || length > LONGEST) throw bits.corrupt("an impossible code length");
    return length;
  });
}
