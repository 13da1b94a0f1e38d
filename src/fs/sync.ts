/** Brings a tree to the state of another: copies what is missing or differs, and deletes what should not be there. */
import { createHash, getFips } from "node:crypto";
import { failure, invalid, type OptionNames } from "../errors.js";
import { pathWithKey, type StoragePath } from "../path.js";
import type { ByteStream } from "../streams.js";
import { checkCopyOptions } from "./attributes.js";
import type { DriverListEntry, ObjectInfo } from "./driver/driver.js";
import { compileGlob } from "./glob/walk.js";
import { CallerError, markErrors, Operation, type ResolvedObject } from "./operation.js";
import { type Abortable, type CopyOptions, checkCount, type PathLike } from "./options.js";
import { listParallel } from "./parallel-list.js";
import type { DriverRegistry } from "./registry.js";
import { areNested, isWithin, type Tree, type TreeOptions } from "./tree.js";

/** What `sync` does, or would do, with one object. */
export interface SyncStep {
  action: "copy" | "delete";
  /** The object in the target. */
  path: StoragePath;
  /** Bytes, if the listing states them. */
  size: number | undefined;
}

export interface SyncOptions extends Pick<CopyOptions, "attributes" | "replace" | "followLinks" | "signal"> {
  /** Deletes objects of the target that the source does not have, after all copies, and only if all succeeded. */
  delete?: boolean | undefined;
  /**
   * Compares the content of objects of equal size, not their times: by the MD5 that the providers state, else by reading
   * them.
   */
  checksum?: boolean | undefined;
  /** Changes nothing; `onStep` receives what would be done. */
  dryRun?: boolean | undefined;
  /** Only keys that match one of these patterns, relative to the tree; one without a slash matches names at any depth. */
  include?: readonly string[] | undefined;
  /** No keys that match one of these. They are neither copied nor deleted. */
  exclude?: readonly string[] | undefined;
  /** Objects compared and copied in parallel. @default 32 */
  concurrency?: number | undefined;
  /** Receives each step when it is done; in a dry run, instead of it. An error in it ends the sync as it is. */
  onStep?: ((step: SyncStep) => void) | undefined;
  /** Receives the number of bytes that have passed through this process so far. */
  onProgress?: ((bytes: number) => void) | undefined;
}

/** What a sync has done, or would have done. */
export interface SyncSummary {
  copied: number;
  /** Bytes of the copied objects. */
  bytes: number;
  deleted: number;
  unchanged: number;
}

const SYNC: OptionNames<SyncOptions> = {
  delete: true,
  checksum: true,
  dryRun: true,
  include: true,
  exclude: true,
  concurrency: true,
  followLinks: true,
  attributes: true,
  replace: true,
  onStep: true,
  onProgress: true,
  signal: true,
};

/** Keys deleted with one call. */
const BATCH = 1000;

/** The verbs of Storage that a sync needs. */
interface Verbs {
  stat(path: PathLike, options: Abortable): Promise<ObjectInfo>;
  read(path: PathLike, options: Abortable): ByteStream;
  delete(paths: readonly PathLike[], options: Abortable): Promise<void>;
}

/** Copies a tree, all entries for which `skip` resolves to false. */
type CopyTree = (options: CopyOptions, tree: TreeOptions) => Promise<void>;

export async function sync(
  registry: DriverRegistry,
  storage: Verbs,
  copyTree: CopyTree,
  [from, to]: readonly [PathLike, PathLike],
  options: SyncOptions,
): Promise<SyncSummary> {
  const { signal, followLinks, attributes, replace, onProgress } = options ?? {};
  const call = new Operation("sync", "list", { signal });
  const writing = new Operation("sync", "list", { signal });
  return call.run(async () => {
    const chosen = checkSync(options);
    const source = await call.bucket(registry, from);
    const target = await writing.run(() => writing.bucket(registry, to));
    if (await areNested(source, target))
      throw invalid(`${source.path} and ${target.path} are one tree, or one contains the other`);
    if (options?.delete) refuseOneBucket(registry, source.path, target.path);
    const there = await writing.run(() => listTree(target, options));
    const onStep = markErrors(options?.onStep);
    const run = new Sync(storage, source, target, { ...options, onStep, chosen, there });
    const copying = { recursive: true, followLinks, attributes, replace, onProgress, signal };
    const copy = (skip: Tree["skip"]) =>
      copyTree(copying, { parallel: options.concurrency, skip, copied: run.copied }).catch((error: unknown) => {
        // It is converted.
        throw new CallerError(error);
      });
    await copy(run.skip);
    await run.deleteRest();
    if (run.blocked.size > 0) await copy(async (_, rest) => !run.blocked.has(rest));
    return run.summary;
  });
}

