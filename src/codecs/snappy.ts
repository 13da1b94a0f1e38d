// One compressed block (github.com/google/snappy, format_description.txt).

import type { ByteStream } from "../streams.js";
import { crc32c } from "./checksums/crc32c.js";
import { copyMatch, viewOf } from "./lz-window.js";
import { blocks } from "./parallel.js";
import type { CompressedSource } from "./stream.js";

const LITERAL = 0;
const COPY1 = 1;
const COPY2 = 2;
/** The last bytes of a block, in which no match is searched. */
const MARGIN = 15;

/** Returns the content of a block; undefined if it is damaged or longer than `most`. */
export function expand(block: Uint8Array, most: number): Uint8Array | undefined {
  let size = 0;
  let from = 0;
  for (let shift = 0; ; shift += 7) {
    if (from >= block.byteLength || shift > 28) return undefined;
    const byte = block[from++]!;
    size += (byte & 127) * 2 ** shift;
    if (byte < 128) break;
  }
  if (size > most) return undefined;
  const out = new Uint8Array(size);
  return fill(block, from, out) ? out : undefined;
}

function fill(block: Uint8Array, start: number, out: Uint8Array): boolean {
  const size = block.byteLength;
  const end = out.byteLength;
  const view = viewOf(out);
  const blockView = viewOf(block);
  let to = 0;
  for (let from = start; from < size; ) {
    const tag = block[from++]!;
    let length = (tag >>> 2) + 1;
    if ((tag & 3) === LITERAL) {
      if (length > 60) {
        const count = length - 60;
        if (from + count > size) return false;
        length = little(block, from, count) + 1;
        from += count;
      }
      if (from + length > size || to + length > end) return false;
      const stop = to + length;
      if (length <= 64 && from + length <= size - 4 && stop <= end - 4) {
        for (let next = from, at = to; at < stop; at += 4, next += 4) view.setInt32(at, blockView.getInt32(next));
      } else {
        out.set(block.subarray(from, from + length), to);
      }
      from += length;
    } else {
      let distance: number;
      if ((tag & 3) === COPY1) {
        if (from >= size) return false;
        distance = ((tag >>> 5) << 8) | block[from++]!;
        length = ((tag >>> 2) & 7) + 4;
      } else {
        const count = (tag & 3) === COPY2 ? 2 : 4;
        if (from + count > size) return false;
        distance = little(block, from, count);
        from += count;
      }
      if (distance === 0 || distance > to || to + length > end) return false;
      const stop = to + length;
      if (distance >= 4 && stop <= end - 4) {
        for (let ref = to - distance, at = to; at < stop; at += 4, ref += 4) view.setInt32(at, view.getInt32(ref));
      } else {
        copyMatch(out, to, distance, length);
      }
    }
    to += length;
  }
  return to === end;
}

function little(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let index = count - 1; index >= 0; index--) value = value * 256 + bytes[at + index]!;
  return value;
}

/** Compresses up to 64 KiB. `table` is working memory of 2^14 slots. */
export function compress(data: Uint8Array, table: Uint16Array): Uint8Array {
  const size = data.byteLength;
  const out = new Uint8Array(8 + size + Math.ceil(size / 6));
  const view = viewOf(data);
  const outView = viewOf(out);
  const limit = size - MARGIN;
  table.fill(0);
  let to = varint(out, size);
  let anchor = 0;
  let misses = 32;
  for (let at = 1; at < limit; ) {
    const word = view.getInt32(at, true);
    const slot = Math.imul(word, 0x1e35a7bd) >>> 18;
    const ref = table[slot]!;
    table[slot] = at;
    if (view.getInt32(ref, true) !== word) {
      at += misses++ >>> 5;
      continue;
    }
    if (at > anchor) {
      const literals = at - anchor;
      to = literalHead(out, to, literals);
      if (literals <= 64) {
        for (let from = anchor, next = to; from < at; from += 4, next += 4) outView.setInt32(next, view.getInt32(from));
      } else {
        out.set(data.subarray(anchor, at), to);
      }
      to += literals;
    }
    const length = matchLength(data, view, ref, at);
    to = copy(out, to, at - ref, length);
    at += length;
    anchor = at;
    misses = 32;
    if (at < limit) table[Math.imul(view.getInt32(at - 1, true), 0x1e35a7bd) >>> 18] = at - 1;
  }
  if (anchor < size) {
    to = literalHead(out, to, size - anchor);
    out.set(data.subarray(anchor), to);
    to += size - anchor;
  }
  return out.subarray(0, to);
}

function varint(out: Uint8Array, value: number): number {
  let to = 0;
  let left = value;
  for (; left > 127; left >>>= 7) out[to++] = left | 128;
  out[to++] = left;
  return to;
}

