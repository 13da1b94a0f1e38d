/** Deletes many objects, each only if it still is the one that was listed. */
import { isInstance } from "../brand.js";
import type { MemoryLimiter } from "../concurrency.js";
import { failure } from "../errors.js";
import type { StoragePath } from "../path.js";
import { deleteIfSame, isSame, statIfThere } from "./copy-across.js";
import type { BatchDeleteError, ConditionalIdentifier, Driver, DriverListEntry } from "./driver/driver.js";
import { byUtf8 } from "./driver/index.js";
import { Operation } from "./operation.js";
import type { DriverRegistry } from "./registry.js";

/** An object in the state of a listing. */
export interface ListedObject {
  path: StoragePath;
  etag: string;
  modified: Date;
}

export interface DeleteListedOptions<O extends ListedObject = ListedObject> {
  /** Single requests in flight, of all calls that share it. */
  slots: Pick<MemoryLimiter, "acquire">;
  /**
   * Called with each object: `error` is undefined if it is gone, `PreconditionFailed` if it is another object by now,
   * else why it is still there. What it throws ends the call.
   */
  onDone: (object: O, error: unknown) => Promise<void>;
  signal?: AbortSignal | undefined;
}

/** Pages that are read again before what they show is deleted: about a second passes between the two. */
const PAGES = 10;
/** A page costs as much as twelve HEAD requests on Amazon S3: below that each object is looked at on its own. */
const WORTH_A_PAGE = 12;
/** Objects that are looked at on their own before they are deleted together. */
const LOOKS = 200;

/**
 * Deletes objects of one bucket, each only if it still is the one that was listed. Tells what became of each, in any
 * order; throws only for an abort, or if the bucket cannot be opened.
 *
 * Where the provider compares and deletes in one step, it is asked to, in batches if it takes conditions there. Else
 * each object is looked at right before: on a page of a fresh listing if enough of them are near each other, by a HEAD
 * request if not. Those that are the same are deleted in one request, with their etags where the provider reads them.
 */
export async function deleteListed<O extends ListedObject>(
  registry: DriverRegistry,
  objects: readonly O[],
  options: DeleteListedOptions<O>,
): Promise<void> {
  const [first] = objects;
  if (!first) return;
  const { signal } = options;
  const call = new Operation("delete", "delete", { ifMatch: "", signal });
  const { driver } = await call.run(() => call.bucket(registry, first.path));
  await new ListedDelete(registry, call, driver, options).delete(objects);
}

class ListedDelete<O extends ListedObject> {
  constructor(
    readonly registry: DriverRegistry,
    readonly call: Operation,
    readonly driver: Driver,
    readonly options: DeleteListedOptions<O>,
  ) {}

