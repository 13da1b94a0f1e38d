import type { Bytes } from "../../fs/driver.js";
import { Xxh32, xxh32 } from "../checksums/xxh32.js";
import { copyLiterals } from "../history.js";
import { blocks } from "../parallel.js";
import * as F from "./frame.js";

/** Bytes of a block: what Python's lz4.frame writes. */
const BLOCK = 65_536;
/** Bytes in one buffer. Matches do not refer back beyond it, which costs 0.1 % and spares a sliding window. */
const SEGMENT = 1024 * 1024;
const HASH_BITS = 14;
/** A block ends with at least five literals, and its last match begins at least twelve bytes before the end. */
const LAST_LITERALS = 5;
const LAST_MATCH = 12;
/** After 2^6 misses in a row every second position is tried, after 2^7 every third, and so on. */
const PATIENCE = 6;

/** One frame with linked blocks and a checksum of the content. */
export async function* encode(bytes: Bytes): Bytes {
  const hash = new Xxh32();
  const table = new Int32Array(1 << HASH_BITS);
  yield header();
  for await (const { data } of blocks(bytes, SEGMENT)) {
    table.fill(-1);
    for (let start = 0; start < data.byteLength; start += BLOCK) {
      const end = Math.min(start + BLOCK, data.byteLength);
      hash.add(data.subarray(start, end));
      yield block(data, start, end, table);
    }
  }
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(hash.digest(), 4);
  yield trailer;
}

function header(): Uint8Array {
  const record = Buffer.alloc(7);
  record.writeUInt32LE(F.MAGIC, 0);
  record[4] = F.VERSION | F.CONTENT_CHECKSUM;
  record[5] = 4 << 4;
  record[6] = (xxh32(record.subarray(4, 6)) >>> 8) & 255;
  return record;
}

function block(data: Uint8Array, start: number, end: number, table: Int32Array): Uint8Array {
  const size = end - start;
  const out = Buffer.allocUnsafeSlow(4 + size);
  const packed = compress(data, start, end, out, table);
  if (packed > 0) {
    out.writeUInt32LE(packed, 0);
    return out.subarray(0, 4 + packed);
  }
  out.writeUInt32LE(F.RAW + size, 0);
  out.set(data.subarray(start, end), 4);
  return out;
}

/** Compresses into `out` behind the four bytes of the size. The packed size; 0 when it would not be smaller. */
function compress(data: Uint8Array, start: number, end: number, out: Uint8Array, table: Int32Array): number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const matchLimit = end - LAST_LITERALS;
  const lastStart = end - LAST_MATCH;
  let to = 4;
  let anchor = start;
  let misses = 1 << PATIENCE;
  for (let at = start; at <= lastStart; ) {
    const word = view.getInt32(at, true);
    const slot = Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS);
    let ref = table[slot]!;
    table[slot] = at;
    if (ref < 0 || at - ref > F.REACH || view.getInt32(ref, true) !== word) {
      at += misses++ >>> PATIENCE;
      continue;
    }
    while (at > anchor && ref > 0 && data[at - 1] === data[ref - 1]) {
      at--;
      ref--;
    }
    const length = matchLength(data, view, ref, at, matchLimit);
    to = sequence(out, to, data, anchor, at, at - ref, length);
    if (to < 0) return 0;
    at += length;
    anchor = at;
    misses = 1 << PATIENCE;
    if (at <= lastStart) table[Math.imul(view.getInt32(at - 2, true), 0x9e3779b1) >>> (32 - HASH_BITS)] = at - 2;
  }
  to = sequence(out, to, data, anchor, end, 0, 0);
  return to < 0 || to >= out.byteLength ? 0 : to - 4;
}

function matchLength(data: Uint8Array, view: DataView, ref: number, at: number, limit: number): number {
  let a = ref + 4;
  let b = at + 4;
  while (b + 4 <= limit && view.getInt32(a, true) === view.getInt32(b, true)) {
    a += 4;
    b += 4;
  }
  while (b < limit && data[a] === data[b]) {
    a++;
    b++;
  }
  return b - at;
}

/** Writes literals and a match (none when `length` is 0). Where the output ends; -1 when it does not fit. */
function sequence(
  out: Uint8Array,
  at: number,
  data: Uint8Array,
  anchor: number,
  end: number,
  distance: number,
  length: number,
): number {
  const literals = end - anchor;
  const extra = length === 0 ? 0 : length - 4;
  if (at + literals + ((literals + extra) >>> 7) + 8 > out.byteLength) return -1;
  let to = at + 1;
  out[at] = (Math.min(literals, 15) << 4) | Math.min(extra, 15);
  if (literals >= 15) to = lengthBytes(out, to, literals - 15);
  copyLiterals(out, to, data, anchor, literals);
  to += literals;
  if (length === 0) return to;
  out[to++] = distance;
  out[to++] = distance >>> 8;
  return extra >= 15 ? lengthBytes(out, to, extra - 15) : to;
}

function lengthBytes(out: Uint8Array, at: number, length: number): number {
  let to = at;
  let left = length;
  for (; left >= 255; left -= 255) out[to++] = 255;
  out[to++] = left;
  return to;
}
