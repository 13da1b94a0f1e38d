import type { ByteStream } from "../../streams.js";
import { Pace } from "../stream.js";
import { BitWriter, Symbols, writeSymbols } from "./entropy.js";
import { BLOCK_MAGIC, combined, crcOf, END_MAGIC, STRETCH } from "./format.js";
import { sortSuffixes } from "./suffix-array.js";

/** Bytes that are taken in between two looks at the clock. */
const ENCODE_STRETCH = 64 * 1024;

/** One bz2 stream with blocks of `level` times 100,000 bytes. */
export async function* encode(bytes: ByteStream, level: number): ByteStream {
  const stream = new StreamWriter(level);
  const pace = new Pace();
  for await (const chunk of bytes) {
    for (let at = 0; at < chunk.byteLength; ) {
      const end = Math.min(chunk.byteLength, at + ENCODE_STRETCH);
      at = stream.builder.add(chunk.subarray(0, end), at);
      if (at < end) yield await stream.block(pace);
      else await pace.rest();
    }
  }
  if (stream.builder.block.byteLength > 0) yield await stream.block(pace);
  yield stream.end();
}

class StreamWriter {
  readonly builder: BlockBuilder;
  readonly #writer = new BitWriter();
  #order = new Int32Array(0);
  #last = new Uint8Array(0);
  #symbols = new Uint16Array(0);
  #sum = 0;

  constructor(level: number) {
    this.builder = new BlockBuilder(level);
    this.#writer.write(24, 0x425a68);
    this.#writer.write(8, 0x30 + level);
  }

  /** Writes the block that the builder has filled. */
  async block(pace: Pace): Promise<Uint8Array> {
    const { block, crc } = this.builder;
    this.#reserve(block.byteLength);
    const last = this.#last.subarray(0, block.byteLength);
    const origin = await paced(transform(block, this.#order, last), pace);
    const symbols = new Symbols(last, this.#symbols);
    await paced(symbols.make(), pace);
    for (const word of BLOCK_MAGIC) this.#writer.write(24, word);
    this.#writer.writeWord(crc);
    this.#writer.write(1, 0);
    this.#writer.write(24, origin);
    await paced(writeSymbols(this.#writer, symbols), pace);
    this.#sum = combined(this.#sum, crc);
    this.builder.reset();
    return this.#writer.drain();
  }

  end(): Uint8Array {
    for (const word of END_MAGIC) this.#writer.write(24, word);
    this.#writer.writeWord(this.#sum);
    return this.#writer.finish();
  }

  /** Working memory for a block of `size` bytes; small values do not pay for large blocks. */
  #reserve(size: number): void {
    if (this.#order.length >= size) return;
    this.#order = new Int32Array(size);
    this.#last = new Uint8Array(size);
    this.#symbols = new Uint16Array(size + 1);
  }
}

async function paced<T>(work: Generator<void, T>, pace: Pace): Promise<T> {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
    await pace.rest();
  }
}

/** What bzip2 leaves free at the end of a block. */
const SPARE = 19;
const UNIT = 100_000;
/** A run of four is followed by how often its byte comes again, up to this. */
const MOST_MORE = 251;

/** Fills a block with content, runs of four and more folded. */
class BlockBuilder {
  readonly #bytes: Uint8Array;
  #filled = 0;
  #run = 0;
  #last = -1;
  #crc = -1;

  constructor(level: number) {
    this.#bytes = new Uint8Array(level * UNIT - SPARE);
  }

  /** Checksum of the content. */
  get crc(): number {
    return ~this.#crc;
  }

  /** Takes content in from `from` on. Where it stopped: at the end, or before because the block is full. */
  add(data: Uint8Array, from: number): number {
    const bytes = this.#bytes;
    const limit = bytes.byteLength - 1;
    let [filled, run, last, at] = [this.#filled, this.#run, this.#last, from];
    for (; at < data.byteLength; at++) {
      const byte = data[at]!;
      if (byte === last && run < 4 + MOST_MORE) {
        if (run < 4) {
          // A fourth byte brings a fifth, the count.
          if (filled >= limit) break;
          bytes[filled++] = byte;
          if (run === 3) bytes[filled++] = 0;
        } else {
          bytes[filled - 1] = run - 3;
        }
        run++;
      } else {
        if (filled >= limit) break;
        bytes[filled++] = byte;
        last = byte;
        run = 1;
      }
    }
    this.#crc = crcOf(data.subarray(from, at), this.#crc);
    this.#filled = filled;
    this.#run = run;
    this.#last = last;
    return at;
  }

  /** The block so far. */
  get block(): Uint8Array {
    return this.#bytes.subarray(0, this.#filled);
  }

  reset(): void {
    this.#filled = 0;
    this.#run = 0;
    this.#last = -1;
    this.#crc = -1;
  }
}

/**
 * The Burrows-Wheeler transform of `block` into `out`: the last bytes of its sorted rotations. Returns the rank of the
 * block itself; yields now and then.
 *
 * Of a text that begins with its least rotation, the suffixes have the order of the rotations (it is a power of a Lyndon
 * word), so that sorting suffixes, which takes linear time for any input, is enough.
 */
function* transform(block: Uint8Array, order: Int32Array, out: Uint8Array): Generator<void, number> {
  const size = block.byteLength;
  const least = yield* leastRotation(block);
  const text = new Uint8Array(size);
  text.set(block.subarray(least));
  text.set(block.subarray(0, least), size - least);
  yield* sortSuffixes(text, 256, order);
  const first = least === 0 ? 0 : size - least;
  let origin = 0;
  for (let from = 0; from < size; from += STRETCH) {
    const found = lastBytes(text, order, out, first, from, Math.min(size, from + STRETCH));
    if (found >= 0) origin = found;
    yield;
  }
  return origin;
}

/** The last bytes of some of the sorted rotations, and the rank of rotation `first`, -1 when it is none of them. */
function lastBytes(
  text: Uint8Array,
  order: Int32Array,
  out: Uint8Array,
  first: number,
  from: number,
  to: number,
): number {
  const size = text.byteLength;
  let origin = -1;
  for (let rank = from; rank < to; rank++) {
    const at = order[rank]!;
    if (at === first) origin = rank;
    out[rank] = text[at === 0 ? size - 1 : at - 1]!;
  }
  return origin;
}

/** Where the least rotation begins: two candidates leap over what cannot be it. */
function* leastRotation(text: Uint8Array): Generator<void, number> {
  const size = text.byteLength;
  let a = 0;
  let b = 1;
  let same = 0;
  let steps = 0;
  while (a < size && b < size && same < size) {
    const left = text[a + same < size ? a + same : a + same - size]!;
    const right = text[b + same < size ? b + same : b + same - size]!;
    if (++steps % STRETCH === 0) yield;
    if (left === right) {
      same++;
      continue;
    }
    if (left > right) a += same + 1;
    else b += same + 1;
    if (a === b) b++;
    same = 0;
  }
  return Math.min(a, b);
}