  async delete(objects: readonly O[]): Promise<void> {
    const { driver } = this;
    if (!driver.deleteIfMatch) return this.#compareAndDelete(objects);
    if (driver.deleteManyIfMatch && objects.length > 1) return this.#deleteMany(objects);
    await this.#each(objects, async (object) => {
      await this.#deleteOne(object);
      return GONE;
    });
  }

  async #compareAndDelete(objects: readonly O[]): Promise<void> {
    // The order of listings, not that of the caller.
    const sorted = [...objects].sort((a, b) => byUtf8(a.path.key, b.path.key));
    let rest = sorted;
    let isDense = sorted.length >= WORTH_A_PAGE;
    const alone: O[] = [];
    while (isDense && rest.length > 0) {
      const same: O[] = [];
      for (let pages = 0; isDense && rest.length > 0 && pages < PAGES; pages++) {
        const { seen, unseen, after } = await this.#onPage(rest);
        same.push(...seen);
        alone.push(...unseen);
        rest = after;
        isDense = seen.length >= WORTH_A_PAGE;
      }
      await this.#deleteMany(same);
    }
    alone.push(...rest);
    for (let at = 0; at < alone.length; at += LOOKS) await this.#lookAndDelete(alone.slice(at, at + LOOKS));
  }

  /**
   * Compares objects with one page of a fresh listing, from the first of them on. `seen` are those that it shows as
   * they were; `unseen` those it should show and does not; `after` those that come after it.
   */
  async #onPage(objects: readonly O[]) {
    const page = await this.#page(objects[0]!.path.key, objects.at(-1)!.path.key);
    const last = page?.at(-1)?.key;
    if (!page || last === undefined) return { seen: [], unseen: [], after: [...objects] };
    const entries = new Map(page.map((entry) => [entry.key, entry]));
    const [seen, unseen, other]: [O[], O[], O[]] = [[], [], []];
    const after = objects.filter((object) => {
      const { key } = object.path;
      const entry = entries.get(key);
      if (!entry && byUtf8(key, last) > 0) return true;
      if (!entry) unseen.push(object);
      else if (isSame(entry, object)) seen.push(object);
      else other.push(object);
      return false;
    });
    for (const object of other) await this.options.onDone(object, changed(object));
    return { seen, unseen, after };
  }

  /**
   * Returns the page that begins with a key, of the folder that holds it and another: the credentials may list no more.
   * Undefined if there is none: not every service begins a listing anywhere.
   */
  async #page(key: string, other: string): Promise<readonly DriverListEntry[] | undefined> {
    const { signal } = this.options;
    let common = 0;
    while (key[common] === other[common] && common < key.length) common += 1;
    const prefix = key.slice(0, key.lastIndexOf("/", common - 1) + 1);
    // Right before the key: without its last character.
    const startAfter = key.slice(0, -1).replace(/[\ud800-\udbff]$/, "");
    const options = { delimiter: undefined, startAfter, versions: false, signal };
    try {
      for await (const page of this.driver.list(prefix, options)) return page;
    } catch {
      signal?.throwIfAborted();
    }
    return undefined;
  }

  async #lookAndDelete(objects: readonly O[]): Promise<void> {
    const { signal } = this.options;
    // One request instead of two where there is nothing to bundle.
    if (objects.length === 1) {
      return this.#each(objects, async (object) => {
        await this.#deleteOne(object);
        return GONE;
      });
    }
    const same: O[] = [];
    await this.#each(objects, async (object) => {
      const { key } = object.path;
      const found = await statIfThere(await this.#callOf(object), { key, driver: this.driver }, signal);
      if (!found) return GONE;
      if (!isSame(found, object)) throw changed(object);
      same.push(object);
      return undefined;
    });
    await this.#deleteMany(same);
  }

  /** Deletes objects in as few requests as the driver can. */
  async #deleteMany(objects: readonly O[]): Promise<void> {
    const { signal } = this.options;
    if (objects.length === 0) return;
    signal?.throwIfAborted();
    const failures = new Map<string, unknown>();
    const targets: ConditionalIdentifier[] = objects.map(({ path: { key }, etag }) => ({ key, ifMatch: etag }));
    try {
      if (this.driver.deleteManyIfMatch) await this.driver.deleteManyIfMatch(targets, { signal });
      else
        await this.driver.delete(
          targets.map(({ key }) => ({ key })),
          { signal },
        );
    } catch (error) {
      signal?.throwIfAborted();
      const each = isInstance<BatchDeleteError>(error, "BatchDeleteError")
        ? error.failures
        : targets.map(({ key }) => ({ key, error }));
      for (const { key, error: own } of each) failures.set(key, this.call.failure(key, own).error);
    }
    for (const object of objects) await this.options.onDone(object, failures.get(object.path.key));
  }

  async #deleteOne(object: O): Promise<void> {
    const { path, etag, modified } = object;
    const call = await this.#callOf(object);
    await deleteIfSame(call, { key: path.key, driver: this.driver }, { etag, modified }, this.options.signal);
  }

  /** Its failures name this object. */
  async #callOf({ path }: O): Promise<Operation> {
    const call = new Operation("delete", "delete", { ifMatch: "", signal: this.options.signal });
    await call.bucket(this.registry, path);
    return call;
  }

  /** Runs `work` on each object. Tells of those that it says are gone, and of failures. */
  async #each(objects: readonly O[], work: (object: O) => Promise<typeof GONE | undefined>): Promise<void> {
    const { slots, onDone, signal } = this.options;
    const one = async (object: O) => {
      const leave = await slots.acquire(1, signal);
      try {
        signal?.throwIfAborted();
        const outcome = await work(object).catch((error: unknown) => {
          signal?.throwIfAborted();
          return { error };
        });
        if (outcome === GONE) await onDone(object, undefined);
        else if (outcome) await onDone(object, this.call.failure(object.path.key, outcome.error).error);
      } finally {
        leave();
      }
    };
    // All of them, so that nothing is deleted after the call has ended.
    const ended = await Promise.allSettled(objects.map(one));
    const failed = ended.find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") throw failed.reason;
  }
}

const GONE = Symbol("gone");

function changed({ path }: ListedObject): unknown {
  return failure("PreconditionFailed", "the object is another one by now").at("delete", String(path));
}
