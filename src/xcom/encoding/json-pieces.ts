/** Writes plain JSON values with the built-in writer, in pieces, so that the event loop is never blocked for long. */
import { Pace } from "../../codecs/stream.js";
import { invalid } from "../../errors.js";
import type { ByteStream } from "../../streams.js";
import { type Encoding, isInt, isPlain, pythonFloat, pythonLength } from "./encoding.js";
import { MAX_WRITTEN_DEPTH } from "./json-walk.js";
import type { Measured } from "./json-write.js";

/** Work of a piece: 1 is a short value, or 64 UTF-16 units of text. Some tens of KiB, and less than a millisecond. */
const PIECE = 4000;

/** Work that may be done twice, for containers that turn out to be too large for a piece, and as a multiple of the rest. */
const MOST_TWICE = 1_000_000;
const TIMES = 4;

/** UTF-16 units of a chunk, unless a piece has more. */
const CHUNK = 64 * 1024;

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
 */
export async function planPieces(
  value: unknown,
  encoding: Encoding,
  signal: AbortSignal | undefined,
): Promise<Measured | undefined> {
  if (typeof value !== "object" || value === null) return undefined;
  const scan = new Scan(encoding);
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
  /** Bytes of the text that Python's `json.dumps` writes. */
  length = 0;
  readonly #encoding: Encoding;
  readonly #keys = new Map<string, number>();
  #twice = MOST_TWICE;

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
  }

  /** Yields the pieces of an array or object, and undefined as the last if it is special. */
  *pieces(of: object, levels: number): Generator<Piece | undefined> {
    const keys = Array.isArray(of) ? undefined : Object.keys(of);
    if (levels === 0 || !this.#isPlain(of, keys)) return yield undefined;
    const count = keys?.length ?? (of as readonly unknown[]).length;
    this.#open(count);
    yield keys ? "{" : "[";
    let from = 0;
    let work = 0;
    for (let at = 0; at < count; at++) {
      if (keys) this.length += this.#keyLength(keys[at]!);
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
    switch (typeof value) {
      case "string":
        if (value.length > most * 64) return TOO_LARGE;
        this.length += pythonLength(value) + 2;
        return 1 + value.length / 64;
      case "number":
        return this.#number(value);
      case "boolean":
        this.length += value ? 4 : 5;
        return 1;
      case "object":
        if (value !== null) return this.#container(value, levels, most);
        this.length += 4;
        return 1;
      default:
        return SPECIAL;
    }
  }

  #number(value: number): number {
    if (!isInt(value)) {
      if (!Number.isFinite(value) || Number.isInteger(value)) return SPECIAL;
      // From 1e-4 on, Python and JavaScript write a fraction alike.
      this.length += Math.abs(value) >= 1e-4 ? String(value).length : pythonFloat(value).length;
      return 2;
    }
    this.length += value >= 0 && value < 10 ? 1 : String(value).length;
    return 1;
  }

  #container(of: object, levels: number, most: number): number {
    const keys = Array.isArray(of) ? undefined : Object.keys(of);
    if (levels <= 0 || !this.#isPlain(of, keys)) return SPECIAL;
    const count = keys?.length ?? (of as readonly unknown[]).length;
    if (count > most) return TOO_LARGE;
    this.#open(count);
    let work = 2;
    for (let at = 0; at < count; at++) {
      if (keys) {
        this.length += this.#keyLength(keys[at]!);
        work += keys[at]!.length / 64;
      }
      const cost = this.#cost(entry(of, keys, at), levels - 1, most - work);
      if (cost < 0) return cost;
      work += cost;
      if (work > most) return TOO_LARGE;
    }
    return work;
  }

  /** The brackets, and a comma and a space between entries. */
  #open(count: number): void {
    this.length += 2 * Math.max(1, count);
  }

  #isPlain(value: object, keys: readonly string[] | undefined): boolean {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (!keys) return prototype === Array.prototype;
    if (prototype !== Object.prototype && !isPlain(value)) return false;
    return this.#encoding.refusal((key) => Object.hasOwn(value, key)) === undefined;
  }

  /** With its quotes and the colon. Most keys come again. */
  #keyLength(key: string): number {
    const known = this.#keys.get(key);
    if (known !== undefined) return known;
    const length = pythonLength(key) + 4;
    if (this.#keys.size < 1000) this.#keys.set(key, length);
    return length;
  }
}

async function* written(pieces: readonly Piece[], signal: AbortSignal | undefined): ByteStream {
  const pace = new Pace();
  let out = "";
  for (const piece of pieces) {
    out += textOf(piece);
    if (out.length < CHUNK) continue;
    yield Buffer.from(out, "utf8");
    out = "";
    await pace.rest();
    signal?.throwIfAborted();
  }
  if (out) yield Buffer.from(out, "utf8");
}

function textOf(piece: Piece): string {
  if (typeof piece === "string") return piece;
  try {
    return `${piece.from > 0 ? "," : ""}${piece.keys ? entriesOf(piece, piece.keys) : itemsOf(piece)}`;
  } catch (cause) {
    // A getter may return something else than when the value was measured.
    throw invalid("the value changes while it is read", { cause });
  }
}

function itemsOf({ of, from, to }: Entries): string {
  return JSON.stringify((of as readonly unknown[]).slice(from, to)).slice(1, -1);
}

function entriesOf({ of, from, to }: Entries, keys: readonly string[]): string {
  const texts: string[] = [];
  for (let at = from; at < to; at++) texts.push(`${JSON.stringify(keys[at])}:${JSON.stringify(entry(of, keys, at))}`);
  return texts.join(",");
}

function entry(of: object, keys: readonly string[] | undefined, at: number): unknown {
  return keys ? (of as Record<string, unknown>)[keys[at]!] : (of as readonly unknown[])[at];
}
