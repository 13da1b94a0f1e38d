/** Copies and moves: of one object, inside a provider or between two, and of trees. */
import type { MemoryLimiter } from "../concurrency.js";
import { invalid, isStorageError, StorageError } from "../errors.js";
import type { StoragePath } from "../path.js";
import { ATTRIBUTES, attributesOf, checkCopied } from "./attributes.js";
import { checkApart, copyAcross, deleteIfSame, deleteUnchanged, waitUntilDistinct } from "./copy-across.js";
import type { AttributeName, Driver, DriverListEntry, ObjectInfo } from "./driver/driver.js";
import { EncryptedDrivers, encryptedSides, haveDifferentKeys } from "./encryption.js";
import { markErrors, Operation, type ResolvedObject } from "./operation.js";
import {
  type Abortable,
  type CopyOptions,
  type DeleteOptions,
  isDirectoryText,
  type KeyOptions,
  type ObjectState,
  type PathLike,
} from "./options.js";
import type { DriverRegistry } from "./registry.js";
import { summed, type TreeOptions, type TreeVerb, transferTree } from "./tree.js";

/** The outcome of one copy: the source's state, unless source and target are one object. */
interface CopyOutcome {
  /** Set for a move. */
  was?: ObjectState;
  /** Whether the source was checked after the copy. */
  checked?: boolean;
}

/** The verbs of Storage that a copy needs. */
interface Verbs {
  stat(path: PathLike, options: Abortable & KeyOptions): Promise<ObjectInfo>;
  delete(path: PathLike, options: Abortable): Promise<void>;
}

export class Copies {
  readonly #registry: DriverRegistry;
  readonly #storage: Verbs;
  /** The memory of what copies read ahead. */
  readonly #limiter: MemoryLimiter;

  constructor(registry: DriverRegistry, storage: Verbs, limiter: MemoryLimiter) {
    this.#registry = registry;
    this.#storage = storage;
    this.#limiter = limiter;
  }

  async run(op: TreeVerb, from: PathLike, to: PathLike, options: CopyOptions, tree: TreeOptions = {}): Promise<void> {
    if (options.recursive) return this.#tree(op, from, to, options, tree);
    const copied = await this.#copy(op, from, this.#targetOf(from, to), options);
    if (op === "move") await this.#finishMove(from, copied, options);
  }

  /**
   * Text that ends in a slash is a directory, as in fsspec: the object keeps its name in it. The source itself with a
   * slash is no directory: it is an object.
   */
  #targetOf(from: PathLike, to: PathLike): PathLike {
    if (!isDirectoryText(to)) return to;
    const [source, target] = [this.#registry.path(from), this.#registry.path(to)];
    return source.equals(target) ? to : target.join(source.name);
  }

