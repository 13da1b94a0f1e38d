/** Parses JSON text in pieces and keeps every number exact, which `JSON.parse` cannot do. */
import { failure, type StorageError } from "../../errors.js";
import { builtIn, type Encoding, Float, MAX_DIGITS, setOwn } from "./encoding.js";
import { MAX_DEPTH } from "./json-walk.js";

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;

/** Python's tokens for values that JSON numbers cannot express. */
const WORDS: readonly [string, unknown][] = Object.entries({
  true: true,
  false: false,
  null: null,
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
});

type Expecting = "value" | "value or ]" | "key" | "key or }" | ":" | ", or ]" | ", or }" | "the end";

export interface Frame {
  into: unknown[] | Record<string, unknown>;
  key: string;
  /** Whether floats in this container stay {@link Float}s where that is needed to write the same text again. */
  exact: boolean;
  /** Returns all items, if some of them are not in `into`. */
  all?: () => unknown[];
  /** Of {@link ReadAhead}: entries read one by one, the text around a comma between two, and items before `into`. */
  singles?: number;
  seam?: string | undefined;
  parts?: unknown[][];
}

/**
 * Adds entries of the text from `at` on to the last frame, if `next` is what follows its entries, and returns where the
 * comma after them is. Returns undefined to have the next value read by {@link JsonParser}, and false to be asked again
 * when more text has come.
 */
export type ReadAhead = (
  frames: readonly Frame[],
  text: string,
  at: number,
  next: Expecting,
  last: boolean,
) => number | false | undefined;

/** An incremental parser: pass text to `push`, then take the value from `end`. Invalid JSON throws Corrupt. */
export class JsonParser {
  readonly #encoding: Encoding;
  readonly #ahead: ReadAhead | undefined;
  readonly #frames: Frame[] = [];
  #expecting: Expecting = "value";
  #value: unknown;
  /** The unread text. */
  #text = "";
  #at = 0;
  /** Characters before `#text`, for messages. */
  #before = 0;
  #last = false;
  /** Whether the built-in parser may read `#text`: it has no envelope. */
  #simple = true;
  /** The pieces so far of a string that has not ended. */
  #string: string[] | undefined;

  constructor(encoding: Encoding, ahead?: ReadAhead) {
    this.#encoding = encoding;
    this.#ahead = ahead;
  }

  push(text: string): void {
    this.#before += this.#at;
    this.#text = this.#text.slice(this.#at) + text;
    this.#at = 0;
    this.#simple = !this.#encoding.mayRevive(this.#text);
    while (this.#token());
  }

  end(): unknown {
    this.#last = true;
    this.push("");
    if (this.#expecting !== "the end" || this.#string)
      throw this.#corrupt(`it ends where ${this.#expecting} should come`);
    return this.#value;
  }

  /** Reads one token; returns false if the text so far contains no complete one. */
  #token(): boolean {
    if (this.#string) return this.#restOfString(this.#string);
    this.#skipSpace();
    if (this.#at === this.#text.length) return false;
    const char = this.#text[this.#at]!;
    if ((char === "]" || char === "}") && this.#expecting.endsWith(char)) return this.#close();
    switch (this.#expecting) {
      case "value":
      case "value or ]":
        return this.#many(", or ]") ?? this.#open(char);
      case "key":
      case "key or }":
        return this.#many(", or }") ?? this.#key(char);
      case ":":
        return this.#mark(char, ":", "value");
      case ", or ]":
        return this.#mark(char, ",", "value");
      case ", or }":
        return this.#mark(char, ",", "key");
      default:
        throw this.#corrupt("something follows the value");
    }
  }

  #skipSpace(): void {
    for (; this.#at < this.#text.length; this.#at++) {
      const unit = this.#text.charCodeAt(this.#at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return;
    }
  }

  #mark(char: string, wanted: string, next: Expecting): boolean {
    if (char !== wanted) throw this.#corrupt();
    this.#at++;
    this.#expecting = next;
    return true;
  }

  #key(char: string): boolean {
    if (char !== '"') throw this.#corrupt();
    return this.#openString();
  }

  #open(char: string): boolean {
    if (char === '"') return this.#openString();
    if (char === "[") return this.#container([], "value or ]");
    if (char === "{") return this.#container({}, "key or }");
    return (char >= "0" && char <= "9") || char === "-" ? this.#number() : this.#word();
  }

  #container(into: Frame["into"], next: Expecting): boolean {
    if (this.#frames.length >= MAX_DEPTH) throw failure("TooLarge", `the JSON is nested more than ${MAX_DEPTH} deep`);
    const exact = this.#isExact();
    if (this.#simple && !exact && this.#containerAtOnce()) return true;
    this.#frames.push({ into, key: "", exact });
    this.#at++;
    this.#expecting = next;
    return true;
  }

  /** Returns undefined if it has read nothing, and false to wait for more text. */
  #many(next: Expecting): boolean | undefined {
    const end = this.#simple ? this.#ahead?.(this.#frames, this.#text, this.#at, next, this.#last) : undefined;
    if (!end) return end as false | undefined;
    this.#at = end;
    this.#expecting = next;
    return true;
  }

  /** Passes a short array or object to the built-in parser, which is several times faster. */
  #containerAtOnce(): boolean {
    const levels = MAX_DEPTH - this.#frames.length;
    const end = closingOf(this.#text, this.#at, levels);
    const value = end < 0 ? undefined : builtIn(this.#text.slice(this.#at, end), levels);
    if (value === undefined) return false;
    this.#at = end;
    this.#done(value);
    return true;
  }

  #close(): boolean {
    const { into, all } = this.#frames.pop()!;
    this.#at++;
    this.#done(Array.isArray(into) ? (all?.() ?? into) : this.#encoding.revive(into));
    return true;
  }

