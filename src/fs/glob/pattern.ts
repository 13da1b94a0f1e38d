/** From the text of a glob to a tree. Nothing here matches; see `matcher.ts`. */
import { invalid, type StorageError } from "../../errors.js";

export type Glyph =
  | { type: "char"; code: number }
  /** `?`: one character of a segment. */
  | { type: "any" }
  /** `*`: any number of characters of a segment. */
  | { type: "run" }
  /** `**`: any number of characters, slashes too. */
  | { type: "deep" }
  | { type: "class"; negated: boolean; ranges: readonly Range[] }
  | { type: "choice"; options: readonly Glyphs[] };
export type Glyphs = readonly Glyph[];
/** First and last code point, both included. */
export type Range = readonly [first: number, last: number];

export const SLASH = 0x2f;
/** As long as the longest key. It bounds the time per key, too. */
const MAX_LENGTH = 1024;

/** The tree of a pattern; InvalidArgument when a bracket or brace is left open or `**` is not a whole segment. */
export function parseGlob(pattern: string): Glyphs {
  if (pattern.length > MAX_LENGTH) throw invalid(`a pattern has at most ${MAX_LENGTH} characters`);
  return new Parser(pattern).all();
}

class Parser {
  readonly #pattern: string;
  /** Whole characters, so that `?` and a class take one each. */
  readonly #chars: readonly string[];
  #at = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
    this.#chars = Array.from(pattern);
  }

  all(): Glyphs {
    return this.#until([]);
  }

  #until(stops: readonly string[]): Glyph[] {
    const glyphs: Glyph[] = [];
    while (this.#at < this.#chars.length && !stops.includes(this.#chars[this.#at]!)) glyphs.push(this.#next());
    return glyphs;
  }

  #next(): Glyph {
    const char = this.#chars[this.#at++]!;
    if (char === "?") return { type: "any" };
    if (char === "*") return this.#star();
    if (char === "[") return this.#class();
    if (char === "{") return this.#choice();
    return { type: "char", code: (char === "\\" ? this.#take("\\") : char).codePointAt(0)! };
  }

  #star(): Glyph {
    if (this.#chars[this.#at] !== "*") return { type: "run" };
    const before = this.#chars[this.#at - 2];
    const after = this.#chars[++this.#at];
    if ((before !== undefined && before !== "/") || (after !== undefined && after !== "/")) {
      throw this.#wrong("has ** beside other characters; it is a whole segment, as in a/**/b");
    }
    if (after === undefined) return { type: "deep" };
    this.#at++;
    return { type: "choice", options: [[], [{ type: "deep" }, { type: "char", code: SLASH }]] };
  }

  #choice(): Glyph {
    const options: Glyphs[] = [];
    for (;;) {
      options.push(this.#until([",", "}"]));
      if (this.#take("{") === "}") return { type: "choice", options };
    }
  }

  #class(): Glyph {
    const negated = this.#chars[this.#at] === "!" || this.#chars[this.#at] === "^";
    if (negated) this.#at++;
    const ranges = [this.#range()];
    while (this.#chars[this.#at] !== "]") ranges.push(this.#range());
    this.#at++;
    return { type: "class", negated, ranges };
  }

  #range(): Range {
    const first = this.#member();
    if (this.#chars[this.#at] !== "-" || this.#chars[this.#at + 1] === "]") return [first, first];
    this.#at++;
    const last = this.#member();
    if (last < first) throw this.#wrong("has a range whose end comes before its start");
    return [first, last];
  }

  #member(): number {
    const char = this.#take("[");
    if (char === "/") throw this.#wrong("has a / between [ and ]");
    return (char === "\\" ? this.#take("\\") : char).codePointAt(0)!;
  }

  /** The next character, which what `opener` began still needs. */
  #take(opener: string): string {
    const char = this.#chars[this.#at++];
    if (char === undefined) throw this.#wrong(`ends after an open ${opener}; a plain one is \\${opener}`);
    return char;
  }

  #wrong(what: string): StorageError {
    return invalid(`the pattern ${this.#pattern} ${what}`);
  }
}
