/** Copies and moves: of one object, inside a provider or between two, and of trees. */
import type { MemoryLimiter } from "../concurrency.js";
import { invalid, isStorageError, StorageError } from "../errors.js";
import type { StoragePath } from "../path.js";
import { ATTRIBUTES, attributesOf, checkCopied } from "./attributes.js";
import { checkApart, copyAcross, deleteUnchanged, type SourceState, waitUntilDistinct } from "./copy-across.js";
import type { AttributeName, Driver, ObjectInfo } from "./driver/driver.js";
import { Operation, type ResolvedObject } from "./operation.js";
import type { Abortable, CopyOptions, PathLike } from "./options.js";
import type { DriverRegistry } from "./registry.js";
import { summed, type TreeOptions, type TreeVerb, transferTree } from "./tree.js";

/** The outcome of one copy: the source's state, unless source and target are one object. */
interface CopyOutcome {
  /** Set for a move. */
  was?: SourceState;
  /** Whether the source was checked after the copy. */
  checked?: boolean;
}

/** The verbs of Storage that a copy needs. */
interface Verbs {
  stat(path: PathLike, init: Abortable): Promise<ObjectInfo>;
  delete(path: PathLike, init: Abortable): Promise<void>;
}

export class Copies {
  readonly #reach: DriverRegistry;
  readonly #storage: Verbs;
  /** The memory of what copies read ahead. */
  readonly #limiter: MemoryLimiter;

  constructor(reach: DriverRegistry, storage: Verbs, limiter: MemoryLimiter) {
    this.#reach = reach;
    this.#storage = storage;
    this.#limiter = limiter;
  }

  async run(op: TreeVerb, from: PathLike, to: PathLike, init: CopyOptions, tree: TreeOptions = {}): Promise<void> {
    if (init.recursive) return this.#tree(op, from, to, init, tree);
    const copied = await this.#copy(op, from, to, init);
    if (op === "move") await this.#finishMove(from, copied, init.signal);
  }

  /** Returns whether one driver can copy between the two: same provider, same connection. */
  #together(a: StoragePath, b: StoragePath): boolean {
    return a.connectionId === b.connectionId && this.#reach.opener(a.scheme) === this.#reach.opener(b.scheme);
  }

  #tree(op: TreeVerb, from: PathLike, to: PathLike, init: CopyOptions, tree: TreeOptions): Promise<void> {
    const { signal } = init;
    const call = new Operation(op, "list", { signal });
    const writing = new Operation(op, "copy", { signal });
    const reporter = summed(init.onProgress);
    return call.run(async () => {
      const source = await call.bucket(this.#reach, from);
      const target = await writing.run(() => writing.bucket(this.#reach, to));
      const one = async (a: StoragePath, b: StoragePath, listed?: SourceState) => {
        const { ifAbsent, ifMatch } = init;
        const { attributes, replace } = init;
        const single = { ifAbsent, ifMatch, attributes, replace, signal, onProgress: reporter() };
        const copied = await this.#copy(op, a, b, single, listed);
        return op === "move" ? () => this.#finishMove(a, copied, signal) : undefined;
      };
      const drop = (marker: StoragePath, listed: SourceState) => this.#deleteMoved(marker, listed, signal);
      await transferTree({ ...tree, op, call, writing, source, target, init, one, drop });
    });
  }

  async #finishMove(from: PathLike, { was, checked }: CopyOutcome, signal: AbortSignal | undefined): Promise<void> {
    if (checked) await this.#storage.delete(from, { signal });
    else if (was) await this.#deleteMoved(from, was, signal);
  }

  #deleteMoved(at: PathLike, was: SourceState, signal: AbortSignal | undefined): Promise<void> {
    const call = new Operation("move", "delete", { signal });
    return call.run(async () => deleteUnchanged(call, await call.object(this.#reach, at), was, signal));
  }

  /** Copies one object. It can have more than one spelling, such as `s3a://` and a trailing slash. */
  async #copy(
    op: TreeVerb,
    from: PathLike,
    to: PathLike,
    init: CopyOptions,
    listed?: SourceState,
  ): Promise<CopyOutcome> {
    const { signal, ifAbsent } = init;
    const reading = new Operation(op, "read", { signal, ifMatch: init.ifMatch });
    const writing = new Operation(op, "copy", init);
    const source = await reading.run(() => reading.object(this.#reach, from));
    const target = await writing.run(() => writing.object(this.#reach, to));
    const replaced = await writing.run(async () => checkCopied(target.driver, init));
    if (source.driver === target.driver && source.key === target.key) {
      if (replaced) throw invalid("a copy onto itself replaces nothing; use setAttributes").at(op, writing.at);
      await this.#storage.stat(from, { signal });
      return {};
    }
    const move = op === "move";
    const inProvider = this.#together(source.path, target.path) && (!replaced || canReplace(target.driver, init));
    if (!inProvider) {
      const ifMatch = init.ifMatch ?? listed?.etag;
      const limiter = this.#limiter;
      const told = (error: unknown) => this.#unasked(init, source, reading.toStorageError(error));
      const copied = await writing.run(() => copyAcross(source, target, { ...init, ifMatch }, told, { move, limiter }));
      if (move) await reading.run(() => checkApart(source, copied, signal));
      return { checked: move };
    }
    const { bucket, key } = source.path;
    const info = move && source.driver !== target.driver ? await this.#seen(reading, source, signal) : undefined;
    if (info) await waitUntilDistinct(info, signal);
    const known = info ?? listed ?? (init.ifMatch === undefined ? undefined : { etag: init.ifMatch });
    const full = replaced ? await this.#seen(reading, source, signal, true) : undefined;
    const was = full ?? known ?? (move ? await this.#seen(reading, source, signal) : undefined);
    // With ifAbsent a provider does not say which of two conditions failed; a move checks again before it deletes.
    const ifMatch = init.ifMatch ?? (ifAbsent && !full ? undefined : was?.etag);
    const attributes = full && { ...(init.attributes === "drop" ? {} : attributesOf(full)), ...replaced };
    const { same } = await writing.run(
      () =>
        target.driver.copy({ bucket, key }, target.key, { ifAbsent: ifAbsent === true, ifMatch, attributes, signal }),
      // Within a provider the response says only that an object is missing: that is the source.
      (error) => (isStorageError(error, "NotFound") ? missing(error, source.path) : this.#unasked(init, source, error)),
    );
    if (same && move) throw invalid(`${source.path} and this path lead to one file, which stays`).at(op, writing.at);
    if (!info) return move && was ? { was } : {};
    const stored = await this.#seen(writing, target, signal);
    await reading.run(() => checkApart(source, { info, stored }, signal));
    return { checked: true };
  }

  /** Converts the failure of a condition that the caller did not set into terms that the caller knows. */
  #unasked({ ifMatch }: CopyOptions, { path }: ResolvedObject, error: unknown): unknown {
    if (ifMatch !== undefined || !isStorageError(error, "PreconditionFailed")) return error;
    const { op, attempts } = error;
    const detail = "it changed since it was looked at; nothing of it was copied";
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
