import type { ByteStream } from "../../streams.js";
import { Xxh64 } from "../checksums/xxhash.js";
import { codeLengths } from "../huffman-lengths.js";
import { MatchFinder } from "../lz-window.js";
import { blocks } from "../parallel.js";
import { BLOCK, COMPRESSED, RAW, RLE } from "./frame.js";
import { CODES, type Code, LITERAL_BASES, LITERAL_BITS, MATCH_BASES, MATCH_BITS, spread } from "./tables.js";

const LONGEST = 11;
const WEIGHT_ACCURACY = 6;
/** Fewer literals are not worth a table. */
const FEW_LITERALS = 64;
/** Up to here one stream; four are decoded faster. */
const ONE_STREAM = 1023;

const RAW_LITERALS = 0;
const RLE_LITERALS = 1;
const COMPRESSED_LITERALS = 2;

/** The literals section of a block: Huffman-coded when that is shorter. */
function writeLiterals(literals: Uint8Array): Uint8Array {
  const size = literals.byteLength;
  if (size > 0 && literals.every((byte) => byte === literals[0])) {
    return Buffer.concat([plainHead(RLE_LITERALS, size), literals.subarray(0, 1)]);
  }
  const coded = size > FEW_LITERALS ? huffman(literals) : undefined;
  return coded ?? Buffer.concat([plainHead(RAW_LITERALS, size), literals]);
}

function plainHead(type: number, size: number): Uint8Array {
  if (size < 32) return Uint8Array.of(type | (size << 3));
  if (size < 4096) return Uint8Array.of(type | 4 | (size << 4), size >> 4);
  return Uint8Array.of(type | 12 | (size << 4), size >> 4, size >> 12);
}

function huffman(literals: Uint8Array): Uint8Array | undefined {
  const table = new Table(literals);
  const description = table.describe();
  if (!description) return undefined;
  const size = literals.byteLength;
  const streams = size <= ONE_STREAM ? [literals] : quarters(literals);
  const coded = streams.map((part) => table.encode(part));
  const jumps = new Uint8Array(streams.length === 1 ? 0 : 6);
  for (let at = 0; at < jumps.byteLength / 2; at++) {
    jumps[2 * at] = coded[at]!.byteLength;
    jumps[2 * at + 1] = coded[at]!.byteLength >> 8;
  }
  const body = Buffer.concat([description, jumps, ...coded]);
  if (body.byteLength + 5 >= size) return undefined;
  return Buffer.concat([codedHead(streams.length, size, body.byteLength), body]);
}

function quarters(literals: Uint8Array): Uint8Array[] {
  const share = (literals.byteLength + 3) >> 2;
  return [0, 1, 2, 3].map((part) => literals.subarray(part * share, part === 3 ? undefined : (part + 1) * share));
}

/** Type and number of streams in four bits, then both sizes in 10, 14 or 18 bits each. */
function codedHead(streams: number, size: number, stored: number): Uint8Array {
  const format = streams === 1 ? 0 : size < 1024 ? 1 : size < 16_384 ? 2 : 3;
  const width = [10, 10, 14, 18][format]!;
  let rest = COMPRESSED_LITERALS + 4 * format + 16 * size + 2 ** (4 + width) * stored;
  return Uint8Array.from({ length: [3, 3, 4, 5][format]! }, () => {
    const byte = rest % 256;
    rest = Math.floor(rest / 256);
    return byte;
  });
}

class Table {
  readonly #lengths = new Uint8Array(256);
  readonly #codes = new Uint16Array(256);
  readonly #weights: Uint8Array;

  constructor(literals: Uint8Array) {
    const counts = new Int32Array(256);
    for (let at = 0; at < literals.byteLength; at++) counts[literals[at]!]!++;
    const used = [...counts.keys()].filter((symbol) => counts[symbol]! > 0);
    const found = codeLengths(
      Int32Array.from(used, (symbol) => counts[symbol]!),
      LONGEST,
    );
    for (const [index, symbol] of used.entries()) this.#lengths[symbol] = found[index]!;
    const bits = Math.max(...found);
    this.#weights = this.#lengths.subarray(0, used.at(-1)! + 1).map((length) => (length > 0 ? bits + 1 - length : 0));
    this.#assign(bits);
  }

