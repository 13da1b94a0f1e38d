/** Globs: parses the text to a tree, and matches keys against it. */
import { invalid, type StorageError } from "../../errors.js";

type Glyph =
  | { type: "char"; code: number }
  /** `?`: one character of a segment. */
  | { type: "any" }
  /** `*`: any number of characters of a segment. */
  | { type: "run" }
  /** `**`: any number of characters, including slashes. */
  | { type: "deep" }
  | { type: "class"; negated: boolean; ranges: readonly Range[] }
  | { type: "choice"; options: readonly Glyphs[] };
type Glyphs = readonly Glyph[];
/** First and last code point, inclusive. */
export type Range = readonly [first: number, last: number];

const SLASH = 0x2f;
/** The length of the longest key. It also bounds the time per key. */
const MAX_LENGTH = 1024;

/**
 * Returns the tree of a pattern. Throws InvalidArgument if a bracket or brace is open or `**` is not a whole segment.
 */
function parseGlob(pattern: string): Glyphs {
  if (pattern.length > MAX_LENGTH) throw invalid(`a pattern has at most ${MAX_LENGTH} characters`);
  return new Parser(pattern).all();
}

class Parser {
  readonly #pattern: string;
  /** Whole characters, so that `?` and a class consume one each. */
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

  /** Returns the next character, which `opener` still requires. */
  #take(opener: string): string {
    const char = this.#chars[this.#at++];
    if (char === undefined) throw this.#wrong(`ends after an open ${opener}; a plain one is \\${opener}`);
    return char;
  }

  #wrong(what: string): StorageError {
    return invalid(`the pattern ${this.#pattern} ${what}`);
  }
}

/**
 * How to list for a pattern: `literal` has no wildcard, `last` only in its last segment, `middle` also in an earlier
 * one, and `flat` can match at any depth.
 */
export type GlobKind = "literal" | "last" | "middle" | "flat";

/** A compiled pattern, or one segment of it. */
export interface Matching {
  /** The common prefix of all matches. */
  readonly literalPrefix: string;
  /** Whether there is no wildcard: `literalPrefix` is the only match. */
  readonly literal: boolean;
  /** Returns whether the whole of `key` matches. A directory is matched without its trailing slash. */
  matches(key: string): boolean;
}
export interface Glob extends Matching {
  readonly kind: GlobKind;
  /** The parts between the slashes; a `flat` pattern is one segment. */
  readonly segments: readonly Matching[];
}

/**
 * Compiles `*` (any characters of a segment, a leading dot too), `?` (one of them), `[a-c]` and `[!x]`, `{x,y}`, `**`
 * (any number of segments; everything below at the end of the pattern) and `\` before a literal character. Matching
 * takes time linear in the key. Throws InvalidArgument for a malformed pattern.
 */
export function compileGlob(pattern: string): Glob {
  const glyphs = parseGlob(pattern);
  if (glyphs.some(crossesSegments)) return { ...compiled(glyphs), kind: "flat", segments: [compiled(glyphs)] };
  const segments = split(glyphs).map(compiled);
  const wild = segments.findIndex(({ literal }) => !literal);
  const kind = wild < 0 ? "literal" : wild === segments.length - 1 ? "last" : "middle";
  return { ...compiled(glyphs), kind, segments };
}

function compiled(glyphs: Glyphs): Matching {
  const wild = glyphs.findIndex(({ type }) => type !== "char");
  const codes = glyphs.slice(0, wild < 0 ? undefined : wild).map((glyph) => (glyph as { code: number }).code);
  const literalPrefix = codes.map((code) => String.fromCodePoint(code)).join("");
  if (wild < 0) return { literalPrefix, literal: true, matches: (key) => key === literalPrefix };
  const matcher = new Matcher(glyphs.slice(wild));
  const matches = (key: string) => key.startsWith(literalPrefix) && matcher.matches(key, literalPrefix.length);
  return { literalPrefix, literal: false, matches };
}

