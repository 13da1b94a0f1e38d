/** Large values as objects, and references to them: for runtimes whose database is no place for large values. */
import { randomUUID } from "node:crypto";
import { checkOptions, failure, invalid, type OptionNames, StorageError } from "../errors.js";
import type { Abortable, Storage } from "../fs/index.js";
import { StoragePath, schemesAlike } from "../path.js";
import { decodeUtf8 } from "../streams.js";
import { ByteCache } from "./cache.js";
import { ageMs, byteLimit, DigestObjects, digestOf, liesBelow, REMEMBER_MS, toPath } from "./objects.js";
import {
  type Claim,
  type ClaimCodec,
  looksLikeReference,
  parseName,
  parseReference,
  referenceText,
  SUFFIX,
  scopeKey,
} from "./reference.js";

const KIB = 2 ** 10;
const MIB = 2 ** 20;

export interface ClaimsOptions {
  storage: Storage;
  /** All objects lie below this path; references to other places are refused. */
  path: StoragePath | string;
  /** Values of at least this many bytes become objects: 0 for all, Infinity for none. @default 262144 */
  threshold?: number | undefined;
  /** @default none */
  compression?: ClaimCodec | undefined;
  /**
   * The age from which on an object that is stored again is written again, so that a lifecycle rule does not delete
   * what is still in use: milliseconds, or text such as `7d` or `12h`. @default never
   */
  refreshAfter?: number | string | undefined;
  /** The largest value that is written or read. @default 50 MiB */
  maxBytes?: number | undefined;
  /** Old paths whose references are read at a new place: `{ "s3://old/claims": "gs://new/claims" }`. */
  moved?: Readonly<Record<string, StoragePath | string>> | undefined;
  /**
   * Bytes of values that are kept in memory after they were read, by their digest. `get` answers from there without a
   * look at the object, also if anything but this instance has removed it. @default 0
   */
  cache?: number | undefined;
  /**
   * For how long a value that this instance has stored is stored again without a request: milliseconds, or text such as
   * `10s`; 0 for never. An object that anything but this instance deletes in that time, be it another `Claims` of the
   * same process, is not written again. @default 1 minute for values without a scope, which no `removeScope` deletes,
   * and 0 for the others
   */
  remember?: number | string | undefined;
}

export interface ClaimOptions extends Abortable {
  /** Segments of the key below the path, such as the ids of a workflow. */
  scope?: readonly string[] | undefined;
}

export interface PutOptions extends ClaimOptions {
  /** Gives the object a name of its own, so that it can be deleted without a look at other references. @default false */
  unique?: boolean | undefined;
}

/** An object of a listing. */
export interface StoredClaim {
  url: string;
  /** SHA-256 of the plain bytes, as the name states it. */
  sha256: string;
  codec?: ClaimCodec;
  /** Bytes at rest. */
  storedSize: number;
  modified: Date;
}

const OPTIONS: OptionNames<ClaimsOptions> = {
  storage: true,
  path: true,
  threshold: true,
  compression: true,
  refreshAfter: true,
  maxBytes: true,
  moved: true,
  cache: true,
  remember: true,
};
const CLAIM: OptionNames<ClaimOptions> = { scope: true, signal: true };
const PUT: OptionNames<PutOptions> = { scope: true, unique: true, signal: true };

const THRESHOLD = 256 * KIB;
const MAX_BYTES = 50 * MIB;

/**
 * Stores bytes as objects below one path, and reads them back only if size and digest are those of the claim.
 *
 * Objects are named by the digest of their plain bytes, so equal values of one scope share one object and a repeated
 * `put` writes nothing; with `unique` each has its own. `encode` and `decode` carry texts, `value` and `resolve` JSON
 * values, inline below the threshold and as references from there on.
 */
export class Claims {
  readonly #objects: DigestObjects;
  readonly #base: StoragePath;
  readonly #threshold: number;
  readonly #codec: ClaimCodec | undefined;
  /** Where references may lead, and where their objects are: the places of `moved`, then the path itself. */
  readonly #places: readonly (readonly [from: StoragePath, to: StoragePath])[];
  readonly #cache: ByteCache;
  readonly #rememberMs: number | undefined;

