import { BLOCK } from "./frame.js";
import { decodeStream, type HuffmanTable, readHuffman } from "./huffman.js";

const RAW = 0;
const RLE = 1;
const COMPRESSED = 2;

interface Section {
  type: number;
  streams: number;
  size: number;
  stored: number;
  at: number;
}

/** The literals of a block, and the Huffman table that later blocks may use again. */
export class Literals {
  readonly bytes = new Uint8Array(BLOCK);
  length = 0;
  #table: HuffmanTable | undefined;

  /** Reads the literals section of the block in `bytes`, `at` to `end`. Where it ends; -1 when it is damaged. */
  read(bytes: Uint8Array, at: number, end: number): number {
    const section = readHeader(bytes, at);
    const next = section.at + section.stored;
    if (next > end || section.size > BLOCK) return -1;
    this.length = section.size;
    if (section.type === RAW) this.bytes.set(bytes.subarray(section.at, next));
    else if (section.type === RLE) this.bytes.fill(bytes[section.at]!, 0, section.size);
    else if (!this.#decode(bytes, section, next)) return -1;
    return next;
  }

  #decode(bytes: Uint8Array, section: Section, end: number): boolean {
    let { at } = section;
    if (section.type === COMPRESSED) {
      const read = readHuffman(bytes, at, end);
      if (!read) return false;
      this.#table = read.table;
      at = read.at;
    }
    if (!this.#table) return false;
    if (section.streams === 1) return decodeStream(bytes, at, end, this.#table, this.bytes, 0, section.size);
    return this.#decodeFour(bytes, at, end, this.#table);
  }

  /** Four streams behind a table of the lengths of three; they share the literals evenly, the last one has the rest. */
  #decodeFour(bytes: Uint8Array, at: number, end: number, table: HuffmanTable): boolean {
    const share = (this.length + 3) >> 2;
    let from = at + 6;
    if (from > end || 3 * share > this.length) return false;
    for (let stream = 0; stream < 4; stream++) {
      const stored = bytes[at + 2 * stream]! | (bytes[at + 2 * stream + 1]! << 8);
      const to = stream < 3 ? from + stored : end;
      const last = stream < 3 ? share * (stream + 1) : this.length;
      if (to > end || !decodeStream(bytes, from, to, table, this.bytes, share * stream, last)) return false;
      from = to;
    }
    return true;
  }
}

/** The head says type, number of streams and sizes, in as few bytes as the sizes need. */
function readHeader(bytes: Uint8Array, at: number): Section {
  const type = bytes[at]! & 3;
  const format = (bytes[at]! >> 2) & 3;
  const word = bytes[at]! + bytes[at + 1]! * 2 ** 8 + bytes[at + 2]! * 2 ** 16 + bytes[at + 3]! * 2 ** 24;
  if (type <= RLE) {
    const length = [1, 2, 1, 3][format]!;
    const size = Math.floor((word % 2 ** (8 * length)) / (format % 2 === 0 ? 8 : 16));
    return { type, streams: 0, size, stored: type === RLE ? 1 : size, at: at + length };
  }
  const length = [3, 3, 4, 5][format]!;
  const width = [10, 10, 14, 18][format]!;
  const all = word + (length === 5 ? bytes[at + 4]! * 2 ** 32 : 0);
  const size = Math.floor(all / 16) % 2 ** width;
  const stored = Math.floor(all / 2 ** (4 + width)) % 2 ** width;
  return { type, streams: format === 0 ? 1 : 4, size, stored, at: at + length };
}
