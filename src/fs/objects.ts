import type { Codecs } from "../codecs/codec.js";
import { checkOptions, isStorageError, type StorageError } from "../errors.js";
import { abortable, type Body, type ByteStream, collect, decodeUtf8 } from "../streams.js";
import type { DriverContext, ObjectDriver, ObjectInfo, WriteResult } from "./driver/driver.js";
import { Operation, onObject } from "./operation.js";
import {
  checkRead,
  type DeleteObjectOptions,
  type ObjectReadOptions,
  type ObjectStatOptions,
  type ObjectWriteOptions,
  type PathLike,
  READ,
  REMOVE,
  STAT,
  WRITE,
} from "./options.js";
import type { LimitedReadRequest } from "./parallel-read.js";
import type { DriverRegistry } from "./registry.js";
import { readAll, readStream } from "./resumable-read.js";
import { decoding, writeObject } from "./write.js";

/** How objects are read: as streams, and into one array. */
export interface ReadStrategy {
  stream(driver: ObjectDriver, key: string, wanted: LimitedReadRequest): Promise<{ body: ByteStream }>;
  whole(driver: ObjectDriver, key: string, wanted: LimitedReadRequest): Promise<Uint8Array>;
}

const OVER_ONE_CONNECTION: ReadStrategy = { stream: readStream, whole: readAll };

/**
 * Single objects by URL, on every provider: stat, read, write and delete. {@link Storage} adds all other verbs.
 *
 * Every verb takes a path, its text or a `file:` URL, and rejects with a StorageError, with `signal.reason`, or with the unchanged
 * error of the caller's own body or callback.
 */
export class Objects<D extends ObjectDriver = ObjectDriver> implements AsyncDisposable {
  readonly #registry: DriverRegistry<D>;
  readonly #shared: DriverContext;
  readonly #reads: ReadStrategy;

  /** @internal Use `createObjects`, `createStorage` or `openStorage`. */
  constructor(registry: DriverRegistry<D>, shared: DriverContext, reads = OVER_ONE_CONNECTION) {
    this.#registry = registry;
    this.#shared = shared;
    this.#reads = reads;
  }

  /** @internal The codecs that `compression` can name. */
  get codecs(): Codecs {
    return this.#registry.context.codecs;
  }

  /**
   * Returns the metadata of one object: size in bytes, etag, time of modification. Throws `NotFound` if it does not
   * exist.
   *
   * @example const { size, etag } = await storage.stat("s3://bucket/data.csv");
   */
  stat(path: PathLike, options: ObjectStatOptions = {}): Promise<ObjectInfo> {
    return onObject(this.#registry, "stat", path, options, STAT, ({ key, driver }) => {
      const { version, signal } = options;
      return driver.stat(key, { version, signal });
    });
  }

  /**
   * Returns whether the object exists. Every other failure, above all a missing permission, is an error and not
   * `false`.
   *
   * @example if (!(await storage.exists("s3://bucket/done"))) throw new Error("not ready");
   */
  async exists(path: PathLike, options: ObjectStatOptions = {}): Promise<boolean> {
    try {
      await this.stat(path, options);
      return true;
    } catch (error) {
      if (isStorageError(error, "NotFound")) return false;
      throw error;
    }
  }

  /**
   * Yields the object's bytes; resumes after a drop. A Storage fetches ranges of objects above 16 MiB in parallel where
   * that is faster. All bytes are of one version: throws
   * `ObjectChanged` if the object changes meanwhile, `NotFound` if it does not exist.
   *
   * @example for await (const chunk of storage.read("s3://bucket/big.bin")) hash.update(chunk);
   */
  async *read(path: PathLike, options: ObjectReadOptions = {}): ByteStream {
    const call = new Operation("read", "read", options);
    try {
      checkOptions("read", options, READ);
      const wanted = this.#wanted(options);
      const resolved = await call.object(this.#registry, path);
      const decode = decoding(resolved, options);
      const { body } = await this.#reads.stream(resolved.driver, resolved.key, wanted);
      yield* decode(abortable(body, options.signal));
    } catch (error) {
      throw call.toStorageError(error);
    }
  }

  /**
   * Returns the object, or the range, as one `Uint8Array`. A Storage fetches ranges in parallel above 16 MiB where that is faster.
   * Throws `NotFound` if the object does not exist, `ObjectChanged` if it changes meanwhile.
   *
   * @example const head = await storage.bytes("s3://bucket/big.bin", { start: 0, end: 1024 });
   */
  bytes(path: PathLike, options: ObjectReadOptions = {}): Promise<Uint8Array> {
    return onObject(this.#registry, "read", path, options, READ, async (resolved) => {
      const { key, driver } = resolved;
      const wanted = this.#wanted(options);
      if (options.compression == null) return this.#reads.whole(driver, key, wanted);
      const decode = decoding(resolved, options);
      const { body } = await this.#reads.stream(driver, key, wanted);
      return collect(decode(abortable(body, options.signal)));
    });
  }

  /**
   * Returns the object as text. Throws `Corrupt` if it is not UTF-8, `NotFound` if it does not exist.
   *
   * @example const config = JSON.parse(await storage.text("s3://bucket/config.json"));
   */
  async text(path: PathLike, options: ObjectReadOptions = {}): Promise<string> {
    const data = await this.bytes(path, options);
    try {
      return decodeUtf8(data);
    } catch (error) {
      throw (error as StorageError).at("read", String(path));
    }
  }

  /**
   * Stores `body` atomically and returns the etag and version of the new object.
   *
   * Readers see the previous object until the promise resolves. When the body throws or the signal aborts, nothing is
   * stored and the promise rejects with that reason. Throws `AlreadyExists` or `PreconditionFailed` if `ifAbsent` or
   * `ifMatch` fails.
   *
   * @example const { etag } = await storage.write("s3://bucket/a.txt", "text", { ifAbsent: true });
   */
  write(path: PathLike, body: Body, options: ObjectWriteOptions = {}): Promise<WriteResult> {
    return onObject(this.#registry, "write", path, options, WRITE, (resolved) => writeObject(resolved, body, options));
  }

  /**
   * Deletes one object. Succeeds if it does not exist.
   *
   * @example await storage.delete("s3://bucket/a.txt");
   */
  async delete(path: PathLike, options: DeleteObjectOptions = {}): Promise<void> {
    const { version, signal } = options;
    await onObject(this.#registry, "delete", path, options, REMOVE, ({ key, driver }) =>
      driver.delete([version === undefined ? { key } : { key, version }], { signal }),
    );
  }

  /** Releases sockets and caches; every later call fails. */
  close(): Promise<void> {
    return this.#registry.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #wanted(options: ObjectReadOptions): LimitedReadRequest {
    // No spread: it creates objects that are slow to extend in Node 20.
    return Object.assign(checkRead(options), { limiter: this.#shared.downloads });
  }
}
