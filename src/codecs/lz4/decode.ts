import type { Bytes } from "../../fs/driver.js";
import { Xxh32, xxh32 } from "../checksums/xxh32.js";
import { copyMatch, History, viewOf } from "../history.js";
import type { Source } from "../source.js";
import * as F from "./frame.js";

interface Frame {
  flags: number;
  blockSize: number;
  contentSize: number | undefined;
}

/** Frames one after the other, skippable ones dropped; at least one frame. */
export async function* decode(source: Source): Bytes {
  do {
    const start = source.offset;
    const magic = await number(source);
    if (magic === F.MAGIC) yield* frame(source);
    else if ((magic & -16) >>> 0 === F.SKIPPABLE) await source.pass(await number(source));
    else throw source.corrupt("no lz4 frame", start);
  } while (await source.has(1));
}

async function number(source: Source): Promise<number> {
  return Buffer.from(await source.take(4)).readUInt32LE(0);
}

async function* frame(source: Source): Bytes {
  const { flags, blockSize, contentSize } = await header(source);
  const history = new History(F.REACH, blockSize);
  const hash = flags & F.CONTENT_CHECKSUM ? new Xxh32() : undefined;
  let length = 0;
  for (let size = await number(source); size !== 0; size = await number(source)) {
    const data = await block(source, flags, size, history, blockSize);
    hash?.add(data);
    length += data.byteLength;
    yield data;
  }
  const at = source.offset;
  if (contentSize !== undefined && contentSize !== length) throw source.corrupt("the length does not match", at);
  if (hash && (await number(source)) !== hash.digest()) throw source.corrupt("the checksum does not match", at);
}

async function header(source: Source): Promise<Frame> {
  const start = source.offset;
  if (!(await source.has(2))) throw source.truncated();
  const flags = source.buffered[0]!;
  if ((flags & 0xc2) !== F.VERSION) throw source.corrupt("an unknown version or flag", start);
  if (flags & F.DICTIONARY) throw source.unsupported("the frame needs a dictionary");
  const descriptor = Buffer.from(await source.take(flags & F.CONTENT_SIZE ? 10 : 2));
  const check = (await source.take(1))[0];
  const blockSize = F.BLOCK_SIZES.get((descriptor[1]! & 0x70) >> 4);
  if (check !== ((xxh32(descriptor) >>> 8) & 255)) throw source.corrupt("the header's checksum does not match", start);
  if (!blockSize || descriptor[1]! & 0x8f) throw source.corrupt("an unknown block size", start);
  return { flags, blockSize, contentSize: flags & F.CONTENT_SIZE ? Number(descriptor.readBigUInt64LE(2)) : undefined };
}

async function block(
  source: Source,
  flags: number,
  sizeWord: number,
  history: History,
  most: number,
): Promise<Uint8Array> {
  const start = source.offset;
  const size = sizeWord % F.RAW;
  if (size > most) throw source.corrupt("a block is too large", start - 4);
  const data = await blockData(source, flags, size);
  history.reserve(most);
  if (flags & F.INDEPENDENT) history.low = history.at;
  const from = history.at;
  if (sizeWord >= F.RAW) {
    history.bytes.set(data, from);
    history.at += size;
  } else {
    history.at = expand(data, history, from + most);
    if (history.at < 0) throw source.corrupt("a damaged block", start);
  }
  return history.since(from);
}

async function blockData(source: Source, flags: number, size: number): Promise<Uint8Array> {
  const checked = flags & F.BLOCK_CHECKSUM;
  const start = source.offset;
  const data = await source.take(checked ? size + 4 : size);
  if (!checked) return data;
  const sum = Buffer.from(data.subarray(size)).readUInt32LE(0);
  if (sum !== xxh32(data.subarray(0, size))) throw source.corrupt("a block's checksum does not match", start);
  return data.subarray(0, size);
}

/** Expands one block. Where the output ends, at most `end`; -1 for a damaged block. */
function expand(block: Uint8Array, history: History, end: number): number {
  const { bytes, view, low } = history;
  const blockView = viewOf(block);
  const size = block.byteLength;
  // Short copies go by four bytes and may write up to three too many: not at the very end of a buffer.
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
