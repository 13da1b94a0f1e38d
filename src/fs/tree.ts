import { forEachConcurrent, OBJECTS_IN_PARALLEL } from "../concurrency.js";
import { failure, invalid } from "../errors.js";
import { pathWithKey, type StoragePath } from "../path.js";
import { Batch } from "./batch.js";
import { sameSecond, statIfThere } from "./copy-across.js";
import type { DriverListEntry } from "./driver/driver.js";
import { CallerError, type Operation, type ResolvedObject } from "./operation.js";
import type { CopyOptions, ObjectState } from "./options.js";
import { listParallel } from "./parallel-list.js";

/** Returns a factory of progress callbacks, one per object of a tree, that report the sum of all to the caller. */
export function summed(onProgress: ((bytes: number) => void) | undefined): () => CopyOptions["onProgress"] {
  if (!onProgress) return () => undefined;
  let total = 0;
  return () => {
    let own = 0;
    return (bytes) => {
      total += bytes - own;
      own = bytes;
      onProgress(total);
    };
  };
}

/** Deletes what was moved. */
export type Finish = () => Promise<void>;

/** Copies one object, if it is unchanged since the listing. Returns the delete that completes a move. */
type One = (from: StoragePath, to: StoragePath, listed: ObjectState | undefined) => Promise<Finish | undefined>;

export type TreeVerb = "copy" | "move" | "sync";

export interface TreeOptions {
  /** Objects in parallel. @default 32 */
  parallel?: number | undefined;
  /** Returns whether to leave out this entry; `rest` is its key below the tree. */
  skip?: ((item: DriverListEntry, rest: string) => Promise<boolean>) | undefined;
  /** Receives each entry that was copied. Errors of the caller in it are marked. */
  copied?: ((item: DriverListEntry, rest: string) => void) | undefined;
}

export interface Tree extends TreeOptions {
  op: TreeVerb;
  /** Converts failures of the source. */
  call: Operation;
  source: ResolvedObject;
  target: ResolvedObject;
  options: CopyOptions;
  one: One;
  /** Converts failures of the target. */
  writing: Operation;
  /** Deletes the marker of a moved directory. */
  drop(marker: StoragePath, listed: ObjectState): Promise<void>;
}

/**
 * Copies or moves everything below a path to the same place below another, several objects in parallel. Continues after
 * failures and throws one BatchError for all at the end.
 */
export async function transferTree(tree: Tree): Promise<void> {
  const { op, call, source, target, options } = tree;
  if (op === "move" && options.followLinks)
    throw invalid("a move deletes what it has copied, never through a link: followLinks is for copies");
  if (op === "move" && source.key !== "" && (await source.driver.fileSystem?.isLink(source.key))) return moveLink(tree);
  if (await areNested(source, target)) throw invalid(`of ${source.path} and ${target.path}, one contains the other`);
  const batch = new Batch();
  const walk = new TreeWalk(tree, batch);
  await walk.run();
  batch.check(op, call.at, op === "move" ? "not moved" : "not copied");
  if (batch.untouched) throw failure("NotFound", `there is nothing below this path${await adviceOnObject(tree)}`);
}

/** A verb of trees finds nothing below an object. */
async function adviceOnObject({ op, source: { key, driver }, options: { signal } }: Tree): Promise<string> {
  const isObject = await driver.stat(key, { version: undefined, signal }).then(
    () => key !== "",
    () => false,
  );
  return isObject ? `: it is one object, which ${op === "sync" ? "copy" : op} takes without recursive` : "";
}

/** Moves only the link: its target stays in place. */
async function moveLink({ source, target, options: { ifAbsent = false } }: Tree): Promise<void> {
  if (source.driver !== target.driver)
    throw failure("Unsupported", "it is a symbolic link, which only a folder can hold; copy what it leads to instead");
  await source.driver.fileSystem!.moveLink(source.key, target.key, { ifAbsent });
}

/** Returns whether one of two trees contains the other, through any links. All file drivers share one disk. */
export async function areNested(a: ResolvedObject, b: ResolvedObject): Promise<boolean> {
  if (a.driver !== b.driver && !(a.driver.fileSystem && b.driver.fileSystem)) return false;
  const [one, other] = await Promise.all([realKey(a, a.key), realKey(b, b.key)]);
  return isWithin(one, other) || isWithin(other, one);
}

async function realKey({ driver }: ResolvedObject, key: string): Promise<string> {
  return driver.fileSystem?.realKey(key) ?? key;
}

/** The real paths of a directory of both trees whose entries are about to be copied. */
interface Pair {
  source: string;
  target: string;
}

