// The .xz file format, version 1.2.1 (tukaani.org/xz/xz-file-format.txt).

import { createHash, type Hash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { ByteStream } from "../../streams.js";
import { History } from "../lz-window.js";
import type { CompressedSource } from "../stream.js";
import { type BlockHeader, blockHeader, type Check, checkDictionary, checkOf, Vli } from "./format.js";
import { decodeLzma2, LzmaDecoder, properties, RANGE_START } from "./lzma-decode.js";

const MAGIC = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]);
const FOOTER_MAGIC = Buffer.from("YZ");

/** Streams with padding between them, at least one; or one stream of the legacy .lzma format. */
export async function* decode(source: CompressedSource): ByteStream {
  const first = await source.peek();
  if (!first) throw source.truncated();
  if (first[0] !== MAGIC[0]) {
    yield* decodeAlone(source);
    return;
  }
  do {
    source.member();
    yield* stream(source);
    await padding(source);
  } while (await source.has(1));
}

/** Zeros, four at a time. */
async function padding(source: CompressedSource): Promise<void> {
  while ((await source.has(4)) && source.buffered.subarray(0, 4).every((byte) => byte === 0)) source.skip(4);
}

async function* stream(source: CompressedSource): ByteStream {
  const flags = await streamHeader(source);
  const records = new Records();
  for (;;) {
    source.member();
    const start = source.offset;
    const size = (await source.take(1))[0]!;
    if (size === 0) {
      await index(source, start, records);
      await footer(source, flags, source.offset - start);
      return;
    }
    const header = await blockHeader(source, size);
    const check = checkOf(flags[1]!)!;
    const content = yield* block(source, header, check);
    records.add(source.offset - start - content.padding, content.size);
  }
}

async function streamHeader(source: CompressedSource): Promise<Buffer> {
  const start = source.offset;
  const header = Buffer.from(await source.take(12));
  if (!header.subarray(0, 6).equals(MAGIC)) throw source.corrupt("no xz header", start);
  const flags = header.subarray(6, 8);
  if (crc32(flags) !== header.readUInt32LE(8)) throw source.corrupt("the header's CRC does not match", start);
  if (flags[0] !== 0 || flags[1]! > 15 || !checkOf(flags[1]!))
    throw source.unsupported(`check ${flags.toString("hex")}`);
  return flags;
}

/** One block's content. Returns its length and the padding behind it. */
async function* block(
  source: CompressedSource,
  header: BlockHeader,
  check: Check,
): AsyncGenerator<Uint8Array, { size: number; padding: number }> {
  const start = source.offset;
  let size = 0;
  for await (const data of decodeLzma2(source, header.dictionary)) {
    check.add(data);
    size += data.byteLength;
    yield data;
  }
  const packed = source.offset - start;
  if ((header.packed ?? packed) !== packed || (header.size ?? size) !== size) {
    throw source.corrupt("a block's length does not match");
  }
  const padding = -packed & 3;
  const zeros = await source.take(padding);
  if (zeros.some((byte) => byte !== 0)) throw source.corrupt("a block's padding is not zero");
  const at = source.offset;
  if (!check.digest().equals(await source.take(check.size))) throw source.corrupt("a block's check does not match", at);
  return { size, padding };
}

/** The sizes of blocks, as a hash: their number knows no bound. */
class Records {
  count = 0;
  readonly #hash: Hash = createHash("sha256");

  add(unpadded: number, size: number): void {
    this.count++;
    this.#hash.update(`${unpadded},${size};`);
  }

  equals(other: Records): boolean {
    return this.count === other.count && this.#hash.digest().equals(other.#hash.digest());
  }
}

/** The list of all blocks, behind its zero byte. */
async function index(source: CompressedSource, start: number, expected: Records): Promise<void> {
  const numbers = new Vli(source, crc32(Buffer.alloc(1)));
  const count = await numbers.next();
  const found = new Records();
  if (count !== expected.count) throw source.corrupt("the index does not match", start);
  while (found.count < count) found.add(await numbers.next(), await numbers.next());
  while ((source.offset - start) & 3) if ((await numbers.byte()) !== 0) throw source.corrupt("a damaged index");
  if (!expected.equals(found)) throw source.corrupt("the index does not match", start);
  const sum = Buffer.from(await source.take(4)).readUInt32LE(0);
  if (sum !== numbers.crc) throw source.corrupt("the index's CRC does not match", source.offset - 4);
}

