/** Objects whose names hold the digest of their bytes: stored once, renewed when they are old, checked when read. */
import { createHash, getFips } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { isInstance } from "../brand.js";
import { failure, invalid, isStorageError } from "../errors.js";
import type { Abortable, Storage } from "../fs/index.js";
import { StoragePath } from "../path.js";
import { RecentObjects } from "./recent.js";
import type { ClaimCodec } from "./reference.js";

/** Bytes hashed at once: about five milliseconds without instructions for SHA. */
const SLICE = 2 * 2 ** 20;

/** Milliseconds for which an object that nothing deletes is not stored again: runtimes repeat themselves. */
export const REMEMBER_MS = 60_000;

/** What an object must be. */
export interface Expected {
  sha256: string;
  /** Plain bytes, if known. */
  size: number | undefined;
  codec?: ClaimCodec | undefined;
}

export interface StoreOptions extends Abortable {
  codec?: ClaimCodec | undefined;
  /**
   * Milliseconds for which the object is taken to be there after this instance has stored it, without a request. What
   * anything else deletes in that time is not written again.
   */
  rememberMs: number;
}

export class DigestObjects {
  readonly storage: Storage;
  readonly maxBytes: number;
  readonly #refreshAfterMs: number;
  readonly #recent = new RecentObjects();

  constructor(storage: Storage, maxBytes: number, refreshAfterMs: number) {
    if (typeof storage?.get !== "function") throw invalid("a storage is needed, such as openStorage()");
    this.storage = storage;
    this.maxBytes = maxBytes;
    this.#refreshAfterMs = refreshAfterMs;
  }

  /** Throws TooLarge above the limit. */
  checkSize(size: number, path: string): void {
    if (size > this.maxBytes)
      throw failure("TooLarge", `${size} bytes, the limit is ${this.maxBytes}`).at("claim", path);
  }

  /**
   * Makes sure that the object is there, and young: in no request if it is remembered, in one if it is new, or if a read
   * of this instance found it damaged, in two if it is there. The bytes must not change meanwhile.
   */
  async store(path: StoragePath, bytes: Uint8Array, { codec, rememberMs, signal }: StoreOptions): Promise<void> {
    await this.#recent.unlessStored(String(path), { ms: rememberMs, signal }, async () => {
      const modified = await this.#write(path, bytes, codec, signal);
      return modified + this.#refreshAfterMs;
    });
  }

  /** Returns the time from which the age of the object counts: that of the call, or of an earlier write. */
  async #write(
    path: StoragePath,
    bytes: Uint8Array,
    codec: ClaimCodec | undefined,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const options = { compression: codec ?? null, contentType: "application/octet-stream", signal };
    const begun = Date.now();
    try {
      if (!this.#recent.isDamaged(String(path))) {
        await this.storage.write(path, bytes, { ...options, ifAbsent: true });
        return begun;
      }
    } catch (error) {
      if (isStorageError(error, "AlreadyExists")) {
        // What a codec makes of the bytes may differ between versions.
        const modified = await this.#modifiedIfFresh(path, codec === undefined ? bytes : undefined, signal);
        if (modified !== undefined) return modified;
      } else if (!isStorageError(error, "CommitUnknown") && !isStorageError(error, "Unsupported")) throw error;
    }
    // All writers store identical bytes, so an unconditional or repeated write is safe.
    await this.storage.write(path, bytes, options);
    this.#recent.markSound(String(path));
    return begun;
  }

  /** Deletes one object, or all below a path. */
  delete(path: StoragePath, { recursive = false, signal }: Abortable & { recursive?: boolean }): Promise<void> {
    const one = recursive ? undefined : String(path);
    return this.#recent.deleting(one, () => this.storage.delete(path, { recursive, signal }));
  }

  /** Returns the bytes. Throws Corrupt if they are not what is expected, TooLarge before reading more than the limit. */
  async read(path: StoragePath, expected: Expected, signal: AbortSignal | undefined): Promise<Uint8Array> {
    try {
      return await this.#read(path, expected, signal);
    } catch (error) {
      // The next store writes it again.
      if (isStorageError(error, "NotFound")) this.#recent.forget(String(path));
      if (isStorageError(error, "Corrupt")) this.#recent.markDamaged(String(path));
      throw error;
    }
  }

  async #read(path: StoragePath, expected: Expected, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const { sha256, codec } = expected;
    const bytes =
      codec === undefined ? await this.#plain(path, expected, signal) : await this.#decoded(path, expected, signal);
    if (expected.size !== undefined && bytes.byteLength !== expected.size)
      throw otherSize(path, bytes.byteLength, expected);
    if ((await digestOf(bytes, signal)) === sha256) return bytes;
    throw failure("Corrupt", "the bytes do not have the digest of the claim").at("get", String(path));
  }

  /**
   * Returns when an object was written that can stay: one that is young enough, and whose size and MD5 are those of the
   * bytes at rest, as far as these are known and the provider states them.
   */
  async #modifiedIfFresh(
    path: StoragePath,
    atRest: Uint8Array | undefined,
    signal: AbortSignal | undefined,
  ): Promise<number | undefined> {
    const info = await this.storage.stat(path, { signal }).catch((error: unknown) => {
      // Deleted since the write found it.
      if (isStorageError(error, "NotFound")) return undefined;
      throw error;
    });
    if (info?.modified === undefined) return undefined;
    const modified = info.modified.getTime();
    if (Date.now() - modified >= this.#refreshAfterMs) return undefined;
    if (atRest === undefined) return modified;
    return info.size === atRest.byteLength && (await hasMd5(atRest, info.md5, signal)) ? modified : undefined;
  }

  async #plain(path: StoragePath, expected: Expected, signal: AbortSignal | undefined): Promise<Uint8Array> {
    await using object = await this.storage.get(path, { signal });
    const { size } = object.info;
    if (expected.size !== undefined && size !== expected.size) throw otherSize(path, size, expected);
    this.checkSize(size, String(path));
    return object.bytes();
  }

  async #decoded(path: StoragePath, expected: Expected, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const { size = this.maxBytes, codec } = expected;
    try {
      return await this.storage.bytes(path, { compression: codec, maxDecodedBytes: size, signal });
    } catch (error) {
      if (!isStorageError(error, "TooLarge")) throw error;
      throw failure("Corrupt", `more than ${size} bytes`, { cause: error }).at("get", String(path));
    }
  }
}