  /** Codes ascend from the longest, which are the lowest weights, and within a length by symbol. */
  #assign(bits: number): void {
    let at = 0;
    for (let weight = 1; weight <= bits; weight++) {
      for (let symbol = 0; symbol < this.#weights.length; symbol++) {
        if (this.#weights[symbol] !== weight) continue;
        this.#codes[symbol] = at >> (weight - 1);
        at += 1 << (weight - 1);
      }
    }
  }

  /** All weights but the last; undefined if they cannot be described. */
  describe(): Uint8Array | undefined {
    const weights = this.#weights.subarray(0, -1);
    const coded = codeWeights(weights);
    if (coded && coded.byteLength < 128) return Buffer.concat([Uint8Array.of(coded.byteLength), coded]);
    if (weights.length > 128) return undefined;
    const nibbles = new Uint8Array(1 + ((weights.length + 1) >> 1));
    nibbles[0] = 127 + weights.length;
    for (let at = 0; at < weights.length; at++) nibbles[1 + (at >> 1)]! |= weights[at]! << (at % 2 === 0 ? 4 : 0);
    return nibbles;
  }

  encode(part: Uint8Array): Uint8Array {
    const writer = new BackwardWriter(part.byteLength);
    for (let at = part.byteLength - 1; at >= 0; at--) writer.write(this.#codes[part[at]!]!, this.#lengths[part[at]!]!);
    return writer.finish();
  }
}

/** Two states take turns from the end on; the reader meets the even ones first. */
function codeWeights(weights: Uint8Array): Uint8Array | undefined {
  const counts = new Int32Array(LONGEST + 2);
  for (const weight of weights) counts[weight]!++;
  if (weights.length < 4 || counts.includes(weights.length)) return undefined;
  const shares = normalize(counts, weights.length, WEIGHT_ACCURACY);
  const table = new FseEncoder(shares, WEIGHT_ACCURACY);
  const writer = new BackwardWriter(64);
  const last = weights.length - 1;
  const states = [0, 0];
  states[last % 2] = table.first(weights[last]!);
  states[(last - 1) % 2] = table.first(weights[last - 1]!);
  for (let at = last - 2; at >= 0; at--) states[at % 2] = table.next(writer, states[at % 2]!, weights[at]!);
  table.flush(writer, states[1]!);
  table.flush(writer, states[0]!);
  return Buffer.concat([describe(shares, WEIGHT_ACCURACY), writer.finish()]);
}

/** Writes bits, the lowest first, to be read from the end. */
class BackwardWriter {
  #bytes: Uint8Array;
  #filled = 0;
  #bits = 0;
  #count = 0;

  constructor(room: number) {
    this.#bytes = new Uint8Array(room);
  }

  /** Writes the lowest `count` bits of `value`, up to 24. */
  write(value: number, count: number): void {
    this.#bits |= (value & ((1 << count) - 1)) << this.#count;
    this.#count += count;
    while (this.#count >= 8) {
      this.#put(this.#bits);
      this.#bits >>>= 8;
      this.#count -= 8;
    }
  }

  /** Marks the end with a set bit. All bytes. */
  finish(): Uint8Array {
    this.write(1, 1);
    return this.pad();
  }

