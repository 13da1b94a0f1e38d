/** Keeps one value in several stores: a layer around one backend for each. */

import { createHash } from "node:crypto";
import { CLASS, isInstance } from "../../brand.js";
import { checkOptions, type ErrorCode, failure, isStorageError, StorageError } from "../../errors.js";
import type { ObjectInfo } from "../../fs/driver/index.js";
import type { Abortable, Storage } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import { refuse, withOperation } from "../errors.js";
import { pathBelow } from "../keys/base.js";
import type { Owner } from "../keys/layout.js";
import type { LoadOptions } from "../options.js";
import { type LocatableBackend, type ObjectStorageBackend, referencesBelow, unaliased } from "./located.js";

export interface ReplicaOptions {
  /**
   * The primary, whose references the rows hold, then the replicas in read order. All have the primary's options except
   * for the path, and share one Storage.
   */
  targets: readonly ObjectStorageBackend[];
  /**
   * When a value counts as stored: once all targets have it, or once the primary has it; in that case failed copies go
   * to `onFailure` only. @default "all"
   */
  write?: "all" | "primary" | undefined;
  /** Whether a read restores a missing or damaged copy from an intact one. @default false */
  repair?: boolean | undefined;
  /** Receives each failed copy, of a value or of a repair, that does not fail the call. */
  onFailure?: ((error: unknown) => void) | undefined;
}

/** An object, the backend that reads it, and its reference in that backend. */
interface Copy {
  backend: ObjectStorageBackend;
  path: StoragePath;
  reference: string;
}

/** Failures after which the next copy is read, ordered by which to report if all copies fail. */
const PASSED_OVER: readonly ErrorCode[] = ["Unavailable", "Timeout", "Throttled", "Corrupt", "NotFound"];

/**
 * Keeps every object in several stores.
 *
 * A row holds the primary's reference; a replica has the object at the same place below its own base path. A read falls
 * back to the next copy if one is missing, damaged or unreachable, never if permission is refused. `replicate` is the
 * innermost layer: it takes backends, not other layers.
 */
