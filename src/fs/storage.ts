import { checkOptions, invalid } from "../errors.js";
import type { StoragePath } from "../path.js";
import { abortable, type ByteStream, toReadableStream } from "../streams.js";
import {
  type AttributeChanges,
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
import { Operation, onObject, type ResolvedObject } from "./operation.js";
import {
  COPY,
  type CopyOptions,
  checkRange,
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
  type RangesInit,
  type ReadOptions,
  SET_ATTRIBUTES,
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
  override stat(at: PathLike, init: StatOptions = {}): Promise<ObjectInfo & { path: StoragePath }> {
    const keyed = this.#keyed(init);
    if (keyed) return keyed.storage.stat(at, keyed.init);
    return onObject(this.#registry, "stat", at, init, STAT_WITH_TAGS, async ({ path, key, driver }) => {
      const { version, tags, signal } = init;
      return { path, ...(await driver.stat(key, { version, tags, signal })) };
    });
  }

  override exists(at: PathLike, init: StatOptions = {}): Promise<boolean> {
    return super.exists(at, init);
  }

  /**
   * Stores `body` atomically, with attributes such as `cacheControl`, and returns the receipt of the new object.
   *
   * Readers see the previous object until the promise resolves. When the body throws or the signal aborts, nothing is
   * stored and the promise rejects with that reason. Throws `AlreadyExists` or `PreconditionFailed` if `ifAbsent` or
   * `ifMatch` fails, `Unsupported` for an attribute or encryption that the provider does not have, and `Corrupt` if the
   * bytes do not have the `checksum`.
   *
   * @example await storage.write("s3://bucket/app.js", "code", { cacheControl: "public, max-age=31536000, immutable" });
   */
  override write(at: PathLike, body: WriteBody, init: WriteOptions = {}): Promise<WriteResult> {
    const { encryption } = init ?? {};
    const registry = encryption === undefined ? this.#registry : new EncryptedDrivers(this.#registry, { encryption });
    return onObject(registry, "write", at, init, WRITE_WITH_ATTRIBUTES, async (resolved) => {
      const { driver, context } = resolved;
      const more = checkMore(init, driver);
      const { body: bytes, contentType } = unwrapBody(body);
      const typed = contentType === undefined || init.contentType !== undefined ? init : { ...init, contentType };
      if (init.checksum === undefined) return writeObject(resolved, bytes, typed, more);
      const { checksum, ...checked } = await verifyChecksum(bytes, init, driver, context.written);
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
  async get(at: PathLike, init: ReadOptions = {}): Promise<GetResult> {
    const keyed = this.#keyed(init);
    if (keyed) return keyed.storage.get(at, keyed.init);
    const call = new Operation("read", "read", init);
    return call.run(async () => {
      checkOptions("get", init, READ_WITH_LAST);
      const { last } = init;
      const wanted = Object.assign(checkReadWithLast(init), { limiter: this.#shared.downloads });
      const resolved = await call.object(this.#registry, at);
      const decode = decoding(resolved, init);
      const { key, driver } = resolved;
      const { info, body } = await (last === undefined
        ? readParallel(driver, key, wanted)
        : readLast(driver, key, last, wanted));
      const inRange = last === undefined ? rangeSize(info, wanted) : Math.min(last, info.size);
      const size = init.compression == null ? inRange : undefined;
      const source = abortable(body, init.signal);
      return new GetResult(info, { source, decode, size, toError: (error) => call.toStorageError(error) });
    });
  }

  /**
   * Yields the object's bytes over one connection, which resumes after a drop. All bytes are of one version: throws
   * `ObjectChanged` if the object changes meanwhile, `NotFound` if it does not exist.
   *
   * @example for await (const chunk of storage.read("s3://bucket/big.bin")) hash.update(chunk);
   */
  override read(at: PathLike, init: ReadOptions = {}): ByteStream {
    const keyed = this.#keyed(init);
    if (keyed) return keyed.storage.read(at, keyed.init);
    return init?.last === undefined ? super.read(at, init) : this.#readLast(at, init);
  }

  /**
   * Returns the object, or the range, as one `Uint8Array`. Fetches several ranges in parallel above 16 MiB. Throws
   * `NotFound` if the object does not exist, `ObjectChanged` if it changes meanwhile.
   *
   * @example const tail = await storage.bytes("s3://bucket/big.log", { last: 1024 });
   */
  override bytes(at: PathLike, init: ReadOptions = {}): Promise<Uint8Array> {
    const keyed = this.#keyed(init);
    if (keyed) return keyed.storage.bytes(at, keyed.init);
    if (init?.last === undefined) return super.bytes(at, init);
    return this.get(at, init).then((object) => object.bytes());
  }

  /**
   * Returns the object, or the range, as text. Throws `Corrupt` if it is not UTF-8, `NotFound` if it does not exist.
   *
   * @example const config = JSON.parse(await storage.text("s3://bucket/config.json"));
   */
  override text(at: PathLike, init: ReadOptions = {}): Promise<string> {
    return super.text(at, init);
  }

  /**
   * Returns the object as a JSON value. Throws `NotFound` if it does not exist, `Corrupt` if it is no JSON or does not
   * fit the schema, which can be of any library that implements Standard Schema.
   *
   * @example const { port } = await storage.json<{ port: number }>("s3://bucket/config.json");
   */
  async json<T = unknown>(at: PathLike, init: ReadOptions & JsonOptions<T> = {}): Promise<T> {
    const { schema, ...reading } = init ?? {};
    return (await this.get(at, reading)).json<T>({ schema });
  }

  /**
   * Writes a value as JSON, with the content type `application/json`. Throws InvalidArgument for a value that JSON
   * cannot represent.
   *
   * @example await storage.writeJson("s3://bucket/config.json", { port: 80 }, { ifAbsent: true });
   */
  writeJson(at: PathLike, value: unknown, init: WriteOptions = {}): Promise<WriteResult> {
    const call = new Operation("write", "write", {});
    return call.run(async () => {
      call.path(this.#registry, at);
      return this.write(at, jsonText(value), { ...init, contentType: init.contentType ?? "application/json" });
    });
  }

  /**
   * Reads an object, applies `change` and writes the result under a condition, so that no other writer's change is
   * lost. `change` receives what `get` returns, or undefined if there is no object, and returns the new body, or
   * undefined to leave the object as it is. On a conflict with another writer, `change` is called again after a random
   * pause, `attempts` times in all. Attributes stay unless `init` has others.
   *
   * Returns the receipt, or undefined if nothing was written. Throws the error of `change`; `PreconditionFailed` or
   * `AlreadyExists` after the last attempt; `CommitUnknown` if a response was lost and nothing shows whether the change
   * is stored.
   *
   * @example await storage.update("s3://bucket/count", async (now) => String(Number(await now?.text() ?? 0) + 1));
   */
  update(at: PathLike, change: UpdateFunction, init: UpdateOptions = {}): Promise<WriteResult | undefined> {
    const call = new Operation("update", "write", { signal: init?.signal });
    return call.run(async () => {
      checkOptions("update", init, UPDATE);
      const path = call.path(this.#registry, at);
      if (typeof change !== "function") throw invalid("update needs a function that returns the new body");
      return updateObject(this, path, change, init);
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
  setAttributes(at: PathLike, changes: AttributeChanges, init: SetAttributesOptions = {}): Promise<WriteResult> {
    const { customerKey } = init ?? {};
    const registry = customerKey === undefined ? this.#registry : new EncryptedDrivers(this.#registry, { customerKey });
    return onObject(registry, "write", at, init, SET_ATTRIBUTES, (resolved) => setAttributes(resolved, changes, init));
  }

  /**
   * Yields the entries of a directory; none if it does not exist. `byPage()` yields them in pages, each with the key
   * that `startAfter` takes to go on. Among files, a symbolic link to a
   * directory and anything but a regular file are `other`. Throws a BatchError after all other entries that names those
   * it could not list, such as a name that is not UTF-8 or an unreadable folder.
   *
   * @example for await (const { path, size } of storage.list("s3://bucket/logs")) console.log(String(path), size);
   */
  list(at: PathLike, init: ListOptions = {}): ListResult {
    return list(this.#registry, at, init);
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
      const { path, key, driver } = await call.bucket(this.#registry, pattern);
      const batch = new Batch();
      const { signal, followLinks, onSkipped } = init;
      const skipped = onSkipped && ((item: DriverListEntry) => onSkipped(entry(path, item).path));
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
    const keyed = this.#keyed(init);
    if (keyed) return keyed.storage.ranges(at, ranges, keyed.init);
    return onObject(this.#registry, "read", at, init, RANGES, ({ key, driver }) =>
      fetchRanges(driver, key, ranges.map(checkRange), { ...init, limiter: this.#shared.downloads }),
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
   * A target that ends in a slash is a directory: the copy gets the source's name in it. Throws `NotFound` if the
   * source does not exist. A recursive copy continues after failures and throws one BatchError at the end.
   *
   * @example await storage.copy("s3://bucket/a", "gs://backup/a", { recursive: true });
   */
  async copy(from: PathLike, to: PathLike, init: CopyOptions = {}): Promise<void> {
    checkOptions("copy", init, COPY);
    await this.#copies.run("copy", from, to, init);
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
    await this.#copies.run("move", from, to, init);
  }

  /**
   * Synchronizes the tree at `to` with the tree at `from`, and returns the counts of what it did. Copies objects that
   * are missing, have another size, or are older than their source; with `delete`, deletes the others. Complete copies
   * are never repeated, so that a sync that was cut off goes on where it was. Continues after failures and throws one
   * BatchError at the end; then it deletes nothing.
   *
   * @example const { copied, bytes } = await storage.sync("file:///srv/site", "s3://bucket/site", { delete: true });
   */
  sync(from: PathLike, to: PathLike, init: SyncOptions = {}): Promise<SyncSummary> {
    const copyTree = (copying: CopyOptions, options: TreeOptions) =>
      this.#copies.run("sync", from, to, copying, options);
    return sync(this.#registry, this, copyTree, [from, to], init);
  }

  /**
   * Deletes objects, with `recursive` everything below them too; of a symbolic link, the link alone. A missing one is a
   * success. Checks all paths first, and throws a {@link BatchError} that lists the objects it could not delete. With
   * `ifMatch`, deletes one object in one state only.
   */
  override async delete(at: PathLike | readonly PathLike[], init: DeleteOptions = {}): Promise<void> {
    checkOptions("delete", init, DELETE);
    const { recursive, version, ifMatch, signal } = init;
    if (ifMatch !== undefined) return this.#copies.deleteIfMatch(toPathList(at), init);
    if (!recursive) return this.#deleteObjects(toPathList(at), { version, signal });
    const trees: { call: Operation; resolved: ResolvedObject }[] = [];
    for (const one of toPathList(at)) {
      const call = new Operation("delete", "delete", { signal });
      const resolved = await call.run(() => call.bucket(this.#registry, one));
      await call.run(() => checkDeletable(resolved, init));
      trees.push({ call, resolved });
    }
    const batch = new Batch();
    for (const { call, resolved } of trees) {
      const removed = call.run(() => removeTree(batch, call, resolved, init));
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
  signedUrl(at: PathLike, init: SignedUrlOptions = {}): Promise<SignedUrl> {
    return signedUrl(this.#registry, at, init);
  }

  /**
   * Returns a form with which a browser can upload one object until it expires: its address, and the fields that come
   * before the field `file`. Sends no request itself. `Unsupported` on Azure, which takes no forms.
   *
   * @example const { url, fields } = await storage.signedPost("s3://bucket/uploads/", { prefix: true, maxBytes: 1e6 });
   */
  signedPost(at: PathLike, init: SignedPostOptions): Promise<SignedPost> {
    return signedPost(this.#registry, at, init);
  }

  /**
   * Returns the same verbs for keys below `base`, which they cannot leave: a key is relative text, or the path of an
   * entry below the base. Throws InvalidArgument for one that begins with a slash or has a segment `.` or `..`. It
   * closes with this Storage.
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
  #keyed<I extends KeyOptions>(init: I): { storage: Storage; init: Omit<I, "customerKey"> } | undefined {
    if (init?.customerKey === undefined) return undefined;
    const { customerKey, ...rest } = init;
    return { storage: new Storage(new EncryptedDrivers(this.#registry, { customerKey }), this.#shared), init: rest };
  }

  async *#readLast(at: PathLike, init: ReadOptions): ByteStream {
    yield* await this.get(at, init);
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

const isList: (at: PathLike | readonly PathLike[]) => at is readonly PathLike[] = Array.isArray;

/** Returns the list of one or several paths. */
function toPathList(at: PathLike | readonly PathLike[]): readonly PathLike[] {
  return isList(at) ? at : [at];
}
