import type { Bytes } from "../../fs/driver.js";
import type { Source } from "../source.js";
import { expand } from "./block.js";
import { BLOCK, COMPRESSED, FIRST_SKIPPABLE, IDENTIFIER, MAGIC, masked, UNCOMPRESSED } from "./frame.js";

/** A block of 64 KiB that does not compress grows by at most this (snappy's own bound). */
const MOST = 4 + 32 + BLOCK + Math.ceil(BLOCK / 6);

/**
 * Streams one after the other; each begins with its identifier. Empty input is empty content, as in Python. The format
 * has no end mark: input that is cut between two chunks cannot be told from whole input.
 */
export async function* decode(source: Source): Bytes {
  for (let first = true; await source.has(1); first = false) {
    const start = source.offset;
    const head = await source.take(4);
    const type = head[0]!;
    const size = head[1]! | (head[2]! << 8) | (head[3]! << 16);
    if (first && type !== IDENTIFIER) throw source.corrupt("no snappy stream identifier", start);
    if (type === IDENTIFIER) await identifier(source, size);
    else if (type >= FIRST_SKIPPABLE) await source.pass(size);
    else if (type > UNCOMPRESSED) throw source.corrupt(`an unknown chunk type ${type}`, start);
    else yield await chunk(source, type, size);
  }
}

async function identifier(source: Source, size: number): Promise<void> {
  const start = source.offset;
  const same = size === MAGIC.byteLength && MAGIC.equals(await source.take(size));
  if (!same) throw source.corrupt("a wrong stream identifier", start);
}

async function chunk(source: Source, type: number, size: number): Promise<Uint8Array> {
  const start = source.offset;
  if (size < 4 || size > MOST) throw source.corrupt("a chunk of an impossible size", start - 4);
  const body = await source.take(size);
  const sum = Buffer.from(body.subarray(0, 4)).readUInt32LE(0);
  const data = type === COMPRESSED ? expand(body.subarray(4), BLOCK) : new Uint8Array(body.subarray(4));
  if (!data || data.byteLength > BLOCK) throw source.corrupt("a damaged chunk", start);
  if (masked(data) !== sum) throw source.corrupt("the CRC-32C does not match", start);
  return data;
}
