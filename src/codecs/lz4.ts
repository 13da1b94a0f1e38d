import type { ByteStream } from "../streams.js";
import { Xxh32, xxh32 } from "./checksums/xxhash.js";
import { copyMatch, History, matchLength, viewOf } from "./lz-window.js";
import { blocks } from "./parallel.js";
import type { CompressedSource } from "./stream.js";

interface Frame {
  flags: number;
  blockSize: number;
  contentSize: number | undefined;
}

const LEGACY = 0x184c2102;

/** Decodes consecutive frames and drops skippable ones; requires at least one frame. */
export async function* decode(source: CompressedSource): ByteStream {
  do {
    source.member();
    const start = source.offset;
    const magic = await number(source);
    if (magic === MAGIC) yield* frame(source);
    else if ((magic & -16) >>> 0 === SKIPPABLE) await source.pass(await number(source));
    else if (magic === LEGACY) throw source.unsupported("a legacy frame, of lz4 -l or the Linux kernel");
    else throw source.corrupt("no lz4 frame", start);
  } while (await source.has(1));
}

async function number(source: CompressedSource): Promise<number> {
  return Buffer.from(await source.take(4)).readUInt32LE(0);
}

async function* frame(source: CompressedSource): ByteStream {
  const { flags, blockSize, contentSize } = await readHeader(source);
  const history = new History(REACH, blockSize);
  const hash = flags & CONTENT_CHECKSUM ? new Xxh32() : undefined;
  let length = 0;
  for (let size = await number(source); size !== 0; size = await number(source)) {
    const data = await readBlock(source, flags, size, history, blockSize);
    hash?.add(data);
    length += data.byteLength;
    yield data;
  }
  const at = source.offset;
  if (contentSize !== undefined && contentSize !== length) throw source.corrupt("the length does not match", at);
  if (hash && (await number(source)) !== hash.digest()) throw source.corrupt("the checksum does not match", at);
}

async function readHeader(source: CompressedSource): Promise<Frame> {
  const start = source.offset;
  if (!(await source.has(2))) throw source.truncated();
  const flags = source.buffered[0]!;
  if ((flags & 0xc2) !== VERSION) throw source.corrupt("an unknown version or flag", start);
  if (flags & DICTIONARY) throw source.unsupported("the frame needs a dictionary");
  const descriptor = Buffer.from(await source.take(flags & CONTENT_SIZE ? 10 : 2));
  const check = (await source.take(1))[0];
  const blockSize = BLOCK_SIZES.get((descriptor[1]! & 0x70) >> 4);
  if (check !== ((xxh32(descriptor) >>> 8) & 255)) throw source.corrupt("the header's checksum does not match", start);
  if (!blockSize || descriptor[1]! & 0x8f) throw source.corrupt("an unknown block size", start);
  return { flags, blockSize, contentSize: flags & CONTENT_SIZE ? Number(descriptor.readBigUInt64LE(2)) : undefined };
}

async function readBlock(
  source: CompressedSource,
  flags: number,
  sizeWord: number,
  history: History,
  most: number,
): Promise<Uint8Array> {
  const start = source.offset;
  const size = sizeWord % RAW;
  if (size > most) throw source.corrupt("a block is too large", start - 4);
  const data = await blockData(source, flags, size);
  history.reserve(most);
  if (flags & INDEPENDENT) history.low = history.at;
  const from = history.at;
  if (sizeWord >= RAW) {
    history.bytes.set(data, from);
    history.at += size;
  } else {
    history.at = expand(data, history, from + most);
    if (history.at < 0) throw source.corrupt("a damaged block", start);
  }
  return history.since(from);
}

async function blockData(source: CompressedSource, flags: number, size: number): Promise<Uint8Array> {
  const checked = flags & BLOCK_CHECKSUM;
  const start = source.offset;
  const data = await source.take(checked ? size + 4 : size);
  if (!checked) return data;
  const sum = Buffer.from(data.subarray(size)).readUInt32LE(0);
  if (sum !== xxh32(data.subarray(0, size))) throw source.corrupt("a block's checksum does not match", start);
  return data.subarray(0, size);
}

