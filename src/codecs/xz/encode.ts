import { crc32 } from "node:zlib";
import type { ByteStream } from "../../streams.js";
import { blocks } from "../parallel.js";
import { Pace } from "../stream.js";
import { type Check, checkOf } from "./format.js";
import { LzmaEncoder, PROPERTIES } from "./lzma-encode.js";

/** Content of one LZMA2 chunk: what is encoded at a stretch. */
const CHUNK = 8 * 1024;
const CRC64 = 4;
/** Stream flags: the check. */
const FLAGS = Buffer.from([0, CRC64]);

/** Content of a block, which is also its dictionary, by level: as xz has it, up to 8 MiB. */
const DICTIONARIES = [18, 20, 21, 22, 22, 23, 23, 23, 23, 23] as const;

/** One .xz stream with a CRC-64, as Python's LZMAFile writes it; a block for every dictionary's length of content. */
export async function* encode(bytes: ByteStream, level: number): ByteStream {
  const bits = DICTIONARIES[level]!;
  const pace = new Pace();
  const records: Uint8Array[] = [];
  yield Buffer.concat([Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0), FLAGS, crcBytes(FLAGS)]);
  for await (const { data } of blocks(bytes, 2 ** bits)) {
    if (data.byteLength === 0) break;
    const header = blockHeader(bits);
    yield header;
    let packed = 0;
    const check = checkOf(CRC64)!;
    for (const chunk of lzma2(data, depthOf(level), check)) {
      packed += chunk.byteLength;
      yield chunk;
      await pace.rest();
    }
    yield Buffer.concat([Buffer.alloc(-packed & 3), check.digest()]);
    records.push(Buffer.concat([vli(header.byteLength + packed + check.size), vli(data.byteLength)]));
  }
  const index = indexOf(records);
  yield Buffer.concat([index, footer(index.byteLength)]);
}

/** How far chains of possible matches are followed. */
function depthOf(level: number): number {
  return 4 * 2 ** Math.min(level >> 1, 4);
}

/** Chunks of LZMA, stored where that is shorter; each but the first goes on with the dictionary of the one before. */
function* lzma2(data: Uint8Array, depth: number, check: Check): Generator<Uint8Array> {
  const lzma = new LzmaEncoder(data, depth, CHUNK);
  let needsProperties = true;
  let needsState = false;
  for (let from = 0; from < data.byteLength; from += CHUNK) {
    const to = Math.min(data.byteLength, from + CHUNK);
    check.add(data.subarray(from, to));
    if (needsState) lzma.resetState();
    const packed = lzma.encode(from, to);
    if (packed.byteLength < to - from) {
      const reset = from === 0 ? 3 : needsProperties ? 2 : needsState ? 1 : 0;
      yield compressedChunk(packed, to - from, reset);
      needsProperties = false;
      needsState = false;
    } else {
      yield storedChunk(data.subarray(from, to), from === 0);
      needsState = true;
    }
  }
  yield Uint8Array.of(0);
}

function compressedChunk(packed: Uint8Array, size: number, reset: number): Uint8Array {
  const [more, stored] = [size - 1, packed.byteLength - 1];
  const head = [0x80 | (reset << 5) | (more >> 16), more >> 8, more, stored >> 8, stored];
  return Buffer.concat([Uint8Array.from(reset >= 2 ? [...head, PROPERTIES] : head), packed]);
}

function storedChunk(data: Uint8Array, first: boolean): Uint8Array {
  const more = data.byteLength - 1;
  return Buffer.concat([Uint8Array.of(first ? 1 : 2, more >> 8, more), data]);
}

/** Twelve bytes: their number, no sizes, one filter (LZMA2, one byte of properties), padding and CRC. */
function blockHeader(dictionaryBits: number): Uint8Array {
  const header = Uint8Array.of(2, 0, 0x21, 1, 2 * (dictionaryBits - 12), 0, 0, 0);
  return Buffer.concat([header, crcBytes(header)]);
}

function indexOf(records: Uint8Array[]): Uint8Array {
  const list = Buffer.concat([Uint8Array.of(0), vli(records.length), ...records]);
  const padded = Buffer.concat([list, Buffer.alloc(-list.byteLength & 3)]);
  return Buffer.concat([padded, crcBytes(padded)]);
}

function footer(indexSize: number): Uint8Array {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(indexSize / 4 - 1, 0);
  const fields = Buffer.concat([size, FLAGS]);
  return Buffer.concat([crcBytes(fields), fields, Buffer.from("YZ")]);
}

function crcBytes(data: Uint8Array): Uint8Array {
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32(data), 0);
  return sum;
}

/** A number, seven bits a byte, the lowest first. */
function vli(value: number): Uint8Array {
  const bytes: number[] = [];
  let left = value;
  for (; left > 127; left = Math.floor(left / 128)) bytes.push((left % 128) | 128);
  bytes.push(left);
  return Uint8Array.from(bytes);
}