  /** Fills the last byte with zeros. All bytes. */
  pad(): Uint8Array {
    if (this.#count > 0) this.#put(this.#bits);
    return this.#bytes.subarray(0, this.#filled);
  }

  #put(byte: number): void {
    if (this.#filled === this.#bytes.byteLength) {
      const larger = new Uint8Array(2 * this.#filled + 64);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#filled++] = byte;
  }
}

/** Counts scaled so that their sum is 2^accuracy and every symbol that comes keeps at least one. */
function normalize(counts: Int32Array, total: number, accuracy: number): Int32Array {
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
function describe(counts: Int32Array, accuracy: number): Uint8Array {
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
class FseEncoder {
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

/** Bytes in one buffer and the window that the frame asks for: matches do not go beyond it. */
const SEGMENT = 1024 * 1024;
/** Content of one block: half of what the format allows, since a block is encoded at a stretch. */
const STRETCH = BLOCK / 2;
/** Magic number, a checksum at the end, and the window: 2^(10 + (80 >> 3)). */
const HEADER = [0x28, 0xb5, 0x2f, 0xfd, 0x04, 80];
/** Shortest match: three bytes rarely pay. */
const SHORTEST = 4;

/** One frame with a checksum. For Node without zstd. */
export async function* encode(bytes: ByteStream, level: number): ByteStream {
  const hash = new Xxh64();
  yield Uint8Array.from(HEADER);
  for await (const { data, last } of blocks(bytes, SEGMENT)) {
    const encoder = new SegmentEncoder(data, depthOf(level));
    for (let from = 0; from < data.byteLength || (last && from === 0); from += STRETCH) {
      const to = Math.min(data.byteLength, from + STRETCH);
      hash.add(data.subarray(from, to));
      yield encoder.block(from, to, last && to === data.byteLength);
    }
  }
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(hash.low(), 0);
  yield sum;
}

/** How far chains are followed: twice as far every second level. */
function depthOf(level: number): number {
  return 2 ** Math.min(10, level >> 1);
}

class SegmentEncoder {
  readonly #data: Uint8Array;
  readonly #finder: MatchFinder;
  #repeat = 0;

  constructor(data: Uint8Array, depth: number) {
    this.#data = data;
    this.#finder = new MatchFinder(data, depth);
  }

  /** The bytes `from` to `to` as one block with its header. */
  block(from: number, to: number, last: boolean): Uint8Array {
    const content = this.#data.subarray(from, to);
    const before = this.#repeat;
    if (content.byteLength > 3 && content.every((byte) => byte === content[0])) {
      return Buffer.concat([blockHead(RLE, content.byteLength, last), content.subarray(0, 1)]);
    }
    const packed = this.#compress(from, to);
    if (packed.byteLength < content.byteLength) {
      return Buffer.concat([blockHead(COMPRESSED, packed.byteLength, last), packed]);
    }
    // The reader sees no sequences then, and keeps the distance that it had.
    this.#repeat = before;
    return Buffer.concat([blockHead(RAW, content.byteLength, last), content]);
  }

  #compress(from: number, to: number): Uint8Array {
    const finder = this.#finder;
    const data = this.#data;
    const list = new SequenceList((to - from) / SHORTEST + 1);
    const literals = new Uint8Array(to - from);
    let filled = 0;
    let anchor = from;
    let misses = 64;
    for (let at = from; at + SHORTEST <= to; ) {
      if (!finder.find(at, to)) {
        at += misses++ >>> 6;
        continue;
      }
      misses = 64;
      const { length, distance } = finder;
      for (let next = anchor; next < at; next++) literals[filled++] = data[next]!;
      list.add(at - anchor, length, distance === this.#repeat && at > anchor ? 1 : distance + 3);
      this.#repeat = distance;
      at += length;
      anchor = at;
    }
    literals.set(data.subarray(anchor, to), filled);
    filled += to - anchor;
    return Buffer.concat([writeLiterals(literals.subarray(0, filled)), writeSequences(list)]);
  }
}

function blockHead(type: number, size: number, last: boolean): Uint8Array {
  const word = (size << 3) | (type << 1) | (last ? 1 : 0);
  return Uint8Array.of(word, word >> 8, word >> 16);
}

/** With fewer sequences the tables by default are shorter than a description. */
const FEW_SEQUENCES = 64;
/** Accuracy of a described table: the format begins at 5, and 2^6 cells hold every code there is. */
const LEAST = 6;

/** Copy so many literals, then so many bytes from there. */
class SequenceList {
  count = 0;
  readonly literals: Int32Array;
  readonly lengths: Int32Array;
  /** Distance + 3, or 1 for the last distance again. */
  readonly offsets: Int32Array;

  constructor(room: number) {
    this.literals = new Int32Array(room);
    this.lengths = new Int32Array(room);
    this.offsets = new Int32Array(room);
  }

  add(literals: number, length: number, offset: number): void {
    this.literals[this.count] = literals;
    this.lengths[this.count] = length;
    this.offsets[this.count++] = offset;
  }
}

const LITERAL_CODES = codesBelow(LITERAL_BASES, 64);
const MATCH_CODES = codesBelow(MATCH_BASES, 131);

/** For small values: the code whose range a value is in. */
function codesBelow(bases: Uint32Array, limit: number): Uint8Array {
  let code = 0;
  return Uint8Array.from({ length: limit }, (_, value) => {
    while (code + 1 < bases.length && bases[code + 1]! <= value) code++;
    return code;
  });
}

/** Above the small values every code is a power of two, 64 and 128 with code 25 and 43. */
function literalCode(length: number): number {
  return length < 64 ? LITERAL_CODES[length]! : 50 - Math.clz32(length);
}

function matchCode(length: number): number {
  return length < 131 ? MATCH_CODES[length]! : 67 - Math.clz32(length - 3);
}

/** The sequences section of a block. */
function writeSequences(list: SequenceList): Uint8Array {
  if (list.count === 0) return Uint8Array.of(0);
  const codes = codesOf(list);
  const tables = CODES.map((code, index) => chooseTable(code, codes[index]!));
  const modes = tables.reduce((sum, table, index) => sum | (table.mode << (6 - 2 * index)), 0);
  const bits = writeBits(
    list,
    codes,
    tables.map(({ encoder }) => encoder),
  );
  return Buffer.concat([countHead(list.count), Uint8Array.of(modes), ...tables.map(({ head }) => head), bits]);
}

function codesOf(list: SequenceList): Uint8Array[] {
  const { count, literals, offsets, lengths } = list;
  const codes = [new Uint8Array(count), new Uint8Array(count), new Uint8Array(count)] as const;
  for (let at = 0; at < count; at++) {
    codes[0][at] = literalCode(literals[at]!);
    codes[1][at] = 31 - Math.clz32(offsets[at]!);
    codes[2][at] = matchCode(lengths[at]!);
  }
  return [...codes];
}

function countHead(count: number): Uint8Array {
  if (count < 128) return Uint8Array.of(count);
  if (count < 0x7f00) return Uint8Array.of((count >> 8) + 128, count);
  return Uint8Array.of(255, count - 0x7f00, (count - 0x7f00) >> 8);
}

interface ChosenTable {
  /** 0 by default, 1 one symbol, 2 described. */
  mode: number;
  head: Uint8Array;
  encoder: FseEncoder;
}

function chooseTable(code: Code, symbols: Uint8Array): ChosenTable {
  const counts = new Int32Array(code.symbols);
  for (let at = 0; at < symbols.length; at++) counts[symbols[at]!]!++;
  if (counts.includes(symbols.length) && symbols.length > 2) {
    return { mode: 1, head: symbols.subarray(0, 1), encoder: new FseEncoder(counts.map(Math.sign), 0) };
  }
  if (symbols.length < FEW_SEQUENCES) {
    return { mode: 0, head: symbols.subarray(0, 0), encoder: new FseEncoder(code.counts, code.accuracy) };
  }
  const accuracy = Math.max(LEAST, Math.min(code.most, 26 - Math.clz32(symbols.length) + 3));
  const shares = normalize(counts, symbols.length, accuracy);
  return { mode: 2, head: describe(shares, accuracy), encoder: new FseEncoder(shares, accuracy) };
}

/** From the last sequence to the first, because the reader goes the other way. */
function writeBits(list: SequenceList, codes: Uint8Array[], encoders: FseEncoder[]): Uint8Array {
  const [literalCodes, offsetCodes, matchCodes] = codes as [Uint8Array, Uint8Array, Uint8Array];
  const [literal, offset, match] = encoders as [FseEncoder, FseEncoder, FseEncoder];
  const writer = new BackwardWriter(4 * list.count);
  const last = list.count - 1;
  let matchState = match.first(matchCodes[last]!);
  let offsetState = offset.first(offsetCodes[last]!);
  let literalState = literal.first(literalCodes[last]!);
  for (let at = last; at >= 0; at--) {
    const literalCode = literalCodes[at]!;
    const offsetCode = offsetCodes[at]!;
    const matchCode = matchCodes[at]!;
    if (at < last) {
      offsetState = offset.next(writer, offsetState, offsetCode);
      matchState = match.next(writer, matchState, matchCode);
      literalState = literal.next(writer, literalState, literalCode);
    }
    writer.write(list.literals[at]! - LITERAL_BASES[literalCode]!, LITERAL_BITS[literalCode]!);
    writer.write(list.lengths[at]! - MATCH_BASES[matchCode]!, MATCH_BITS[matchCode]!);
    writer.write(list.offsets[at]!, offsetCode);
  }
  match.flush(writer, matchState);
  offset.flush(writer, offsetState);
  literal.flush(writer, literalState);
  return writer.finish();
}
