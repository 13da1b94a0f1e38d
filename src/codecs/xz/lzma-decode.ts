import { copyMatch, History } from "../lz-window.js";
import type { CompressedSource } from "../stream.js";
import {
  ALIGN,
  afterLiteral,
  HALF,
  HIGH,
  IS_MATCH,
  IS_REP,
  IS_REP0,
  IS_REP0_LONG,
  IS_REP1,
  IS_REP2,
  LENGTH,
  LITERAL,
  LOW,
  MIDDLE,
  REP_LENGTH,
  SLOT,
  SPECIAL,
} from "./format.js";

/** In the place of a distance: the end of the content. */
const END_MARKER = -1;

/** The three parameters of a stream, from the byte that holds them; undefined when it is impossible. */
export function properties(byte: number): { lc: number; lp: number; pb: number } | undefined {
  if (byte >= 225) return undefined;
  return { lc: byte % 9, lp: Math.floor(byte / 9) % 5, pb: Math.floor(byte / 45) };
}

/** Decodes LZMA: literals, matches and repeated distances, each bit under its own adaptive probability. */
export class LzmaDecoder {
  readonly range = new RangeDecoder();
  readonly #history: History;
  #probs = new Uint16Array(LITERAL);
  #state = 0;
  /** The last four distances, less one; the latest first. */
  readonly #reps = new Int32Array(4);
  #lc = 0;
  #literalMask = 0;
  #positionMask = 0;
  /** Bytes since the dictionary began. */
  #position = 0;
  /** What is left of a match that ran into the limit. */
  #pending = 0;
  /** Whether the mark of the end was read. */
  ended = false;

  constructor(history: History) {
    this.#history = history;
  }

  /** Whether a match is cut off by the limit of the last run. */
  get isInMatch(): boolean {
    return this.#pending > 0;
  }

  setProperties({ lc, lp, pb }: { lc: number; lp: number; pb: number }): void {
    this.#lc = lc;
    this.#literalMask = (1 << lp) - 1;
    this.#positionMask = (1 << pb) - 1;
    this.#probs = new Uint16Array(LITERAL + (0x300 << (lc + lp)));
    this.resetState();
  }

  resetState(): void {
    this.#probs.fill(HALF);
    this.#state = 0;
    this.#reps.fill(0);
  }

  resetDictionary(): void {
    this.#history.low = this.#history.at;
    this.#position = 0;
  }

  /** Counts bytes that were stored as they are. */
  passed(count: number): void {
    this.#position += count;
  }

