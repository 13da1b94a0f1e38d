import { checkOptions, invalid } from "../errors.js";
import type { StoragePath } from "../path.js";
import { abortable, type ByteStream, toReadableStream } from "../streams.js";
import {
  type AttributeChanges,
  checkCopyOptions,
  checkMore,
  STAT_WITH_TAGS,
  setAttributes,
  UPDATE,
  WRITE_WITH_ATTRIBUTES,
} from "./attributes.js";
import { Batch } from "./batch.js";
import { Buckets } from "./buckets.js";
import { verifyChecksum } from "./checksum.js";
import { Copies } from "./copy.js";
import { checkDeletable, deleteGroups, removeTree } from "./delete-tree.js";
import type {
  Driver,
  DriverContext,
  DriverListEntry,
  ObjectDriver,
  ObjectIdentifier,
  ObjectInfo,
  WriteResult,
} from "./driver/driver.js";
import { EncryptedDrivers } from "./encryption.js";
import { GetResult, type JsonOptions } from "./get.js";
import { globKeys } from "./glob/walk.js";
import { type SignedPost, type SignedUrl, signedPost, signedUrl } from "./links.js";
import { entry, type ListResult, list } from "./list.js";
import { Objects, type ReadStrategy } from "./objects.js";
import { markErrors, Operation, onObject, type ResolvedObject } from "./operation.js";
import {
  COPY,
  type CopyOptions,
  checkNoDirectory,
  checkRanges,
  DELETE,
  type DeleteObjectOptions,
  type DeleteOptions,
  GLOB,
  type GlobOptions,
  type KeyOptions,
  type ListEntry,
  type ListOptions,
  type PathLike,
  RANGES,
  type Range,
  type RangesOptions,
  type ReadOptions,
  type SetAttributesOptions,
  type SignedPostOptions,
  type SignedUrlOptions,
  type StatOptions,
  type UpdateOptions,
  type WriteOptions,
} from "./options.js";
import { readAllParallel, readParallel } from "./parallel-read.js";
import { checkReadWithLast, READ_WITH_LAST, readLast } from "./read-last.js";
import { fetchRanges } from "./read-ranges.js";
import type { DriverRegistry } from "./registry.js";
import { Scope } from "./scope.js";
import { type SyncOptions, type SyncSummary, sync } from "./sync.js";
import type { TreeOptions } from "./tree.js";
import { type UpdateFunction, updateObject } from "./update.js";
import { StorageWritable } from "./writable.js";
import { decoding, unwrapBody, type WriteBody, writeObject } from "./write.js";

const IN_PARALLEL: ReadStrategy = { stream: readParallel, whole: readAllParallel };

/** Objects by URL, on every provider: all verbs, one set of options, one kind of error. */
export class Storage extends Objects<Driver> {
  readonly #registry: DriverRegistry;
  readonly #shared: DriverContext;
  readonly #copies: Copies;

  /** @internal Use `openStorage`. */
  constructor(registry: DriverRegistry, shared: DriverContext) {
    super(registry, shared, IN_PARALLEL);
    this.#registry = registry;
    this.#shared = shared;
    this.#copies = new Copies(registry, this, shared.downloads);
  }

