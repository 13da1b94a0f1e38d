import type { ByteStream } from "../../streams.js";
import { Xxh64 } from "../checksums/xxhash.js";
import { copyMatch, History, viewOf } from "../lz-window.js";
import type { CompressedSource } from "../stream.js";
import { BLOCK, type BlockHeader, blockHeader, COMPRESSED, type FrameHeader, nextFrame, RLE } from "./frame.js";
import {
  CODES,
  constantTable,
  type FseTable,
  LITERAL_BASES,
  LITERAL_BITS,
  MATCH_BASES,
  MATCH_BITS,
  readTable,
  standardTable,
} from "./tables.js";

const PREDEFINED = 0;
const CONSTANT = 1;
const DESCRIBED = 2;

const STANDARD = CODES.map(standardTable);
/** Offsets need more than the window's 27 bits for no valid frame. */
const MOST_OFFSET_CODE = 28;

/** The sequences of blocks: which literals to copy and what to repeat behind them. */
class Sequences {
  #tables: (FseTable | undefined)[] = [undefined, undefined, undefined];
  readonly #offsets = Int32Array.of(1, 4, 8);

  /** Reads the sequences in `bytes`, `at` to `end`, and writes what they say to `history`. Whether they are sound. */
  run(bytes: Uint8Array, at: number, end: number, literals: Literals, history: History, limit: number): boolean {
    const head = readCount(bytes, at, end);
    if (!head) return false;
    if (head.count === 0) return head.at === end && finish(literals, 0, history, limit);
    const from = this.#readTables(bytes, head.at, end);
    if (from < 0) return false;
    const used = this.#execute(new BackwardBits(bytes, from, end), head.count, literals, history, limit);
    return used >= 0 && finish(literals, used, history, limit);
  }

  #readTables(bytes: Uint8Array, at: number, end: number): number {
    const modes = bytes[at]!;
    if (at >= end || modes & 3) return -1;
    let next = at + 1;
    for (const [index, code] of CODES.entries()) {
      const mode = (modes >> (6 - 2 * index)) & 3;
      if (mode === PREDEFINED) this.#tables[index] = STANDARD[index];
      else if (mode === CONSTANT) {
        if (next >= end || bytes[next]! >= code.symbols) return -1;
        this.#tables[index] = constantTable(bytes[next++]!);
      } else if (mode === DESCRIBED) {
        const read = readTable(bytes, next, end, code.most, code.symbols);
        if (!read) return -1;
        this.#tables[index] = read.table;
        next = read.at;
      } else if (!this.#tables[index]) return -1;
    }
    return next;
  }

  /** How many literals were used; -1 when the sequences are damaged. */
  #execute(bits: BackwardBits, count: number, literals: Literals, history: History, limit: number): number {
    const [literalTable, offsetTable, matchTable] = this.#tables as [FseTable, FseTable, FseTable];
    const literalCells = literalTable.cells;
    const offsetCells = offsetTable.cells;
    const matchCells = matchTable.cells;
    const literalBytes = literals.bytes;
    const literalView = viewOf(literalBytes);
    const { bytes, view, low } = history;
    const safeTo = bytes.byteLength - 4;
    const safeFrom = literalBytes.byteLength - 4;
    const { start } = bits;
    let [near, middle, far] = this.#offsets as unknown as [number, number, number];
    let literalState = bits.read(literalTable.accuracy);
    let offsetState = bits.read(offsetTable.accuracy);
    let matchState = bits.read(matchTable.accuracy);
    let from = 0;
    let to = history.at;
    for (let left = count; left > 0; left--) {
      if (bits.at < start) return -1;
      const literalCell = literalCells[literalState]!;
      const offsetCell = offsetCells[offsetState]!;
      const matchCell = matchCells[matchState]!;
      const offsetCode = offsetCell & 255;
      if (offsetCode > MOST_OFFSET_CODE) return -1;
      let offset: number;
      if (offsetCode > 16) {
        const top = bits.read(offsetCode - 16);
        offset = 2 ** offsetCode + top * 65_536 + bits.read(16);
      } else {
        offset = (1 << offsetCode) + bits.read(offsetCode);
      }
      const length = MATCH_BASES[matchCell & 255]! + bits.read(MATCH_BITS[matchCell & 255]!);
      const literalLength = LITERAL_BASES[literalCell & 255]! + bits.read(LITERAL_BITS[literalCell & 255]!);
      if (offset > 3) {
        offset -= 3;
        far = middle;
        middle = near;
        near = offset;
      } else {
        const index = literalLength === 0 ? offset + 1 : offset;
        offset = index === 1 ? near : index === 2 ? middle : index === 3 ? far : near - 1;
        if (index > 2) far = middle;
        if (index > 1) {
          middle = near;
          near = offset;
        }
      }
      if (left > 1) {
        literalState = (literalCell >>> 16) + bits.read((literalCell >>> 8) & 255);
        matchState = (matchCell >>> 16) + bits.read((matchCell >>> 8) & 255);
        offsetState = (offsetCell >>> 16) + bits.read((offsetCell >>> 8) & 255);
      }
      const literalEnd = from + literalLength;
      let stop = to + literalLength;
      if (literalEnd > literals.length || stop + length > limit) return -1;
      if (literalLength <= 64 && literalEnd <= safeFrom && stop <= safeTo) {
        for (; to < stop; to += 4, from += 4) view.setInt32(to, literalView.getInt32(from));
      } else {
        bytes.set(literalBytes.subarray(from, literalEnd), to);
      }
      from = literalEnd;
      to = stop;
      stop = to + length;
      let ref = to - offset;
      if (offset <= 0 || ref < low) return -1;
      if (length <= 64 && offset >= 4 && stop <= safeTo) {
        for (; to < stop; to += 4, ref += 4) view.setInt32(to, view.getInt32(ref));
      } else {
        copyMatch(bytes, to, offset, length);
      }
      to = stop;
    }
    history.at = to;
    this.#offsets.set([near, middle, far]);
    return bits.at === start ? from : -1;
  }
}

