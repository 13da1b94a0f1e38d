import type { Bytes } from "../../fs/driver.js";
import { Xxh32, xxh32 } from "../checksums/xxh32.js";
import { viewOf } from "../history.js";
import { matchLength } from "../matches.js";
import { blocks } from "../parallel.js";
import * as F from "./frame.js";

/** Bytes of a block: what Python's lz4.frame writes. */
const BLOCK = 65_536;
/** Bytes in one buffer. Matches do not refer back beyond it, which costs 0.1 % and spares a sliding window. */
const SEGMENT = 1024 * 1024;
const HASH_BITS = 13;
/** A block ends with at least five literals, and its last match begins at least twelve bytes before the end. */
const LAST_LITERALS = 5;
const LAST_MATCH = 12;

/** One frame with linked blocks and a checksum of the content. */
export async function* encode(bytes: Bytes): Bytes {
  const hash = new Xxh32();
  const table = new Int32Array(1 << HASH_BITS);
  const scratch = Buffer.allocUnsafeSlow(4 + BLOCK);
  yield header();
  for await (const { data } of blocks(bytes, SEGMENT)) {
    table.fill(0);
    for (let start = 0; start < data.byteLength; start += BLOCK) {
      const end = Math.min(start + BLOCK, data.byteLength);
      hash.add(data.subarray(start, end));
      yield block(data, start, end, table, scratch);
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

/** One block behind its size; as it is when compressing would not make it smaller. */
function block(data: Uint8Array, start: number, end: number, table: Int32Array, scratch: Buffer): Uint8Array {
  const size = end - start;
  const packed = compress(data, start, end, scratch.subarray(4, 4 + size), table);
  scratch.writeUInt32LE(packed || F.RAW + size, 0);
  if (packed === 0) scratch.set(data.subarray(start, end), 4);
  return new Uint8Array(scratch.subarray(0, 4 + (packed || size)));
}

/** Compresses one block into `out`, which is as long as the block. The packed size; 0 when it would not be smaller. */
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

/** The slot of four bytes. Numbers stand here as literals, because bundlers turn named ones into variables. */
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
