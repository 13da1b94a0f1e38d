/** Copies between providers, and copies of whole trees. */
import { createHash, getFips } from "node:crypto";
import { pause } from "../concurrency.js";
import { failure, invalid, isStorageError } from "../errors.js";
import { StoragePath } from "../path.js";
import type { ByteStream } from "../streams.js";
import { Batch } from "./batch.js";
import type { DriverListEntry, ObjectDriver, ObjectIdentifier, ObjectInfo } from "./driver/driver.js";
import { CallerError, type Operation, type ResolvedObject } from "./operation.js";
import type { CopyOptions, DeleteOptions } from "./options.js";
import { readStream } from "./resumable-read.js";
import { writeObject } from "./write.js";

/** Objects of a tree copied in parallel. */
const TREE_PARALLEL = 8;

/**
 * Streams one version of the source, with its content type and, where the target can keep it, its metadata; returns its
 * info. Compares the bytes with the MD5 that the source's provider states, before anything is stored, and then with the
 * size and MD5 that the target's provider states. Without an MD5 it compares only the size.
 */
export async function copyAcross(
  source: ResolvedObject,
  target: ResolvedObject,
  init: CopyOptions,
  told: (error: unknown) => unknown,
  move = false,
): Promise<Copied> {
  const { ifAbsent, ifMatch, signal, onProgress } = init;
  const range = { start: 0, end: undefined, version: undefined };
  const { info, body } = await readStream(source.driver, source.key, { ...range, ifMatch, signal }).catch((error) => {
    throw new CallerError(told(error));
  });
  const metadata = target.driver.metadata ? info.metadata : undefined;
  const { contentType, size } = info;
  const print = new Md5Stream();
  const sent = telling(asStated(info, body, print), told);
  try {
    if (move) await waitUntilDistinct(info, signal);
    const { etag } = await writeObject(target, sent, { contentType, metadata, size, ifAbsent, signal, onProgress });
    const stored = await target.driver.stat(target.key, { version: undefined, signal });
    checkStored(stored, { etag, size, print });
    return { info, stored };
  } finally {
    // A refused write has not begun to read.
    await body[Symbol.asyncIterator]().return?.();
  }
}

/** The known state of a source: from its listing or its stat, or only its etag. */
export interface SourceState {
  etag: string;
  version?: string | undefined;
  modified?: Date | undefined;
}

/** The source as copied, and the target as stored. */
export interface Copied {
  info: ObjectInfo;
  stored: ObjectInfo;
}

/** Milliseconds after which modification times differ by a second, even where one has whole seconds only. */
const DISTINCT_MS = 2100;

/**
 * Waits until the source is older than that: if the target is the same object by another connection, the copy then
 * shows in the source's time. Versions show it in any case.
 */
export async function waitUntilDistinct(
  { version, modified }: ObjectInfo,
  signal: AbortSignal | undefined,
): Promise<void> {
  const left = DISTINCT_MS - (Date.now() - modified.getTime());
  if (version === undefined && left > 0) await pause(Math.min(left, DISTINCT_MS), signal);
}

function sameSecond(a: Date, b: Date): boolean {
  return Math.abs(a.getTime() - b.getTime()) < 1000;
}

async function* asStated({ md5 }: ObjectInfo, body: ByteStream, print: Md5Stream): ByteStream {
  yield* print.of(body);
  if (print.differs(md5)) throw failure("Corrupt", "the bytes that came do not have the MD5 that the provider states");
}

interface Sent {
  etag: string | undefined;
  size: number;
  print: Md5Stream;
}

function checkStored(stored: ObjectInfo, { etag, size, print }: Sent): void {
  if (stored.size !== size)
    throw failure("ObjectChanged", `the copy has ${stored.size} bytes, the source ${size}; somebody else wrote there`);
  if (!print.differs(stored.md5)) return;
  if (etag !== undefined && etag !== stored.etag) throw failure("ObjectChanged", "somebody else wrote there");
  throw failure("Corrupt", "the copy does not have the MD5 of what was sent; the source is as it was");
}

