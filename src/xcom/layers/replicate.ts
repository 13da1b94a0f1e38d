/** One value in several stores: a layer around one backend for each. */

import { createHash } from "node:crypto";
import { CLASS, isInstance } from "../../brand.js";
import { type ErrorCode, failure, isStorageError, StorageError } from "../../errors.js";
import type { ObjectInfo } from "../../fs/driver/index.js";
import type { Abortable, Storage } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import { refuse, withOperation } from "../errors.js";
import { pathBelow } from "../keys/base.js";
import type { Owner } from "../keys/layout.js";
import type { LoadOptions } from "../options.js";
import type { LocatableBackend, ObjectStorageBackend } from "./located.js";

export interface ReplicaOptions {
  /**
   * The primary, whose references the rows hold, then the others in the order in which they are read. All have the
   * options of the primary but for their path, and share one Storage.
   */
  targets: readonly ObjectStorageBackend[];
  /**
   * When a value counts as stored: when all have it, or as soon as the primary has it; then a copy that fails is told
   * to `onFailure` only. @default "all"
   */
  write?: "all" | "primary" | undefined;
  /** Whether a copy that was missing or damaged when it was read is restored from the one that was not. @default false */
  repair?: boolean | undefined;
  /** Hears of every copy that failed without failing the call: of a value or of a repair. */
  onFailure?: ((error: unknown) => void) | undefined;
}

/** An object, the backend that reads it, and the text by which that backend knows it. */
interface Copy {
  backend: ObjectStorageBackend;
  path: StoragePath;
  reference: string;
}

/** Failures after which another copy is read, the one first that a caller should hear of when all failed. */
const PASSED_OVER: readonly ErrorCode[] = ["Unavailable", "Timeout", "Throttled", "Corrupt", "NotFound"];

/**
 * Keeps every object in several stores.
 *
 * A row holds the reference of the primary; a replica has the object at the same place below its own base path. What is
 * read falls back to the next copy when one is missing, damaged or out of reach, never when permission is refused.
 * `replicate` is the innermost layer: it takes backends, not other layers.
 */
export function replicate(options: ReplicaOptions): Replicas {
  return new Replicas(options);
}

export class Replicas implements LocatableBackend {
  readonly storage: Storage;
  /** The base path of the primary. */
  readonly path: StoragePath;
  readonly #primary: ObjectStorageBackend;
  readonly #targets: readonly ObjectStorageBackend[];
  readonly #write: "all" | "primary";
  readonly #repair: boolean;
  readonly #onFailure: (error: unknown) => void;

  /** @internal Use {@link replicate}. */
  constructor({ targets, write = "all", repair = false, onFailure = () => {} }: ReplicaOptions) {
    checkTargets(targets);
    if (write !== "all" && write !== "primary") refuse('write must be "all" or "primary"');
    if (typeof repair !== "boolean") refuse("repair must be true or false");
    if (typeof onFailure !== "function") refuse("onFailure must be a function");
    this.#primary = targets[0]!;
    this.#targets = targets;
    this.#write = write;
    this.#repair = repair;
    this.#onFailure = onFailure;
    this.storage = this.#primary.storage;
    this.path = this.#primary.path;
  }

  /** By which another copy of this library knows it. */
  get [CLASS](): "Replicas" {
    return "Replicas";
  }

  /**
   * Stores a value with the primary, then copies its object as it is. With `write: "all"` a copy that fails fails the
   * call, and what the call has written is removed again.
   */
  storeValue(owner: Owner, key: string, value: unknown, options: Abortable = {}): Promise<unknown> {
    return withOperation("storeValue", this.path, async () => {
      const stored = await this.#primary.storeValue(owner, key, value, options);
      const [primary, ...others] = this.#copies(stored);
      if (primary) await this.#spread(primary, others, options.signal);
      return stored;
    });
  }

  /** The value, of the first copy that can be read. When none can, the failure that may pass goes before those that stay. */
  loadValue(stored: unknown, options: LoadOptions = {}): Promise<unknown> {
    return withOperation("loadValue", this.path, async () => {
      const copies = this.#copies(stored, options);
      return copies.length > 1 ? this.#loadAny(copies, options.signal) : this.#primary.loadValue(stored, options);
    });
  }

