// The frame format (RFC 8878). All numbers are little-endian.
import { failure } from "../../errors.js";
import type { CompressedSource } from "../stream.js";

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
/** Largest window that is accepted: what the reference decoder allows with `windowLogMax` 27. */
const MOST_WINDOW = 2 ** 27;
/** Most content of a block. */
export const BLOCK = 128 * 1024;

export const RAW = 0;
export const RLE = 1;
export const COMPRESSED = 2;

/** What stands before the blocks of a frame. */
export interface FrameHeader {
  /** Its own bytes, the magic number included. */
  length: number;
  window: number;
  contentSize: number | undefined;
  checksum: boolean;
}

export interface BlockHeader {
  last: boolean;
  type: number;
  /** Of the block as stored, without its header. */
  stored: number;
  size: number;
}

/** The header of the next frame, not consumed; skippable frames before it are. Undefined at the end of the input. */
export async function nextFrame(source: CompressedSource): Promise<FrameHeader | undefined> {
  while (await source.has(1)) {
    source.member();
    if (!(await source.has(4))) throw source.truncated();
    const magic = view(source).getUint32(0, true);
    if (magic === MAGIC) return header(source);
    if ((magic & -16) >>> 0 !== SKIPPABLE) throw source.corrupt("no zstd frame");
    if (!(await source.has(8))) throw source.truncated();
    await source.pass(8 + view(source).getUint32(4, true));
  }
  return undefined;
}

function view(source: CompressedSource): DataView {
  const { buffer, byteOffset, byteLength } = source.buffered;
  return new DataView(buffer, byteOffset, byteLength);
}

async function header(source: CompressedSource): Promise<FrameHeader> {
  if (!(await source.has(5))) throw source.truncated();
  const flags = source.buffered[4]!;
  const single = (flags & 32) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][flags & 3]!;
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][flags >> 6]!;
  const windowBytes = single ? 0 : 1;
  const length = 5 + windowBytes + dictionaryBytes + sizeBytes;
  if (!(await source.has(length))) throw source.truncated();
  if (flags & 8) throw source.corrupt("an unknown flag");
  const bytes = view(source);
  for (let at = 0; at < dictionaryBytes; at++) {
    if (bytes.getUint8(5 + windowBytes + at) !== 0) throw source.unsupported("the frame needs a dictionary");
  }
  const contentSize = readSize(bytes, length - sizeBytes, sizeBytes);
  const window = single ? contentSize! : windowSize(bytes.getUint8(5));
  if (window > MOST_WINDOW) throw failure("TooLarge", `zstd: a window of ${window} bytes, the limit is ${MOST_WINDOW}`);
  return { length, window, contentSize, checksum: (flags & 4) !== 0 };
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function readSize(bytes: DataView, at: number, count: number): number | undefined {
  if (count === 0) return undefined;
  if (count === 1) return bytes.getUint8(at);
  if (count === 2) return bytes.getUint16(at, true) + 256;
  return count === 4 ? bytes.getUint32(at, true) : Number(bytes.getBigUint64(at, true));
}

/** The header of the block at `at` of `bytes`, three bytes long. */
export function blockHeader(source: CompressedSource, bytes: Uint8Array, at: number): BlockHeader {
  const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
  const type = (word >> 1) & 3;
  const size = word >> 3;
  if (type > COMPRESSED || size > BLOCK) throw source.corrupt("a damaged block header", source.offset + at);
  return { last: (word & 1) === 1, type, stored: type === RLE ? 1 : size, size };
}
