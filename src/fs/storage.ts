import type { Codecs } from "../codecs/lookup.js";
import { failure, isStorageError, StorageError } from "../errors.js";
import { StoragePath } from "../path.js";
import { abortable, type Body, collect, toReadableStream } from "./bytes.js";
import { Call, type Reached } from "./call.js";
import { decoding } from "./compress.js";
import type { Bytes, Doomed, Driver, FailedCall, Info, Item, Receipt, Shared } from "./driver.js";
import { globKeys } from "./glob.js";
import type {
  At,
  CopyInit,
  DeleteInit,
  ListInit,
  Range,
  ReadInit,
  Signalled,
  SignInit,
  StatInit,
  WriteInit,
} from "./options.js";
import { checkRange, checkRead, checkSign } from "./options.js";
import { fetchRanges } from "./ranges.js";
import type { Reach } from "./reach.js";
import { removeTree } from "./remove.js";
import { readAll, resumed } from "./resume.js";
import { copyAcross, summed, transferTree, unchanged } from "./transfer.js";
import { StorageWritable } from "./writable.js";
import { writeObject } from "./write.js";

/** One row of a listing: an object, or a directory, which is nothing but the common start of some keys. */
export interface Entry extends Omit<Item, "key"> {
  path: StoragePath;
}

/**
 * Objects by URL, on every provider: all verbs, one set of options, one kind of error.
 *
 * Every verb takes a path or its text and rejects with a StorageError, with the reason of `signal`,
 * or with the very error that the caller's own body threw.
 */
export class Storage implements AsyncDisposable {
  readonly #reach: Reach;
  readonly #shared: Shared;

  /** @internal Use `openStorage`. */
  constructor(reach: Reach, shared: Shared) {
    this.#reach = reach;
    this.#shared = shared;
  }

  /** @internal What `compression` can name. */
  get codecs(): Codecs {
    return this.#reach.kit.codecs;
  }

  /** What is known of one object; NotFound when there is none. */
  stat(at: At, init: StatInit = {}): Promise<Info> {
    const { version, signal } = init;
    return this.#object("stat", at, init, ({ key, driver }) => driver.stat(key, { version, signal }));
  }

  /** Whether there is an object. Every other failure, a refused permission above all, is an error and not `false`. */
  async exists(at: At, init: StatInit = {}): Promise<boolean> {
    try {
      await this.stat(at, init);
      return true;
    } catch (error) {
      if (isStorageError(error, "NotFound")) return false;
      throw error;
    }
  }

