import { checkOptions, invalid, isStorageError, StorageError } from "../errors.js";
import { StoragePath } from "../path.js";
import { toReadableStream } from "../streams.js";
import { Batch } from "./batch.js";
import { checkApart, copyAcross, deleteUnchanged, type SourceState, waitUntilDistinct } from "./copy-across.js";
import { checkDoomed, deleteGroups, removeTree } from "./delete-tree.js";
import type {
  Driver,
  DriverContext,
  DriverListEntry,
  ObjectDriver,
  ObjectIdentifier,
  ObjectInfo,
} from "./driver/driver.js";
import { globKeys } from "./glob/walk.js";
import { Objects, type ReadStrategy } from "./objects.js";
import { Operation, onObject, type ResolvedObject } from "./operation.js";
import {
  COPY,
  type CopyOptions,
  checkRange,
  checkSign,
  DELETE,
  type DeleteObjectOptions,
  type DeleteOptions,
  GLOB,
  type GlobOptions,
  LIST,
  type ListEntry,
  type ListOptions,
  type PathLike,
  RANGES,
  type Range,
  type RangesInit,
  type ReadOptions,
  SIGN,
  type SignedUrlOptions,
  type WriteOptions,
} from "./options.js";
import { fetchRanges, readAllParallel, readParallel } from "./parallel-read.js";
import type { DriverRegistry } from "./registry.js";
import { summed, transferTree } from "./tree.js";
import { StorageWritable } from "./writable.js";

/** The outcome of one copy: the source's state, unless source and target are one object. */
interface CopyOutcome {
  /** Set for a move. */
  was?: SourceState;
  /** Whether the source was checked after the copy. */
  checked?: boolean;
}

const IN_PARALLEL: ReadStrategy = { stream: readParallel, whole: readAllParallel };

/** Objects by URL, on every provider: all verbs, one set of options, one kind of error. */
export class Storage extends Objects<Driver> {
  readonly #reach: DriverRegistry;
  readonly #shared: DriverContext;

  /** @internal Use `openStorage`. */
  constructor(reach: DriverRegistry, shared: DriverContext) {
    super(reach, shared, IN_PARALLEL);
    this.#reach = reach;
    this.#shared = shared;
  }