  /** Deletes all copies of an object. One that cannot be deleted does not stop the others, and every one is in the error. */
  purge(stored: unknown, options: LoadOptions = {}): Promise<boolean> {
    return withOperation("purge", this.path, async () => {
      const copies = this.#copies(stored, options);
      options.signal?.throwIfAborted();
      const failures = await this.#remove(copies, options.signal);
      options.signal?.throwIfAborted();
      if (failures.length > 0) throw together("not deleted", failures);
      return copies.length > 0;
    });
  }

  pathsOf(stored: unknown, options: LoadOptions = {}): StoragePath[] {
    return this.#copies(stored, options).map(({ path }) => path);
  }

  refersTo(stored: unknown, options: LoadOptions = {}): boolean {
    return this.#primary.refersTo(stored, options);
  }

  /** Brings every replica of a row's object to what the primary has; the paths that had to be written. */
  sync(stored: unknown, options: LoadOptions = {}): Promise<StoragePath[]> {
    return withOperation("sync", this.path, async () => {
      const [primary, ...others] = this.#copies(stored, options);
      const written: StoragePath[] = [];
      for (const { path } of others) {
        if (await copyUnlessSame(this.storage, primary!.path, path, options.signal)) written.push(path);
      }
      return written;
    });
  }

  /** Every copy of the object of a row; what the primary reads from elsewhere, an old base, has one only. */
  #copies(stored: unknown, options: LoadOptions = {}): Copy[] {
    const [path] = this.#primary.pathsOf(stored, options);
    if (!path) return [];
    if (!path.isRelativeTo(this.path)) return [{ backend: this.#primary, path, reference: String(stored) }];
    const below = path.relativeTo(this.path);
    return this.#targets.map((backend) => {
      const copy = pathBelow(backend.path, below);
      return { backend, path: copy, reference: String(copy) };
    });
  }

  async #spread(primary: Copy, others: readonly Copy[], signal: AbortSignal | undefined): Promise<void> {
    const copying = others.map(({ path }) => copyUnlessSame(this.storage, primary.path, path, signal));
    const results = await Promise.allSettled(copying);
    const failed = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
    if (failed.length === 0) return;
    if (this.#write === "primary" && !signal?.aborted) return failed.forEach(this.#onFailure);
    const written = [primary, ...others.filter((_, i) => mayHaveWritten(results[i]!))];
    // Whoever gave up waiting still wants to have nothing left behind.
    const left = await this.#remove(written, undefined);
    left.forEach(this.#onFailure);
    throw left.length > 0 && isStorageError(failed[0]) ? leftBehind(failed[0], left) : failed[0];
  }

  async #loadAny(copies: readonly Copy[], signal: AbortSignal | undefined): Promise<unknown> {
    const failed: { copy: Copy; error: StorageError }[] = [];
    for (const copy of copies) {
      try {
        const value = await read(copy, signal);
        if (this.#repair) await this.#mend(copy, failed, signal);
        return value;
      } catch (error) {
        if (signal?.aborted || !isPassedOver(error)) throw error;
        failed.push({ copy, error });
      }
    }
    throw foremost(failed.map(({ error }) => error));
  }

  async #mend(good: Copy, failed: readonly { copy: Copy; error: StorageError }[], signal: AbortSignal | undefined) {
    for (const { copy, error } of failed) {
      if (error.code !== "NotFound" && error.code !== "Corrupt") continue;
      await this.storage.copy(good.path, copy.path, { signal }).catch(this.#onFailure);
    }
  }

  /** What failed, each error with the path it failed on. */
  async #remove(copies: readonly Copy[], signal: AbortSignal | undefined): Promise<StorageError[]> {
    const removing = copies.map((copy) => removeCopy(copy, signal));
    const results = await Promise.allSettled(removing);
    return results.flatMap((result) => (result.status === "rejected" ? [result.reason as StorageError] : []));
  }
}