/** Expands one block. Returns the end of the output, at most `end`; -1 for a damaged block. */
function expand(block: Uint8Array, history: History, end: number): number {
  const { bytes, view, low } = history;
  const blockView = viewOf(block);
  const size = block.byteLength;
  // Short copies move four bytes and may write up to three too many: not at the very end of a buffer.
  const safeFrom = size - 4;
  const safeTo = bytes.byteLength - 4;
  let to = history.at;
  for (let from = 0; from < size; ) {
    const token = block[from++]!;
    let literals = token >>> 4;
    if (literals === 15) {
      for (let more = 255; more === 255; literals += more) {
        if (from >= size) return -1;
        more = block[from++]!;
      }
    }
    const literalEnd = from + literals;
    let stop = to + literals;
    if (literalEnd > size || stop > end) return -1;
    if (literals <= 64 && literalEnd <= safeFrom && stop <= safeTo) {
      for (; to < stop; to += 4, from += 4) view.setInt32(to, blockView.getInt32(from));
    } else {
      bytes.set(block.subarray(from, literalEnd), to);
    }
    to = stop;
    from = literalEnd;
    // A block ends with literals.
    if (from === size) return to;
    if (from + 2 > size) return -1;
    const distance = block[from]! | (block[from + 1]! << 8);
    from += 2;
    let length = (token & 15) + 4;
    if (length === 19) {
      for (let more = 255; more === 255; length += more) {
        if (from >= size) return -1;
        more = block[from++]!;
      }
    }
    stop = to + length;
    let ref = to - distance;
    if (distance === 0 || ref < low || stop > end) return -1;
    if (length <= 64 && distance >= 4 && stop <= safeTo) {
      for (; to < stop; to += 4, ref += 4) view.setInt32(to, view.getInt32(ref));
    } else {
      copyMatch(bytes, to, distance, length);
    }
    to = stop;
  }
  return -1;
}

// The frame format, version 1.6.3 (github.com/lz4/lz4, doc/lz4_Frame_format.md). All numbers are little-endian.
const MAGIC = 0x184d2204;
const SKIPPABLE = 0x184d2a50;
/** Marks an uncompressed block in its size field. */
const RAW = 0x8000_0000;
/** The maximum distance of a match. */
const REACH = 65_535;

const VERSION = 0x40;
const INDEPENDENT = 0x20;
const BLOCK_CHECKSUM = 0x10;
const CONTENT_SIZE = 0x08;
const CONTENT_CHECKSUM = 0x04;
const DICTIONARY = 0x01;

/** The maximum block size by its code in the header. */
const BLOCK_SIZES: ReadonlyMap<number, number> = new Map([
  [4, 65_536],
  [5, 262_144],
  [6, 1_048_576],
  [7, 4_194_304],
]);

/** Bytes per block: what Python's lz4.frame writes. */
const BLOCK = 65_536;
/** Bytes per buffer. Matches do not cross its start, which costs 0.1 % and avoids a sliding window. */
const SEGMENT = 1024 * 1024;
const HASH_BITS = 13;
/** A block ends with at least five literals, and its last match begins at least twelve bytes before the end. */
const LAST_LITERALS = 5;
const LAST_MATCH = 12;

/** Encodes one frame with linked blocks and a checksum of the content. */
export async function* encode(bytes: ByteStream): ByteStream {
  const hash = new Xxh32();
  const table = new Int32Array(1 << HASH_BITS);
  const scratch = Buffer.allocUnsafeSlow(4 + BLOCK);
  yield frameHeader();
  for await (const { data } of blocks(bytes, SEGMENT)) {
    table.fill(0);
    for (let start = 0; start < data.byteLength; start += BLOCK) {
      const end = Math.min(start + BLOCK, data.byteLength);
      hash.add(data.subarray(start, end));
      yield packedBlock(data, start, end, table, scratch);
    }
  }
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(hash.digest(), 4);
  yield trailer;
}