/**
 * Throws `ObjectChanged` if the source is not what was copied, or if nothing proves that source and copy are different
 * objects, so that a move deletes nothing without a copy. Two connections, or two names of a bucket, can lead to one
 * object. Then the copy has changed the source: its etag or version, or its time by the difference between the two.
 */
export async function checkApart(
  { key, driver }: ResolvedObject,
  { info, stored }: Copied,
  signal: AbortSignal | undefined,
): Promise<void> {
  const found = await driver.stat(key, { version: undefined, signal });
  if (!isSame(found, info)) throw failure("ObjectChanged", CHANGED);
  if (info.version !== undefined || !sameSecond(stored.modified, info.modified)) return;
  throw failure("ObjectChanged", "nothing tells the source from its copy, they may be one object; it is kept");
}

const CHANGED = "the source changed while it was moved; it is kept beside its copy";

/** The time helps where etags repeat for equal content; headers have whole seconds, listings and JSON are finer. */
function isSame(found: ObjectInfo, { etag, version, modified }: SourceState): boolean {
  if (found.etag !== etag) return false;
  if (found.version !== undefined && version !== undefined) return found.version === version;
  return modified === undefined || sameSecond(found.modified, modified);
}

/**
 * Deletes a moved source if it still is what was copied: in one step where the provider can, else after a check right
 * before. Throws `ObjectChanged` otherwise. Succeeds if it is gone.
 */
export async function deleteUnchanged(
  call: Operation,
  { key, driver }: ResolvedObject,
  was: SourceState,
  signal: AbortSignal | undefined,
): Promise<void> {
  const told = (error: unknown) =>
    isStorageError(error, "PreconditionFailed") ? failure("ObjectChanged", CHANGED, { cause: error }) : error;
  if (driver.deleteIfMatch) return call.run(() => driver.deleteIfMatch!(key, was.etag, { signal }), told);
  const found = await call.run(() => statIfThere(call, { key, driver }, signal));
  if (found === undefined) return;
  if (!isSame(found, was)) throw failure("ObjectChanged", CHANGED);
  await driver.delete([{ key }], { signal });
}

async function statIfThere(
  call: Operation,
  { key, driver }: Pick<ResolvedObject, "key" | "driver">,
  signal: AbortSignal | undefined,
): Promise<ObjectInfo | undefined> {
  return driver.stat(key, { version: undefined, signal }).catch((error: unknown) => {
    const told = call.toStorageError(error);
    if (!isStorageError(told, "NotFound")) throw told;
    return undefined;
  });
}

/** Yields the same bytes; converts a failure into one of the read, which the write treats as from its caller's body. */
async function* telling(bytes: ByteStream, told: (error: unknown) => unknown): ByteStream {
  try {
    yield* bytes;
  } catch (error) {
    throw told(error);
  }
}

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

/** Copies one object; one of a store only as it was `listed`. What is left to do of a move is returned. */
type One = (from: StoragePath, to: StoragePath, listed: SourceState | undefined) => Promise<Finish | undefined>;

export interface Tree {
  op: "copy" | "move";
  /** Converts failures of the source. */
  call: Operation;
  source: ResolvedObject;
  target: ResolvedObject;
  init: CopyOptions;
  one: One;
  /** Converts failures of the target. */
  writing: Operation;
  /** Deletes the marker of a moved directory. */
  drop(marker: StoragePath, listed: SourceState): Promise<void>;
}

/**
 * Copies or moves everything below a path to the same place below another, several objects in parallel. Continues after
 * failures and throws one BatchError for all at the end.
 */
