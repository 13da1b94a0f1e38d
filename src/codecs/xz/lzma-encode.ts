import { MatchFinder, matchLength, viewOf } from "../lz-window.js";
import * as M from "./format.js";

const LC = 3;
const PB = 2;
/** lc = 3, lp = 0, pb = 2: what xz takes by default. */
export const PROPERTIES = PB * 45 + LC;
const POSITION_MASK = (1 << PB) - 1;
const LONGEST = 273;

/** Encodes LZMA: what follows is a match where there is one, and the next position has no much better one. */
export class LzmaEncoder {
  readonly #data: Uint8Array;
  readonly #view: DataView;
  readonly #finder: MatchFinder;
  readonly #range: RangeEncoder;
  readonly #probs = new Uint16Array(M.LITERAL + (0x300 << LC));
  #state = 0;
  readonly #reps = new Int32Array(4);

  /** `room` is the most that one chunk is long. */
  constructor(data: Uint8Array, depth: number, room: number) {
    this.#data = data;
    this.#view = viewOf(data);
    this.#finder = new MatchFinder(data, depth);
    // Content that does not compress grows, but not to twice its length.
    this.#range = new RangeEncoder(2 * room + 1024);
    this.resetState();
  }

  resetState(): void {
    this.#probs.fill(M.HALF);
    this.#state = 0;
    this.#reps.fill(0);
  }

  /** The bytes `from` to `to` as one stretch of range-coded bits. */
  encode(from: number, to: number): Uint8Array {
    this.#range.reset();
    for (let at = from; at < to; ) at += this.#step(at, to);
    return this.#range.finish();
  }

  #step(at: number, to: number): number {
    const limit = Math.min(to, at + LONGEST);
    const which = this.#longestRep(at, limit);
    const repLength = which < 0 ? 0 : this.#repLength(which, at, limit);
    const found = this.#finder.find(at, limit);
    const { length, distance } = this.#finder;
    // A distance that was used before costs few bits: nearly as long is as good.
    if (repLength >= 2 && (!found || repLength + 1 >= length || (repLength + 2 >= length && distance > 512))) {
      this.#rep(at, which, repLength);
      return repLength;
    }
    if (!found || this.#isBetterNext(at + 1, to, length, distance)) {
      this.#literal(at);
      return 1;
    }
    this.#match(at, length, distance - 1);
    return length;
  }

  #isBetterNext(at: number, to: number, length: number, distance: number): boolean {
    if (length >= 32) return false;
    const found = this.#finder.find(at, Math.min(to, at + LONGEST));
    const next = this.#finder;
    return found && (next.length > length + 1 || (next.length === length + 1 && next.distance < 128 * distance));
  }

  #longestRep(at: number, limit: number): number {
    let best = -1;
    let longest = 1;
    for (let which = 0; which < 4; which++) {
      const length = this.#repLength(which, at, limit);
      if (length <= longest) continue;
      longest = length;
      best = which;
    }
    return best;
  }

  #repLength(which: number, at: number, limit: number): number {
    const ref = at - this.#reps[which]! - 1;
    return ref < 0 ? 0 : matchLength(this.#data, this.#view, ref, at, limit);
  }

  #literal(at: number): void {
    const data = this.#data;
    const range = this.#range;
    const probs = this.#probs;
    range.bit(probs, M.IS_MATCH + (this.#state << 4) + (at & POSITION_MASK), 0);
    const before = at > 0 ? data[at - 1]! : 0;
    const base = M.LITERAL + 0x300 * (before >>> (8 - LC));
    const byte = data[at]!;
    if (this.#state < 7) range.tree(probs, base, 8, byte);
    else this.#matchedLiteral(base, byte, data[at - this.#reps[0]! - 1]!);
    this.#state = M.afterLiteral(this.#state);
  }

  /** Behind a match: under the byte that would have continued it, as long as they agree. */
  #matchedLiteral(base: number, byte: number, expected: number): void {
    let symbol = byte | 0x100;
    let wanted = expected;
    let offset = 0x100;
    do {
      wanted <<= 1;
      const context = base + offset + (wanted & offset) + (symbol >>> 8);
      this.#range.bit(this.#probs, context, (symbol >>> 7) & 1);
      symbol <<= 1;
      offset &= ~(wanted ^ symbol);
    } while (symbol < 0x10000);
  }

  #match(at: number, length: number, distance: number): void {
    const range = this.#range;
    const probs = this.#probs;
    const position = at & POSITION_MASK;
    range.bit(probs, M.IS_MATCH + (this.#state << 4) + position, 1);
    range.bit(probs, M.IS_REP + this.#state, 0);
    this.#state = this.#state < 7 ? 7 : 10;
    this.#length(M.LENGTH, position, length);
    this.#distance(distance, Math.min(length - 2, 3));
    this.#reps.copyWithin(1, 0, 3);
    this.#reps[0] = distance;
  }

  #rep(at: number, which: number, length: number): void {
    const range = this.#range;
    const probs = this.#probs;
    const state = this.#state;
    const position = at & POSITION_MASK;
    range.bit(probs, M.IS_MATCH + (state << 4) + position, 1);
    range.bit(probs, M.IS_REP + state, 1);
    range.bit(probs, M.IS_REP0 + state, which > 0 ? 1 : 0);
    if (which === 0) range.bit(probs, M.IS_REP0_LONG + (state << 4) + position, 1);
    else {
      range.bit(probs, M.IS_REP1 + state, which > 1 ? 1 : 0);
      if (which > 1) range.bit(probs, M.IS_REP2 + state, which - 2);
    }
    const distance = this.#reps[which]!;
    this.#reps.copyWithin(1, 0, which);
    this.#reps[0] = distance;
    this.#state = state < 7 ? 8 : 11;
    this.#length(M.REP_LENGTH, position, length);
  }

  #length(base: number, position: number, length: number): void {
    const range = this.#range;
    const probs = this.#probs;
    range.bit(probs, base, length < 10 ? 0 : 1);
    if (length < 10) {
      range.tree(probs, base + M.LOW + 8 * position, 3, length - 2);
      return;
    }
    range.bit(probs, base + 1, length < 18 ? 0 : 1);
    if (length < 18) range.tree(probs, base + M.MIDDLE + 8 * position, 3, length - 10);
    else range.tree(probs, base + M.HIGH, 8, length - 18);
  }

  /** The slot has the two highest bits and says how many follow. */
  #distance(distance: number, lengthState: number): void {
    const range = this.#range;
    const probs = this.#probs;
    const top = 31 - Math.clz32(distance);
    const slot = distance < 4 ? distance : 2 * top + ((distance >> (top - 1)) & 1);
    range.tree(probs, M.SLOT + 64 * lengthState, 6, slot);
    if (slot < 4) return;
    const count = top - 1;
    const base = (2 | (slot & 1)) << count;
    if (slot < 14) {
      range.reverseTree(probs, M.SPECIAL + base - slot, count, distance - base);
      return;
    }
    range.direct(count - 4, (distance - base) >> 4);
    range.reverseTree(probs, M.ALIGN, 4, distance & 15);
  }
}

