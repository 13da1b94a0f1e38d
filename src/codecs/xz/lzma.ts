import { copyMatch, type History } from "../history.js";
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
} from "./model.js";
import { RangeDecoder } from "./range.js";

/** In the place of a distance: the end of the content. */
const END = -1;

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
    if (reps[0] === END) this.ended = true;
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