/** The maximum number of directories remembered; a walk in key order seldom returns to others. */
const REMEMBERED = 1000;

/**
 * Finds directories in two file trees whose links lead into the other tree. There a copy would replace a source before
 * it is read, a move would then delete it, and a tree would grow with each copy.
 */
class CrossingLinks {
  readonly #source: ResolvedObject;
  readonly #target: ResolvedObject;
  readonly #known = new Map<string, Promise<boolean>>();

  constructor({ source, target }: Tree) {
    this.#source = source;
    this.#target = target;
  }

  /** Returns whether the trees cross on the way to the directory `rest`. */
  async at(rest: string): Promise<boolean> {
    let known = this.#known.get(rest);
    if (known === undefined) {
      if (this.#known.size >= REMEMBERED) this.#known.clear();
      known = this.#look(rest);
      this.#known.set(rest, known);
    }
    return known;
  }

  async #look(rest: string): Promise<boolean> {
    if (rest === "") return false;
    if (await this.at(parentOf(rest))) return true;
    const [root, here] = await Promise.all([this.#pair(""), this.#pair(rest)]);
    if (isWithin(here.target, root.source) || isWithin(here.source, root.target)) return true;
    // Links of both trees to one directory outside: its files are copied onto themselves, which changes nothing.
    if (here.source === here.target) return false;
    return isWithin(here.target, here.source) || isWithin(here.source, here.target);
  }

  async #pair(rest: string): Promise<Pair> {
    const [source, target] = await Promise.all(
      [this.#source, this.#target].map((tree) => realKey(tree, rest === "" ? tree.key : keyBelow(tree.key, rest))),
    );
    return { source: source!, target: target! };
  }
}

/** Returns the directory that contains `rest`; empty for an entry directly in the tree. */
function parentOf(rest: string): string {
  return rest.slice(0, Math.max(0, rest.lastIndexOf("/")));
}

function keyBelow(directory: string, rest: string): string {
  return directory === "" ? rest : `${directory}/${rest}`;
}

export function isWithin(key: string, directory: string): boolean {
  return directory === "" || key === directory || key.startsWith(`${directory}/`);
}

class TreeWalk {
  readonly #tree: Tree;
  readonly #batch: Batch;
  readonly #crossing: CrossingLinks | undefined;
  /** Links that could not be moved. */
  readonly #left = new Set<string>();

  constructor(tree: Tree, batch: Batch) {
    this.#tree = tree;
    this.#batch = batch;
    const { source, target } = tree;
    if (source.driver.fileSystem && target.driver.fileSystem) this.#crossing = new CrossingLinks(tree);
  }

  async run(): Promise<void> {
    const { op, source } = this.#tree;
    // Where links remain unseen, the files that they lead to stay.
    if (op === "move" && source.driver.fileSystem && !(await this.#moveLinks())) return;
    await this.#each(this.#items(), (item, from) => this.#do(item, from));
  }

  /**
   * Before the files that they lead to, which they could not be copied without. They are deleted when all are copied,
   * since one may lead on to another. Returns whether the listing was complete.
   */
  async #moveLinks(): Promise<boolean> {
    const copied: { item: DriverListEntry; from: StoragePath; finish: Finish | undefined }[] = [];
    const complete = await this.#each(this.#items(true), async (item, from) => {
      // Until its move is complete.
      this.#left.add(item.key);
      copied.push({ item, from, finish: await this.#transfer(item, from) });
    });
    for (const { item, from, finish } of copied)
      await this.#collectFailure(from, async () => {
        await finish?.();
        this.#left.delete(item.key);
        this.#batch.done(1, item.size);
      });
    return complete;
  }

  async #do(item: DriverListEntry, from: StoragePath): Promise<void> {
    if (this.#left.has(item.key)) return;
    const finish = await this.#transfer(item, from);
    await finish?.();
    this.#batch.done(1, item.size);
  }

  /** Returns whether the listing was complete. */
  async #each(
    items: AsyncGenerator<DriverListEntry, void, undefined>,
    work: (item: DriverListEntry, from: StoragePath) => Promise<void>,
  ): Promise<boolean> {
    const { call, parallel = OBJECTS_IN_PARALLEL, source } = this.#tree;
    try {
      await forEachConcurrent(items, { concurrency: parallel }, (item) => {
        const from = pathWithKey(source.path, item.key);
        return this.#collectFailure(from, () => work(item, from));
      });
      return true;
    } catch (error) {
      if (this.#ends(error) || this.#batch.untouched) throw error;
      // The rest of the listing is unknown; what was done is still reported.
      this.#batch.fail({ path: call.at, error: call.toStorageError(error) });
      return false;
    }
  }

  async *#items(onlyLinks = false): AsyncGenerator<DriverListEntry, void, undefined> {
    const { call, source, options } = this.#tree;
    const { signal, followLinks } = options;
    const listing = {
      delimiter: undefined,
      startAfter: undefined,
      versions: false,
      others: !onlyLinks,
      onlyLinks,
      followLinks,
      unlisted: (key: string, error: unknown) => {
        // All of it is listed again.
        if (!onlyLinks) this.#batch.fail(call.failure(key, error));
      },
      signal,
    };
    const pages = listParallel(source.driver, source.key === "" ? "" : `${source.key}/`, listing, { ordered: false });
    let unseen = true;
    for await (const page of pages) {
      const [first] = page;
      if (unseen && first) await refuseOneBucket(this.#tree, first);
      unseen &&= first === undefined;
      yield* page;
    }
  }

  /** Whether this is no failure of an entry: an abort, or an error of the caller's own callback. */
  #ends(error: unknown): boolean {
    return this.#tree.options.signal?.aborted === true || error instanceof CallerError;
  }

