/** The texts by which rows may name the objects below a path. */
import { invalid } from "../../errors.js";
import { StoragePath } from "../../path.js";
import type { ReadAliases } from "../features.js";
import { asPath, pathBelow, prefixOf } from "../keys/base.js";
import { parseObjectName } from "../keys/layout.js";

interface Name {
  bucket: string;
  /** Of the keys below. */
  prefix: string;
}

const PATH = /^[A-Za-z][A-Za-z0-9+._-]*:\/\/([^/]*)\/(.*)$/s;
/** The start of a path, whole or short as `file:/srv`. Schemes of aliases may have an underscore. */
const START = /[A-Za-z][A-Za-z0-9+._-]*:\//g;
/** What may end a path in JSON, CSV or prose, but may be in an id as well. */
const DELIMITER = /[\s"'`<>|,;()[\]{}\\]/g;
/** What the names of objects that are swept have: a UUID or a digest. Behind it, anything may end a path. */
const UNIQUE = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}/i;
const WHOLE_UNIQUE = new RegExp(`(?:${UNIQUE.source})$`, "i");
/** The ends of words in ASCII. */
const WORD_END = /(?<=[A-Za-z0-9])(?![A-Za-z0-9])/g;
/** Characters of a path among other text: no store takes longer keys. */
const MAX_PATH = 4096;
/** Paths of a text up to which each may reach over the others, which its ids may have inside. */
const FEW_PATHS = 64;
/** Layers of escapes or quotes around a text, such as JSON in a column of CSV. */
const LAYERS = 3;

/**
 * Finds the objects below a path that a text names, by bucket and key alone: a connection id, a scheme or the host of an
 * account is no reason to take a reference for one to something else. What only may be a reference counts as one.
 */
export class PathNames {
  readonly #names: readonly Name[];
  readonly #aliases: readonly (readonly [prefix: string, base: StoragePath])[];

  /** `as` are other paths at which the same objects are found; `aliases` those of the backend's `readAliases`. */
  constructor(path: StoragePath, as: readonly (StoragePath | string)[], aliases: ReadAliases) {
    this.#names = [path, ...as.map(asPath)].map((one) => ({ bucket: one.bucket, prefix: prefixOf(one) }));
    this.#aliases = Object.entries(aliases).map(([prefix, base]) => [prefix, asPath(base)]);
  }

  /**
   * Returns the keys below the path that a text may name, as it stands and without the escapes and quotes of JSON, CSV or
   * SQL. Where a path ends among other text cannot be told, as ids may have spaces, commas and quotes: each end that is
   * possible gives a key.
   */
  below(text: string): string[] {
    const keys = new Set<string>();
    for (const variant of variantsOf(text.trim()))
      for (const path of pathsIn(variant)) for (const key of this.#keysOf(path)) keys.add(key);
    return [...keys];
  }

  #keysOf(text: string): string[] {
    const found = this.#inside(text);
    for (const [prefix, base] of this.#aliases)
      if (text.startsWith(prefix)) found.push(...this.#inside(String(pathBelow(base, text.slice(prefix.length)))));
    return found;
  }

  #inside(text: string): string[] {
    const [, authority = "", key = ""] = PATH.exec(text) ?? [];
    // `connection@bucket`, and `container@account.host` of Azure's own URLs.
    const buckets = [authority.slice(authority.lastIndexOf("@") + 1), authority.split("@", 1)[0]];
    // Of files, `//` and `/./` lead to the same place.
    const keys = [...new Set([key, key.replace(/\/(?:\.?\/)+/g, "/").replace(/^\/+/, "")])];
    const names = this.#names.filter(({ bucket }) => buckets.includes(bucket));
    return names.flatMap(({ prefix }) =>
      keys.flatMap((one) => (one.startsWith(prefix) ? one.slice(prefix.length) : [])),
    );
  }
}

/** Throws InvalidArgument for other names of a path that have no such shape. */
export function checkNames(op: string, { as = [], aliases = {} }: { as?: unknown; aliases?: unknown }): void {
  if (!Array.isArray(as)) throw invalid(`as of ${op} must be a list of paths`);
  if (typeof aliases !== "object" || aliases === null)
    throw invalid(`aliases of ${op} must be an object of prefixes and paths, as readAliases`);
}

/** Yields the text, and what it is without one layer of escapes or quotes, and two, and so on. */
function* variantsOf(text: string): Generator<string> {
  yield text;
  let layer = new Set([text]);
  for (let depth = 0; depth < LAYERS; depth++) {
    const below = [...layer].flatMap((one) => [unescaped(one), one.replaceAll('""', '"'), one.replaceAll("''", "'")]);
    const next = new Set(below.filter((one) => !layer.has(one)));
    if (next.size === 0) return;
    yield* next;
    layer = next;
  }
}

const ESCAPES: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** Returns a text without the escapes of JSON. */
function unescaped(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(/\\(?:u([0-9A-Fa-f]{4})|(.))/gs, (_, hex?: string, other = "") =>
    hex === undefined ? (ESCAPES[other] ?? other) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** Yields all that may be paths in a text. */
function* pathsIn(text: string): Generator<string> {
  const starts = [...text.matchAll(START)].map(({ index }) => index);
  if (starts.length === 1 && starts[0] === 0 && isObjectPath(text)) {
    yield spelledOut(text);
    return;
  }
  let end = text.length;
  for (const start of starts.reverse()) {
    yield* pathsAtStart(text.slice(start, end), start === 0);
    const isWhole = text.startsWith("//", text.indexOf(":", start) + 1);
    if (starts.length > FEW_PATHS && isWhole && isDelimiter(text.charAt(start - 1))) end = start;
  }
}

/** Whether a text ends with the name of an object and has nothing else that may end a path: as most do. */
function isObjectPath(text: string): boolean {
  const { stem, suffix } = parseObjectName(text.slice(text.lastIndexOf("/") + 1));
  const isNamed = suffix === ".json" || (suffix === "" && WHOLE_UNIQUE.test(stem));
  return isNamed && text.search(DELIMITER) < 0;
}

/** Yields what may be the path at the start of a text: to its end, and to each character that may end it. */
function* pathsAtStart(text: string, isWhole: boolean): Generator<string> {
  const part = text.slice(0, MAX_PATH);
  const ends = new Set([...part.matchAll(DELIMITER)].map(({ index }) => index));
  const { index: unique = part.length } = UNIQUE.exec(part) ?? {};
  for (const { index } of part.matchAll(WORD_END)) if (index > unique) ends.add(index);
  if (isWhole || text.length <= MAX_PATH) ends.add(text.length);
  for (const end of ends) {
    const path = spelledOut(text.slice(0, end));
    yield path;
    const withoutStop = path.replace(/[.:!?]+$/, "");
    if (withoutStop !== path) yield withoutStop;
  }
}

function isDelimiter(character: string): boolean {
  return character.search(DELIMITER) === 0;
}

/** Returns the whole form of a short path, `file:/srv/data`. */
function spelledOut(text: string): string {
  if (/^[^:]*:\/\//.test(text)) return text;
  try {
    return String(StoragePath.parse(text));
  } catch {
    return text;
  }
}