  /** Throws InvalidArgument for an unknown option, a path without a key below a bucket, or a value out of range. */
  constructor(options: ClaimsOptions) {
    checkOptions("Claims", options, OPTIONS);
    const { storage, path, threshold = THRESHOLD, compression, maxBytes = MAX_BYTES, cache = 0 } = options;
    this.#objects = new DigestObjects(storage, byteLimit("maxBytes", maxBytes), ageMs(options.refreshAfter));
    this.#base = toPath(path);
    if (this.#base.key === "") throw invalid("path needs a prefix below the bucket, such as s3://bucket/claims");
    this.#threshold = byteLimit("threshold", threshold);
    this.#cache = new ByteCache(byteLimit("cache", cache, false));
    const { remember } = options;
    this.#rememberMs = remember === undefined || remember === 0 ? remember : ageMs(remember, "remember");
    if (compression !== undefined && !Object.hasOwn(SUFFIX, compression))
      throw invalid(
        `unknown compression ${JSON.stringify(compression)} (expected one of ${Object.keys(SUFFIX).join(", ")})`,
      );
    this.#codec = compression;
    const moved = Object.entries(options.moved ?? {}).map(([from, to]) => [toPath(from), toPath(to)] as const);
    this.#places = [...moved, [this.#base, this.#base]];
  }

  /** The path below which all objects lie. */
  get path(): StoragePath {
    return this.#base;
  }

  get threshold(): number {
    return this.#threshold;
  }

  /**
   * Stores bytes, as they are when it is called: it works on a copy. A value that is stored already costs two requests,
   * or none if it is remembered, and writes nothing, unless it is older than `refreshAfter`, or is known to be damaged:
   * by an earlier `get` of this instance, or by the size or the MD5 that the provider states. Throws `TooLarge` above
   * `maxBytes`, before any request.
   *
   * @example const claim = await claims.put(bytes, { scope: ["workflow", id] });
   */
  async put(bytes: Uint8Array, options: PutOptions = {}): Promise<Claim> {
    if (!(bytes instanceof Uint8Array)) throw invalid("put takes a Uint8Array; encode and value take text and JSON");
    return this.#put(bytes, options, true);
  }

  async #put(given: Uint8Array, options: PutOptions, copied: boolean): Promise<Claim> {
    checkOptions("put", options, PUT);
    const { scope = [], unique = false, signal } = options;
    const below = scopeKey(scope);
    this.#objects.checkSize(given.byteLength, String(this.#base));
    // A caller that changes its bytes before they are sent would store others under the name of these, for everyone.
    const bytes = copied ? new Uint8Array(given) : given;
    const sha256 = await digestOf(bytes, signal);
    const name = unique ? `${randomUUID()}~sha256-${sha256}` : `d/sha256/${sha256}`;
    const suffix = this.#codec === undefined ? "" : SUFFIX[this.#codec];
    const path = this.#base.join(below === "" ? `${name}${suffix}` : `${below}/${name}${suffix}`);
    const rememberMs = unique ? 0 : (this.#rememberMs ?? (below === "" ? REMEMBER_MS : 0));
    await this.#objects.store(path, bytes, { codec: this.#codec, rememberMs, signal });
    const claim = { url: String(path), sha256, size: bytes.byteLength };
    return this.#codec === undefined ? claim : { ...claim, codec: this.#codec };
  }

  /**
   * Returns the bytes of a claim. Throws `NotFound` if the object is gone, `Corrupt` if it has another size or digest,
   * `TooLarge` above `maxBytes`, and `PermissionDenied` for a claim whose object lies elsewhere; the last two before any
   * request.
   *
   * @example const bytes = await claims.get(claim);
   */
  async get(claim: Claim, { signal }: Abortable = {}): Promise<Uint8Array> {
    const { url, sha256, size, codec } = claim ?? ({} as Claim);
    const path = this.#locateNamed(url, sha256);
    this.#objects.checkSize(size, url);
    const cached = this.#cache.get(sha256);
    const name = parseName(path.key);
    if (cached?.byteLength === size && name?.codec === (codec ?? undefined)) return cached;
    return this.#cache.fill(sha256, () => this.#objects.read(path, { sha256, size, codec }, signal));
  }

  /**
   * Returns the text itself below the threshold, and a reference from there on. A text that has the form of a reference
   * is always stored, so that it comes back as itself.
   */
  async encode(text: string, options: PutOptions = {}): Promise<string> {
    if (typeof text !== "string") throw invalid("encode takes text; put takes bytes, and value JSON");
    const size = Buffer.byteLength(text, "utf8");
    if (size < this.#threshold && !looksLikeReference(text)) return text;
    if (!text.isWellFormed()) throw invalid("the text has a lone surrogate, which UTF-8 cannot represent");
    return referenceText(await this.#put(Buffer.from(text, "utf8"), options, false));
  }

  /**
   * Returns the reference to bytes from the threshold on, as UTF-8; undefined below it, where the bytes stay in the row.
   * Bytes that have the form of a reference are always stored.
   */
  async encodeBytes(bytes: Uint8Array, options: PutOptions & { type?: string | undefined } = {}) {
    const { type, ...putting } = options;
    if (bytes.byteLength < this.#threshold && !looksLikeReference(head(bytes))) return undefined;
    const claim = await this.put(bytes, putting);
    return Buffer.from(referenceText(type === undefined ? claim : { ...claim, type }), "utf8");
  }

  /** Returns the claim that bytes or a text refer to; undefined for a value. */
  referenceIn(data: Uint8Array | string): Claim | undefined {
    if (typeof data === "string") return this.reference(data);
    if (data.byteLength > MAX_REFERENCE || !looksLikeReference(head(data))) return undefined;
    return this.reference(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("utf8"));
  }

  /** Decodes a text that `encode` returned. A text that is no reference comes back as it is, without a request. */
  async decode(text: string, { signal }: Abortable = {}): Promise<string> {
    const claim = this.reference(text);
    if (claim === undefined) return text;
    return decodeUtf8(await this.get(claim, { signal }));
  }

  /**
   * Returns a JSON value itself below the threshold, and from there on an object `{ $stowage: … }` in its place, which
   * any queue or database can carry.
   */
  async value<T>(value: T, options: PutOptions = {}): Promise<T | { $stowage: object }> {
    const text: string | undefined = JSON.stringify(value);
    if (text === undefined) return value;
    const encoded = await this.encode(text, options);
    return encoded === text ? value : (JSON.parse(encoded) as { $stowage: object });
  }

  /** Decodes a value that `value` returned. */
  async resolve<T = unknown>(value: unknown, options: Abortable = {}): Promise<T> {
    if (typeof value !== "object" || value === null || !("$stowage" in value)) return value as T;
    const text = JSON.stringify(value);
    const decoded = await this.decode(text, options);
    return decoded === text ? (value as T) : parsedJson<T>(decoded);
  }

  /**
   * Returns the claim that a text refers to; undefined for a value. Throws PermissionDenied for a reference whose object
   * lies elsewhere: the writer has another `path`.
   */
  reference(text: string): Claim | undefined {
    let place: StoragePath | undefined;
    const claim = parseReference(text, (path) => {
      place = this.#place(path);
      return place !== undefined;
    });
    if (claim && !place) throw this.#elsewhereError(claim.url);
    return claim;
  }

  /** Returns the text that refers to a claim. */
  referenceText(claim: Claim): string {
    return referenceText(claim);
  }

  /** Deletes the object of a claim. Succeeds if it is gone. Only safe with `unique`: others may refer to it else. */
  async remove(claim: Pick<Claim, "url" | "sha256">, { signal }: Abortable = {}): Promise<void> {
    const path = this.#locateNamed(claim?.url, claim?.sha256);
    await this.#cache.removing(claim.sha256, () => this.#objects.delete(path, { signal }));
  }

  /** Yields the claims of a scope and of the scopes below it, or of all; passes over objects whose names are not those of claims. */
  async *list({ scope = [], signal }: ClaimOptions = {}): AsyncGenerator<StoredClaim, void, undefined> {
    checkOptions("list", { scope, signal }, CLAIM);
    const below = scopeKey(scope);
    const entries = this.#objects.storage.list(this.#base.join(below), { recursive: true, signal });
    for await (const { path, type, size = 0, modified } of entries) {
      const name = type === "file" ? parseName(path.key) : undefined;
      if (name === undefined || modified === undefined) continue;
      const { sha256, codec } = name;
      yield { url: String(path), sha256, ...(codec && { codec }), storedSize: size, modified };
    }
  }

  /** Deletes everything of a scope, such as a thread that has ended. */
  async removeScope(scope: readonly string[], { signal }: Abortable = {}): Promise<void> {
    const below = scopeKey(scope);
    if (below === "") throw invalid("removeScope needs a scope: without one it would delete every claim");
    const path = this.#base.join(below);
    await this.#cache.removing(undefined, () => this.#objects.delete(path, { recursive: true, signal }));
  }

  /** Returns the object of a claim, whose name has its digest. */
  #locateNamed(url: string, sha256: string): StoragePath {
    const path = this.#locate(url);
    if (parseName(path.key)?.sha256 === sha256) return path;
    throw failure("Corrupt", "the claim is of another object").at("claim", url);
  }

  #locate(url: string): StoragePath {
    const path = this.#place(toPath(url));
    if (path) return path;
    throw this.#elsewhereError(url);
  }

  #elsewhereError(url: string): StorageError {
    const detail = `the object lies neither below ${this.#base} nor below a path of moved`;
    return new StorageError({ code: "PermissionDenied", op: "claim", path: url, detail });
  }

  /** Returns where an object is now; undefined for one that is not ours. */
  #place(path: StoragePath): StoragePath | undefined {
    // A reader may know the writer's bucket by another connection; each uses its own.
    for (const [from, to] of this.#places) {
      const { scheme, connectionId } = from;
      // First: a bucket of one provider may be none of another.
      if (!schemesAlike(path.scheme, scheme)) continue;
      const known = StoragePath.of({ scheme, connectionId, bucket: path.bucket, key: path.key });
      if (liesBelow(known, from)) return to.join(known.relativeTo(from));
    }
    return undefined;
  }
}

/** The message of the parser would show a part of the data. */
function parsedJson<T>(text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    throw failure("Corrupt", "the object of the claim is not JSON");
  }
}

/** A reference is a key of at most a kilobyte, percent-encoded, and a few short fields. */
const MAX_REFERENCE = 8 * KIB;

/** Returns the beginning of bytes as text, enough to tell a reference. */
function head(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 64)).toString("latin1");
}
