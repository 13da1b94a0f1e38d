import { Matcher } from "./matcher.js";
import { type Glyph, type Glyphs, parseGlob, SLASH } from "./pattern.js";

/**
 * How to list for a pattern: `literal` has no wildcard, `last` only in its last segment, `middle` in another one too,
 * and `flat` can match at any depth.
 */
export type GlobKind = "literal" | "last" | "middle" | "flat";

/** A compiled pattern, or one segment of it. */
export interface Matching {
  /** What every match starts with. */
  readonly literalPrefix: string;
  /** Whether there is no wildcard: `literalPrefix` is the only match. */
  readonly literal: boolean;
  /** Whether the whole of `key` matches. A directory is matched without the slash at its end. */
  matches(key: string): boolean;
}
export interface Glob extends Matching {
  readonly kind: GlobKind;
  /** What stands between the slashes; a `flat` pattern is one segment. */
  readonly segments: readonly Matching[];
}

/**
 * Compiles `*` (any characters of a segment, a leading dot too), `?` (one of them), `[a-c]` and `[!x]`, `{x,y}`,
 * `**` (any number of segments; all that is below at the end of the pattern) and `\` before a character that is to
 * stand for itself. Matching takes time linear in the key. InvalidArgument for a pattern that is not well-formed.
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

/** Whether a glyph other than a plain slash can match one. */
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
