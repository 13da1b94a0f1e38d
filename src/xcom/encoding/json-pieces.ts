/** Writes plain JSON values with the built-in writer, in pieces, so that the event loop is never blocked for long. */
import { Pace } from "../../codecs/stream.js";
import { invalid } from "../../errors.js";
import type { ByteStream } from "../../streams.js";
import { type Encoding, isInt, isPlain, pythonFloat, pythonLength, setOwn, WHOLE } from "./encoding.js";
import { MAX_WRITTEN_DEPTH } from "./json-walk.js";
import type { Measured } from "./json-write.js";

/** Work of a piece: 1 is a short value, or 16 UTF-16 units of text. Some tens of KiB, and less than a millisecond. */
const PIECE = 4000;

/** Work that may be done twice, for containers that turn out to be too large for a piece, and as a multiple of the rest. */
const MOST_TWICE = 1_000_000;
const TIMES = 4;

/** UTF-16 units of a string that is written in one go. */
const LONGEST = 256 * 1024;

/** Least bytes of a chunk. */
const CHUNK = 32 * 1024;

/** JSON text as it is, or entries whose text the built-in writer makes when their turn comes. */
type Piece = string | Entries;

interface Entries {
  readonly of: object;
  /** Of an object; undefined for an array. */
  readonly keys: readonly string[] | undefined;
  readonly from: number;
  readonly to: number;
}

/**
 * Measures a value whose text `JSON.stringify` writes exactly as we do, and plans its pieces. Returns undefined for any
 * other: what we write differently, what cannot be written, and where a string is longer than a piece.
 *
 * The length is exact below `enough` bytes (and below {@link WHOLE}, which the caller compares it with too); of a longer
 * value it is at least that and at most the exact one.
 */
export async function planPieces(
  value: unknown,
  encoding: Encoding,
  signal: AbortSignal | undefined,
  enough = Number.POSITIVE_INFINITY,
): Promise<Measured | undefined> {
  if (typeof value !== "object" || value === null) return undefined;
  const scan = new Scan(encoding, Math.max(enough, WHOLE + 1));
  const pieces: Piece[] = [];
  const pace = new Pace();
  for (const piece of scan.pieces(value, MAX_WRITTEN_DEPTH)) {
    if (piece === undefined) return undefined;
    pieces.push(piece);
    await pace.rest();
    signal?.throwIfAborted();
  }
  return { length: scan.length, plain: true, beyondJson: false, bytes: () => written(pieces, signal) };
}

/** In place of the work of a value: what JSON.stringify would not write as we do, and what is no single piece. */
const SPECIAL = -1;
const TOO_LARGE = -2;

class Scan {
  /** V8 drops the compiled code of a class with its last instance, and would scan the next value at a fifth of the speed. */
  static readonly kept = new Scan(undefined as never, Number.POSITIVE_INFINITY);

  /** Bytes of the text that Python's `json.dumps` writes, as far as they were counted. */
  length = 0;
  readonly #encoding: Encoding;
  /** The length from which on nothing is counted. */
  readonly #enough: number;
  /** By the levels below: the keys of the last object, which the encoding does not refuse. Records have the same again. */
  readonly #lastKeys: (readonly string[])[] = [];
  /** The last prototype of which plain objects are. */
  #prototype: unknown;
  #twice = MOST_TWICE;

  constructor(encoding: Encoding, enough: number) {
    this.#encoding = encoding;
    this.#enough = enough;
  }

