import { inspect } from "node:util";
import { CLASS } from "./brand.js";
import { invalid } from "./errors.js";

/**
 * The location of an object: an immutable value, without I/O.
 *
 * The text is `scheme://[connection@]bucket/key`, or `file:///path`. The part before the last `@` of the authority is a
 * connection id, never a credential. Nothing is percent-decoded, normalised or resolved: `?`, `#`, `%2F`, `..` and `::`
 * are characters of the key. Every refusal is InvalidArgument.
 */
export class StoragePath {
  /** Lower-case; `s3` and `s3a` are different schemes. */
  readonly scheme: string;
  /** Undefined means the provider's default credentials. */
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
   * Parses the text of a path, as Airflow prints it. Drops trailing slashes; throws InvalidArgument for TAB, CR, LF,
   * NUL, lone surrogates, a password and a missing bucket. `parse(String(p))` equals `p` for every `p` it returns.
   * A `URL` object must be a `file:` URL, as `pathToFileURL` returns; it is percent-decoded (RFC 8089).
   */
  static parse(text: string | URL): StoragePath {
    const { scheme, connectionId, bucket, key } = parseParts(text instanceof URL ? fileUrlText(text) : text);
    return new StoragePath(scheme, connectionId, bucket, key);
  }

  /**
   * Returns a path to exactly this key, as listings need: keeps `a/`, `a//b` and line breaks. A key that ends in a
   * slash prints with it, and one with TAB, CR or LF prints too, but `parse` returns neither.
   */
  static of(parts: PathParts): StoragePath {
    checkParts(parts);
    return new StoragePath(parts.scheme, parts.connectionId, parts.bucket, parts.key);
  }

  /** Identifies the class to other copies of this library. */
  get [CLASS](): "StoragePath" {
    return "StoragePath";
  }

  /** The last segment; empty for the bucket. */
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

  /** The name from its last dot on, `.gz` for `a.tar.gz`; a leading dot counts. Empty without a dot. */
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

  /** The path without the last segment; the bucket is its own parent. */
  get parent(): StoragePath {
    const key = withoutTrailingSlashes(this.key);
    const cut = Math.max(0, key.lastIndexOf("/"));
    return this.#at(withoutTrailingSlashes(key.slice(0, cut)));
  }

  /** `bucket/` (`/` for `file`) and the segments, without empty ones except the very first. */
  get parts(): string[] {
    const segments = this.key.split("/").filter((segment, i) => segment !== "" || (i === 0 && this.key !== ""));
    return [`${this.bucket}/`, ...segments];
  }

  /**
   * Returns the path below: appends each segment as text after a `/` and drops trailing slashes. A segment may hold
   * several names. No segment replaces the path or climbs out of it: `/abs` gives an empty segment, `..` stays a name.
   */
  join(...segments: string[]): StoragePath {
    const below = segments.join("/");
    checkText("the segment", below, false);
    if (below === "") return this;
    const base = this.key === "" || this.key.endsWith("/") ? this.key : `${this.key}/`;
    return this.#at(withoutTrailingSlashes(base + below));
  }

  /**
   * Returns whether this path is `base` or below it: same scheme, connection and bucket, and the same first segments.
   */
  isRelativeTo(base: StoragePath): boolean {
    if (this.scheme !== base.scheme || this.connectionId !== base.connectionId || this.bucket !== base.bucket) {
      return false;
    }
    return startsWithSegments(this.key, base.key);
  }

  /**
   * Returns the text with which `base.join` yields this path, empty for `base` itself. Throws InvalidArgument if this
   * path is not below `base`.
   */
  relativeTo(base: StoragePath): string {
    if (!this.isRelativeTo(base)) throw invalid(`${this} is not ${base} or below it`);
    const rest = this.key.slice(base.key.length);
    const joined = base.key !== "" && !base.key.endsWith("/");
    return joined ? rest.slice(1) : rest;
  }

