/** The texts by which rows may name the objects below a path. */
import { StoragePath } from "../../path.js";
import type { ReadAliases } from "../features.js";
import { asPath, pathBelow, prefixOf } from "../keys/base.js";

interface Name {
  bucket: string;
  /** Of the keys below. */
  prefix: string;
}

/** The start of a path in a text. Schemes of aliases may have an underscore. */
const PATH = /^[A-Za-z][A-Za-z0-9+._-]*:\/\/([^/]*)\/(.*)$/s;
/** Paths within other text: to the first character that ends a word in JSON, CSV or prose. */
const EMBEDDED = /[A-Za-z][A-Za-z0-9+._-]*:\/\/[^\s"'`<>|,;()[\]{}\\]+/g;

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

  /** Returns the keys below the path that a text may name. */
  below(text: string): string[] {
    const trimmed = text.trim();
    if (PATH.test(trimmed)) return this.#keysOf(trimmed);
    if (/^[a-z]+:\//.test(trimmed)) return this.#keysOf(spelledOut(trimmed));
    return (trimmed.match(EMBEDDED) ?? []).flatMap((path) => this.#keysOf(path));
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

/** Returns the whole form of a short path, `file:/srv/data`. */
function spelledOut(text: string): string {
  try {
    return String(StoragePath.parse(text));
  } catch {
    return text;
  }
}