  /** What is in a directory, page by page; a directory without entries does not exist and lists nothing. */
  async *list(at: At, init: ListInit = {}): AsyncGenerator<Entry, void, undefined> {
    const call = new Call("list", "list", init);
    try {
      const { path, key, driver } = await call.bucket(this.#reach, at);
      const prefix = key === "" ? "" : `${key}/`;
      const { recursive = false, startAfter, versions = false, signal } = init;
      const pages = driver.list(prefix, { delimiter: recursive ? undefined : "/", startAfter, versions, signal });
      for await (const page of pages) {
        // The marker object that some tools leave for a directory is not its own child.
        for (const item of page) if (item.key !== prefix) yield entry(path, item);
      }
    } catch (error) {
      throw call.told(error);
    }
  }

  /** Objects and directories whose keys match: `*` `?` `[a-c]` inside a segment, `**` across segments, `{x,y}` either. */
  async *glob(pattern: At, init: Signalled = {}): AsyncGenerator<Entry, void, undefined> {
    const call = new Call("glob", "list", init);
    try {
      const { path, key, driver } = await call.bucket(this.#reach, pattern);
      for await (const item of globKeys(driver, key, init)) yield entry(path, item);
    } catch (error) {
      throw call.told(error);
    }
  }

  /** The object's bytes, over one connection that is taken up again where it broke, always in the same version. */
  async *read(at: At, init: ReadInit = {}): Bytes {
    const call = new Call("read", "read", init);
    try {
      const wanted = checkRead(init);
      const reached = await call.object(this.#reach, at);
      const decode = decoding(reached, init);
      const { body } = await resumed(reached.driver, reached.key, { ...wanted, budget: this.#shared.downloads });
      yield* decode(abortable(body, init.signal));
    } catch (error) {
      throw call.told(error);
    }
  }

  /** The whole object, or the range, in one array; above 16 MiB several ranges are fetched at the same time. */
  bytes(at: At, init: ReadInit = {}): Promise<Uint8Array> {
    return this.#object("read", at, init, async (reached) => {
      const { key, driver } = reached;
      const wanted = { ...checkRead(init), budget: this.#shared.downloads };
      if (init.compression == null) return readAll(driver, key, wanted);
      const decode = decoding(reached, init);
      const { body } = await resumed(driver, key, wanted);
      return collect(decode(abortable(body, init.signal)));
    });
  }

  /** The object as UTF-8 text; Corrupt when it is none. */
  async text(at: At, init: ReadInit = {}): Promise<string> {
    const data = await this.bytes(at, init);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
    } catch (cause) {
      throw failure("Corrupt", "the object is not UTF-8 text", { cause }).at("read", String(at));
    }
  }

  /** As `read`, as a web stream. */
  readable(at: At, init: ReadInit = {}): ReadableStream<Uint8Array> {
    return toReadableStream(this.read(at, init));
  }

  /** Several ranges of one version, in the order asked for; near ones are fetched together. */
  ranges(
    at: At,
    ranges: readonly Range[],
    init: StatInit & { ifMatch?: string | undefined } = {},
  ): Promise<Uint8Array[]> {
    return this.#object("read", at, init, ({ key, driver }) =>
      fetchRanges(driver, key, ranges.map(checkRange), { ...init, budget: this.#shared.downloads }),
    );
  }

  /**
   * Stores `body`, whole or not at all.
   *
   * Readers see the previous object until the promise resolves. When the body throws or the signal aborts,
   * nothing is stored and the promise rejects with that reason.
   */
  write(at: At, body: Body, init: WriteInit = {}): Promise<Receipt> {
    return this.#object("write", at, init, (reached) => writeObject(reached, body, init));
  }

  /** A writer to push into; the object exists if and only if its `close()` resolves. */
  writable(at: At, init: WriteInit = {}): StorageWritable {
    return new StorageWritable((body) => this.write(at, body, init));
  }

  /** Copies an object, or with `recursive` everything below a path; inside the provider where one connection reaches both. */
  async copy(from: At, to: At, init: CopyInit = {}): Promise<void> {
    await (init.recursive ? this.#tree("copy", from, to, init) : this.#copy("copy", from, to, init));
  }

  /** As `copy`; a source is deleted when its own copy is complete. What is moved onto itself stays. */
  async move(from: At, to: At, init: CopyInit = {}): Promise<void> {
    if (init.recursive) return this.#tree("move", from, to, init);
    const moved = await this.#copy("move", from, to, init);
    if (moved) await this.delete(from, { signal: init.signal });
  }

  /** Deletes objects. A missing one is a success; every one that could not be deleted is named in the error. */
  async delete(at: At | readonly At[], init: DeleteInit = {}): Promise<void> {
    const all = typeof at === "string" || at instanceof StoragePath ? [at] : at;
    if (init.recursive)
      for (const one of all) await this.#bucket("delete", one, init, (reached) => removeTree(reached, init));
    else await this.#remove(all, init);
  }

  /** A URL with which anybody can `GET` or `PUT` this one object until it expires. Sends no request. */
  sign(at: At, init: SignInit = {}): Promise<string> {
    return this.#object("sign", at, {}, ({ key, driver }) => driver.sign(key, checkSign(init)));
  }

  /** Gives back sockets and caches; every later call fails. */
  close(): Promise<void> {
    return this.#reach.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #remove(all: readonly At[], init: DeleteInit): Promise<void> {
    const groups = new Map<Driver, { call: Call; doomed: Doomed[] }>();
    for (const at of all) {
      const call = new Call("delete", "delete", init);
      const { key, driver } = await call.telling(() => call.object(this.#reach, at));
      const group = groups.get(driver) ?? { call, doomed: [] };
      groups.set(driver, group);
      group.doomed.push(init.version === undefined ? { key } : { key, version: init.version });
    }
    for (const [driver, { call, doomed }] of groups)
      await call.telling(() => driver.delete(doomed, { signal: init.signal }));
  }

  #tree(op: "copy" | "move", from: At, to: At, init: CopyInit): Promise<void> {
    const reporter = summed(init.onProgress);
    return transferTree(from, to, {
      entries: (at) => this.list(at, { recursive: true, signal: init.signal }),
      one: (a, b) => {
        const single = { ...init, recursive: false, onProgress: reporter() };
        return op === "copy" ? this.copy(a, b, single) : this.move(a, b, single);
      },
    });
  }

  /** Whether source and target are two objects: one has more than one spelling, `s3a://` and a slash at the end among them. */
  async #copy(op: "copy" | "move", from: At, to: At, init: CopyInit): Promise<boolean> {
    const { signal, ifMatch, ifAbsent } = init;
    const reading = new Call(op, "read", { signal, ifMatch });
    const writing = new Call(op, "copy", init);
    const source = await reading.telling(() => reading.object(this.#reach, from));
    const target = await writing.telling(() => writing.object(this.#reach, to));
    if (source.driver === target.driver && source.key === target.key) {
      await this.stat(from, { signal });
      return false;
    }
    if (!this.#reach.together(source.path, target.path)) {
      const told = (error: unknown) => reading.told(error);
      const copied = await writing.telling(() => copyAcross(source, target, init, this.#shared.downloads, told));
      if (op === "move") await reading.telling(() => unchanged(source, copied, signal));
      return true;
    }
    const { bucket, key } = source.path;
    await writing.telling(
      () => target.driver.copy({ bucket, key }, target.key, { ifAbsent: ifAbsent === true, ifMatch, signal }),
      // Within a provider the answer says only that something is missing: that is the source.
      (error) => (isStorageError(error, "NotFound") ? missing(error, source.path) : error),
    );
    return true;
  }

  #object<T>(op: FailedCall["op"], at: At, init: Signalled, work: (reached: Reached) => Promise<T>): Promise<T> {
    const call = new Call(op, op, init);
    return call.telling(async () => work(await call.object(this.#reach, at)));
  }

  #bucket<T>(op: FailedCall["op"], at: At, init: Signalled, work: (reached: Reached) => Promise<T>): Promise<T> {
    const call = new Call(op, op, init);
    return call.telling(async () => work(await call.bucket(this.#reach, at)));
  }
}

function missing({ op, detail, attempts, cause }: StorageError, path: StoragePath): StorageError {
  return new StorageError({ code: "NotFound", op, path: String(path), detail, attempts, cause });
}

function entry(base: StoragePath, { key, ...rest }: Item): Entry {
  const { scheme, connectionId, bucket } = base;
  const exact = rest.type === "directory" && key.endsWith("/") ? key.slice(0, -1) : key;
  return { path: StoragePath.of({ scheme, connectionId, bucket, key: exact }), ...rest };
}
