import { inspect } from "node:util";
import { invalid } from "./errors.js";
import { checkParts, checkText, type PathParts, parseParts, withoutTrailingSlashes } from "./path/parse.js";

export type { PathParts } from "./path/parse.js";
export { type Provider, providerOf, schemesOf } from "./path/scheme.js";

/**
 * Where an object lives: an immutable value, without I/O.
 *
 * The text is `scheme://[connection@]bucket/key`, or `file:///path`. What stands before the last `@` of the
 * authority is a connection id, never a credential. Nothing is percent-decoded, normalised or resolved: `?`, `#`,
 * `%2F`, `..` and `::` are characters of the key. Every refusal is InvalidArgument.
 */
export class StoragePath {
  /** Lower-case; `s3` and `s3a` are not the same scheme. */
  readonly scheme: string;
  /** Undefined: the provider's default credentials. */
  readonly connectionId: string | undefined;
  /** The bucket or Azure container; empty for `file`. */
  readonly bucket: string;
  /** Empty for the bucket itself. */
  readonly key: string;

  private constructor(scheme: string, connectionId: string | undefined, bucket: string, key: string) {
    this.scheme = scheme;
    this.connectionId = connectionId;
    this.bucket = bucket;
    this.key = key;
    Object.freeze(this);
  }

  /**
   * Reads the text of a path, as Airflow prints it. Trailing slashes are dropped; TAB, CR, LF, NUL, lone
   * surrogates, a password and a missing bucket are refused. `parse(String(p))` equals `p` for every `p` it returns.
   */
  static parse(text: string): StoragePath {
    const { scheme, connectionId, bucket, key } = parseParts(text);
    return new StoragePath(scheme, connectionId, bucket, key);
  }

  /**
   * A path to exactly this key, as listings need: `a/`, `a//b` and line breaks are kept. A key that ends in a slash
   * prints with it, and one with TAB, CR or LF prints too, but `parse` does not give these two back.
   */
  static of(parts: PathParts): StoragePath {
    checkParts(parts);
    return new StoragePath(parts.scheme, parts.connectionId, parts.bucket, parts.key);
  }

  /** The last segment; empty at the bucket. */
  get name(): string {
    const key = withoutTrailingSlashes(this.key);
    return key.slice(key.lastIndexOf("/") + 1);
  }

  /** The name before its last dot. */
  get stem(): string {
    const { name } = this;
    const dot = name.lastIndexOf(".");
    return dot < 0 ? name : name.slice(0, dot);
  }

  /** From the last dot of the name on, `.gz` for `a.tar.gz`; a leading dot counts. Empty without a dot. */
  get suffix(): string {
    const { name } = this;
    const dot = name.lastIndexOf(".");
    return dot < 0 ? "" : name.slice(dot);
  }

  /** All suffixes of the name, `.tar` and `.gz` for `a.tar.gz`. */
  get suffixes(): string[] {
    const [, ...rest] = this.name.split(".");
    return rest.map((part) => `.${part}`);
  }

  /** Without the last segment; the bucket is its own parent. */
  get parent(): StoragePath {
    const key = withoutTrailingSlashes(this.key);
    const cut = Math.max(0, key.lastIndexOf("/"));
    return this.#at(withoutTrailingSlashes(key.slice(0, cut)));
  }

  /** `bucket/` (`/` for `file`) and the segments; empty segments are left out, except the first of all. */
  get parts(): string[] {
    const segments = this.key.split("/").filter((segment, i) => segment !== "" || (i === 0 && this.key !== ""));
    return [`${this.bucket}/`, ...segments];
  }

  /**
   * The path below: segments are put after a `/` each, as text, and trailing slashes are dropped. A segment may hold
   * several names. None replaces the path or climbs out of it: `/abs` gives an empty segment, `..` stays a name.
   */
  join(...segments: string[]): StoragePath {
    const below = segments.join("/");
    checkText("the segment", below, false);
    if (below === "") return this;
    const base = this.key === "" || this.key.endsWith("/") ? this.key : `${this.key}/`;
    return this.#at(withoutTrailingSlashes(base + below));
  }

  /** Whether this is `base` or below it: same scheme, connection and bucket, and the segments of `base` first. */
  isRelativeTo(base: StoragePath): boolean {
    if (this.scheme !== base.scheme || this.connectionId !== base.connectionId || this.bucket !== base.bucket) {
      return false;
    }
    return startsWithSegments(this.key, base.key);
  }

  /** The text that `base.join` needs to arrive here, empty at `base` itself; InvalidArgument when this is not below. */
  relativeTo(base: StoragePath): string {
    if (!this.isRelativeTo(base)) throw invalid(`${this} is not ${base} or below it`);
    const rest = this.key.slice(base.key.length);
    const joined = base.key !== "" && !base.key.endsWith("/");
    return joined ? rest.slice(1) : rest;
  }

  /** Whether both print alike. */
  equals(other: StoragePath): boolean {
    return (
      this.key === other.key &&
      this.bucket === other.bucket &&
      this.connectionId === other.connectionId &&
      this.scheme === other.scheme
    );
  }

  toString(): string {
    const { scheme, connectionId, bucket, key } = this;
    return connectionId === undefined ? `${scheme}://${bucket}/${key}` : `${scheme}://${connectionId}@${bucket}/${key}`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return `StoragePath(${this})`;
  }

  #at(key: string): StoragePath {
    return new StoragePath(this.scheme, this.connectionId, this.bucket, key);
  }
}

function startsWithSegments(key: string, base: string): boolean {
  if (!key.startsWith(base)) return false;
  return key.length === base.length || base === "" || base.endsWith("/") || key.charCodeAt(base.length) === 0x2f;
}
