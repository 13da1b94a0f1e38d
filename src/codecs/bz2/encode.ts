import type { Bytes } from "../../fs/driver.js";
import { Pace } from "../pace.js";
import { BitWriter } from "./bit-writer.js";
import { BlockBuilder } from "./block-builder.js";
import { Symbols, writeSymbols } from "./entropy.js";
import { BLOCK_MAGIC, combined, END_MAGIC } from "./format.js";
import { transform } from "./transform.js";

/** Bytes that are taken in between two looks at the clock. */
const STRETCH = 64 * 1024;

/** One bz2 stream with blocks of `level` times 100,000 bytes. */
export async function* encode(bytes: Bytes, level: number): Bytes {
  const stream = new StreamWriter(level);
  const pace = new Pace();
  for await (const chunk of bytes) {
    for (let at = 0; at < chunk.byteLength; ) {
      const end = Math.min(chunk.byteLength, at + STRETCH);
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
