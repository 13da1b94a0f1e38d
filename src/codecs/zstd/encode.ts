import type { Bytes } from "../../fs/driver.js";
import { Xxh64 } from "../checksums/xxh64.js";
import { MatchFinder } from "../matches.js";
import { blocks } from "../parallel.js";
import { writeLiterals } from "./encoder/literals.js";
import { SequenceList, writeSequences } from "./encoder/sequences.js";
import { BLOCK, COMPRESSED, RAW, RLE } from "./frame.js";

/** Bytes in one buffer and the window that the frame asks for: matches do not go beyond it. */
const SEGMENT = 1024 * 1024;
/** Magic number, a checksum at the end, and the window: 2^(10 + (80 >> 3)). */
const HEADER = [0x28, 0xb5, 0x2f, 0xfd, 0x04, 80];
/** Shortest match: three bytes rarely pay. */
const SHORTEST = 4;

/** One frame with a checksum. For Node without zstd. */
export async function* encode(bytes: Bytes, level: number): Bytes {
  const hash = new Xxh64();
  yield Uint8Array.from(HEADER);
  for await (const { data, last } of blocks(bytes, SEGMENT)) {
    const encoder = new SegmentEncoder(data, depthOf(level));
    for (let from = 0; from < data.byteLength || (last && from === 0); from += BLOCK) {
      const to = Math.min(data.byteLength, from + BLOCK);
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