  #openString(): boolean {
    this.#at++;
    return this.#restOfString([]);
  }

  #restOfString(pieces: string[]): boolean {
    const { end, closed } = scanString(this.#text, this.#at);
    const piece = readString(this.#text.slice(this.#at, end));
    if (piece === undefined) throw this.#corrupt("a string has a control character or a bad escape");
    this.#at = end;
    this.#string = undefined;
    pieces.push(piece);
    if (!closed) {
      this.#string = pieces;
      return false;
    }
    this.#at++;
    this.#stringDone(pieces.length === 1 ? piece : pieces.join(""));
    return true;
  }

  #stringDone(text: string): void {
    if (this.#expecting.startsWith("key")) {
      this.#frames.at(-1)!.key = text;
      this.#expecting = ":";
    } else {
      this.#done(text);
    }
  }

  #number(): boolean {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (!match) return this.#word();
    const [token, fraction, exponent] = match;
    if (token.replace("-", "").length > MAX_DIGITS) throw this.#corrupt(`a number has more than ${MAX_DIGITS} digits`);
    if (this.#mayGoOn(this.#at + token.length)) return false;
    this.#at += token.length;
    this.#done(fraction || exponent ? this.#float(Number(token)) : int(token));
    return true;
  }

  /** Whether a token that ends here may continue in the next piece: `1` and then `.5`, `1e` and then `5`. */
  #mayGoOn(end: number): boolean {
    return !this.#last && this.#text.length - end < 3 && /^[0-9.eE+-]*$/.test(this.#text.slice(end));
  }

  #float(value: number): unknown {
    return this.#isExact() && Number.isInteger(value) ? new Float(value) : value;
  }

  /** Whether floats of the value that comes next stay {@link Float}s. */
  #isExact(): boolean {
    const frame = this.#frames.at(-1);
    if (!frame || frame.exact) return !!frame;
    return !Array.isArray(frame.into) && this.#encoding.opensExact(frame.into, frame.key);
  }

  #word(): boolean {
    const ahead = this.#text.slice(this.#at, this.#at + 9);
    for (const [word, value] of WORDS) {
      if (ahead.startsWith(word)) {
        this.#at += word.length;
        this.#done(value);
        return true;
      }
      if (!this.#last && word.startsWith(ahead)) return false;
    }
    throw this.#corrupt();
  }

  #done(value: unknown): void {
    const frame = this.#frames.at(-1);
    if (!frame) {
      this.#value = value;
      this.#expecting = "the end";
    } else if (Array.isArray(frame.into)) {
      frame.into.push(value);
      this.#expecting = ", or ]";
    } else {
      setOwn(frame.into, frame.key, value);
      this.#expecting = ", or }";
    }
  }

  #corrupt(detail = `${this.#expecting} should come`): StorageError {
    return failure("Corrupt", `the object is not JSON text: at character ${this.#before + this.#at} ${detail}`);
  }
}

/** Returns a number if it holds the integer exactly, else a bigint. */
function int(token: string): number | bigint {
  const value = Number(token);
  return Number.isSafeInteger(value) ? value + 0 : BigInt(token);
}

// The ends of strings, arrays and objects in JSON text.

/** Characters within which {@link closingOf} looks. */
const NEAR = 16 * 1024;

/**
 * Returns, from `start` inside a string, the position of its closing quote, or one where the text can be cut without
 * splitting an escape.
 */
function scanString(text: string, start: number): { end: number; closed: boolean } {
  let quote = text.indexOf('"', start);
  while (quote >= 0 && slashesBefore(text, quote, start) % 2 === 1) quote = text.indexOf('"', quote + 1);
  return quote >= 0 ? { end: quote, closed: true } : { end: wholeEscapes(text, start), closed: false };
}

/** Decodes the inside of a string; returns undefined if it is invalid. */
function readString(inside: string): string | undefined {
  if (!/[\\\0-\x1f]/.test(inside)) return inside;
  try {
    return JSON.parse(`"${inside}"`) as string;
  } catch {
    return undefined;
  }
}

/** Returns the end of the array or object that begins at `start`; -1 if too far away or nested deeper than `levels`. */
function closingOf(text: string, start: number, levels: number): number {
  const limit = Math.min(text.length, start + NEAR);
  for (let at = start, depth = 0; at < limit; at++) {
    const unit = text.charCodeAt(at);
    if (unit === 0x22) {
      const { end, closed } = scanString(text, at + 1);
      if (!closed) return -1;
      at = end;
    } else if (unit === 0x7b || unit === 0x5b) {
      if (++depth > levels) return -1;
    } else if ((unit === 0x7d || unit === 0x5d) && --depth === 0) return at + 1;
  }
  return -1;
}

function slashesBefore(text: string, end: number, start: number): number {
  let at = end;
  while (at > start && text.charCodeAt(at - 1) === 0x5c) at--;
  return end - at;
}

/** Returns the end of `text` without an incomplete escape: `\`, or `\u` with fewer than four digits. */
function wholeEscapes(text: string, start: number): number {
  const slash = text.lastIndexOf("\\");
  if (slash < Math.max(start, text.length - 5)) return text.length;
  if (slashesBefore(text, slash, start) % 2 === 1) return text.length;
  const begun = slash === text.length - 1 || text[slash + 1] === "u";
  return begun ? slash : text.length;
}
