import type { Bytes } from "../../fs/driver.js";
import { History } from "../history.js";
import type { Source } from "../source.js";
import { LzmaDecoder, properties } from "./lzma.js";
import { RANGE_START } from "./range.js";
import { checkDictionary } from "./sizes.js";

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
export async function* decodeAlone(source: Source): Bytes {
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
  readonly #source: Source;
  readonly #history: History;
  readonly #lzma: LzmaDecoder;

  constructor(source: Source, dictionary: number) {
    this.#source = source;
    this.#history = new History(dictionary, PIECE);
    this.#lzma = new LzmaDecoder(this.#history);
  }

  async *content(found: { lc: number; lp: number; pb: number }, length: number): Bytes {
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