  /**
   * Returns the metadata of one object: its path and exact key, size in bytes, etag, time of modification, and its
   * attributes. What the provider does not say is undefined. Throws `NotFound` if it does not exist.
   *
   * @example const { size, cacheControl, tags } = await storage.stat("s3://bucket/data.csv", { tags: true });
   */
  override stat(path: PathLike, options: StatOptions = {}): Promise<ObjectInfo & { path: StoragePath }> {
    const keyed = this.#keyed(options);
    if (keyed) return keyed.storage.stat(path, keyed.options);
    return onObject(this.#registry, "stat", path, options, STAT_WITH_TAGS, async ({ path: parsed, key, driver }) => {
      const { version, tags, signal } = options;
      return { path: parsed, ...(await driver.stat(key, { version, tags, signal })) };
    });
  }

  override exists(path: PathLike, options: StatOptions = {}): Promise<boolean> {
    return super.exists(path, options);
  }

  /**
   * Stores `body` atomically, with attributes such as `cacheControl`, and returns the etag and version of the new object.
   *
   * Readers see the previous object until the promise resolves. When the body throws or the signal aborts, nothing is
   * stored and the promise rejects with that reason. Throws `AlreadyExists` or `PreconditionFailed` if `ifAbsent` or
   * `ifMatch` fails, `Unsupported` for an attribute or encryption that the provider does not have, and `Corrupt` if the
   * bytes do not have the `checksum`.
   *
   * @example await storage.write("s3://bucket/app.js", "code", { cacheControl: "public, max-age=31536000, immutable" });
   */
  override write(path: PathLike, body: WriteBody, options: WriteOptions = {}): Promise<WriteResult> {
    const { encryption } = options ?? {};
    const registry = encryption === undefined ? this.#registry : new EncryptedDrivers(this.#registry, { encryption });
    return onObject(registry, "write", path, options, WRITE_WITH_ATTRIBUTES, async (resolved) => {
      checkNoDirectory(path);
      const { driver, context } = resolved;
      const more = checkMore(options, driver);
      const { body: bytes, contentType } = unwrapBody(body);
      const typed =
        contentType === undefined || options.contentType !== undefined ? options : { ...options, contentType };
      if (options.checksum === undefined) return writeObject(resolved, bytes, typed, more);
      const { checksum, ...checked } = await verifyChecksum(bytes, options, driver, context.written);
      return writeObject(resolved, checked.body, { ...typed, size: checked.size }, { ...more, checksum });
    });
  }

  /**
   * Opens an object in one request: its metadata and its bytes, all of one version. A dropped connection is resumed.
   * Throws `NotFound` if it does not exist. Read the result, or close it with `cancel()` or `await using`.
   *
   * @example
   * const object = await storage.get("s3://bucket/config.json");
   * const config = await object.json();
   * await storage.write("s3://bucket/config.json", "{}", { ifMatch: object.info.etag });
   */
  async get(path: PathLike, options: ReadOptions = {}): Promise<GetResult> {
    const keyed = this.#keyed(options);
    if (keyed) return keyed.storage.get(path, keyed.options);
    const call = new Operation("read", "read", options);
    return call.run(async () => {
      checkOptions("get", options, READ_WITH_LAST);
      const { last } = options;
      const wanted = Object.assign(checkReadWithLast(options), { limiter: this.#shared.downloads });
      const resolved = await call.object(this.#registry, path);
      const decode = decoding(resolved, options);
      const { key, driver } = resolved;
      const { info, body } = await (last === undefined
        ? readParallel(driver, key, wanted)
        : readLast(driver, key, last, wanted));
      const inRange = last === undefined ? rangeSize(info, wanted) : Math.min(last, info.size);
      const size = options.compression == null ? inRange : undefined;
      const source = abortable(body, options.signal);
      return new GetResult(info, { source, decode, size, toError: (error) => call.toStorageError(error) });
    });
  }

  /**
   * Yields the object's bytes over one connection, which resumes after a drop. All bytes are of one version: throws
   * `ObjectChanged` if the object changes meanwhile, `NotFound` if it does not exist.
   *
   * @example for await (const chunk of storage.read("s3://bucket/big.bin")) hash.update(chunk);
   */
  override read(path: PathLike, options: ReadOptions = {}): ByteStream {
    const keyed = this.#keyed(options);
    if (keyed) return keyed.storage.read(path, keyed.options);
    return options?.last === undefined ? super.read(path, options) : this.#readLast(path, options);
  }

  /**
   * Returns the object, or the range, as one `Uint8Array`. Fetches several ranges in parallel above 16 MiB. Throws
   * `NotFound` if the object does not exist, `ObjectChanged` if it changes meanwhile.
   *
   * @example const tail = await storage.bytes("s3://bucket/big.log", { last: 1024 });
   */
  override bytes(path: PathLike, options: ReadOptions = {}): Promise<Uint8Array> {
    const keyed = this.#keyed(options);
    if (keyed) return keyed.storage.bytes(path, keyed.options);
    if (options?.last === undefined) return super.bytes(path, options);
    return this.get(path, options).then((object) => object.bytes());
  }

  /**
   * Returns the object, or the range, as text. Throws `Corrupt` if it is not UTF-8, `NotFound` if it does not exist.
   *
   * @example const config = JSON.parse(await storage.text("s3://bucket/config.json"));
   */
  override text(path: PathLike, options: ReadOptions = {}): Promise<string> {
    return super.text(path, options);
  }

  /**
   * Returns the object as a JSON value. Throws `NotFound` if it does not exist, `Corrupt` if it is no JSON or does not
   * fit the schema, which can be of any library that implements Standard Schema.
   *
   * @example const { port } = await storage.json<{ port: number }>("s3://bucket/config.json");
   */
  async json<T = unknown>(path: PathLike, options: ReadOptions & JsonOptions<T> = {}): Promise<T> {
    const { schema, ...reading } = options ?? {};
    return (await this.get(path, reading)).json<T>({ schema });
  }

  /**
   * Writes a value as JSON, with the content type `application/json`. Throws InvalidArgument for a value that JSON
   * cannot represent.
   *
   * @example await storage.writeJson("s3://bucket/config.json", { port: 80 }, { ifAbsent: true });
   */
  writeJson(path: PathLike, value: unknown, options: WriteOptions = {}): Promise<WriteResult> {
    const call = new Operation("write", "write", {});
    return call.run(async () => {
      call.path(this.#registry, path);
      return this.write(path, jsonText(value), { ...options, contentType: options.contentType ?? "application/json" });
    });
  }

  /**
   * Reads an object, applies `change` and writes the result under a condition, so that no other writer's change is
   * lost. `change` receives what `get` returns, or undefined if there is no object, and returns the new body, or
   * undefined to leave the object as it is. On a conflict with another writer, `change` is called again after a random
   * pause, `attempts` times in all. Attributes stay unless `options` has others.
   *
   * Returns the result of the write, or undefined if nothing was written. Throws the error of `change`; `PreconditionFailed` or
   * `AlreadyExists` after the last attempt; `CommitUnknown` if a response was lost and nothing shows whether the change
   * is stored.
   *
   * @example await storage.update("s3://bucket/count", async (now) => String(Number(await now?.text() ?? 0) + 1));
   */
  update(path: PathLike, change: UpdateFunction, options: UpdateOptions = {}): Promise<WriteResult | undefined> {
    const call = new Operation("update", "write", { signal: options?.signal });
    return call.run(async () => {
      checkOptions("update", options, UPDATE);
      const parsed = call.path(this.#registry, path);
      checkNoDirectory(path);
      if (typeof change !== "function") throw invalid("update needs a function that returns the new body");
      return updateObject(this, parsed, change, options);
    });
  }

  /**
   * Changes attributes of an object in place; `null` removes one, and the others stay. Throws `Unsupported` for an
   * attribute that the provider cannot store, and `PreconditionFailed` if the object is replaced meanwhile.
   *
   * S3 copies the object onto itself on the server, which makes a new version; only tags alone are set in place. Azure
   * takes a request each for properties, metadata, tags and tier, so a failure can leave the first of them done.
   *
   * @example await storage.setAttributes("s3://bucket/app.js", { cacheControl: "no-cache", contentLanguage: null });
   */
  setAttributes(path: PathLike, changes: AttributeChanges, options: SetAttributesOptions = {}): Promise<WriteResult> {
    return setAttributes(this.#registry, path, changes, options);
  }

  /**
   * Yields the entries of a directory; none if it does not exist. `byPage()` yields them in pages, each with the key
   * that `startAfter` takes to go on. Among files, a symbolic link to a
   * directory and anything but a regular file are `other`. Throws a BatchError after all other entries that names those
   * it could not list, such as a name that is not UTF-8 or an unreadable folder.
   *
   * @example for await (const { path, size } of storage.list("s3://bucket/logs")) console.log(String(path), size);
   */
  list(path: PathLike, options: ListOptions = {}): ListResult {
    return list(this.#registry, path, options);
  }

  /**
   * Yields objects and directories whose keys match: `*` `?` `[a-c]` inside a segment, `**` across segments, `{x,y}`
   * either. Links, and entries that it could not list, are as in `list`.
   *
   * @example for await (const { path } of storage.glob("s3://bucket/logs/2026-*.csv")) console.log(path.name);
   */
  async *glob(pattern: PathLike, options: GlobOptions = {}): AsyncGenerator<ListEntry, void, undefined> {
    const call = new Operation("glob", "list", options);
    try {
      checkOptions("glob", options, GLOB);
      const { path, key, driver } = await call.bucket(this.#registry, pattern);
      const batch = new Batch();
      const { signal, followLinks, onSkipped } = options;
      const skipped = onSkipped && markErrors((item: DriverListEntry) => onSkipped(entry(path, item).path));
      const unlisted = (name: string, error: unknown) => batch.fail(call.failure(name, error));
      const { below = "" } = this.#registry;
      // Only what the caller gave is a pattern.
      const glob = below.replace(/[*?[{]/g, "[$&]") + key.slice(below.length);
      const found = globKeys(driver, glob, { signal, followLinks, skipped, unlisted });
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
  readable(path: PathLike, options: ReadOptions = {}): ReadableStream<Uint8Array> {
    return toReadableStream(this.read(path, options));
  }

  /**
   * Returns several ranges as one array each, in the order of `ranges`. All are of one version: throws `ObjectChanged`
   * otherwise. Nearby ranges share a request.
   *
   * @example const [a, b] = await storage.ranges("s3://bucket/big.bin", [{ start: 0, end: 4 }, { start: 96, end: 100 }]);
   */
  ranges(path: PathLike, ranges: readonly Range[], options: RangesOptions = {}): Promise<Uint8Array[]> {
    const keyed = this.#keyed(options);
    if (keyed) return keyed.storage.ranges(path, ranges, keyed.options);
    return onObject(this.#registry, "read", path, options, RANGES, ({ key, driver }) =>
      fetchRanges(driver, key, checkRanges(ranges), { ...options, limiter: this.#shared.downloads }),
    );
  }

  /**
   * Returns a push-style writer. Nothing is stored unless its `close()` resolves.
   *
   * @example await source.pipeTo(storage.writable("s3://bucket/a.bin"));
   */
  writable(path: PathLike, options: WriteOptions = {}): StorageWritable {
    return new StorageWritable((body) => this.write(path, body, options));
  }

  /**
   * Copies an object, or with `recursive` everything below a path; inside the provider if one connection reaches both.
   * A target that ends in a slash is a directory: the copy gets the source's name in it. Throws `NotFound` if the
   * source does not exist. A recursive copy continues after failures and throws one BatchError at the end.
   *
   * @example await storage.copy("s3://bucket/a", "gs://backup/a", { recursive: true });
   */
  async copy(from: PathLike, to: PathLike, options: CopyOptions = {}): Promise<void> {
    checkCopyOptions("copy", options, COPY);
    await this.#copies.run("copy", from, to, options);
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
  async move(from: PathLike, to: PathLike, options: CopyOptions = {}): Promise<void> {
    checkCopyOptions("move", options, COPY);
    await this.#copies.run("move", from, to, options);
  }

  /**
   * Synchronizes the tree at `to` with the tree at `from`, and returns the counts of what it did. Copies objects that
   * are missing, have another size, or are older than their source; with `delete`, deletes the others. Complete copies
   * are never repeated, so that a sync that was cut off goes on where it was. Continues after failures and throws one
   * BatchError at the end; then it deletes nothing.
   *
   * @example const { copied, bytes } = await storage.sync("file:///srv/site", "s3://bucket/site", { delete: true });
   */
  sync(from: PathLike, to: PathLike, options: SyncOptions = {}): Promise<SyncSummary> {
    const copyTree = (copying: CopyOptions, tree: TreeOptions) => this.#copies.run("sync", from, to, copying, tree);
    return sync(this.#registry, this, copyTree, [from, to], options);
  }

  /**
   * Deletes objects, with `recursive` everything below them too; of a symbolic link, the link alone. A missing one is a
   * success. Checks all paths first, and throws a {@link BatchError} that lists the objects it could not delete. With
   * `ifMatch`, deletes one object in one state only.
   */
  override async delete(path: PathLike | readonly PathLike[], options: DeleteOptions = {}): Promise<void> {
    checkOptions("delete", options, DELETE);
    const { recursive, version, ifMatch, signal } = options;
    if (ifMatch !== undefined) return this.#copies.deleteIfMatch(toPathList(path), options);
    if (!recursive) return this.#deleteObjects(toPathList(path), { version, signal });
    const trees: { call: Operation; resolved: ResolvedObject }[] = [];
    for (const one of toPathList(path)) {
      const call = new Operation("delete", "delete", { signal });
      const resolved = await call.run(() => call.bucket(this.#registry, one));
      await call.run(() => checkDeletable(resolved, options));
      trees.push({ call, resolved });
    }
    const batch = new Batch();
    for (const { call, resolved } of trees) {
      const removed = call.run(() => removeTree(batch, call, resolved, options));
      await removed.catch((error: unknown) => {
        if (signal?.aborted || trees.length === 1) throw error;
        batch.fail({ path: call.at, error });
      });
    }
    batch.check("delete", trees[0]?.call.at ?? "", "not deleted");
  }

  /** @internal For operations that bundles of the verbs alone leave out. */
  get registry(): DriverRegistry {
    return this.#registry;
  }

  /**
   * Returns a request that any holder can send until it expires, for this one object: the URL, and the headers that
   * must go with it. Sends no request itself.
   *
   * @example
   * const { url, method, headers } = await storage.signedUrl("s3://bucket/a.bin", { method: "PUT", expiresIn: 600 });
   * await fetch(url, { method, headers, body: "data" });
   */
  signedUrl(path: PathLike, options: SignedUrlOptions = {}): Promise<SignedUrl> {
    return signedUrl(this.#registry, path, options);
  }

  /**
   * Returns a form with which a browser can upload one object until it expires: its address, and the fields that come
   * before the field `file`. Sends no request itself. `Unsupported` on Azure, which takes no forms.
   *
   * @example const { url, fields } = await storage.signedPost("s3://bucket/uploads/", { prefix: true, maxBytes: 1e6 });
   */
  signedPost(path: PathLike, options: SignedPostOptions): Promise<SignedPost> {
    return signedPost(this.#registry, path, options);
  }

  /**
   * Returns the same verbs for keys below `base`, which they cannot leave: a key is relative text, or the path of an
   * entry below the base. Throws InvalidArgument for text that begins with a slash or a known scheme (`file:/`), or has
   * a segment `.` or `..`. It closes with this Storage.
   *
   * @example
   * const tenant = storage.at("s3://bucket/tenants/42");
   * await tenant.write("avatar.png", await fetch("https://example.com/a.png"));
   * for await (const { path } of tenant.list("")) await tenant.delete(path);
   */
  at(base: PathLike): Storage {
    return new Storage(new Scope(this.#registry, this.#registry.path(base)), this.#shared);
  }

  /**
   * Returns the verbs about the buckets of an account, `scheme://[connection@]`: list, create and delete. Throws
   * `Unsupported` for files, which have no buckets.
   *
   * @example
   * const buckets = storage.buckets("s3://");
   * await buckets.create("my-new-bucket");
   * for await (const { name, created } of buckets.list()) console.log(name, created);
   */
  buckets(account: string): Buckets {
    return new Buckets(this.#registry, account);
  }

  /** Returns the Storage that reads with the customer's key of these options, and the other options. */
  #keyed<I extends KeyOptions>(options: I): { storage: Storage; options: Omit<I, "customerKey"> } | undefined {
    if (options?.customerKey === undefined) return undefined;
    const { customerKey, ...rest } = options;
    return { storage: new Storage(new EncryptedDrivers(this.#registry, { customerKey }), this.#shared), options: rest };
  }

  async *#readLast(path: PathLike, options: ReadOptions): ByteStream {
    yield* await this.get(path, options);
  }

  /** Deletes single objects, in as few requests per bucket as its driver can. */
  async #deleteObjects(paths: readonly PathLike[], { version, signal }: DeleteObjectOptions): Promise<void> {
    const [first] = paths;
    if (first !== undefined && paths.length === 1) return super.delete(first, { version, signal });
    const groups = new Map<ObjectDriver, { call: Operation; targets: ObjectIdentifier[] }>();
    for (const one of paths) {
      const call = new Operation("delete", "delete", { signal });
      const { key, driver } = await call.run(() => call.object(this.#registry, one));
      const group = groups.get(driver) ?? { call, targets: [] };
      groups.set(driver, group);
      group.targets.push(version === undefined ? { key } : { key, version });
    }
    await deleteGroups(groups, signal);
  }
}

/** Returns the bytes of the requested range that the object has. */
function rangeSize({ size }: ObjectInfo, { start, end = size }: { start: number; end?: number | undefined }): number {
  return Math.max(0, Math.min(end, size) - start);
}

function jsonText(value: unknown): string {
  try {
    const text: string | undefined = JSON.stringify(value);
    if (text !== undefined) return text;
  } catch (cause) {
    throw invalid("the value has no JSON form", { cause });
  }
  throw invalid(`${typeof value} has no JSON form`);
}

const isList: (path: PathLike | readonly PathLike[]) => path is readonly PathLike[] = Array.isArray;

/** Returns the list of one or several paths. */
function toPathList(path: PathLike | readonly PathLike[]): readonly PathLike[] {
  return isList(path) ? path : [path];
}
