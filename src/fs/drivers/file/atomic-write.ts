/** Writes a file so that it appears with all of its bytes or not at all. */
import { randomBytes } from "node:crypto";
import type { BigIntStats, Stats } from "node:fs";
import { type FileHandle, link, lstat, open, readdir, rename, rmdir, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { MemoryLimiter } from "../../../concurrency.js";
import { failure } from "../../../errors.js";
import { type ByteStream, InMemory } from "../../../streams.js";
import type { DriverWriteOptions, WriteResult } from "../../driver/driver.js";
import { coalesce, isErrno, openDirectory, retryOnEmfile, writeAll } from "./disk.js";
import { etagOf } from "./object.js";
import { type PathResolver, UNFINISHED } from "./paths.js";

export type Conditions = Pick<DriverWriteOptions, "ifAbsent" | "ifMatch">;

/** The state that all writes of a Storage share. */
export interface Desk {
  places: PathResolver;
  turns: KeyedMutex;
  descriptors: MemoryLimiter;
  /** The number of drafts that keep their file open while they wait for data. */
  kept: number;
}

/** The destination of a file, in a directory that exists, and the permission bits of the existing file. */
interface Target {
  path: string;
  mode: number | undefined;
}

const ATTEMPTS = 3;

/** Stores `body` at `named`: in a temporary file beside it, synced, then renamed over it, or linked for `ifAbsent`. */
export async function replace(
  desk: Desk,
  named: string,
  body: ByteStream,
  { signal, onProgress, ...conditions }: Conditions & Pick<DriverWriteOptions, "signal" | "onProgress">,
): Promise<WriteResult> {
  // Fails early if the write cannot succeed, before the body is read.
  const target = await targetOf(desk.places, named, conditions, signal).catch(toUnsupported);
  const draft = new Draft(desk, named, target, conditions, signal);
  try {
    // The body is in memory: one visit to the disk, without waiting in between.
    if (body instanceof InMemory) return await draft.publish(body, onProgress);
    await draft.write();
    let written = 0;
    for await (const chunk of coalesce(body)) {
      await draft.write(chunk);
      written += chunk.byteLength;
      onProgress?.(written);
    }
    return await draft.publish();
  } finally {
    await draft.discard();
  }
}

/** Between two chunks a draft keeps its file open only if fewer than this many drafts do. */
const KEPT_OPEN = 16;

/** A temporary file on its way to its name. A draft with a descriptor waits only for the disk. */
class Draft {
  readonly #desk: Desk;
  readonly #named: string;
  readonly #conditions: Conditions;
  readonly #signal: AbortSignal | undefined;
  #target: Target;
  #path: string | undefined;
  #file: FileHandle | undefined;
  #kept = false;

  constructor(desk: Desk, named: string, target: Target, conditions: Conditions, signal: AbortSignal | undefined) {
    this.#desk = desk;
    this.#named = named;
    this.#target = target;
    this.#conditions = conditions;
    this.#signal = signal;
  }

  /** Appends a chunk; without one, only begins, so that a write that waits for its body is visible. */
  async write(chunk?: Uint8Array): Promise<void> {
    const leave = await this.#desk.descriptors.acquire(1, this.#signal);
    try {
      const file = await this.#open();
      if (chunk) await writeAll(file, chunk);
      await this.#keepOrClose();
    } finally {
      leave();
    }
  }

  /** Appends `last` and renames the file. */
  async publish(last?: ByteStream, onProgress?: DriverWriteOptions["onProgress"]): Promise<WriteResult> {
    const { turns, descriptors } = this.#desk;
    const leave = await descriptors.acquire(1, this.#signal);
    try {
      const file = await this.#open();
      let written = 0;
      for await (const chunk of last ?? []) {
        await writeAll(file, chunk);
        written += chunk.byteLength;
        onProgress?.(written);
      }
      await stamp(file);
      await file.sync();
      const etag = etagOf(await file.stat({ bigint: true }));
      // One descriptor after the other: many writers that each hold one and wait for another would deadlock.
      await this.#close();
      this.#signal?.throwIfAborted();
      // Opened before anything has happened, since a lack of descriptors afterwards would leave the outcome unknown.
      const directory = await openDirectory(dirname(this.#target.path), this.#signal);
      try {
        const [path, target] = [this.#path!, this.#target.path];
        await turns.take(target, () => publish(path, target, this.#conditions)).catch(toUnsupported);
        await directory.sync().catch(throwCommitUnknown);
      } finally {
        await directory.close();
      }
      return { etag };
    } finally {
      leave();
    }
  }

  /** Removes what is left after publishing, or instead of it. */
  async discard(): Promise<void> {
    await this.#close();
    if (this.#path !== undefined) await unlink(this.#path).catch(ifMissing);
  }

  async #open(): Promise<FileHandle> {
    if (this.#file) return this.#file;
    const path = this.#path;
    if (path === undefined) this.#file = await this.#createTemporary().catch(toUnsupported);
    else this.#file = await retryOnEmfile(() => open(path, "a"), this.#signal);
    return this.#file;
  }

  async #createTemporary(): Promise<FileHandle> {
    for (let attempt = 1; ; attempt++) {
      const { path, mode } = this.#target;
      const temporary = join(dirname(path), UNFINISHED + randomBytes(8).toString("hex"));
      try {
        const file = await retryOnEmfile(() => open(temporary, "ax", mode ?? 0o666), this.#signal);
        this.#path = temporary;
        this.#file = file;
        // The umask may have cleared bits that the replaced file has.
        if (mode !== undefined) await file.chmod(mode);
        return file;
      } catch (error) {
        // The directory was empty and another process has removed it meanwhile.
        if (!isErrno(error, "ENOENT") || attempt === ATTEMPTS) throw error;
      }
      this.#target = await targetOf(this.#desk.places, this.#named, this.#conditions, this.#signal);
    }
  }

  async #keepOrClose(): Promise<void> {
    if (this.#kept) return;
    if (this.#desk.kept >= KEPT_OPEN) return this.#close();
    this.#desk.kept += 1;
    this.#kept = true;
  }

  async #close(): Promise<void> {
    if (this.#kept) this.#desk.kept -= 1;
    this.#kept = false;
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}

async function targetOf(
  places: PathResolver,
  named: string,
  conditions: Conditions,
  signal: AbortSignal | undefined,
): Promise<Target> {
  signal?.throwIfAborted();
  const path = join(await places.made(dirname(named)), basename(named));
  return { path, mode: await checkTarget(path, conditions) };
}

/** Fails early if the write cannot succeed. Returns the permission bits of the file to replace, if there is one. */
async function checkTarget(target: string, conditions: Conditions): Promise<number | undefined> {
  const there = await lstat(target).catch(ifMissing);
  // Directories are not objects: an empty one does not block an object of its name.
  if (there?.isDirectory()) await removeEmpty(target);
  else if (there && conditions.ifAbsent) throw failure("AlreadyExists", "a file is there");
  // A rename would replace a file that the whole machine may use, above all /dev/null.
  if (there && !isReplaceable(there)) throw failure("Unsupported", "a device, a pipe or a socket is there");
  await match(target, conditions.ifMatch);
  return there?.isFile() ? there.mode & 0o777 : undefined;
}

/** Removes a directory that has nothing but directories in it. */
async function removeEmpty(directory: string): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true });
  if (entries.every((entry) => entry.isDirectory()))
    for (const { name } of entries) await removeEmpty(join(directory, name));
  await rmdir(directory);
}

function isReplaceable(there: Stats): boolean {
  return there.isFile() || there.isDirectory() || there.isSymbolicLink();
}

/**
 * Sets the time of modification to now, finer than the kernel's tick (up to 10 ms): inodes are reused at once, so that
 * within one tick only this distinguishes a third file from the first.
 */
function stamp(file: FileHandle): Promise<void> {
  const beyondMillisecond = Number(process.hrtime.bigint() % 1_000_000n) / 1e6;
  const now = (Date.now() + beyondMillisecond) / 1000;
  return file.utimes(now, now);
}

async function publish(path: string, target: string, { ifAbsent, ifMatch }: Conditions): Promise<void> {
  await match(target, ifMatch);
  if (ifAbsent) await link(path, target).catch(mapLinkError);
  else await rename(path, target);
}

async function match(target: string, ifMatch: string | undefined): Promise<void> {
  if (ifMatch === undefined) return;
  const there = await stat(target, { bigint: true }).catch(ifMissing);
  matches(there, ifMatch);
}

/** Throws PreconditionFailed unless it is a file with this etag. */
export function matches(there: BigIntStats | undefined, ifMatch: string): void {
  if (!there) throw failure("PreconditionFailed", "no such file");
  const etag = etagOf(there);
  if (etag !== ifMatch) throw failure("PreconditionFailed", `the etag is ${etag}, not ${ifMatch}`);
}

function ifMissing(error: unknown): undefined {
  if (!isErrno(error, "ENOENT")) throw error;
}

/** Reports a file in place of a directory, or the reverse. */
export function toUnsupported(cause: unknown): never {
  if (!isErrno(cause, "ENOTDIR", "EISDIR", "ENOTEMPTY")) throw cause;
  throw failure("Unsupported", "a file system holds either `a` or `a/…`, not both", { cause });
}

function mapLinkError(cause: unknown): never {
  if (isErrno(cause, "EEXIST")) throw failure("AlreadyExists", "a file is there", { cause });
  if (!isErrno(cause, "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS")) throw cause;
  throw failure("Unsupported", "ifAbsent needs hard links, which this file system does not have", { cause });
}

function throwCommitUnknown(cause: unknown): never {
  throw failure(
    "CommitUnknown",
    "the directory could not be synced; the file is there but may not survive a power failure",
    { cause },
  );
}

/** Serializes changes of a path, first come first served. */
export class KeyedMutex {
  readonly #last = new Map<string, Promise<unknown>>();

  async take<T>(path: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(path) ?? Promise.resolve()).then(work, work);
    this.#last.set(path, turn);
    try {
      return await turn;
    } finally {
      if (this.#last.get(path) === turn) this.#last.delete(path);
    }
  }
}