function matchLength(data: Uint8Array, view: DataView, ref: number, at: number): number {
  const size = data.byteLength;
  let a = ref + 4;
  let b = at + 4;
  while (b + 4 <= size && view.getInt32(a, true) === view.getInt32(b, true)) {
    a += 4;
    b += 4;
  }
  while (b < size && data[a] === data[b]) {
    a++;
    b++;
  }
  return b - at;
}

/** Writes the head of `length` literals. Returns the literals' position. */
function literalHead(out: Uint8Array, at: number, length: number): number {
  const rest = length - 1;
  let to = at;
  out[to++] = rest < 60 ? rest << 2 : (rest < 256 ? 60 : 61) << 2;
  if (rest >= 60) out[to++] = rest;
  if (rest >= 256) out[to++] = rest >>> 8;
  return to;
}

function copy(out: Uint8Array, at: number, distance: number, length: number): number {
  let to = at;
  let left = length;
  // A copy has at most 64 bytes and a short one at least four, so 60 leaves enough for the next.
  for (; left > 64; left -= 60) to = copy2(out, to, distance, 60);
  if (left >= 12 || distance >= 2048) return copy2(out, to, distance, left);
  out[to++] = ((distance >>> 8) << 5) | ((left - 4) << 2) | COPY1;
  out[to++] = distance;
  return to;
}

function copy2(out: Uint8Array, at: number, distance: number, length: number): number {
  out[at] = ((length - 1) << 2) | COPY2;
  out[at + 1] = distance;
  out[at + 2] = distance >>> 8;
  return at + 3;
}

// The framing format (github.com/google/snappy, framing_format.txt).

const COMPRESSED = 0x00;
const UNCOMPRESSED = 0x01;
const FIRST_SKIPPABLE = 0x80;
const IDENTIFIER = 0xff;
const MAGIC = Buffer.from("sNaPpY");
/** Maximum content of a chunk. */
const BLOCK = 65_536;

/** Returns CRC-32C of the content, rotated and offset so that a checksum of checksums stays sound. Unsigned. */
function masked(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** Maximum packed size of an incompressible 64 KiB block (snappy's own bound). */
const MOST = 4 + 32 + BLOCK + Math.ceil(BLOCK / 6);

/**
 * Decodes consecutive streams; each begins with its identifier. Empty input is empty content, as in Python. The format
 * has no end mark: input cut between two chunks cannot be distinguished from complete input.
 */
export async function* decode(source: CompressedSource): ByteStream {
  for (let first = true; await source.has(1); first = false) {
    source.member();
    const start = source.offset;
    const head = await source.take(4);
    const type = head[0]!;
    const size = head[1]! | (head[2]! << 8) | (head[3]! << 16);
    if (first && type !== IDENTIFIER) throw source.corrupt("no snappy stream identifier", start);
    if (type === IDENTIFIER) await identifier(source, size);
    else if (type >= FIRST_SKIPPABLE) await source.pass(size);
    else if (type > UNCOMPRESSED) throw source.corrupt(`an unknown chunk type ${type}`, start);
    else yield await readChunk(source, type, size);
  }
}

async function identifier(source: CompressedSource, size: number): Promise<void> {
  const start = source.offset;
  const same = size === MAGIC.byteLength && MAGIC.equals(await source.take(size));
  if (!same) throw source.corrupt("a wrong stream identifier", start);
}

async function readChunk(source: CompressedSource, type: number, size: number): Promise<Uint8Array> {
  const start = source.offset;
  if (size < 4 || size > MOST) throw source.corrupt("a chunk of an impossible size", start - 4);
  const body = await source.take(size);
  const sum = Buffer.from(body.subarray(0, 4)).readUInt32LE(0);
  const data = type === COMPRESSED ? expand(body.subarray(4), BLOCK) : new Uint8Array(body.subarray(4));
  if (!data || data.byteLength > BLOCK) throw source.corrupt("a damaged chunk", start);
  if (masked(data) !== sum) throw source.corrupt("the CRC-32C does not match", start);
  return data;
}

/** Encodes a stream identifier and chunks of 64 KiB; nothing at all for empty content, as in Python. */
export async function* encode(bytes: ByteStream): ByteStream {
  const table = new Uint16Array(1 << 14);
  let first = true;
  for await (const { data } of blocks(bytes, BLOCK)) {
    if (data.byteLength === 0) return;
    if (first) yield Buffer.concat([head(IDENTIFIER, MAGIC.byteLength), MAGIC]);
    first = false;
    yield packedChunk(data, table);
  }
}

function head(type: number, size: number): Uint8Array {
  return Uint8Array.of(type, size, size >>> 8, size >>> 16);
}

function packedChunk(data: Uint8Array, table: Uint16Array): Uint8Array {
  const packed = compress(data, table);
  // The format's own advice: a saving below an eighth does not justify the decoding.
  const small = packed.byteLength < data.byteLength - (data.byteLength >>> 3);
  const body = small ? packed : data;
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(masked(data), 0);
  return Buffer.concat([head(small ? COMPRESSED : UNCOMPRESSED, body.byteLength + 4), sum, body]);
}