  /** Yields the pieces of an array or object, and undefined as the last if it is special. */
  *pieces(of: object, levels: number): Generator<Piece | undefined> {
    const keys = Array.isArray(of) ? undefined : Object.keys(of);
    if (levels === 0 || !(keys ? this.#isPlain(of) && this.#accepts(keys) : isList(of))) return yield undefined;
    const count = keys?.length ?? (of as readonly unknown[]).length;
    this.#open(count);
    yield keys ? "{" : "[";
    let from = 0;
    let work = 0;
    for (let at = 0; at < count; at++) {
      if (keys) this.#key(keys[at]!);
      const inner = entry(of, keys, at);
      const before = this.length;
      const cost = this.#cost(inner, levels - 1, PIECE);
      if (cost === SPECIAL) return yield undefined;
      work += cost;
      this.#twice += cost * TIMES;
      if (cost >= 0 && work <= PIECE) continue;
      if (from < at) yield { of, keys, from, to: at };
      from = at;
      work = cost;
      if (cost >= 0) continue;
      this.length = before;
      this.#twice -= PIECE;
      if (this.#twice < 0 || typeof inner !== "object") return yield undefined;
      yield `${at > 0 ? "," : ""}${keys ? `${JSON.stringify(keys[at])}:` : ""}`;
      yield* this.pieces(inner as object, levels - 1);
      from = at + 1;
      work = 0;
    }
    if (from < count) yield { of, keys, from, to: count };
    yield keys ? "}" : "]";
  }

  /** Counts a value and returns its work, SPECIAL, or TOO_LARGE if that is more than `most`. */
  #cost(value: unknown, levels: number, most: number): number {
    if (typeof value === "string") {
      if (value.length > LONGEST) return SPECIAL;
      if (this.length < this.#enough) this.length += pythonLength(value) + 2;
      return 1 + (value.length >> 4);
    }
    if (typeof value === "number") return this.#number(value);
    if (typeof value === "boolean" || value === null) {
      this.length += value === false ? 5 : 4;
      return 1;
    }
    if (typeof value !== "object" || levels <= 0) return SPECIAL;
    return Array.isArray(value) ? this.#list(value, levels, most) : this.#object(value, levels, most);
  }

  #number(value: number): number {
    if (!isInt(value)) {
      if (!Number.isFinite(value) || Number.isInteger(value)) return SPECIAL;
      // From 1e-4 on, Python and JavaScript write a fraction alike.
      if (this.length < this.#enough)
        this.length += Math.abs(value) >= 1e-4 ? String(value).length : pythonFloat(value).length;
      return 2;
    }
    if (this.length < this.#enough) this.length += value >= 0 && value < 10 ? 1 : String(value).length;
    return 1;
  }

  #list(of: readonly unknown[], levels: number, most: number): number {
    const count = of.length;
    if (!isList(of)) return SPECIAL;
    if (count > most) return TOO_LARGE;
    this.#open(count);
    let work = 2;
    for (let at = 0; at < count; at++) {
      const cost = this.#cost(of[at], levels - 1, most - work);
      if (cost < 0) return cost;
      work += cost;
      if (work > most) return TOO_LARGE;
    }
    return work;
  }

  #object(of: object, levels: number, most: number): number {
    if (!this.#isPlain(of)) return SPECIAL;
    const last = this.#lastKeys[levels] ?? [];
    let count = 0;
    let same = true;
    let work = 2;
    // Several times as fast as Object.keys. Nothing is inherited: see #isPlain.
    for (const key in of) {
      if (key !== last[count++]) same = false;
      if (this.length < this.#enough) this.#key(key);
      work += key.length >> 4;
      const cost = this.#cost((of as Record<string, unknown>)[key], levels - 1, most - work);
      if (cost < 0) return cost;
      work += cost;
      if (work > most) return TOO_LARGE;
    }
    this.#open(count);
    if (same && count === last.length) return work;
    const keys = Object.keys(of);
    this.#lastKeys[levels] = keys;
    return this.#accepts(keys) ? work : SPECIAL;
  }

  /** The brackets, and a comma and a space between entries. */
  #open(count: number): void {
    this.length += 2 * Math.max(1, count);
  }

  /** With its quotes and the colon. */
  #key(key: string): void {
    this.length += pythonLength(key) + 4;
  }

  /** Whether the object is plain and inherits no property that a loop over its keys would find. */
  #isPlain(of: object): boolean {
    const prototype: unknown = Object.getPrototypeOf(of);
    if (prototype === this.#prototype) return true;
    if (!isPlain(of)) return false;
    for (const _ in prototype as object | null) return false;
    this.#prototype = prototype;
    return true;
  }

  #accepts(keys: readonly string[]): boolean {
    return this.#encoding.refusal((key) => keys.includes(key)) === undefined;
  }
}

function isList(of: object): boolean {
  return Object.getPrototypeOf(of) === Array.prototype;
}

async function* written(pieces: readonly Piece[], signal: AbortSignal | undefined): ByteStream {
  const pace = new Pace();
  let parts: Uint8Array[] = [];
  let length = 0;
  for (const piece of pieces) {
    const part = bytesOf(piece);
    parts.push(part);
    length += part.byteLength;
    if (length < CHUNK) continue;
    yield parts.length === 1 ? part : Buffer.concat(parts);
    parts = [];
    length = 0;
    await pace.rest();
    signal?.throwIfAborted();
  }
  if (length > 0) yield Buffer.concat(parts);
}

function bytesOf(piece: Piece): Uint8Array {
  if (typeof piece === "string") return Buffer.from(piece, "utf8");
  const bytes = Buffer.from(textOf(piece), "utf8");
  // In place of the brackets: slices and concatenated strings are copied once more.
  bytes[0] = COMMA;
  return bytes.subarray(piece.from > 0 ? 0 : 1, -1);
}

const COMMA = 0x2c;

function textOf({ of, keys, from, to }: Entries): string {
  try {
    if (!keys) return JSON.stringify((of as readonly unknown[]).slice(from, to));
    const part: Record<string, unknown> = {};
    for (let at = from; at < to; at++) setOwn(part, keys[at]!, entry(of, keys, at));
    return JSON.stringify(part);
  } catch (cause) {
    // A getter may return something else than when the value was measured.
    throw invalid("the value changes while it is read", { cause });
  }
}

function entry(of: object, keys: readonly string[] | undefined, at: number): unknown {
  return keys ? (of as Record<string, unknown>)[keys[at]!] : (of as readonly unknown[])[at];
}