function readCount(bytes: Uint8Array, at: number, end: number): { count: number; at: number } | undefined {
  const head = bytes[at]!;
  const length = head < 128 ? 1 : head < 255 ? 2 : 3;
  if (at + length > end) return undefined;
  if (length === 1) return { count: head, at: at + 1 };
  const next = bytes[at + 1]!;
  return { count: length === 2 ? (head - 128) * 256 + next : next + bytes[at + 2]! * 256 + 0x7f00, at: at + length };
}

/** The literals behind the last sequence. */
function finish(literals: Literals, used: number, history: History, limit: number): boolean {
  const rest = literals.length - used;
  if (history.at + rest > limit) return false;
  history.bytes.set(literals.bytes.subarray(used, literals.length), history.at);
  history.at += rest;
  return true;
}

/** Bytes before and behind a bit stream that reads may touch. */
const MARGIN = 32;

/**
 * A stretch of bits that is read from its end to its beginning. `at` counts bits from the start of the view; what goes
 * below `start` is found out by comparing the two, after at most 200 bits.
 */
class BackwardBits {
  readonly view: DataView;
  readonly start: number;
  at: number;

  /** The bits of the bytes `from` to `to`; the highest set bit of the last byte only marks the end. */
  constructor(bytes: Uint8Array, from: number, to: number) {
    const last = to > from ? bytes[to - 1]! : 0;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.start = 8 * from;
    // Without a mark it is below its start from the beginning.
    this.at = last === 0 ? this.start - 1 : 8 * (to - 1) + 31 - Math.clz32(last);
  }

  /** Reads up to 25 bits. */
  read(count: number): number {
    this.at -= count;
    return (this.view.getUint32(this.at >>> 3, true) >>> (this.at & 7)) & ((1 << count) - 1);
  }
}

const RAW_LITERALS = 0;
const RLE_LITERALS = 1;
const COMPRESSED_LITERALS = 2;

interface Section {
  type: number;
  streams: number;
  size: number;
  stored: number;
  at: number;
}

/** The literals of a block, and the Huffman table that later blocks may use again. */
class Literals {
  readonly bytes = new Uint8Array(BLOCK);
  length = 0;
  #table: HuffmanTable | undefined;