const TOP = 2 ** 24;

/** The range encoder of LZMA, into a buffer that is long enough. */
class RangeEncoder {
  readonly bytes: Uint8Array;
  /** Bytes written. */
  at = 0;
  /** Up to 2^32 + 2^32: a carry shows above 32 bits. */
  #low = 0;
  #range = 2 ** 32 - 1;
  #cache = 0;
  #pending = 1;

  constructor(room: number) {
    this.bytes = new Uint8Array(room);
  }

  reset(): void {
    this.at = 0;
    this.#low = 0;
    this.#range = 2 ** 32 - 1;
    this.#cache = 0;
    this.#pending = 1;
  }

  bit(probs: Uint16Array, index: number, bit: number): void {
    const prob = probs[index]!;
    const bound = (this.#range >>> 11) * prob;
    if (bit === 0) {
      this.#range = bound;
      probs[index] = prob + ((2048 - prob) >> 5);
    } else {
      this.#low += bound;
      this.#range -= bound;
      probs[index] = prob - (prob >> 5);
    }
    if (this.#range < TOP) this.#shift();
  }

  /** `count` bits under the probabilities of a tree, the highest first. */
  tree(probs: Uint16Array, base: number, count: number, value: number): void {
    let symbol = 1;
    for (let place = count - 1; place >= 0; place--) {
      const bit = (value >> place) & 1;
      this.bit(probs, base + symbol, bit);
      symbol = (symbol << 1) | bit;
    }
  }

  /** `count` bits under the probabilities of a tree, the lowest first. */
  reverseTree(probs: Uint16Array, base: number, count: number, value: number): void {
    let symbol = 1;
    for (let place = 0; place < count; place++) {
      const bit = (value >> place) & 1;
      this.bit(probs, base + symbol, bit);
      symbol = (symbol << 1) | bit;
    }
  }

  /** `count` bits without probabilities. */
  direct(count: number, value: number): void {
    for (let place = count - 1; place >= 0; place--) {
      this.#range >>>= 1;
      if ((value >> place) & 1) this.#low += this.#range;
      if (this.#range < TOP) this.#shift();
    }
  }

  /** Writes what is left. All bytes. */
  finish(): Uint8Array {
    for (let byte = 0; byte < 5; byte++) this.#shiftLow();
    return this.bytes.subarray(0, this.at);
  }

  #shift(): void {
    this.#range = (this.#range << 8) >>> 0;
    this.#shiftLow();
  }

  /** A byte is written once no carry can reach it: bytes of 255 wait. */
  #shiftLow(): void {
    if (this.#low < 0xff000000 || this.#low >= 2 ** 32) {
      const carry = this.#low >= 2 ** 32 ? 1 : 0;
      let byte = this.#cache;
      for (; this.#pending > 0; this.#pending--) {
        this.bytes[this.at++] = byte + carry;
        byte = 0xff;
      }
      this.#cache = (this.#low >>> 24) & 255;
    }
    this.#pending++;
    this.#low = (this.#low % TOP) * 256;
  }
}
