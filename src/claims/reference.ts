/** References: the text that stands in the place of a value, and the names of objects that it can refer to. */
import { failure, invalid } from "../errors.js";
import { StoragePath } from "../path.js";

/** A stored value. */
export interface Claim {
  /** The path of the object, with its connection id: `s3://lake@bucket/claims/d/sha256/…`. */
  url: string;
  /** SHA-256 of the plain bytes, in lower-case hex. */
  sha256: string;
  /** Plain bytes. */
  size: number;
  /** How the object is compressed; not at all without it. */
  codec?: ClaimCodec;
  /** The runtime's own name for the form of the plain bytes, where it needs one. */
  type?: string;
}

/** Codecs with a suffix by which other tools recognize them. */
export type ClaimCodec = "zip" | "gzip" | "bz2" | "xz" | "lzma" | "zstd" | "lz4";

export const SUFFIX: Readonly<Record<ClaimCodec, string>> = {
  zip: ".zip",
  gzip: ".gz",
  bz2: ".bz2",
  xz: ".xz",
  lzma: ".lzma",
  zstd: ".zst",
  lz4: ".lz4",
};

const VERSION = 1;
const MARK = '{"$stowage":';
const DIGEST = /^[0-9a-f]{64}$/;
/** `d/sha256/<hex>`, or `<uuid>~sha256-<hex>`, and a suffix. */
const NAME = /(?:^|\/)(?:d\/sha256\/|[0-9a-f-]{36}~sha256-)([0-9a-f]{64})(\.[a-z0-9]+)?$/;

/** Returns the reference to a claim: one line of JSON with the key `$stowage`. */
export function referenceText({ url, sha256, size, codec, type }: Claim): string {
  const fields = { v: VERSION, url, sha256, size, ...(codec && { codec }), ...(type !== undefined && { type }) };
  return JSON.stringify({ $stowage: fields });
}

/** Returns whether a text has the form of a reference, whatever it refers to. A value of this form is never inline. */
export function looksLikeReference(text: string): boolean {
  return typeof text === "string" && text.startsWith(MARK);
}

/** The digest and the codec that the name of an object states. */
export function parseName(key: string): { sha256: string; codec: ClaimCodec | undefined } | undefined {
  const [, sha256, suffix] = NAME.exec(key) ?? [];
  if (sha256 === undefined) return undefined;
  const codec = (Object.keys(SUFFIX) as ClaimCodec[]).find((name) => SUFFIX[name] === suffix);
  return suffix !== undefined && codec === undefined ? undefined : { sha256, codec };
}

/**
 * Returns the claim of a text that has the form of a reference; undefined for any other text, which is a value. A text
 * whose object lies elsewhere than `isOurs` says is a reference if nothing is wrong with it, and else a value. Throws
 * `Unsupported` for a version that this release does not know, and `Corrupt` for a reference that contradicts itself.
 */
export function parseReference(text: string, isOurs: (path: StoragePath) => boolean): Claim | undefined {
  if (!looksLikeReference(text)) return undefined;
  const fields = onlyField(text);
  if (fields === undefined || typeof fields.url !== "string") return undefined;
  const path = parsedPath(fields.url);
  if (path === undefined) return undefined;
  const ours = isOurs(path);
  const { v, url, sha256, size, codec, type, ...others } = fields;
  if (v !== VERSION && !ours) return undefined;
  if (v !== VERSION) throw failure("Unsupported", `a reference of version ${JSON.stringify(v)}; this release reads 1`);
  const name = parseName(path.key);
  const sound =
    typeof sha256 === "string" &&
    DIGEST.test(sha256) &&
    Number.isSafeInteger(size) &&
    (size as number) >= 0 &&
    (type === undefined || typeof type === "string");
  if (!sound || Object.keys(others).length > 0 || name?.sha256 !== sha256 || name.codec !== codec) {
    if (!ours) return undefined;
    throw failure("Corrupt", "the reference contradicts the name of its object").at("claim", url as string);
  }
  return {
    url: url as string,
    sha256,
    size: size as number,
    ...(name.codec && { codec: name.codec }),
    ...(typeof type === "string" && { type }),
  };
}

/** Returns the object in the only field of a reference. */
function onlyField(text: string): Record<string, unknown> | undefined {
  try {
    const found = JSON.parse(text) as unknown;
    if (typeof found !== "object" || found === null || Object.keys(found).length !== 1) return undefined;
    const { $stowage } = found as { $stowage?: unknown };
    return typeof $stowage === "object" && $stowage !== null && !Array.isArray($stowage)
      ? ($stowage as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function parsedPath(url: string): StoragePath | undefined {
  try {
    return StoragePath.parse(url);
  } catch {
    return undefined;
  }
}

/**
 * Returns a scope as segments of a key, which read back: percent-encoded, and without names that some provider changes
 * (`.`, `..`, a dot at the end).
 */
export function scopeKey(scope: readonly string[]): string {
  if (!Array.isArray(scope)) throw invalid('a scope must be an array of texts, such as ["workflow", id]');
  // Not `map`, which passes over holes.
  return Array.from(scope, segment).join("/");
}

function segment(text: string): string {
  if (typeof text !== "string" || text === "") throw invalid("a segment of a scope must be text that is not empty");
  if (!text.isWellFormed()) throw invalid("a segment of a scope has a lone surrogate");
  // `d` is where the digests of a scope begin, and `~` is in the names of single objects.
  if (text === "d") return "%64";
  const encoded = encodeURIComponent(text).replace(
    /[!'()*~]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return encoded.replace(/\.+$/, (dots) => "%2E".repeat(dots.length));
}