/** Two connections can lead to one bucket, where a tree of the target can hold the source. */
function refuseOneBucket(registry: DriverRegistry, from: StoragePath, to: StoragePath): void {
  if (from.bucket !== to.bucket || registry.opener(from.scheme) !== registry.opener(to.scheme)) return;
  if (from.key !== to.key && (isWithin(from.key, to.key) || isWithin(to.key, from.key)))
    throw invalid(
      `${from} and ${to} may lie in one bucket, where one contains the other: a sync that deletes could empty its source`,
    );
}

/** Returns which keys of the trees take part. */
function checkSync(options: SyncOptions): (rest: string) => boolean {
  checkCopyOptions("sync", options, SYNC);
  for (const name of ["delete", "checksum", "dryRun"] as const)
    if (options[name] !== undefined && typeof options[name] !== "boolean")
      throw invalid(`${name} must be true or false`);
  checkCount("concurrency", options.concurrency, 1);
  if (options.delete && options.followLinks)
    throw invalid("delete and followLinks exclude each other: it would delete what is visible under another path");
  const [included, excluded] = [patterns("include", options.include), patterns("exclude", options.exclude)];
  return (rest) => (!included || included(rest)) && !excluded?.(rest);
}

function patterns(name: string, given: readonly string[] | undefined): ((rest: string) => boolean) | undefined {
  if (given === undefined) return undefined;
  if (!Array.isArray(given) || !given.every((one) => typeof one === "string" && one !== ""))
    throw invalid(`${name} must be a list of patterns`);
  if (given.length === 0) return undefined;
  const globs = given.map((one) => {
    const bare = one.replace(/^(?:\.?\/)+/, "").replace(/\/+$/, "");
    if (bare === "") throw invalid(`${name}: the pattern ${JSON.stringify(one)} is the whole tree`);
    return compileGlob(bare.includes("/") || one.startsWith("/") ? bare : `**/${bare}`);
  });
  // A pattern that matches a directory stands for everything below it.
  return (rest) => withParents(rest).some((path) => globs.some((glob) => glob.matches(path)));
}

/** Returns a key and the directories above it, without their slashes. */
function withParents(rest: string): string[] {
  return [rest, ...parentsOf(rest)];
}

function parentsOf(rest: string): string[] {
  const paths: string[] = [];
  for (let at = rest.indexOf("/"); at >= 0; at = rest.indexOf("/", at + 1)) paths.push(rest.slice(0, at));
  return paths;
}

/** The state of an object of the target, by its key below the tree. */
type Listed = Map<string, Pick<DriverListEntry, "size" | "modified">>;

/** A map and no merge of two listings, since not every service lists in key order. About 200 bytes an object. */
async function listTree({ key, driver }: ResolvedObject, { signal, followLinks }: SyncOptions): Promise<Listed> {
  const found: Listed = new Map();
  const prefix = key === "" ? "" : `${key}/`;
  const options = {
    delimiter: undefined,
    startAfter: undefined,
    versions: false,
    // What is behind a link counts as it does in the source, or each run would copy it again.
    followLinks,
    signal,
  };
  const pages = listParallel(driver, prefix, options, { ordered: false });
  for await (const page of pages)
    for (const { key, type, size, modified } of page)
      if (type === "file") found.set(key.slice(prefix.length), { ...(modified && { modified }), size: size! });
  return found;
}

interface Run extends SyncOptions {
  chosen: (rest: string) => boolean;
  there: Listed;
}

class Sync {
  readonly summary: SyncSummary = { copied: 0, bytes: 0, deleted: 0, unchanged: 0 };
  readonly #storage: Verbs;
  readonly #source: ResolvedObject;
  readonly #target: ResolvedObject;
  readonly #run: Run;
  /** Entries of the source that take part; markers of directories do not count. */
  #seen = 0;
  /** What the source does not have, as far as it is known. */
  readonly #rest: Listed;
  /** What is copied after the deletes: a file of the target is where it needs a directory, or the reverse. */
  readonly blocked = new Set<string>();
  /** The directories of a target of files. */
  readonly #directories = new Set<string>();