/** Returns whether a glyph other than a plain slash can match one. */
function crossesSegments(glyph: Glyph): boolean {
  if (glyph.type === "choice")
    return glyph.options.some((option) => option.some((one) => isSlash(one) || crossesSegments(one)));
  return glyph.type === "deep";
}

function isSlash(glyph: Glyph): boolean {
  return glyph.type === "char" && glyph.code === SLASH;
}

function split(glyphs: Glyphs): Glyphs[] {
  const segments: Glyph[][] = [[]];
  for (const glyph of glyphs) {
    if (isSlash(glyph)) segments.push([]);
    else segments.at(-1)!.push(glyph);
  }
  return segments;
}

type Accepts = (code: number) => boolean;
/** A state: accepts one character and advances, forks to other states, or is the end. */
type State = { accepts: Accepts } | { forks: number[] } | { end: true };

/**
 * Matches whole texts against a tree. Follows all states in parallel, so the time is at most the length of the text
 * times the length of the pattern, whatever they contain; there is no backtracking.
 */
class Matcher {
  readonly #states: State[] = [];
  /** The round in which a state was last entered, so that none is followed twice. */
  readonly #entered: Int32Array;
  #round = 0;

  constructor(glyphs: Glyphs) {
    this.#addAll(glyphs);
    this.#states.push({ end: true });
    this.#entered = new Int32Array(this.#states.length);
  }

  /** Returns whether `text` matches from `start` on. */
  matches(text: string, start = 0): boolean {
    this.#entered.fill(0);
    this.#round = 1;
    let states: number[] = [];
    let next: number[] = [];
    this.#enter(0, states);
    for (let at = start; at < text.length && states.length > 0; at++) {
      const code = text.codePointAt(at)!;
      if (code > 0xffff) at++;
      this.#step(states, code, next);
      [states, next] = [next, states];
    }
    return states.some((state) => "end" in this.#states[state]!);
  }

  /** Fills `next` with the successors of `states` after one more character. */
  #step(states: readonly number[], code: number, next: number[]): void {
    next.length = 0;
    this.#round++;
    for (const index of states) {
      const state = this.#states[index]!;
      if ("accepts" in state && state.accepts(code)) this.#enter(index + 1, next);
    }
  }

  /** Adds the states that `index` leads to to `reached`. */
  #enter(index: number, reached: number[]): void {
    if (this.#entered[index] === this.#round) return;
    this.#entered[index] = this.#round;
    const state = this.#states[index]!;
    if ("forks" in state) for (const fork of state.forks) this.#enter(fork, reached);
    else reached.push(index);
  }

  #addAll(glyphs: Glyphs): void {
    for (const glyph of glyphs) this.#add(glyph);
  }

  #add(glyph: Glyph): void {
    if (glyph.type === "choice") this.#addChoice(glyph.options);
    else if (glyph.type === "run") this.#addLoop(inSegment);
    else if (glyph.type === "deep") this.#addLoop(() => true);
    else this.#states.push({ accepts: acceptsOf(glyph) });
  }

  #addLoop(accepts: Accepts): void {
    const start = this.#states.length;
    this.#states.push({ forks: [start + 1, start + 3] }, { accepts }, { forks: [start] });
  }

  #addChoice(options: readonly Glyphs[]): void {
    const fork = this.#fork();
    const exits = options.map((option) => {
      fork.push(this.#states.length);
      this.#addAll(option);
      return this.#fork();
    });
    for (const exit of exits) exit.push(this.#states.length);
  }

  #fork(): number[] {
    const forks: number[] = [];
    this.#states.push({ forks });
    return forks;
  }
}

function inSegment(code: number): boolean {
  return code !== SLASH;
}

function acceptsOf(glyph: Exclude<Glyph, { type: "choice" | "run" | "deep" }>): Accepts {
  if (glyph.type === "char") return (code) => code === glyph.code;
  if (glyph.type === "any") return inSegment;
  const { ranges, negated } = glyph;
  return (code) => code !== SLASH && ranges.some(([first, last]) => code >= first && code <= last) !== negated;
}