export async function transferTree(tree: Tree): Promise<void> {
  const { op, call, source, target, init } = tree;
  if (op === "move" && init.followLinks)
    throw invalid("a move deletes what it has copied, never through a link: followLinks is for copies");
  if (op === "move" && source.key !== "" && (await source.driver.fileSystem?.isLink(source.key))) return moveLink(tree);
  if (await areNested(source, target)) throw invalid(`${source.path} and ${target.path} lie one in the other`);
  const batch = new Batch();
  const walk = new TreeWalk(tree, batch);
  await walk.run();
  batch.check(op, call.at, op === "copy" ? "not copied" : "not moved");
  if (batch.untouched) throw failure("NotFound", "there is nothing below this path");
}

/** Moves only the link: its target stays in place. */
async function moveLink({ source, target, init: { ifAbsent = false } }: Tree): Promise<void> {
  if (source.driver !== target.driver)
    throw failure("Unsupported", "it is a symbolic link, which only a folder can hold; copy what it leads to instead");
  await source.driver.fileSystem!.moveLink(source.key, target.key, { ifAbsent });
}

/** Returns whether one of two trees contains the other, through any links. All file drivers share one disk. */
async function areNested(a: ResolvedObject, b: ResolvedObject): Promise<boolean> {
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

function isWithin(key: string, directory: string): boolean {
  return directory === "" || key === directory || key.startsWith(`${directory}/`);
}

class TreeWalk {
  readonly #tree: Tree;
  readonly #batch: Batch;
  readonly #crossing: CrossingLinks | undefined;
  /** Links that could not be moved. */
  readonly #left = new Set<string>();
  #over = false;

  constructor(tree: Tree, batch: Batch) {
    this.#tree = tree;
    this.#batch = batch;
    const { source, target } = tree;
    if (source.driver.fileSystem && target.driver.fileSystem) this.#crossing = new CrossingLinks(tree);
  }

  async run(): Promise<void> {
    const { op, source } = this.#tree;
    if (op === "move" && source.driver.fileSystem) await this.#moveLinks();
    await this.#each(this.#items(), (item, from) => this.#do(item, from));
  }

  /**
   * Before the files that they lead to, which they could not be copied without. They are deleted when all are copied,
   * since one may lead on to another.
   */
  async #moveLinks(): Promise<void> {
    const copied: { item: DriverListEntry; from: StoragePath; finish: Finish | undefined }[] = [];
    await this.#each(this.#items(true), async (item, from) => {
      // Until its move is complete.
      this.#left.add(item.key);
      copied.push({ item, from, finish: await this.#transfer(item, from) });
    });
    for (const { item, from, finish } of copied)
      await this.#named(from, async () => {
        await finish?.();
        this.#left.delete(item.key);
        this.#batch.done(1, item.size);
      });
  }

  async #do(item: DriverListEntry, from: StoragePath): Promise<void> {
    if (this.#left.has(item.key)) return;
    const finish = await this.#transfer(item, from);
    await finish?.();
    this.#batch.done(1, item.size);
  }

  async #each(
    items: AsyncGenerator<DriverListEntry, void, undefined>,
    work: (item: DriverListEntry, from: StoragePath) => Promise<void>,
  ): Promise<void> {
    const worker = async () => {
      for (let step = await items.next(); !step.done && !this.#over; step = await items.next()) {
        const { value } = step;
        const from = below(this.#tree.source.path, value.key);
        await this.#named(from, () => work(value, from));
      }
    };
    // No worker is still copying when the call ends.
    const ends = await Promise.allSettled(Array.from({ length: TREE_PARALLEL }, worker));
    await items.return();
    const failed = ends.find(({ status }) => status === "rejected");
    if (failed?.status !== "rejected") return;
    const { call, init } = this.#tree;
    if (init.signal?.aborted || this.#batch.untouched) throw failed.reason;
    // Without the rest of the listing nobody knows what else there is; what was done is told all the same.
    this.#over = true;
    this.#batch.fail(call.at, call.toStorageError(failed.reason));
  }

  async *#items(onlyLinks = false): AsyncGenerator<DriverListEntry, void, undefined> {
    const { call, source, init } = this.#tree;
    const { signal, followLinks } = init;
    const pages = source.driver.list(source.key === "" ? "" : `${source.key}/`, {
      delimiter: undefined,
      startAfter: undefined,
      versions: false,
      others: !onlyLinks,
      onlyLinks,
      followLinks,
      unlisted: (key, error) => {
        // All of it is listed again.
        if (onlyLinks) return;
        const failed = call.failure(key, error);
        this.#batch.fail(failed.path, failed.error);
      },
      signal,
    });
    let unseen = true;
    for await (const page of pages) {
      const [first] = page;
      if (unseen && first) await refuseOneBucket(this.#tree, first);
      unseen &&= first === undefined;
      yield* page;
    }
  }

  /** Does `work` for one entry, whose failure does not stop the others. */
  async #named(from: StoragePath, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#tree.init.signal?.aborted) {
        this.#over = true;
        throw error;
      }
      this.#batch.fail(String(from), error);
    }
  }

  async #transfer(item: DriverListEntry, from: StoragePath): Promise<Finish | undefined> {
    const { source, target, one, op } = this.#tree;
    if (item.type === "other") throw failure("Unsupported", adviceOn(item)).at(op, String(from));
    const rest = source.key === "" ? item.key : item.key.slice(source.key.length + 1);
    const key = keyBelow(target.key, rest);
    if (await this.#crossing?.at(parentOf(rest)))
      throw invalid("a link leads from one of the two trees into the other; nothing is copied there").at(
        op,
        String(from),
      );
    if (key.endsWith("/") && target.driver.fileSystem) return this.#directory(item, from, key.slice(0, -1));
    // The marker of the tree itself, which a bucket neither has nor needs.
    if (key === "") return undefined;
    return one(from, below(target.path, key), source.driver.fileSystem ? undefined : stateOf(item));
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
    return op === "move" ? () => drop(from, stateOf(marker) ?? { etag: "" }) : undefined;
  }
}