  /** Reads the literals section of the block in `bytes`, `at` to `end`. Where it ends; -1 when it is damaged. */
  read(bytes: Uint8Array, at: number, end: number): number {
    const section = readHeader(bytes, at);
    const next = section.at + section.stored;
    if (next > end || section.size > BLOCK) return -1;
    this.length = section.size;
    if (section.type === RAW_LITERALS) this.bytes.set(bytes.subarray(section.at, next));
    else if (section.type === RLE_LITERALS) this.bytes.fill(bytes[section.at]!, 0, section.size);
    else if (!this.#decode(bytes, section, next)) return -1;
    return next;
  }

  #decode(bytes: Uint8Array, section: Section, end: number): boolean {
    let { at } = section;
    if (section.type === COMPRESSED_LITERALS) {
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
  if (type <= RLE_LITERALS) {
    const length = [1, 2, 1, 3][format]!;
    const size = Math.floor((word % 2 ** (8 * length)) / (format % 2 === 0 ? 8 : 16));
    return { type, streams: 0, size, stored: type === RLE_LITERALS ? 1 : size, at: at + length };
  }
  const length = [3, 3, 4, 5][format]!;
  const width = [10, 10, 14, 18][format]!;
  const all = word + (length === 5 ? bytes[at + 4]! * 2 ** 32 : 0);
  const size = Math.floor(all / 16) % 2 ** width;
  const stored = Math.floor(all / 2 ** (4 + width)) % 2 ** width;
  return { type, streams: format === 0 ? 1 : 4, size, stored, at: at + length };
}

/** Longest code of literals. */
const LONGEST = 11;
/** Most bits of the table that codes the weights. */
const WEIGHT_ACCURACY = 6;

/** A decoding table of literals. */
interface HuffmanTable {
  /** Bits to look at. */
  bits: number;
  /** By the next bits: length << 8 | symbol. */
  cells: Uint16Array;
}

/** Reads the description of a table at `at`; undefined when it is damaged. */
function readHuffman(bytes: Uint8Array, at: number, end: number): { table: HuffmanTable; at: number } | undefined {
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
function decodeStream(
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

/** Frames one after the other, skippable ones dropped, of which there may be no others. For Node without zstd. */
export async function* decode(source: CompressedSource): ByteStream {
  let header = await nextFrame(source);
  if (!header && source.offset === 0) throw source.truncated();
  for (; header; header = await nextFrame(source)) {
    source.skip(header.length);
    yield* frame(source, header);
  }
}

async function* frame(source: CompressedSource, header: FrameHeader): ByteStream {
  const decoder = new BlockDecoder(source, header);
  const hash = header.checksum ? new Xxh64() : undefined;
  let length = 0;
  for (let last = false; !last; ) {
    const block = blockHeader(source, await source.take(3), 0);
    const data = decoder.decode(block, await source.take(block.stored));
    hash?.add(data);
    length += data.byteLength;
    last = block.last;
    yield data;
  }
  if (header.contentSize !== undefined && header.contentSize !== length) {
    throw source.corrupt("the length does not match");
  }
  if (hash && Buffer.from(await source.take(4)).readUInt32LE(0) !== hash.low()) {
    throw source.corrupt("the checksum does not match", source.offset - 4);
  }
}

/** The blocks of one frame. */
class BlockDecoder {
  readonly #source: CompressedSource;
  readonly #most: number;
  readonly #history: History;
  readonly #literals = new Literals();
  readonly #sequences = new Sequences();
  readonly #scratch = new Uint8Array(BLOCK + 2 * MARGIN);

  constructor(source: CompressedSource, header: FrameHeader) {
    this.#source = source;
    this.#most = Math.min(BLOCK, Math.max(header.window, 1));
    this.#history = new History(header.window, BLOCK);
  }

  decode(block: BlockHeader, stored: Uint8Array): Uint8Array {
    const history = this.#history;
    history.reserve(BLOCK);
    const from = history.at;
    if (block.size > this.#most) throw this.#damaged(stored);
    if (block.type === COMPRESSED) this.#compressed(stored, from + this.#most);
    else {
      if (block.type === RLE) history.bytes.fill(stored[0]!, from, from + block.size);
      else history.bytes.set(stored, from);
      history.at += block.size;
    }
    return history.since(from);
  }

  #compressed(stored: Uint8Array, limit: number): void {
    const bytes = this.#scratch;
    // What is read beyond a stream must not be what an earlier block left there.
    bytes.fill(0, MARGIN + stored.byteLength, 2 * MARGIN + stored.byteLength);
    bytes.set(stored, MARGIN);
    const end = MARGIN + stored.byteLength;
    const next = this.#literals.read(bytes, MARGIN, end);
    const sound = next >= 0 && this.#sequences.run(bytes, next, end, this.#literals, this.#history, limit);
    if (!sound) throw this.#damaged(stored);
  }

  #damaged(stored: Uint8Array): Error {
    return this.#source.corrupt("a damaged block", this.#source.offset - stored.byteLength);
  }
}
