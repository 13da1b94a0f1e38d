import type { ByteStream } from "../../streams.js";
import { type CompressedSource, Pace } from "../stream.js";
import { BLOCK_MAGIC, combined, crcOf, END_MAGIC, GROUP, RUN_A, RUN_B } from "./format.js";

const CHUNK = 64 * 1024;
const UNIT = 100_000;

/** Streams one after the other, at least one. What follows the last one is Corrupt, where Python ignores it. */
export async function* decode(source: CompressedSource): ByteStream {
  const bits = new Bits(source);
  const pace = new Pace();
  let inverse = new Inverse(0);
  do {
    source.member();
    const size = await header(bits);
    if (inverse.size < size) inverse = new Inverse(size);
    yield* stream(source, bits, inverse, size, pace);
    bits.align();
  } while (await source.has(1));
}

/** The size of the stream's blocks. */
async function header(bits: Bits): Promise<number> {
  await bits.ensure(4);
  const start = bits.offset;
  const magic = bits.read(24);
  const level = bits.read(8) - 0x30;
  bits.check();
  if (magic !== 0x425a68 || level < 1 || level > 9) throw bits.corrupt("no bz2 header", start);
  return level * UNIT;
}

async function* stream(source: CompressedSource, bits: Bits, inverse: Inverse, size: number, pace: Pace): ByteStream {
  let sum = 0;
  for (;;) {
    await bits.ensure(14);
    const magic = [bits.read(24), bits.read(24)];
    const expected = (bits.read(16) << 16) | bits.read(16);
    bits.check();
    if (magic[0] === END_MAGIC[0] && magic[1] === END_MAGIC[1]) {
      if (expected !== sum) throw bits.corrupt("the stream's CRC does not match");
      return;
    }
    if (magic[0] !== BLOCK_MAGIC[0] || magic[1] !== BLOCK_MAGIC[1]) throw bits.corrupt("no block begins");
    yield* block(source, bits, inverse, size, expected, pace);
    sum = combined(sum, expected);
  }
}

async function* block(
  source: CompressedSource,
  bits: Bits,
  inverse: Inverse,
  size: number,
  expected: number,
  pace: Pace,
): ByteStream {
  if (bits.read(1)) throw source.unsupported("randomised blocks, which bzip2 0.9.5 gave up");
  const origin = bits.read(24);
  const length = await readSymbols(bits, inverse.table, size, pace);
  if (origin >= length) throw bits.corrupt("a damaged block");
  for (const _ of inverse.begin(length, origin)) await pace.rest();
  let crc = -1;
  for (;;) {
    const chunk = new Uint8Array(CHUNK);
    const filled = inverse.fill(chunk);
    if (filled === 0) break;
    const data = chunk.subarray(0, filled);
    crc = crcOf(data, crc);
    yield data;
  }
  if (!inverse.whole || ~crc !== expected) throw bits.corrupt("a block's CRC does not match");
}

/** Bytes in view at a time; the position counts bits, so it must stay far below 2^31. */
const VIEW = 256 * 1024;
/** A read may touch four bytes behind its position. */
const MARGIN = 4;

/** Bits of a source, the most significant first. Reads are synchronous; `ensure` makes them safe. */
class Bits {
  readonly #source: CompressedSource;
  view: DataView = new DataView(new ArrayBuffer(MARGIN));
  /** Next bit. */
  at = 0;
  /** Bytes that can be read without touching what lies behind the view. */
  #safe = 0;
  /** Bytes that there are. */
  #length = 0;

  constructor(source: CompressedSource) {
    this.#source = source;
  }

  /** Where it is, in compressed bytes. */
  get offset(): number {
    return this.#source.offset + (this.at >>> 3);
  }

  /** Whether so many bytes can be read at once without `ensure`. */
  has(bytes: number): boolean {
    return (this.at >>> 3) + bytes <= this.#safe;
  }

  /** Brings so many bytes into view, or all that are left. */
  async ensure(bytes: number): Promise<void> {
    if (this.has(bytes)) return;
    this.#source.skip(this.at >>> 3);
    this.at &= 7;
    await this.#source.has(bytes + MARGIN);
    const data = this.#source.buffered.subarray(0, VIEW);
    this.#length = data.byteLength;
    this.#safe = data.byteLength - MARGIN;
    if (data.byteLength >= bytes + MARGIN) {
      this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    } else {
      const padded = new Uint8Array(data.byteLength + bytes + 2 * MARGIN);
      padded.set(data);
      this.view = new DataView(padded.buffer);
    }
  }

  /** Reads up to 24 bits. */
  read(count: number): number {
    if ((this.at >>> 3) + MARGIN > this.view.byteLength) throw this.corrupt("a block's head does not end");
    const word = this.view.getInt32(this.at >>> 3) << (this.at & 7);
    this.at += count;
    return word >>> (32 - count);
  }

  /** Goes to the next byte boundary and gives the rest back to the source. */
  align(): void {
    this.at = (this.at + 7) & -8;
    this.check();
    this.#source.skip(this.at >>> 3);
    this.at = 0;
    this.#safe = 0;
    this.#length = 0;
  }

  /** Corrupt when more was read than there is. */
  check(): void {
    if (this.at > 8 * this.#length) throw this.#source.truncated();
  }

  corrupt(what: string, offset = this.offset): Error {
    return this.#source.corrupt(what, offset);
  }
}

/** Steps of a loop between two looks at the clock. */
const STRETCH = 50_000;

/** The inverse Burrows-Wheeler transform of a block, and the runs that were folded before it. */
class Inverse {
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

/** Most bytes of a block's head behind its map of used bytes: selectors, and six tables of 258 lengths. */
const SELECTORS = 32_768;
const HEAD = 32 + (SELECTORS * 6) / 8 + (6 * (5 + 258 * 40)) / 8;
/** Most bytes of a group of symbols: 50 codes of 20 bits. */
const GROUP_BYTES = 125;
/** Groups between two looks at the clock. */
const GROUPS_A_TURN = 200;

/** Reads a block's symbols as bytes into `table`, before the inverse transform. Their number, at most `most`. */
async function readSymbols(bits: Bits, table: Uint32Array, most: number, pace: Pace): Promise<number> {
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

const LONGEST = 20;
/** Codes up to this length are looked up at once. */
const QUICK = 10;

/** One Huffman table of a block, read from its code lengths. */
class HuffmanDecoder {
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