export function replicate(options: ReplicaOptions): Replicas {
  checkOptions("replicate", options, { targets: true, write: true, repair: true, onFailure: true });
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

  /** Identifies the class to another copy of this library. */
  get [CLASS](): "Replicas" {
    return "Replicas";
  }

  /**
   * Stores a value with the primary, then copies its object byte for byte. With `write: "all"` a failed copy fails the
   * call, which then removes everything it has written. Every value gets a name of its own, not that of the task
   * instance (`tiId`): a copy that fails could otherwise leave an older value under the name.
   */
  storeValue(owner: Owner, key: string, value: unknown, options: Abortable = {}): Promise<unknown> {
    return withOperation("storeValue", this.path, async () => {
      const stored = await this.#primary.storeValue({ ...owner, tiId: undefined }, key, value, options);
      const [primary, ...others] = this.#copies(stored);
      if (primary) await this.#spread(primary, others, options.signal);
      return stored;
    });
  }

  /**
   * Returns the value from the first readable copy. If none is readable, a transient failure is reported in preference
   * to a permanent one.
   */
  loadValue(stored: unknown, options: LoadOptions = {}): Promise<unknown> {
    return withOperation("loadValue", this.path, async () => {
      const copies = this.#copies(stored, options);
      return copies.length > 1 ? this.#loadAny(copies, options.signal) : this.#primary.loadValue(stored, options);
    });
  }

  /** Deletes all copies of an object. A failed delete does not stop the others; the error lists every failure. */
  purge(stored: unknown, options: LoadOptions = {}): Promise<boolean> {
    return withOperation("purge", this.path, async () => {
      const copies = this.#purged(stored, options);
      options.signal?.throwIfAborted();
      const failures = await this.#remove(copies, options.signal);
      options.signal?.throwIfAborted();
      if (failures.length > 0) throw combineErrors("not deleted", failures);
      return copies.length > 0;
    });
  }

  pathsOf(stored: unknown, options: LoadOptions = {}): StoragePath[] {
    return this.#purged(stored, options).map(({ path }) => path);
  }

  refersTo(stored: unknown, options: LoadOptions = {}): boolean {
    return this.#primary.refersTo(stored, options);
  }

  objectOf(stored: unknown, options: LoadOptions = {}): StoragePath | undefined {
    return this.#primary.objectOf(unaliased(this, this.#primary, stored), options);
  }

  referencesTo(path: StoragePath): string[] {
    const bases = this.#targets.map((target) => target.path);
    return referencesBelow(this.path, bases, path);
  }

  /** Makes every replica of a row's object match the primary; returns the paths written. */
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

  /** Returns every copy that a purge of the row deletes: none of an alias, unless that is asked for. */
  #purged(stored: unknown, options: LoadOptions): Copy[] {
    return this.#primary.pathsOf(stored).length > 0 ? this.#copies(stored, options) : [];
  }

  /**
   * Returns every copy of a row's object; an object that the primary reads from elsewhere, an old base, has only one.
   */
  #copies(stored: unknown, options: LoadOptions = {}): Copy[] {
    const path = this.objectOf(stored, options);
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
    // A caller that has aborted still expects nothing to be left behind.
    const left = await this.#remove(written, undefined);
    left.forEach(this.#onFailure);
    throw left.length > 0 && isStorageError(failed[0]) ? leftoverError(failed[0], left) : failed[0];
  }

  async #loadAny(copies: readonly Copy[], signal: AbortSignal | undefined): Promise<unknown> {
    const failed: { copy: Copy; error: StorageError }[] = [];
    for (const copy of copies) {
      try {
        const value = await read(copy, signal);
        if (this.#repair) await this.#repairCopies(copy, failed, signal);
        return value;
      } catch (error) {
        if (signal?.aborted || !isSkipped(error)) throw error;
        failed.push({ copy, error });
      }
    }
    throw firstFailure(failed.map(({ error }) => error));
  }

  async #repairCopies(
    good: Copy,
    failed: readonly { copy: Copy; error: StorageError }[],
    signal: AbortSignal | undefined,
  ) {
    for (const { copy, error } of failed) {
      if (error.code !== "NotFound" && error.code !== "Corrupt") continue;
      await this.#restore(good, copy, error.code, signal).catch(this.#onFailure);
    }
  }

  /** Restores only what is still missing or damaged: another writer may have stored a newer value under the name. */
  async #restore(good: Copy, copy: Copy, code: "NotFound" | "Corrupt", signal: AbortSignal | undefined): Promise<void> {
    try {
      if (code === "NotFound") await this.storage.copy(good.path, copy.path, { ifAbsent: true, signal });
      else await this.#replaceDamaged(good, copy, signal);
    } catch (error) {
      if (isStorageError(error, "AlreadyExists") || isStorageError(error, "PreconditionFailed")) return;
      throw error;
    }
    // A purge meanwhile deletes all copies: the restored one must not outlive it.
    if (!(await this.storage.exists(good.path, { signal }))) await removeCopy(copy, signal);
  }

  async #replaceDamaged(good: Copy, copy: Copy, signal: AbortSignal | undefined): Promise<void> {
    const { etag } = await this.storage.stat(copy.path, { signal });
    const damaged = await read(copy, signal).then(
      () => false,
      (error: unknown) => isStorageError(error, "Corrupt") || isStorageError(error, "NotFound"),
    );
    if (!damaged) return;
    const { size } = await this.storage.stat(good.path, { signal });
    await this.storage.write(copy.path, this.storage.read(good.path, { signal }), { ifMatch: etag, size, signal });
  }

  /** All failures, each with the path of its copy. */
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
  if (targets.some(({ overwrites }) => overwrites))
    refuse("replicas need a new name for each value; add {uuid} to the keyTemplate of the targets");
  if (targets.some(({ storage }) => storage !== targets[0]!.storage))
    refuse("the targets have several Storages; open one with all their connections, and give it to each");
  targets.forEach(({ path }, i) => {
    const clash = targets.find((other, j) => i !== j && path.isRelativeTo(other.path));
    if (clash) refuse(`the target ${path} is the target ${clash.path}, or lies in it; give each a place of its own`);
  });
}

