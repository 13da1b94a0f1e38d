import { isStorageError, StorageError } from "../errors.js";
import { StoragePath } from "../path.js";
import { fetched, fetchedWhole } from "./ahead.js";
import { toReadableStream } from "./bytes.js";
import { Call, onObject } from "./call.js";
import type { Driver, Item, Shared } from "./driver.js";
import { globKeys } from "./glob.js";
import { listed, Objects, type Reads } from "./objects.js";
import {
  type At,
  type CopyInit,
  checkRange,
  checkSign,
  type DeleteInit,
  type ListInit,
  type Range,
  type ReadInit,
  type Signalled,
  type SignInit,
  type StatInit,
  type WriteInit,
} from "./options.js";
import { fetchRanges } from "./ranges.js";
import type { Reach } from "./reach.js";
import { removeTree } from "./remove.js";
import { copyAcross, summed, transferTree, unchanged } from "./transfer.js";
import { StorageWritable } from "./writable.js";

/** One row of a listing: an object, or a directory, which is nothing but the common start of some keys. */
export interface Entry extends Omit<Item, "key"> {
  path: StoragePath;
}

const IN_PARALLEL: Reads = { stream: fetched, whole: fetchedWhole };

/** Objects by URL, on every provider: all verbs, one set of options, one kind of error. */
export class Storage extends Objects<Driver> {
  readonly #reach: Reach;
  readonly #shared: Shared;

  /** @internal Use `openStorage`. */
  constructor(reach: Reach, shared: Shared) {
    super(reach, shared, IN_PARALLEL);
    this.#reach = reach;
    this.#shared = shared;
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
    return onObject(this.#reach, "read", at, init, ({ key, driver }) =>
      fetchRanges(driver, key, ranges.map(checkRange), { ...init, budget: this.#shared.downloads }),
    );
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

  /** Deletes objects, with `recursive` everything below them too. */
  override async delete(at: At | readonly At[], init: DeleteInit = {}): Promise<void> {
    if (!init.recursive) return super.delete(at, init);
    for (const one of listed(at)) {
      const call = new Call("delete", "delete", init);
      await call.telling(async () => removeTree(await call.bucket(this.#reach, one), init));
    }
  }

  /** A URL with which anybody can `GET` or `PUT` this one object until it expires. Sends no request. */
  sign(at: At, init: SignInit = {}): Promise<string> {
    return onObject(this.#reach, "sign", at, {}, ({ key, driver }) => driver.sign(key, checkSign(init)));
  }

  /** Whether one driver can copy between the two: same provider, same connection. */
  #together(a: StoragePath, b: StoragePath): boolean {
    return a.connectionId === b.connectionId && this.#reach.opener(a.scheme) === this.#reach.opener(b.scheme);
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
    if (!this.#together(source.path, target.path)) {
      const told = (error: unknown) => reading.told(error);
      const copied = await writing.telling(() => copyAcross(source, target, init, told));
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
}

function missing({ op, detail, attempts, cause }: StorageError, path: StoragePath): StorageError {
  return new StorageError({ code: "NotFound", op, path: String(path), detail, attempts, cause });
}

function entry(base: StoragePath, { key, ...rest }: Item): Entry {
  const { scheme, connectionId, bucket } = base;
  const exact = rest.type === "directory" && key.endsWith("/") ? key.slice(0, -1) : key;
  return { path: StoragePath.of({ scheme, connectionId, bucket, key: exact }), ...rest };
}