function frameHeader(): Uint8Array {
  const record = Buffer.alloc(7);
  record.writeUInt32LE(MAGIC, 0);
  record[4] = VERSION | CONTENT_CHECKSUM;
  record[5] = 4 << 4;
  record[6] = (xxh32(record.subarray(4, 6)) >>> 8) & 255;
  return record;
}

/** Returns one block with its size in front; uncompressed if compression would not make it smaller. */
function packedBlock(data: Uint8Array, start: number, end: number, table: Int32Array, scratch: Buffer): Uint8Array {
  const size = end - start;
  const packed = compress(data, start, end, scratch.subarray(4, 4 + size), table);
  scratch.writeUInt32LE(packed || RAW + size, 0);
  if (packed === 0) scratch.set(data.subarray(start, end), 4);
  return new Uint8Array(scratch.subarray(0, 4 + (packed || size)));
}

/** Compresses one block into `out`, which has the block's length. Returns the packed size; 0 if not smaller. */
function compress(data: Uint8Array, start: number, end: number, out: Uint8Array, table: Int32Array): number {
  const view = viewOf(data);
  const outView = viewOf(out);
  const matchLimit = end - LAST_LITERALS;
  const lastStart = end - LAST_MATCH;
  const size = out.byteLength;
  let to = 0;
  let anchor = start;
  let misses = 64;
  for (let at = Math.max(start, 1); at <= lastStart; ) {
    const word = view.getInt32(at, true);
    const slot = hashed(word);
    let ref = table[slot]!;
    table[slot] = at;
    if (view.getInt32(ref, true) !== word || at - ref > 65_535) {
      at += misses++ >>> 6;
      continue;
    }
    misses = 64;
    while (at > anchor && ref > 0 && data[at - 1] === data[ref - 1]) {
      at--;
      ref--;
    }
    const literals = at - anchor;
    const length = 4 + matchLength(data, view, ref + 4, at + 4, matchLimit);
    if (to + literals + ((literals + length) >>> 7) + 8 > size) return 0;
    const token = to++;
    if (literals <= 14) {
      for (let next = to; anchor < at; anchor += 4, next += 4) outView.setInt32(next, view.getInt32(anchor));
    } else {
      to = lengthBytes(out, to, literals - 15);
      out.set(data.subarray(anchor, at), to);
    }
    to += literals;
    out[to++] = at - ref;
    out[to++] = (at - ref) >>> 8;
    out[token] = ((literals > 14 ? 15 : literals) << 4) | (length > 18 ? 15 : length - 4);
    if (length > 18) to = lengthBytes(out, to, length - 19);
    at += length;
    anchor = at;
    if (at <= lastStart) table[hashed(view.getInt32(at - 2, true))] = at - 2;
  }
  return lastLiterals(data.subarray(anchor, end), out, to);
}

function lastLiterals(data: Uint8Array, out: Uint8Array, at: number): number {
  const length = data.byteLength;
  if (at + length + (length >>> 7) + 3 > out.byteLength) return 0;
  out[at] = Math.min(length, 15) << 4;
  const to = length < 15 ? at + 1 : lengthBytes(out, at + 1, length - 15);
  out.set(data, to);
  return to + length;
}

/** Returns the hash slot of four bytes. The numbers are literals because bundlers turn named ones into variables. */
function hashed(word: number): number {
  return Math.imul(word, 0x9e3779b1) >>> 19;
}

function lengthBytes(out: Uint8Array, at: number, length: number): number {
  let to = at;
  let left = length;
  for (; left >= 255; left -= 255) out[to++] = 255;
  out[to++] = left;
  return to;
}