  /**
   * Yields the entries of a directory, page by page; none if it does not exist. Among files, a symbolic link to a
   * directory and anything but a regular file are `other`. Throws a BatchError after all other entries that names those
   * it could not list, such as a name that is not UTF-8 or an unreadable folder.
   *
   * @example for await (const { path, size } of storage.list("s3://bucket/logs")) console.log(String(path), size);
   */
  async *list(at: PathLike, init: ListOptions = {}): AsyncGenerator<ListEntry, void, undefined> {
    const call = new Operation("list", "list", init);
    try {
      checkOptions("list", init, LIST);
      const { path, key, driver } = await call.bucket(this.#reach, at);
      const prefix = key === "" ? "" : `${key}/`;
      const { recursive = false, startAfter, versions = false, followLinks, signal } = init;
      const batch = new Batch();
      const delimiter = recursive ? undefined : "/";
      const unlisted = (key: string, error: unknown) => batch.fail(call.failure(key, error));
      const pages = driver.list(prefix, {
        delimiter,
        startAfter: startKey(startAfter),
        versions,
        followLinks,
        others: true,
        unlisted,
        signal,
      });
      for await (const page of pages) {
        batch.done(page.length);
        // The marker object that some tools create for a directory is not its own child.
        for (const item of page) if (item.key !== prefix) yield entry(path, item);
      }
      batch.check("list", call.at, "not listed");
    } catch (error) {
      throw call.toStorageError(error);
    }
  }

  /**
   * Yields objects and directories whose keys match: `*` `?` `[a-c]` inside a segment, `**` across segments, `{x,y}`
   * either. Links, and entries that it could not list, are as in `list`.
   *
   * @example for await (const { path } of storage.glob("s3://bucket/logs/2026-*.csv")) console.log(path.name);
   */
  async *glob(pattern: PathLike, init: GlobOptions = {}): AsyncGenerator<ListEntry, void, undefined> {
    const call = new Operation("glob", "list", init);
    try {
      checkOptions("glob", init, GLOB);
      const { path, key, driver } = await call.bucket(this.#reach, pattern);
      const batch = new Batch();
      const { signal, followLinks, onSkipped } = init;
      const skipped = onSkipped && ((item: DriverListEntry) => onSkipped(entry(path, item).path));
      const unlisted = (name: string, error: unknown) => batch.fail(call.failure(name, error));
      const found = globKeys(driver, key, { signal, followLinks, skipped, unlisted });
      for await (const item of found) {
        batch.done(1);
        yield entry(path, item);
      }
      batch.check("glob", call.at, "not looked at");
    } catch (error) {
      throw call.toStorageError(error);
    }
  }

  /**
   * Returns a web stream of the bytes that `read` yields.
   *
   * @example return new Response(storage.readable("s3://bucket/a.bin"));
   */
  readable(at: PathLike, init: ReadOptions = {}): ReadableStream<Uint8Array> {
    return toReadableStream(this.read(at, init));
  }

  /**
   * Returns several ranges as one array each, in the order of `ranges`. All are of one version: throws `ObjectChanged`
   * otherwise. Nearby ranges share a request.
   *
   * @example const [a, b] = await storage.ranges("s3://bucket/big.bin", [{ start: 0, end: 4 }, { start: 96, end: 100 }]);
   */
  ranges(at: PathLike, ranges: readonly Range[], init: RangesInit = {}): Promise<Uint8Array[]> {
    return onObject(this.#reach, "read", at, init, RANGES, ({ key, driver }) =>
      fetchRanges(driver, key, ranges.map(checkRange), { ...init, budget: this.#shared.downloads }),
    );
  }

  /**
   * Returns a push-style writer. Nothing is stored unless its `close()` resolves.
   *
   * @example await source.pipeTo(storage.writable("s3://bucket/a.bin"));
   */
  writable(at: PathLike, init: WriteOptions = {}): StorageWritable {
    return new StorageWritable((body) => this.write(at, body, init));
  }

  /**
   * Copies an object, or with `recursive` everything below a path; inside the provider if one connection reaches both.
   * Throws `NotFound` if the source does not exist. A recursive copy continues after failures and throws one BatchError
   * at the end.
   *
   * @example await storage.copy("s3://bucket/a", "gs://backup/a", { recursive: true });
   */
  async copy(from: PathLike, to: PathLike, init: CopyOptions = {}): Promise<void> {
    checkOptions("copy", init, COPY);
    await (init.recursive ? this.#tree("copy", from, to, init) : this.#copy("copy", from, to, init));
  }

  /**
   * Moves as `copy` copies; deletes a source once its own copy is complete. A source stays if it is moved onto itself,
   * or if nothing proves that it and its copy are different objects.
   *
   * Deletes only what it copied: a source that changes meanwhile stays beside the copy, and the move throws
   * `ObjectChanged`. GCS, Azure, files and memory compare and delete in one step, files only against this process. On
   * S3 the move checks right before the delete: a change between these two requests is lost, unless the bucket keeps
   * versions.
   *
   * @example await storage.move("s3://bucket/new/a.csv", "s3://bucket/done/a.csv");
   */
  async move(from: PathLike, to: PathLike, init: CopyOptions = {}): Promise<void> {
    checkOptions("move", init, COPY);
    if (init.recursive) return this.#tree("move", from, to, init);
    await this.#finishMove(from, await this.#copy("move", from, to, init), init.signal);
  }

  /**
   * Deletes objects, with `recursive` everything below them too; of a symbolic link, the link alone. A missing one is a
   * success; every one that could not be deleted is named in a {@link BatchError}. Nothing is deleted before all paths
   * are checked.
   */
  override async delete(at: PathLike | readonly PathLike[], init: DeleteOptions = {}): Promise<void> {
    checkOptions("delete", init, DELETE);
    const { recursive, version, signal } = init;
    if (!recursive) return this.#deleteObjects(toPathList(at), { version, signal });
    const trees: { call: Operation; reached: ResolvedObject }[] = [];
    for (const one of toPathList(at)) {
      const call = new Operation("delete", "delete", init);
      const reached = await call.run(() => call.bucket(this.#reach, one));
      await call.run(() => checkDoomed(reached, init));
      trees.push({ call, reached });
    }
    const batch = new Batch();
    for (const { call, reached } of trees) {
      const removed = call.run(() => removeTree(batch, call, reached, init));
      await removed.catch((error: unknown) => {
        if (signal?.aborted || trees.length === 1) throw error;
        batch.fail({ path: call.at, error });
      });
    }
    batch.check("delete", trees[0]?.call.at ?? "", "not deleted");
  }

  /**
   * Returns a URL that lets any holder `GET` or `PUT` this one object until it expires. Sends no request.
   *
   * @example const url = await storage.signedUrl("s3://bucket/a.bin", { expiresIn: 600 });
   */
  signedUrl(at: PathLike, init: SignedUrlOptions = {}): Promise<string> {
    const call = new Operation("sign", "sign", {});
    return call.run(async () => {
      checkOptions("sign", init, SIGN);
      const { key, driver } = await call.object(this.#reach, at);
      return driver.signedUrl(key, checkSign(init));
    });
  }

  /** Deletes single objects, in as few requests per bucket as its driver can. */
  async #deleteObjects(paths: readonly PathLike[], { version, signal }: DeleteObjectOptions): Promise<void> {
    const [first] = paths;
    if (first !== undefined && paths.length === 1) return super.delete(first, { version, signal });
    const groups = new Map<ObjectDriver, { call: Operation; doomed: ObjectIdentifier[] }>();
    for (const one of paths) {
      const call = new Operation("delete", "delete", { signal });
      const { key, driver } = await call.run(() => call.object(this.#reach, one));
      const group = groups.get(driver) ?? { call, doomed: [] };
      groups.set(driver, group);
      group.doomed.push(version === undefined ? { key } : { key, version });
    }
    await deleteGroups(groups, signal);
  }

  /** Returns whether one driver can copy between the two: same provider, same connection. */
  #together(a: StoragePath, b: StoragePath): boolean {
    return a.connectionId === b.connectionId && this.#reach.opener(a.scheme) === this.#reach.opener(b.scheme);
  }

  #tree(op: "copy" | "move", from: PathLike, to: PathLike, init: CopyOptions): Promise<void> {
    const { signal } = init;
    const call = new Operation(op, "list", { signal });
    const writing = new Operation(op, "copy", { signal });
    const reporter = summed(init.onProgress);
    return call.run(async () => {
      const source = await call.bucket(this.#reach, from);
      const target = await writing.run(() => writing.bucket(this.#reach, to));
      const one = async (a: StoragePath, b: StoragePath, listed?: SourceState) => {
        const { ifAbsent, ifMatch } = init;
        const single = { ifAbsent, ifMatch, signal, onProgress: reporter() };
        const copied = await this.#copy(op, a, b, single, listed);
        return op === "move" ? () => this.#finishMove(a, copied, signal) : undefined;
      };
      const drop = (marker: StoragePath, listed: SourceState) => this.#deleteMoved(marker, listed, signal);
      await transferTree({ op, call, writing, source, target, init, one, drop });
    });
  }

  async #finishMove(from: PathLike, { was, checked }: CopyOutcome, signal: AbortSignal | undefined): Promise<void> {
    if (checked) await this.delete(from, { signal });
    else if (was) await this.#deleteMoved(from, was, signal);
  }

  #deleteMoved(at: PathLike, was: SourceState, signal: AbortSignal | undefined): Promise<void> {
    const call = new Operation("move", "delete", { signal });
    return call.run(async () => deleteUnchanged(call, await call.object(this.#reach, at), was, signal));
  }

  /** Copies one object. It can have more than one spelling, such as `s3a://` and a trailing slash. */
  async #copy(
    op: "copy" | "move",
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
    if (source.driver === target.driver && source.key === target.key) {
      await this.stat(from, { signal });
      return {};
    }
    const move = op === "move";
    if (!this.#together(source.path, target.path)) {
      const ifMatch = init.ifMatch ?? listed?.etag;
      const told = (error: unknown) => this.#unasked(init, source, reading.toStorageError(error));
      const copied = await writing.run(() => copyAcross(source, target, { ...init, ifMatch }, told, move));
      if (move) await reading.run(() => checkApart(source, copied, signal));
      return { checked: move };
    }
    const { bucket, key } = source.path;
    const info = move && source.driver !== target.driver ? await this.#seen(reading, source, signal) : undefined;
    if (info) await waitUntilDistinct(info, signal);
    const known = info ?? listed ?? (init.ifMatch === undefined ? undefined : { etag: init.ifMatch });
    const was = known ?? (move ? await this.#seen(reading, source, signal) : undefined);
    // With ifAbsent a provider does not say which of two conditions failed; a move checks again before it deletes.
    const ifMatch = init.ifMatch ?? (ifAbsent ? undefined : was?.etag);
    const { same } = await writing.run(
      () => target.driver.copy({ bucket, key }, target.key, { ifAbsent: ifAbsent === true, ifMatch, signal }),
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

  #seen(call: Operation, { key, driver }: ResolvedObject, signal: AbortSignal | undefined): Promise<ObjectInfo> {
    return call.run(() => driver.stat(key, { version: undefined, signal }));
  }
}

function missing({ op, detail, attempts, cause }: StorageError, path: StoragePath): StorageError {
  return new StorageError({ code: "NotFound", op, path: String(path), detail, attempts, cause });
}

function entry(base: StoragePath, { key, ...rest }: DriverListEntry): ListEntry {
  const { scheme, connectionId, bucket } = base;
  const exact = rest.type === "directory" && key.endsWith("/") ? key.slice(0, -1) : key;
  return { path: StoragePath.of({ scheme, connectionId, bucket, key: exact }), ...rest };
}

/** Returns the key after which a listing starts. */
function startKey(startAfter: ListOptions["startAfter"]): string | undefined {
  if (startAfter === undefined || typeof startAfter === "string") return startAfter;
  if (typeof startAfter?.path?.key !== "string")
    throw invalid("startAfter of list must be a key or an entry of a listing");
  const { path, type } = startAfter;
  return type === "directory" ? `${path.key}/` : path.key;
}

const isList: (at: PathLike | readonly PathLike[]) => at is readonly PathLike[] = Array.isArray;

/** Returns the list of one or several paths. */
function toPathList(at: PathLike | readonly PathLike[]): readonly PathLike[] {
  return isList(at) ? at : [at];
}