function otherSize(path: StoragePath, size: number, expected: Expected): Error {
  return failure("Corrupt", `${size} bytes instead of ${expected.size}`).at("get", String(path));
}

/** Returns false if the provider states another MD5; Node has none in FIPS mode. */
async function hasMd5(bytes: Uint8Array, md5: string | undefined, signal: AbortSignal | undefined): Promise<boolean> {
  return md5 === undefined || getFips() === 1 || md5 === (await digestOf(bytes, signal, "md5"));
}

/** Hashes in slices, so that other work goes on: the bytes must not change meanwhile. */
export async function digestOf(
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
  algorithm: "sha256" | "md5" = "sha256",
): Promise<string> {
  const hash = createHash(algorithm);
  for (let at = 0; at < bytes.byteLength; at += SLICE) {
    signal?.throwIfAborted();
    hash.update(bytes.subarray(at, at + SLICE));
    if (at + SLICE < bytes.byteLength) await turn();
  }
  return hash.digest("hex");
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Returns an age as milliseconds: a number, or a text such as `7d`. Never, for undefined. */
export function ageMs(age: number | string | undefined, option = "refreshAfter"): number {
  if (age === undefined) return Number.POSITIVE_INFINITY;
  if (typeof age === "number" && age > 0) return age;
  const [, count, unit] = /^(\d+)([smhd])$/.exec(String(age)) ?? [];
  if (count === undefined || Number(count) === 0)
    throw invalid(`${option} must be milliseconds, or a time such as 7d or 12h, not ${JSON.stringify(age)}`);
  return Number(count) * UNITS[unit!]!;
}

/** Returns a path, or the path of a text. */
export function toPath(path: unknown): StoragePath {
  return isInstance<StoragePath>(path, "StoragePath") ? path : StoragePath.parse(path as string);
}

/**
 * Returns whether an object lies below a place. A reference is input from outside: a segment `..` would leave the place
 * on a server that stores files.
 */
export function liesBelow(path: StoragePath, place: StoragePath): boolean {
  return path.isRelativeTo(place) && !/(?:^|\/)\.{0,2}(?:\/|$)/.test(path.relativeTo(place));
}

/** Throws InvalidArgument unless the option is a number of bytes, or Infinity. */
export function byteLimit(name: string, value: number, infinite = true): number {
  if ((Number.isSafeInteger(value) && value >= 0) || (infinite && value === Number.POSITIVE_INFINITY)) return value;
  throw invalid(`${name} must be a number of bytes, not ${value}`);
}