  /** Deletes one object in the state that `ifMatch` gives. Refuses what could mean more than one. */
  deleteIfMatch([at, ...others]: readonly PathLike[], options: DeleteOptions): Promise<void> {
    const { recursive, version, ifMatch = "", signal } = options;
    const call = new Operation("delete", "delete", { ifMatch: "", signal });
    return call.run(async () => {
      if (recursive || version !== undefined || at === undefined || others.length > 0)
        throw invalid("ifMatch of delete is the state of one object: give one path, without recursive and version");
      const { etag = "", ...more } = typeof ifMatch === "string" ? { etag: ifMatch } : ifMatch;
      if (typeof etag !== "string" || etag === "") throw invalid("ifMatch of delete has no etag");
      return deleteIfSame(call, await call.object(this.#registry, at), { etag, ...more }, signal);
    });
  }

  /** Returns whether one driver can copy between the two: same provider, same connection. */
  #canCopyInProvider(a: StoragePath, b: StoragePath): boolean {
    return a.connectionId === b.connectionId && this.#registry.opener(a.scheme) === this.#registry.opener(b.scheme);
  }

  #tree(op: TreeVerb, from: PathLike, to: PathLike, options: CopyOptions, tree: TreeOptions): Promise<void> {
    const { signal } = options;
    const call = new Operation(op, "list", { signal });
    const writing = new Operation(op, "copy", { signal });
    // Each of its calls is inside the copy of one object, which takes off a mark of its own.
    const reporter = summed(markErrors(options.onProgress));
    const onStep = markErrors(options.onStep);
    return call.run(async () => {
      const source = await call.bucket(this.#registry, from);
      const target = await writing.run(() => writing.bucket(this.#registry, to));
      const one = async (a: StoragePath, b: StoragePath, listed?: ObjectState) => {
        const { ifAbsent, ifMatch } = options;
        const { attributes, replace, encryption, customerKey } = options;
        const chosen = { attributes, replace, encryption, customerKey };
        const single = { ifAbsent, ifMatch, ...chosen, signal, onProgress: reporter() };
        const copied = await this.#copy(op, a, b, single, listed);
        return op === "move" ? () => this.#finishMove(a, copied, options) : undefined;
      };
      const drop = (marker: StoragePath, listed: ObjectState) => this.#deleteMoved(marker, listed, options);
      const copied = ({ size }: DriverListEntry, rest: string) => onStep?.({ path: target.path.join(rest), size });
      await transferTree({ copied, ...tree, op, call, writing, source, target, options, one, drop });
    });
  }

  async #finishMove(from: PathLike, { was, checked }: CopyOutcome, options: CopyOptions): Promise<void> {
    if (checked) await this.#storage.delete(from, { signal: options.signal });
    else if (was) await this.#deleteMoved(from, was, options);
  }

  #deleteMoved(path: PathLike, was: ObjectState, { customerKey, signal }: CopyOptions): Promise<void> {
    const call = new Operation("move", "delete", { signal });
    const registry = customerKey === undefined ? this.#registry : new EncryptedDrivers(this.#registry, { customerKey });
    return call.run(async () => deleteUnchanged(call, await call.object(registry, path), was, signal));
  }

  /** Copies one object. It can have more than one spelling, such as `s3a://` and a trailing slash. */
  async #copy(
    op: TreeVerb,
    from: PathLike,
    to: PathLike,
    options: CopyOptions,
    listed?: ObjectState,
  ): Promise<CopyOutcome> {
    const { signal, ifAbsent } = options;
    const reading = new Operation(op, "read", { signal, ifMatch: options.ifMatch });
    const writing = new Operation(op, "copy", options);
    const plainSource = await reading.run(() => reading.object(this.#registry, from));
    const plainTarget = await writing.run(() => writing.object(this.#registry, to));
    const sameBucket = plainSource.driver === plainTarget.driver;
    const replaced = await writing.run(async () => checkCopied(plainTarget.driver, options));
    if (sameBucket && plainSource.key === plainTarget.key) {
      if (replaced || options.encryption)
        throw invalid("a copy onto itself replaces nothing; use setAttributes").at(op, writing.at);
      await this.#storage.stat(from, { customerKey: options.customerKey, signal });
      return {};
    }
    const move = op === "move";
    const inProvider =
      this.#canCopyInProvider(plainSource.path, plainTarget.path) &&
      (!replaced || canReplace(plainTarget.driver, options)) &&
      !haveDifferentKeys(plainTarget.driver, options);
    const { source, target } = await writing.run(async () =>
      encryptedSides(plainSource, plainTarget, options, inProvider),
    );
    if (!inProvider) {
      const ifMatch = options.ifMatch ?? listed?.etag;
      const limiter = this.#limiter;
      const convertError = (error: unknown) =>
        this.#mapImplicitCondition(options, source, reading.toStorageError(error));
      const copied = await writing.run(() =>
        copyAcross(source, target, { ...options, ifMatch }, convertError, { move, limiter }),
      );
      if (move) await reading.run(() => checkApart(source, copied, signal));
      return { checked: move };
    }
    const { bucket, key } = source.path;
    const info = move && !sameBucket ? await this.#seen(reading, source, signal) : undefined;
    if (info) await waitUntilDistinct(info, signal);
    const known = info ?? listed ?? (options.ifMatch === undefined ? undefined : { etag: options.ifMatch });
    const full = replaced ? await this.#seen(reading, source, signal, true) : undefined;
    const was = full ?? known ?? (move ? await this.#seen(reading, source, signal) : undefined);
    // With ifAbsent a provider does not say which of two conditions failed; a move checks again before it deletes.
    const ifMatch = options.ifMatch ?? (ifAbsent && !full ? undefined : was?.etag);
    const attributes = full && { ...(options.attributes === "drop" ? {} : attributesOf(full)), ...replaced };
    const { same } = await writing.run(
      () =>
        target.driver.copy({ bucket, key }, target.key, { ifAbsent: ifAbsent === true, ifMatch, attributes, signal }),
      // Within a provider the response says only that an object is missing: that is the source.
      (error) =>
        isStorageError(error, "NotFound")
          ? missing(error, source.path)
          : this.#mapImplicitCondition(options, source, error),
    );
    if (same && move) throw invalid(`${source.path} and this path lead to one file, which stays`).at(op, writing.at);
    if (!info) return move && was ? { was } : {};
    const stored = await this.#seen(writing, target, signal);
    await reading.run(() => checkApart(source, { info, stored }, signal));
    return { checked: true };
  }

  /** Converts the failure of a condition that the caller did not set into terms that the caller knows. */
  #mapImplicitCondition({ ifMatch }: CopyOptions, { path }: ResolvedObject, error: unknown): unknown {
    if (ifMatch !== undefined || !isStorageError(error, "PreconditionFailed")) return error;
    const { op, attempts } = error;
    const detail = "the source changed after it was checked; nothing was copied";
    return new StorageError({ code: "ObjectChanged", op, path: String(path), detail, attempts, cause: error });
  }

  #seen(
    call: Operation,
    { key, driver }: ResolvedObject,
    signal: AbortSignal | undefined,
    tags = false,
  ): Promise<ObjectInfo> {
    return call.run(() => driver.stat(key, { version: undefined, tags, signal }));
  }
}

/** Returns whether a copy inside the provider can set these attributes. */
function canReplace({ attributesOnCopy }: Driver, { attributes, replace = {} }: CopyOptions): boolean {
  const names = attributes === "drop" ? ATTRIBUTES : replace;
  return (Object.keys(names) as AttributeName[]).every((name) => attributesOnCopy.includes(name));
}

function missing({ op, detail, attempts, cause }: StorageError, path: StoragePath): StorageError {
  return new StorageError({ code: "NotFound", op, path: String(path), detail, attempts, cause });
}