  /** Returns whether both paths print alike. */
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

type Construct = new (scheme: string, connectionId: string | undefined, bucket: string, key: string) => StoragePath;

/**
 * Returns the path to exactly this key in the bucket of `path`, as `StoragePath.of` does. Checks only the key, since
 * listings make thousands.
 */
export function pathWithKey({ scheme, connectionId, bucket }: StoragePath, key: string): StoragePath {
  checkString("key", key);
  checkText("the key", key, false);
  return new (StoragePath as unknown as Construct)(scheme, connectionId, bucket, key);
}

function startsWithSegments(key: string, base: string): boolean {
  if (!key.startsWith(base)) return false;
  return key.length === base.length || base === "" || base.endsWith("/") || key.charCodeAt(base.length) === 0x2f;
}

// Parsing of the four parts of a path, and the rules for each. Pure, one pass, no backtracking.

/** The parts of a path. */
export interface PathParts {
  /** Lower-case, without `://`. */
  scheme: string;
  /** The connection id; the provider's default credentials when omitted. */
  connectionId?: string | undefined;
  /** The bucket or Azure container; empty for `file`, and only there. */
  bucket: string;
  /** The name within the bucket, byte for byte; empty for the bucket itself. */
  key: string;
}

const SLASH = 0x2f;
const FORM = "a path reads scheme://[connection@]bucket/key or file:///path";

/** Returns the text of a path for a `file:` URL. Only there do the percent signs of a URL object have one meaning. */
function fileUrlText({ href }: URL): string {
  try {
    if (/^file:\/\/\/(?!.*(\?|#|%2f))/i.test(href)) return decodeURIComponent(href);
  } catch {
    // Bytes that are not UTF-8 have no text.
  }
  throw invalid("a URL must be a plain file: URL");
}

/** Returns the parts of `text`, without trailing slashes of the key. Percent-decodes and normalises nothing. */
function parseParts(text: string): PathParts {
  if (typeof text !== "string") throw invalid(`a path is text, not ${typeof text}; ${FORM}`);
  checkText("the path", text, true);
  const colon = schemeEnd(text);
  const scheme = text.slice(0, colon).toLowerCase();
  const start = text.startsWith("//", colon + 1) ? colon + 3 : shortFile(text, scheme, colon);
  const slash = text.indexOf("/", start);
  const end = slash < 0 ? text.length : slash;
  const at = text.lastIndexOf("@", end - 1);
  const connectionId = at > start ? text.slice(start, at) : undefined;
  if (connectionId !== undefined) checkConnectionId(connectionId);
  const bucket = text.slice(at < start ? start : at + 1, end);
  checkBucket(scheme, bucket, connectionId);
  if (bucket === "" && slash < 0) throw invalid(`no path after ${scheme}://; ${FORM}`);
  return { scheme, connectionId, bucket, key: withoutTrailingSlashes(text, end + 1) };
}

/** Checks parts that were not parsed. The key may be any well-formed string without NUL. */
function checkParts({ scheme, connectionId, bucket, key }: PathParts): void {
  checkString("scheme", scheme);
  checkString("bucket", bucket);
  checkString("key", key);
  if (schemeEnd(`${scheme}:`) !== scheme.length || scheme !== scheme.toLowerCase()) {
    throw invalid("a scheme is [a-z][a-z0-9+.-]*");
  }
  if (connectionId !== undefined) {
    checkString("connectionId", connectionId);
    checkConnectionId(connectionId);
  }
  checkBucket(scheme, bucket, connectionId);
  checkText("the bucket", bucket, true);
  checkText("the key", key, false);
}

function checkString(name: string, value: unknown): void {
  if (typeof value !== "string") throw invalid(`${name} is ${typeof value}, not a string`);
}

/**
 * Throws InvalidArgument for NUL and lone surrogates, which no provider stores, and with `oneLine` for TAB, CR and LF.
 */
function checkText(what: string, text: string, oneLine: boolean): void {
  if (!text.isWellFormed()) throw invalid(`${what} has a lone surrogate`);
  if (text.includes("\0")) throw invalid(`${what} has a NUL`);
  if (oneLine && /[\t\r\n]/.test(text)) throw invalid(`${what} has a TAB, CR or LF`);
}

/** Returns the text from `start` without trailing slashes. */
function withoutTrailingSlashes(text: string, start = 0): string {
  let end = text.length;
  while (end > start && text.charCodeAt(end - 1) === SLASH) end--;
  return text.slice(start, end);
}

/** Returns the index of the colon after a well-formed scheme. */
function schemeEnd(text: string): number {
  const found = /^[a-z][a-z\d+.-]*:/i.exec(text);
  if (found) return found[0].length - 1;
  // What is before an @ may hold a password.
  const shown = text.slice(text.lastIndexOf("@") + 1).slice(0, 99);
  throw invalid(`no scheme in ${JSON.stringify(shown)}; ${FORM}`);
}

/** Accepts `file:/path` as the short form of `file:///path`, the only one. */
function shortFile(text: string, scheme: string, colon: number): number {
  if (providerOf(scheme) === "file" && text.charCodeAt(colon + 1) === SLASH) return colon + 1;
  throw invalid(`no :// after the scheme; ${FORM}`);
}

/** Never repeats a refused value: the part before an `@` may be a password. */
function checkConnectionId(id: string): void {
  if (id === "") throw invalid("connectionId is empty; leave it out");
  if (id.includes(":"))
    throw invalid("before @ is a connection id, as in s3://my_conn@bucket/key, never a user and a password");
  if (/[/?#]/.test(id)) throw invalid("a connection id has no / ? or #");
  checkText("the connection id", id, true);
}

function checkBucket(scheme: string, bucket: string, before: string | undefined): void {
  const provider = providerOf(scheme);
  if (provider === "file") {
    if (bucket === "") return;
    throw invalid(`a ${scheme} path has no host: ${scheme}:///path`);
  }
  if (bucket === "") throw invalid(`the bucket is missing; ${FORM}`);
  const mark = /[/?#@:[\]]/.exec(bucket);
  if (mark) throw invalid(`a bucket has no ${mark}; ${FORM}`);
  if (provider === "azure" && isAccount(bucket)) {
    const form = `abfs://connection@${before ?? "container"}/key`;
    throw invalid(`the form is ${form}; the account belongs to the connection`);
  }
}

/** Returns whether the authority is an account's host name, as Hadoop writes it. A container has no dot. */
function isAccount(bucket: string): boolean {
  return /\.(dfs|blob)\./.test(bucket);
}

/** The provider of a scheme. The aliases are those of Airflow's providers and of fsspec. */
export type Provider = "s3" | "gs" | "azure" | "file" | "memory";

const PROVIDERS: ReadonlyMap<string, Provider> = new Map([
  ["s3", "s3"],
  ["s3a", "s3"],
  ["gs", "gs"],
  ["gcs", "gs"],
  ["abfs", "azure"],
  ["abfss", "azure"],
  ["az", "azure"],
  ["azblob", "azure"],
  ["wasb", "azure"],
  ["wasbs", "azure"],
  ["file", "file"],
  ["local", "file"],
  ["memory", "memory"],
]);

/** Returns the provider of a lower-case scheme; undefined for a scheme of the user's own driver. */
export function providerOf(scheme: string): Provider | undefined {
  return PROVIDERS.get(scheme);
}

/** Returns the schemes of a provider, starting with the one that stock Airflow opens. */
export function schemesOf(provider: Provider): string[] {
  return [...PROVIDERS].filter(([, owner]) => owner === provider).map(([scheme]) => scheme);
}

/** Returns whether two lower-case schemes name the same objects: equal ones, or those of one provider. */
export function schemesAlike(scheme: string, other: string): boolean {
  const provider = providerOf(other);
  return scheme === other || (provider !== undefined && schemesOf(provider).includes(scheme));
}
