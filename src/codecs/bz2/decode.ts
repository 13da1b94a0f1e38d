import type { Bytes } from "../../fs/driver.js";
import { Pace } from "../pace.js";
import type { Source } from "../source.js";
import { Bits } from "./bits.js";
import { BLOCK_MAGIC, combined, crcOf, END_MAGIC } from "./format.js";
import { Inverse } from "./inverse.js";
import { readSymbols } from "./symbols.js";

const CHUNK = 64 * 1024;
const UNIT = 100_000;

/** Streams one after the other, at least one. What follows the last one is Corrupt, where Python ignores it. */
export async function* decode(source: Source): Bytes {
  const bits = new Bits(source);
  const pace = new Pace();
  let inverse = new Inverse(0);
  do {
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

async function* stream(source: Source, bits: Bits, inverse: Inverse, size: number, pace: Pace): Bytes {
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

async function* block(source: Source, bits: Bits, inverse: Inverse, size: number, expected: number, pace: Pace): Bytes {
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