async function footer(source: CompressedSource, flags: Buffer, indexSize: number): Promise<void> {
  const start = source.offset;
  const footer = Buffer.from(await source.take(12));
  const sound =
    footer.readUInt32LE(0) === crc32(footer.subarray(4, 10)) &&
    (footer.readUInt32LE(4) + 1) * 4 === indexSize &&
    footer.subarray(8, 10).equals(flags) &&
    footer.subarray(10).equals(FOOTER_MAGIC);
  if (!sound) throw source.corrupt("a damaged footer", start);
}

/** Content that is decoded at a stretch. */
const PIECE = 64 * 1024;
/** More input than any symbol takes. */
const SYMBOL = 32;
/** Compressed bytes in hand while decoding. */
const INPUT = 16 * 1024;
const UNKNOWN = 2n ** 64n - 1n;
/** More than this is taken for garbage, as liblzma does when it guesses the format. */
const MOST_CONTENT = 2n ** 38n;

/** The legacy format: a header of 13 bytes and one LZMA stream, which an end mark, the known length, or both end. */
async function* decodeAlone(source: CompressedSource): ByteStream {
  const header = Buffer.from(await source.take(13));
  const found = properties(header[0]!);
  const dictionary = header.readUInt32LE(1);
  const length = header.readBigUInt64LE(5);
  const possible = found && isUsual(dictionary) && (length === UNKNOWN || length < MOST_CONTENT);
  if (!possible) throw source.corrupt("neither an xz nor an lzma header", 0);
  const stream = new Stream(source, checkDictionary(dictionary));
  yield* stream.content(found, length === UNKNOWN ? Number.POSITIVE_INFINITY : Number(length));
  if (await source.has(1)) throw source.corrupt("data after the end");
}

/** Sizes that encoders write: 2^n, 2^n + 2^(n-1), or all bits set. */
function isUsual(dictionary: number): boolean {
  if (dictionary === 0xffff_ffff) return true;
  const top = 2 ** (31 - Math.clz32(dictionary));
  return dictionary === top || dictionary === top + top / 2;
}

class Stream {
  readonly #source: CompressedSource;
  readonly #history: History;
  readonly #lzma: LzmaDecoder;

  constructor(source: CompressedSource, dictionary: number) {
    this.#source = source;
    this.#history = new History(dictionary, PIECE);
    this.#lzma = new LzmaDecoder(this.#history);
  }

  async *content(found: { lc: number; lp: number; pb: number }, length: number): ByteStream {
    const lzma = this.#lzma;
    lzma.setProperties(found);
    if (!lzma.range.start(await this.#source.take(RANGE_START), 0)) throw this.#source.corrupt("a damaged stream", 13);
    let left = length;
    while (left > 0 && !lzma.ended) {
      const piece = await this.#piece(Math.min(left, PIECE));
      left -= piece.byteLength;
      yield piece;
    }
    if (left === 0) await this.#endMark();
    if (lzma.isInMatch || (left > 0 && left !== Number.POSITIVE_INFINITY)) {
      throw this.#source.corrupt("the length does not match");
    }
    if (!lzma.range.isFinished) throw this.#source.corrupt("a damaged end");
  }

  /** Up to `size` bytes: as far as the input in hand reaches. */
  async #piece(size: number): Promise<Uint8Array> {
    const history = this.#history;
    history.reserve(size);
    const from = history.at;
    await this.#step(from + size);
    return history.since(from);
  }

  async #step(limit: number): Promise<void> {
    const source = this.#source;
    const more = await source.has(2 * SYMBOL);
    const input = source.buffered.subarray(0, INPUT);
    const { range } = this.#lzma;
    // At the end of the input zeros follow, so that reading too far is harmless and is seen below.
    range.input = more ? input : Buffer.concat([input, Buffer.alloc(2 * SYMBOL)]);
    range.at = 0;
    const sound = this.#lzma.run(limit, more ? input.byteLength - SYMBOL : input.byteLength);
    if (range.at > input.byteLength) throw source.truncated();
    source.skip(range.at);
    if (!sound) throw source.corrupt("a damaged stream");
    if (!more && this.#history.at < limit && !this.#lzma.ended) throw source.truncated();
  }

  /** Behind a known length an end mark may stand. */
  async #endMark(): Promise<void> {
    const { range, isInMatch } = this.#lzma;
    if (isInMatch || range.isFinished) return;
    const { at } = this.#history;
    this.#history.reserve(1);
    await this.#step(this.#history.at + 1);
    if (!this.#lzma.ended || this.#history.at > at) throw this.#source.corrupt("the length does not match");
  }
}