function checkTargets(targets: readonly ObjectStorageBackend[]): void {
  if (!Array.isArray(targets) || targets.length < 2)
    refuse("targets must be two backends or more, the primary first; for one store use its backend alone");
  for (const target of targets) {
    if (!isInstance<ObjectStorageBackend>(target, "XComObjectStorageBackend"))
      refuse("a target is no XComObjectStorageBackend; put other layers around replicate(), not inside");
  }
  if (targets.some(({ storage }) => storage !== targets[0]!.storage))
    refuse("the targets have several Storages; open one with all their connections, and give it to each");
  targets.forEach(({ path }, i) => {
    const clash = targets.find((other, j) => i !== j && path.isRelativeTo(other.path));
    if (clash) refuse(`the target ${path} is the target ${clash.path}, or lies in it; give each a place of its own`);
  });
}

/** A target that hands over the reference of an object that it cannot read would hide that its copy is gone. */
async function read({ backend, path }: Copy, signal: AbortSignal | undefined): Promise<unknown> {
  const value = await backend.loadValue(String(path), { signal });
  if (value === String(path)) throw failure("NotFound", "the copy is missing or damaged").at("loadValue", String(path));
  return value;
}

async function removeCopy({ backend, path, reference }: Copy, signal: AbortSignal | undefined): Promise<void> {
  if (await backend.purge(reference, { signal })) return;
  throw failure("Unsupported", "the target does not take the path for one of its objects").at("purge", String(path));
}

function isPassedOver(error: unknown): error is StorageError {
  return isStorageError(error) && PASSED_OVER.includes(error.code);
}

/** A write that ended without an answer may have come through. */
function mayHaveWritten(result: PromiseSettledResult<boolean>): boolean {
  return result.status === "fulfilled" ? result.value : isStorageError(result.reason, "CommitUnknown");
}

function foremost(errors: readonly StorageError[]): StorageError {
  const first = PASSED_OVER.map((code) => errors.find((error) => error.code === code)).find(Boolean)!;
  return together("not read", [first, ...errors.filter((error) => error !== first)]);
}

/** One error for failures on several copies, with the code and path of the first. */
function together(what: string, errors: readonly StorageError[]): StorageError {
  const first = errors[0]!;
  const named = errors.map(({ path, code }) => `${path}: ${code}`).join(", ");
  const { code, op, path, attempts } = first;
  const cause = new AggregateError(errors, named);
  return new StorageError({ code, op, path, attempts, detail: `${errors.length} copies ${what}: ${named}`, cause });
}

function leftBehind(error: StorageError, left: readonly StorageError[]): StorageError {
  const { code, op, path, attempts } = error;
  const detail = `${error.detail}; could not be removed again: ${left.map(({ path: at }) => at).join(", ")}`;
  return new StorageError({ code, op, path, attempts, detail, cause: new AggregateError([error, ...left], detail) });
}

// Two objects that are to be one and the same.

type Signal = AbortSignal | undefined;

/** Copies an object unless the same bytes are there; whether it did. */
async function copyUnlessSame(storage: Storage, from: StoragePath, to: StoragePath, signal: Signal) {
  if (await isSame(storage, from, to, signal)) return false;
  await storage.copy(from, to, { signal });
  return true;
}

/** By size and digest; where a provider states no digest, the bytes are read. */
async function isSame(storage: Storage, from: StoragePath, to: StoragePath, signal: Signal): Promise<boolean> {
  const there = await infoOf(storage, to, signal);
  if (!there) return false;
  const here = await storage.stat(from, { signal });
  if (here.size !== there.size) return false;
  if (here.md5 !== undefined && there.md5 !== undefined) return here.md5 === there.md5;
  const [a, b] = await Promise.all([from, to].map((path) => sha256Of(storage, path, signal)));
  return a === b;
}

async function infoOf(storage: Storage, path: StoragePath, signal: Signal): Promise<ObjectInfo | undefined> {
  return storage.stat(path, { signal }).catch((error: unknown) => {
    if (isStorageError(error, "NotFound")) return undefined;
    throw error;
  });
}

async function sha256Of(storage: Storage, path: StoragePath, signal: Signal): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of storage.read(path, { signal })) hash.update(chunk);
  return hash.digest("hex");
}