  constructor(storage: Verbs, source: ResolvedObject, target: ResolvedObject, run: Run) {
    this.#storage = storage;
    this.#source = source;
    this.#target = target;
    this.#run = run;
    this.#rest = new Map(run.there);
    if (!run.delete || run.dryRun || !target.driver.fileSystem) return;
    for (const key of run.there.keys()) for (const parent of parentsOf(key)) this.#directories.add(parent);
  }

  readonly skip: NonNullable<Tree["skip"]> = async (item, rest) => {
    const { chosen, there, dryRun, signal } = this.#run;
    this.#rest.delete(rest);
    if (!chosen(rest)) return true;
    if (!rest.endsWith("/") || item.size) this.#seen += 1;
    // The marker of a directory, which files do without.
    if (this.#target.driver.fileSystem && rest.endsWith("/") && !item.size) return true;
    const old = there.get(rest);
    if (old && item.size === old.size && (await this.#isSame(item, old, rest))) {
      this.summary.unchanged += 1;
      return true;
    }
    signal?.throwIfAborted();
    if (this.#isBlocked(rest)) {
      this.blocked.add(rest);
      return true;
    }
    if (dryRun && item.type !== "other") this.copied(item, rest);
    return dryRun === true && item.type !== "other";
  };

  readonly copied: NonNullable<Tree["copied"]> = ({ size }, rest) => {
    this.summary.copied += 1;
    this.summary.bytes += size ?? 0;
    this.#run.onStep?.({ action: "copy", path: this.#at(this.#target, rest), size });
  };

  async deleteRest(): Promise<void> {
    const { chosen, dryRun, signal, onStep } = this.#run;
    if (!this.#run.delete) return;
    if (this.#seen === 0)
      throw failure("NotFound", "no object of the source takes part, so nothing was deleted from the target");
    const targets = [...this.#rest].filter(([rest]) => chosen(rest));
    for (let at = 0; at < targets.length; at += BATCH) {
      const steps = targets.slice(at, at + BATCH).map(([rest, { size }]) => {
        return { action: "delete" as const, path: this.#at(this.#target, rest), size };
      });
      const paths = steps.map(({ path }) => path);
      if (!dryRun) await this.#storage.delete(paths, { signal });
      this.summary.deleted += steps.length;
      for (const step of steps) onStep?.(step);
    }
  }

  #isBlocked(rest: string): boolean {
    if (this.#directories.has(rest)) return true;
    const { delete: deletes, dryRun, there } = this.#run;
    if (!deletes || dryRun || !this.#target.driver.fileSystem) return false;
    return parentsOf(rest).some((parent) => there.has(parent));
  }

  async #isSame(item: DriverListEntry, old: { modified?: Date | undefined }, rest: string): Promise<boolean> {
    if (!this.#run.checksum) return isNotOlder(old.modified, item.modified);
    const paths = [this.#at(this.#source, rest), this.#at(this.#target, rest)];
    const [here, there] = await Promise.all(paths.map((path) => this.#digest(path)));
    return here === there;
  }

  async #digest(path: StoragePath): Promise<string> {
    const { signal } = this.#run;
    // Node has no MD5 in FIPS mode.
    const fips = getFips() === 1;
    const { md5 } = fips ? { md5: undefined } : await this.#storage.stat(path, { signal });
    if (md5 !== undefined) return md5;
    const hash = createHash(fips ? "sha256" : "md5");
    for await (const chunk of this.#storage.read(path, { signal })) hash.update(chunk);
    return hash.digest("hex");
  }

  #at({ path, key }: ResolvedObject, rest: string): StoragePath {
    return pathWithKey(path, key === "" ? rest : `${key}/${rest}`);
  }
}

const SECOND = 1000;

/**
 * Returns whether a copy was made after the source was written. A source's time in whole seconds may be up to a second
 * later than stated: rather copied once too often than a change overlooked.
 */
function isNotOlder(copy: Date | undefined, source: Date | undefined): boolean {
  if (copy === undefined || source === undefined) return false;
  const written = source.getTime();
  // Equal times prove nothing: the source may have been written again within the tick of its clock.
  return written % SECOND === 0 ? copy.getTime() >= written + SECOND : copy.getTime() > written;
}
