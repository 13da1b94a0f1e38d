/** The texts by which rows may name the objects below a path. */
import { StoragePath } from "../../path.js";
import type { ReadAliases } from "../features.js";
import { asPath, pathBelow, prefixOf } from "../keys/base.js";
import { textsInValue } from "./row-texts.js";

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
/** Characters of a path among other text: no store takes longer keys. */
const MAX_PATH = 4096;

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
   * Returns the keys below the path that a text may name. Where a path ends among other text cannot be told, as ids may
   * have spaces, commas and quotes: each end that is possible gives a key.
   */
  below(text: string): string[] {
    const trimmed = text.trim();
    const inner = /^["[{]/.test(trimmed) ? textsInJson(trimmed) : [];
    const starts = [...trimmed.matchAll(START)].map(({ index }) => index);
    const keys = inner.flatMap((one) => this.below(one));
    let end = trimmed.length;
    for (const start of starts.reverse()) {
      for (const path of pathsIn(trimmed.slice(start, end), start === 0)) keys.push(...this.#keysOf(path));
      // A path of its own begins behind a character that may end the one before it.
      if (start > 0 && isDelimiter(trimmed[start - 1]!)) end = start;
    }
    return keys;
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
    const names = this.#names.filter(({ bucket, prefix }) => buckets.includes(bucket) && key.startsWith(prefix));
    return names.map(({ prefix }) => key.slice(prefix.length));
  }
}

/** Returns the texts inside JSON text; none if it is no JSON. */
function textsInJson(text: string): string[] {
  try {
    return [...textsInValue(JSON.parse(text), "")].map((one) => one.text);
  } catch {
    return [];
  }
}

/** Yields what may be the path at the start of a text: to its end, and to each character that may end it. */
function* pathsIn(text: string, isWhole: boolean): Generator<string> {
  const ends = [...text.slice(0, MAX_PATH).matchAll(DELIMITER)].map(({ index }) => index);
  for (const end of isWhole || text.length <= MAX_PATH ? [...ends, text.length] : ends) {
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