function stateOf({ etag, modified }: DriverListEntry): SourceState | undefined {
  return etag === undefined ? undefined : { etag, modified };
}

/**
 * Refuses two connections, or two names, that lead to one bucket. Where one tree then contains the other, copies would
 * replace objects before they are read. The first object, which both have, shows whether it is one bucket.
 */
async function refuseOneBucket({ source, target, writing, init }: Tree, item: DriverListEntry): Promise<void> {
  const { key, size, modified } = item;
  const ofFiles = source.driver.fileSystem ?? target.driver.fileSystem;
  if (source.driver === target.driver || source.key === target.key || ofFiles || modified === undefined) return;
  if (!isWithin(target.key, source.key) && !isWithin(source.key, target.key)) return;
  const there = await statIfThere(writing, { key, driver: target.driver }, init.signal);
  if (there === undefined || there.size !== size || !sameSecond(there.modified, modified)) return;
  // Another kind of provider, such as S3's interface to Google's buckets, has other etags.
  if (there.etag !== item.etag && source.path.scheme === target.path.scheme) return;
  throw invalid(`${source.path} and ${target.path} lie in one bucket, one in the other`);
}

function adviceOn({ detail = "no regular file" }: DriverListEntry): string {
  return detail === "a link to a directory" ? `${detail}; a copy with followLinks takes what is behind it` : detail;
}

/** Returns the path of another key in the bucket of `path`; byte for byte. */
function below({ scheme, connectionId, bucket }: StoragePath, key: string): StoragePath {
  return StoragePath.of({ scheme, connectionId, bucket, key });
}

// The MD5 of bytes in transit.

class Md5Stream {
  /** Node has no MD5 in FIPS mode. */
  readonly #hash = getFips() === 1 ? undefined : createHash("md5");
  #md5: string | undefined;

  /** Yields the same bytes and hashes them. */
  async *of(bytes: ByteStream): ByteStream {
    for await (const chunk of bytes) {
      this.#hash?.update(chunk);
      yield chunk;
    }
    this.#md5 = this.#hash?.digest("hex");
  }

