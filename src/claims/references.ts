/** Claims as sweeps and checks see them: the names of their objects, and the references in texts. */
import { failure } from "../errors.js";
import type { StoragePath } from "../path.js";
import { type FoundReference, type ObjectLayout, type ReferenceSource, textsWithPlaces } from "../references.js";
import { ageMs } from "./objects.js";
import { type Claim, looksLikeReference, parseName, parseReference } from "./reference.js";

export interface ClaimsLayoutOptions {
  /**
   * The `refreshAfter` of everything that writes below the path. A value that is stored again gets a reference to an
   * object of up to this age without a write, so that a sweep with a shorter grace could delete what was just stored.
   * Without it, nothing is deleted.
   */
  refreshAfter?: number | string | undefined;
  /** Only objects with a name of their own (`unique`), which no other value can come to share. @default false */
  unique?: boolean | undefined;
}

/**
 * The names of the objects of claims, and of those that `stowage/langgraph`, `stowage/dbos` and `stowage/temporal`
 * write.
 *
 * @example await sweep({ storage, path, sources, layout: claimsLayout({ refreshAfter: "12h" }), delete: true });
 */
export function claimsLayout({ refreshAfter, unique = false }: ClaimsLayoutOptions = {}): ObjectLayout {
  return {
    name: "claims",
    minGraceMs: unique ? 0 : ageMs(refreshAfter),
    parse(key) {
      const name = HOLLOW.test(key) || (unique && !UNIQUE.test(key)) ? undefined : parseName(key);
      return name && { sha256: name.sha256, of: "decoded" };
    },
  };
}

/** A segment that is empty or of dots alone, or a character that no key of a claim has. */
const HOLLOW = /(?:^|\/)\.{0,2}(?:\/|$)|[\0\r\n]/;
const UNIQUE = /~sha256-[^/]*$/;

/**
 * References of claims in texts, such as the rows of a queue or lines of a file: a reference alone, or inside JSON or
 * any other text. Throws `Corrupt` or `Unsupported` for a reference that cannot be read.
 *
 * @example const sources = [claimReferences(rows.map(({ data }) => JSON.stringify(data)), "jobs")];
 */
export function claimReferences(texts: Iterable<string> | AsyncIterable<string>, name = "texts"): ReferenceSource {
  return {
    name,
    async *references({ signal } = {}) {
      for await (const { text, where } of textsWithPlaces(texts, name, signal)) yield* referencesIn(text, where);
    },
  };
}

/** What every reference contains. */
export const REFERENCE_MARK = "$stowage";

/** Yields the references in a text; the text itself if it has none, or any in a form that is not known. */
export function* referencesIn(text: string, where: string): Generator<FoundReference, void, undefined> {
  if (!text.includes(REFERENCE_MARK)) return yield { text, where };
  const claim = looksLikeReference(text) ? parseClaim(text, where) : undefined;
  if (claim) return yield found(claim, where);
  const claims: Claim[] = [];
  try {
    JSON.parse(text, (key, value: unknown) => {
      if (key !== REFERENCE_MARK) return value;
      const inner = parseClaim(JSON.stringify({ [REFERENCE_MARK]: value }), where);
      if (inner) claims.push(inner);
      return value;
    });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  for (const inner of claims) yield found(inner, where);
  // Paths in texts of texts: they count for a sweep, and are values for a check.
  yield { text, where };
}

function found({ url, size }: Claim, where: string): FoundReference {
  return { text: url, where, plainSize: size };
}

/** Readers take only those below their own path for references; here it is every place's. */
const anywhere = (_: StoragePath) => true;

function parseClaim(text: string, where: string): Claim | undefined {
  try {
    return parseReference(text, anywhere);
  } catch (cause) {
    throw failure("Corrupt", `a reference in ${where} cannot be read: ${(cause as Error).message}`, { cause });
  }
}