  /** Decodes until the history is filled to `limit`, the input is used up to `inputLimit`, or the end. Whether it is sound. */
  run(limit: number, inputLimit: number): boolean {
    const history = this.#history;
    const { range } = this;
    if (this.#pending > 0) this.#copy(limit);
    while (history.at < limit && range.at <= inputLimit && !this.ended) {
      const position = this.#position & this.#positionMask;
      const state = this.#state;
      if (range.bit(this.#probs, IS_MATCH + (state << 4) + position) === 0) {
        this.#literal();
      } else {
        if (range.bit(this.#probs, IS_REP + state) === 0) this.#match(position);
        else this.#rep(position);
        if (this.ended) return true;
        if (history.at - history.low <= this.#reps[0]! || this.#reps[0]! < 0) return false;
        this.#copy(limit);
      }
    }
    return true;
  }

  #literal(): void {
    const { bytes, at, low } = this.#history;
    const probs = this.#probs;
    const { range } = this;
    const before = at > low ? bytes[at - 1]! : 0;
    const context = ((this.#position & this.#literalMask) << this.#lc) + (before >>> (8 - this.#lc));
    const base = LITERAL + 0x300 * context;
    let symbol = 1;
    if (this.#state >= 7) {
      // Behind a match: the byte that would have continued it tells much about this one.
      let expected = bytes[at - this.#reps[0]! - 1]!;
      let offset = 0x100;
      do {
        expected <<= 1;
        const wanted = expected & offset;
        const bit = range.bit(probs, base + offset + wanted + symbol);
        symbol = (symbol << 1) | bit;
        offset &= bit ? wanted : ~wanted;
      } while (symbol < 0x100);
    } else {
      do symbol = (symbol << 1) | range.bit(probs, base + symbol);
      while (symbol < 0x100);
    }
    bytes[at] = symbol;
    this.#history.at = at + 1;
    this.#position++;
    this.#state = afterLiteral(this.#state);
  }

  #match(position: number): void {
    const reps = this.#reps;
    reps.copyWithin(1, 0, 3);
    this.#state = this.#state < 7 ? 7 : 10;
    const length = this.#length(LENGTH, position);
    reps[0] = this.#distance(Math.min(length - 2, 3));
    if (reps[0] === END_MARKER) this.ended = true;
    else this.#pending = length;
  }

  #rep(position: number): void {
    const { range } = this;
    const probs = this.#probs;
    const reps = this.#reps;
    const state = this.#state;
    if (range.bit(probs, IS_REP0 + state) === 0) {
      if (range.bit(probs, IS_REP0_LONG + (state << 4) + position) === 0) {
        this.#state = state < 7 ? 9 : 11;
        this.#pending = 1;
        return;
      }
    } else {
      const which = range.bit(probs, IS_REP1 + state) === 0 ? 1 : 2 + range.bit(probs, IS_REP2 + state);
      const distance = reps[which]!;
      reps.copyWithin(1, 0, which);
      reps[0] = distance;
    }
    this.#state = state < 7 ? 8 : 11;
    this.#pending = this.#length(REP_LENGTH, position);
  }

  #length(base: number, position: number): number {
    const { range } = this;
    const probs = this.#probs;
    if (range.bit(probs, base) === 0) return 2 + range.tree(probs, base + LOW + 8 * position, 3);
    if (range.bit(probs, base + 1) === 0) return 10 + range.tree(probs, base + MIDDLE + 8 * position, 3);
    return 18 + range.tree(probs, base + HIGH, 8);
  }

  /** A distance less one. Its two highest bits are the slot, the lowest four have probabilities of their own. */
  #distance(lengthState: number): number {
    const { range } = this;
    const slot = range.tree(this.#probs, SLOT + 64 * lengthState, 6);
    if (slot < 4) return slot;
    const count = (slot >> 1) - 1;
    const top = (2 | (slot & 1)) << count;
    if (slot < 14) return top + range.reverseTree(this.#probs, SPECIAL + top - slot, count);
    const middle = range.direct(count - 4) << 4;
    return (top + middle + range.reverseTree(this.#probs, ALIGN, 4)) | 0;
  }

  #copy(limit: number): void {
    const history = this.#history;
    const length = Math.min(this.#pending, limit - history.at);
    copyMatch(history.bytes, history.at, this.#reps[0]! + 1, length);
    history.at += length;
    this.#position += length;
    this.#pending -= length;
  }
}

/** Bytes that begin a stretch: a zero and the first four of the code. */
export const RANGE_START = 5;

/** The range decoder of LZMA. Its two numbers are unsigned, kept as signed ones, which are fast in fields. */
class RangeDecoder {
  input: Uint8Array = new Uint8Array(0);
  /** Next byte of the input; beyond its end when it was too short. */
  at = 0;
  #range = -1;
  #code = 0;

  /** Begins at `at` of `input`. Whether it can. */
  start(input: Uint8Array, at: number): boolean {
    this.input = input;
    this.at = at + RANGE_START;
    this.#range = -1;
    this.#code = (input[at + 1]! << 24) | (input[at + 2]! << 16) | (input[at + 3]! << 8) | input[at + 4]!;
    return input[at] === 0;
  }

  /** Whether nothing is left to decode. */
  get isFinished(): boolean {
    return this.#code === 0;
  }

  /** One bit under the probability at `index`, which adapts. */
  bit(probs: Uint16Array, index: number): number {
    const prob = probs[index]!;
    const bound = Math.imul(this.#range >>> 11, prob);
    let bit: number;
    // Flipping the highest bit compares as unsigned.
    if ((this.#code ^ 0x80000000) < (bound ^ 0x80000000)) {
      this.#range = bound;
      probs[index] = prob + ((2048 - prob) >> 5);
      bit = 0;
    } else {
      this.#range = (this.#range - bound) | 0;
      this.#code = (this.#code - bound) | 0;
      probs[index] = prob - (prob >> 5);
      bit = 1;
    }
    if (this.#range >>> 24 === 0) {
      this.#range <<= 8;
      this.#code = (this.#code << 8) | this.input[this.at++]!;
    }
    return bit;
  }

  /** `count` bits under the probabilities of a tree, the highest first. */
  tree(probs: Uint16Array, base: number, count: number): number {
    let symbol = 1;
    for (let left = count; left > 0; left--) symbol = (symbol << 1) | this.bit(probs, base + symbol);
    return symbol - (1 << count);
  }

  /** `count` bits under the probabilities of a tree, the lowest first. */
  reverseTree(probs: Uint16Array, base: number, count: number): number {
    let symbol = 1;
    let value = 0;
    for (let place = 0; place < count; place++) {
      const bit = this.bit(probs, base + symbol);
      symbol = (symbol << 1) | bit;
      value |= bit << place;
    }
    return value;
  }

  /** `count` bits without probabilities. */
  direct(count: number): number {
    let value = 0;
    for (let left = count; left > 0; left--) {
      this.#range >>>= 1;
      const bit = (this.#code ^ 0x80000000) < (this.#range ^ 0x80000000) ? 0 : 1;
      if (bit) this.#code = (this.#code - this.#range) | 0;
      value = (value << 1) | bit;
      if (this.#range >>> 24 === 0) {
        this.#range <<= 8;
        this.#code = (this.#code << 8) | this.input[this.at++]!;
      }
    }
    return value;
  }
}

/** Content that is decoded at a stretch. */
const PIECE = 64 * 1024;

const END_CHUNK = 0;
const STORED_RESET = 1;
const STORED = 2;
const LZMA = 0x80;
const RESET_STATE = 1;
const NEW_PROPERTIES = 2;
const RESET_DICTIONARY = 3;

/** Decodes one LZMA2 sequence of chunks, to its end mark. */
export async function* decodeLzma2(source: CompressedSource, dictionary: number): AsyncGenerator<Uint8Array> {
  const chunks = new Chunks(source, dictionary);
  for (;;) {
    const control = (await source.take(1))[0]!;
    if (control === END_CHUNK) return;
    if (control >= LZMA) yield* chunks.compressed(control);
    else if (control <= STORED) yield* chunks.stored(control);
    else throw source.corrupt("a damaged LZMA2 chunk", source.offset - 1);
  }
}

class Chunks {
  readonly #source: CompressedSource;
  readonly #history: History;
  readonly #lzma: LzmaDecoder;
  #needsDictionary = true;
  #needsProperties = true;

  constructor(source: CompressedSource, dictionary: number) {
    this.#source = source;
    this.#history = new History(dictionary, PIECE);
    this.#lzma = new LzmaDecoder(this.#history);
  }

  async *stored(control: number): AsyncGenerator<Uint8Array> {
    const source = this.#source;
    if (control === STORED_RESET) this.#resetDictionary();
    if (this.#needsDictionary) throw source.corrupt("an LZMA2 chunk without a dictionary");
    const head = await source.take(2);
    const data = await source.take(((head[0]! << 8) | head[1]!) + 1);
    const history = this.#history;
    history.reserve(data.byteLength);
    const from = history.at;
    history.bytes.set(data, from);
    history.at += data.byteLength;
    this.#lzma.passed(data.byteLength);
    yield history.since(from);
  }

  async *compressed(control: number): AsyncGenerator<Uint8Array> {
    const source = this.#source;
    const start = source.offset - 1;
    const head = await source.take(4);
    const size = ((control & 31) << 16) + (head[0]! << 8) + head[1]! + 1;
    const stored = ((head[2]! << 8) | head[3]!) + 1;
    await this.#reset((control >> 5) & 3, start);
    const data = await source.take(stored);
    if (stored < RANGE_START || !this.#lzma.range.start(data, 0)) throw source.corrupt("a damaged LZMA2 chunk", start);
    for (let left = size; left > 0; ) {
      const step = Math.min(left, PIECE);
      yield this.#piece(step, start);
      left -= step;
    }
    const { range, isInMatch } = this.#lzma;
    const whole = range.at === stored && range.isFinished && !isInMatch;
    if (!whole) throw source.corrupt("a damaged LZMA2 chunk", start);
  }

  #piece(size: number, start: number): Uint8Array {
    const history = this.#history;
    history.reserve(size);
    const from = history.at;
    const { range } = this.#lzma;
    const sound = this.#lzma.run(from + size, range.input.byteLength);
    if (!sound || history.at !== from + size) throw this.#source.corrupt("a damaged LZMA2 chunk", start);
    return history.since(from);
  }

  async #reset(what: number, start: number): Promise<void> {
    if (what === RESET_DICTIONARY) this.#resetDictionary();
    if (this.#needsDictionary || (this.#needsProperties && what < NEW_PROPERTIES)) {
      throw this.#source.corrupt("an LZMA2 chunk without a dictionary or properties", start);
    }
    if (what >= NEW_PROPERTIES) {
      const found = properties((await this.#source.take(1))[0]!);
      if (!found || found.lc + found.lp > 4) throw this.#source.corrupt("impossible LZMA properties", start);
      this.#lzma.setProperties(found);
      this.#needsProperties = false;
    } else if (what === RESET_STATE) {
      this.#lzma.resetState();
    }
  }

  #resetDictionary(): void {
    this.#lzma.resetDictionary();
    this.#needsDictionary = false;
  }
}