/** A target that returns the reference of an unreadable object would hide that its copy is gone. */
async function read({ backend, path }: Copy, signal: AbortSignal | undefined): Promise<unknown> {
  const value = await backend.loadValue(String(path), { signal });
  if (value === String(path)) throw failure("NotFound", "the copy is missing or damaged").at("loadValue", String(path));
  return value;
}

async function removeCopy({ backend, path, reference }: Copy, signal: AbortSignal | undefined): Promise<void> {
  if (await backend.purge(reference, { signal })) return;
  throw failure("Unsupported", "the target does not take the path for one of its objects").at("purge", String(path));
}

function isSkipped(error: unknown): error is StorageError {
  return isStorageError(error) && PASSED_OVER.includes(error.code);
}

/** A write whose response was lost may have succeeded. */
function mayHaveWritten(result: PromiseSettledResult<boolean>): boolean {
  return result.status === "fulfilled" ? result.value : isStorageError(result.reason, "CommitUnknown");
}

function firstFailure(errors: readonly StorageError[]): StorageError {
  const first = PASSED_OVER.map((code) => errors.find((error) => error.code === code)).find(Boolean)!;
  return combineErrors("not read", [first, ...errors.filter((error) => error !== first)]);
}

/** Returns one error for failures on several copies, with the code and path of the first. */
function combineErrors(what: string, errors: readonly StorageError[]): StorageError {
  const first = errors[0]!;
  const named = errors.map(({ path, code }) => `${path}: ${code}`).join(", ");
  const { code, op, path, attempts } = first;
  const cause = new AggregateError(errors, named);
  return new StorageError({ code, op, path, attempts, detail: `${errors.length} copies ${what}: ${named}`, cause });
}

function leftoverError(error: StorageError, left: readonly StorageError[]): StorageError {
  const { code, op, path, attempts } = error;
  const detail = `${error.detail}; could not be removed again: ${left.map(({ path: at }) => at).join(", ")}`;
  return new StorageError({ code, op, path, attempts, detail, cause: new AggregateError([error, ...left], detail) });
}

// Copies of an object between stores.

/** Copies an object unless the target has the same bytes; returns whether it did. */
async function copyUnlessSame(storage: Storage, from: StoragePath, to: StoragePath, signal: AbortSignal | undefined) {
  if (await isSame(storage, from, to, signal)) return false;
  await storage.copy(from, to, { signal });
  return true;
}

/** Compares size and digest; if a provider reports no digest, reads the bytes. */
async function isSame(
  storage: Storage,
  from: StoragePath,
  to: StoragePath,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const there = await infoOf(storage, to, signal);
  if (!there) return false;
  const here = await storage.stat(from, { signal });
  if (here.size !== there.size) return false;
  if (here.md5 !== undefined && there.md5 !== undefined) return here.md5 === there.md5;
  const [a, b] = await Promise.all([from, to].map((path) => sha256Of(storage, path, signal)));
  return a === b;
}

async function infoOf(
  storage: Storage,
  path: StoragePath,
  signal: AbortSignal | undefined,
): Promise<ObjectInfo | undefined> {
  return storage.stat(path, { signal }).catch((error: unknown) => {
    if (isStorageError(error, "NotFound")) return undefined;
    throw error;
  });
}

async function sha256Of(storage: Storage, path: StoragePath, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of storage.read(path, { signal })) hash.update(chunk);
  return hash.digest("hex");
}