  /** Does `work` for one entry, whose failure does not stop the others. */
  async #collectFailure(from: StoragePath, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#ends(error)) throw error;
      this.#batch.fail({ path: String(from), error });
    }
  }

  async #transfer(item: DriverListEntry, from: StoragePath): Promise<Finish | undefined> {
    const { source, target, one, op, skip, copied } = this.#tree;
    const rest = source.key === "" ? item.key : item.key.slice(source.key.length + 1);
    if (await skip?.(item, rest)) return undefined;
    if (item.type === "other") throw failure("Unsupported", adviceOn(item)).at(op, String(from));
    const key = keyBelow(target.key, rest);
    if (await this.#crossing?.at(parentOf(rest)))
      throw invalid("a link leads from one of the two trees into the other; nothing is copied there").at(
        op,
        String(from),
      );
    if (key.endsWith("/") && target.driver.fileSystem) return this.#directory(item, from, key.slice(0, -1));
    // The marker of the tree itself, which a bucket neither has nor needs.
    if (key === "") return undefined;
    const finish = await one(from, pathWithKey(target.path, key), source.driver.fileSystem ? undefined : stateOf(item));
    copied?.(item, rest);
    return finish;
  }

  /** An object that only marks a directory, as consoles and Hadoop make them, is a directory among files. */
  async #directory(marker: DriverListEntry, from: StoragePath, directory: string): Promise<Finish | undefined> {
    const { target, op, drop, call } = this.#tree;
    const { key, size = 0 } = marker;
    const where = String(from);
    if (size > 0)
      throw failure("Unsupported", `its name ends in a slash and it has ${size} bytes: no file can be so`).at(
        op,
        where,
      );
    const made = directory === "" ? undefined : target.driver.fileSystem?.makeDirectory(directory);
    await made?.catch((error) => {
      throw call.failure(key, error).error;
    });
    return op === "move" ? () => drop(from, stateOf(marker) ?? {}) : undefined;
  }
}

function stateOf({ etag, modified }: DriverListEntry): ObjectState | undefined {
  return etag === undefined ? undefined : { etag, modified };
}

/**
 * Refuses two connections, or two names, that lead to one bucket. Where one tree then contains the other, copies would
 * replace objects before they are read. The first object, which both have, shows whether it is one bucket.
 */
async function refuseOneBucket({ source, target, writing, options }: Tree, item: DriverListEntry): Promise<void> {
  const { key, size, modified } = item;
  const ofFiles = source.driver.fileSystem ?? target.driver.fileSystem;
  if (source.driver === target.driver || source.key === target.key || ofFiles || modified === undefined) return;
  if (!isWithin(target.key, source.key) && !isWithin(source.key, target.key)) return;
  const there = await statIfThere(writing, { key, driver: target.driver }, options.signal);
  if (there === undefined || there.size !== size || !sameSecond(there.modified, modified)) return;
  // Another kind of provider, such as S3's interface to Google's buckets, has other etags.
  if (there.etag !== item.etag && source.path.scheme === target.path.scheme) return;
  throw invalid(`${source.path} and ${target.path} lie in one bucket, where one contains the other`);
}

function adviceOn({ detail = "no regular file" }: DriverListEntry): string {
  return detail === "a link to a directory"
    ? `${detail}: followLinks takes what is behind it, exclude leaves it out`
    : detail;
}
