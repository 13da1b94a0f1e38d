import type { Codecs } from "../codecs/codec.js";
import { checkOptions, failure, isStorageError } from "../errors.js";
import type { ByteStream } from "../streams.js";
import { abortable, type Body, collect } from "../streams.js";
import type { DriverContext, ObjectDriver, ObjectInfo, WriteResult } from "./driver/driver.js";
import { Operation, onObject } from "./operation.js";
import {
  checkRead,
  type DeleteObjectOptions,
  type PathLike,
  READ,
  REMOVE,
  type ReadOptions,
  STAT,
  type StatOptions,
  WRITE,
  type WriteOptions,
} from "./options.js";
import type { LimitedReadRequest } from "./parallel-read.js";
import type { DriverRegistry } from "./registry.js";
import { readAll, readStream } from "./resumable-read.js";
import { decoding, writeObject } from "./write.js";

/** How bodies come: as streams, and in one array. */
export interface ReadStrategy {
  stream(driver: ObjectDriver, key: string, wanted: LimitedReadRequest): Promise<{ body: ByteStream }>;
  whole(driver: ObjectDriver, key: string, wanted: LimitedReadRequest): Promise<Uint8Array>;
}

const OVER_ONE_CONNECTION: ReadStrategy = { stream: readStream, whole: readAll };

/**
 * Single objects by URL, on every provider: they are looked at, read, written and deleted. {@link Storage} has these
 * verbs and all others.
 *
 * Every verb takes a path or its text and rejects with a StorageError, with the reason of `signal`,
 * or with the very error that the caller's own body threw.
 */
export class Objects<D extends ObjectDriver = ObjectDriver> implements AsyncDisposable {
  readonly #reach: DriverRegistry<D>;
  readonly #shared: DriverContext;
  readonly #reads: ReadStrategy;

  /** @internal Use `createObjects`, `createStorage` or `openStorage`. */
  constructor(reach: DriverRegistry<D>, shared: DriverContext, reads = OVER_ONE_CONNECTION) {
    this.#reach = reach;
    this.#shared = shared;
    this.#reads = reads;
  }

  /** @internal What `compression` can name. */
  get codecs(): Codecs {
    return this.#reach.kit.codecs;
  }

  /** What is known of one object; NotFound when there is none. */
  stat(at: PathLike, init: StatOptions = {}): Promise<ObjectInfo> {
    return onObject(this.#reach, "stat", at, init, STAT, ({ key, driver }) => {
      const { version, signal } = init;
      return driver.stat(key, { version, signal });
    });
  }

  /** Whether there is an object. Every other failure, a refused permission above all, is an error and not `false`. */
  async exists(at: PathLike, init: StatOptions = {}): Promise<boolean> {
    try {
      await this.stat(at, init);
      return true;
    } catch (error) {
      if (isStorageError(error, "NotFound")) return false;
      throw error;
    }
  }

  /** The object's bytes, over one connection that is taken up again where it broke, always in the same version. */
  async *read(at: PathLike, init: ReadOptions = {}): ByteStream {
    const call = new Operation("read", "read", init);
    try {
      checkOptions("read", init, READ);
      const wanted = this.#wanted(init);
      const reached = await call.object(this.#reach, at);
      const decode = decoding(reached, init);
      const { body } = await this.#reads.stream(reached.driver, reached.key, wanted);
      yield* decode(abortable(body, init.signal));
    } catch (error) {
      throw call.toStorageError(error);
    }
  }

  /** The whole object, or the range, in one array; a Storage fetches several ranges of it at the same time above 16 MiB. */
  bytes(at: PathLike, init: ReadOptions = {}): Promise<Uint8Array> {
    return onObject(this.#reach, "read", at, init, READ, async (reached) => {
      const { key, driver } = reached;
      const wanted = this.#wanted(init);
      if (init.compression == null) return this.#reads.whole(driver, key, wanted);
      const decode = decoding(reached, init);
      const { body } = await this.#reads.stream(driver, key, wanted);
      return collect(decode(abortable(body, init.signal)));
    });
  }

  /** The object as UTF-8 text; Corrupt when it is none. */
  async text(at: PathLike, init: ReadOptions = {}): Promise<string> {
    const data = await this.bytes(at, init);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
    } catch (cause) {
      throw failure("Corrupt", "the object is not UTF-8 text", { cause }).at("read", String(at));
    }
  }

  /**
   * Stores `body`, whole or not at all.
   *
   * Readers see the previous object until the promise resolves. When the body throws or the signal aborts,
   * nothing is stored and the promise rejects with that reason.
   */
  write(at: PathLike, body: Body, init: WriteOptions = {}): Promise<WriteResult> {
    return onObject(this.#reach, "write", at, init, WRITE, (reached) => writeObject(reached, body, init));
  }

  /** Deletes one object. A missing one is a success. */
  async delete(at: PathLike, init: DeleteObjectOptions = {}): Promise<void> {
    const { version, signal } = init;
    await onObject(this.#reach, "delete", at, init, REMOVE, ({ key, driver }) =>
      driver.delete([version === undefined ? { key } : { key, version }], { signal }),
    );
  }

  /** Gives back sockets and caches; every later call fails. */
  close(): Promise<void> {
    return this.#reach.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #wanted(init: ReadOptions): LimitedReadRequest {
    // Not spread, which makes objects that are slow to extend in Node 20.
    return Object.assign(checkRead(init), { limiter: this.#shared.downloads });
  }
}
