import type { Pace } from "../pace.js";
import type { Bits } from "./bits.js";
import { GROUP, RUN_A, RUN_B } from "./format.js";
import { HuffmanDecoder } from "./huffman-decoder.js";

/** Most bytes of a block's head behind its map of used bytes: selectors, and six tables of 258 lengths. */
const SELECTORS = 32_768;
const HEAD = 32 + (SELECTORS * 6) / 8 + (6 * (5 + 258 * 40)) / 8;
/** Most bytes of a group of symbols: 50 codes of 20 bits. */
const GROUP_BYTES = 125;
/** Groups between two looks at the clock. */
const GROUPS_A_TURN = 200;

/** Reads a block's symbols as bytes into `table`, before the inverse transform. Their number, at most `most`. */
export async function readSymbols(bits: Bits, table: Uint32Array, most: number, pace: Pace): Promise<number> {
  await bits.ensure(HEAD);
  const used = usedBytes(bits);
  const tables = bits.read(3);
  const count = bits.read(15);
  if (used.length === 0 || tables < 2 || tables > 6 || count === 0) throw bits.corrupt("a damaged block");
  const selectors = readSelectors(bits, tables, count);
  const decoders = Array.from({ length: tables }, () => new HuffmanDecoder(bits, used.length + 2));
  bits.check();
  const reader = new SymbolReader(used, table, most);
  for (const [index, selector] of selectors.entries()) {
    if (!bits.has(GROUP_BYTES)) await bits.ensure(GROUP_BYTES);
    if (reader.group(bits, decoders[selector]!)) {
      bits.check();
      return reader.length;
    }
    if (index % GROUPS_A_TURN === 0) {
      bits.check();
      await pace.rest();
    }
  }
  throw bits.corrupt("a block without an end");
}

function usedBytes(bits: Bits): number[] {
  const ranges = bits.read(16);
  const used: number[] = [];
  for (let range = 0; range < 16; range++) {
    if (!((ranges >> (15 - range)) & 1)) continue;
    const map = bits.read(16);
    for (let byte = 0; byte < 16; byte++) if ((map >> (15 - byte)) & 1) used.push(16 * range + byte);
  }
  return used;
}

/** Which table each group is coded with, moved to front and in unary. */
function readSelectors(bits: Bits, tables: number, count: number): Uint8Array {
  const recent = [0, 1, 2, 3, 4, 5].slice(0, tables);
  return Uint8Array.from({ length: count }, () => {
    let place = 0;
    while (bits.read(1)) if (++place >= tables) throw bits.corrupt("a damaged block");
    const [selector] = recent.splice(place, 1);
    recent.unshift(selector!);
    return selector!;
  });
}

/** Undoes the run lengths and the move-to-front of a block. */
class SymbolReader {
  length = 0;
  readonly #recent: Uint8Array;
  readonly #table: Uint32Array;
  readonly #most: number;
  readonly #end: number;
  #run = 0;
  #weight = 1;

  constructor(used: number[], table: Uint32Array, most: number) {
    this.#recent = Uint8Array.from(used);
    this.#table = table;
    this.#most = most;
    this.#end = used.length + 1;
  }

  /** Reads one group. Whether the block ended in it. */
  group(bits: Bits, decoder: HuffmanDecoder): boolean {
    for (let index = 0; index < GROUP; index++) {
      const symbol = decoder.next(bits);
      if (symbol === RUN_A || symbol === RUN_B) {
        this.#run += this.#weight << symbol;
        this.#weight *= 2;
        if (this.#run > this.#most) throw bits.corrupt("a block is too large");
        continue;
      }
      if (this.#run > 0) this.#repeat(bits);
      if (symbol === this.#end) return true;
      if (this.length >= this.#most) throw bits.corrupt("a block is too large");
      this.#table[this.length++] = this.#front(symbol - 1);
    }
    return false;
  }

  #repeat(bits: Bits): void {
    const end = this.length + this.#run;
    if (end > this.#most) throw bits.corrupt("a block is too large");
    this.#table.fill(this.#recent[0]!, this.length, end);
    this.length = end;
    this.#run = 0;
    this.#weight = 1;
  }

  #front(place: number): number {
    const recent = this.#recent;
    const byte = recent[place]!;
    if (place > 24) recent.copyWithin(1, 0, place);
    else for (let at = place; at > 0; at--) recent[at] = recent[at - 1]!;
    recent[0] = byte;
    return byte;
  }
}