  /** Returns whether the MD5 of the bytes, once complete, differs from `md5`; false if either is unknown. */
  differs(md5: string | undefined): boolean {
    return md5 !== undefined && this.#md5 !== undefined && md5 !== this.#md5;
  }
}

/** A full page of a listing, and the most that a provider deletes in one request. */
const BATCH = 1000;

/** Fails for a tree that may not be deleted, and for a path that no file can have. */
export async function checkDoomed({ key, driver }: ResolvedObject, init: DeleteOptions): Promise<void> {
  if (key === "" && !init.emptyBucket)
    throw invalid("this would empty the whole bucket; pass `emptyBucket: true` to allow it");
  if (init.version !== undefined) throw invalid("recursive and version contradict each other");
  if (key !== "") await driver.fileSystem?.isLink(key);
}

/**
 * Deletes an object and everything below it; of a symbolic link, only the link. Continues after failed keys and adds
 * them to the batch.
 */
export async function removeTree(
  batch: Batch,
  call: Operation,
  reached: ResolvedObject,
  { signal }: DeleteOptions,
): Promise<void> {
  const { key, driver } = reached;
  const remove = (doomed: readonly ObjectIdentifier[], count?: number) =>
    deleteIn(batch, { call, driver }, doomed, signal, count);
  if (key !== "" && (await driver.fileSystem?.isLink(key))) return remove([{ key }]);
  // Lists the next page while this one is being deleted.
  let running: Promise<void> = Promise.resolve();
  // The object itself joins a page that has room, so that it costs no extra request.
  const last: ObjectIdentifier[] = key === "" ? [] : [{ key }];
  try {
    for await (const page of pagesOf(batch, call, reached, signal)) {
      await running;
      const doomed = page.map((item) => ({ key: item.key }));
      if (doomed.length < BATCH) doomed.push(...last.splice(0));
      running = remove(doomed, page.length);
      running.catch(() => {});
    }
  } catch (error) {
    await running;
    if (signal?.aborted || batch.untouched) throw error;
    // The rest of the listing is unknown; the error still reports what was done.
    batch.fail(call.at, call.toStorageError(error));
  }
  await running;
  if (last.length > 0) await remove(last, 0);
}

function pagesOf(batch: Batch, call: Operation, { key, driver }: ResolvedObject, signal: AbortSignal | undefined) {
  return driver.list(key === "" ? "" : `${key}/`, {
    delimiter: undefined,
    startAfter: undefined,
    versions: false,
    others: true,
    unlisted: (name, error) => {
      const { path, error: reason } = call.failure(name, error);
      batch.fail(path, reason);
    },
    signal,
  });
}

/** Deletes in all buckets, even after one has failed; throws all failures in one error. */
export async function deleteGroups(
  groups: ReadonlyMap<ObjectDriver, { call: Operation; doomed: ObjectIdentifier[] }>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const batch = new Batch();
  let first = "";
  for (const [driver, { call, doomed }] of groups) {
    first ||= call.at;
    await deleteIn(batch, { call, driver }, doomed, signal);
  }
  batch.check("delete", first, "not deleted");
}

/** Deletes objects of one bucket, `count` of which are known to exist; adds failures to the batch, throws an abort. */
export async function deleteIn(
  batch: Batch,
  { call, driver }: { call: Operation; driver: ObjectDriver },
  doomed: readonly ObjectIdentifier[],
  signal: AbortSignal | undefined,
  count = doomed.length,
): Promise<void> {
  try {
    await driver.delete(doomed, { signal });
    batch.done(count);
  } catch (error) {
    if (signal?.aborted) throw call.toStorageError(error);
    const keys = doomed.map(({ key }) => key);
    const failures = call.failures(error, keys);
    batch.done(Math.max(0, count - failures.length));
    for (const failure of failures) batch.fail(failure.path, failure.error);
  }
}
