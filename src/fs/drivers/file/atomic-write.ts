/** A file that appears with all of its bytes or not at all. */
import { randomBytes } from "node:crypto";
import type { BigIntStats, Stats } from "node:fs";
import { type FileHandle, link, lstat, open, rename, rmdir, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { MemoryLimiter } from "../../../concurrency.js";
import { failure } from "../../../errors.js";
import { type ByteStream, InMemory } from "../../../streams.js";
import type { DriverWriteOptions, WriteResult } from "../../driver/driver.js";
import { gathered, isErrno, openDirectory, patiently, writeAll } from "./disk.js";
import { etagOf } from "./object.js";
import { type PathResolver, UNFINISHED } from "./paths.js";

export type Conditions = Pick<DriverWriteOptions, "ifAbsent" | "ifMatch">;

/** What all writes of a Storage share. */
export interface Desk {
  places: PathResolver;
  turns: KeyedMutex;
  descriptors: MemoryLimiter;
  /** How many drafts keep their file open while they wait for more. */
  kept: number;
}

/** Where a file is to be, in a directory that exists, and the permission bits of the file that is there. */
interface Target {
  path: string;
  mode: number | undefined;
}

const ATTEMPTS = 3;

/** Stores `body` at `named`: a temporary file beside it, synced, then renamed over it, or linked when nothing may be there. */
export async function replace(
  desk: Desk,
  named: string,
  body: ByteStream,
  { signal, onProgress, ...conditions }: Conditions & Pick<DriverWriteOptions, "signal" | "onProgress">,
): Promise<WriteResult> {
  // Fails early where the write cannot succeed, before the body is read.
  const target = await targetOf(desk.places, named, conditions, signal).catch(inTheWay);
  const draft = new Draft(desk, named, target, conditions, signal);
  try {
    // All of it is here: one stay at the disk, without a wait for anybody in between.
    if (body instanceof InMemory) return await draft.publish(body, onProgress);
    await draft.write();
    let written = 0;
    for await (const chunk of gathered(body)) {
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

/** A temporary file on its way to its name. Whoever has a descriptor of it waits for the disk only. */
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

  /** Puts a chunk after what is there; without one, only begins, so that a write that waits for its body shows. */
  async write(chunk?: Uint8Array): Promise<void> {
    const leave = await this.#desk.descriptors.acquire(1, this.#signal);
    try {
      const file = await this.#opened();
      if (chunk) await writeAll(file, chunk);
      await this.#keepOrClose();
    } finally {
      leave();
    }
  }

  /** Gives it its name, with `last` after what is there. */
  async publish(last?: ByteStream, onProgress?: DriverWriteOptions["onProgress"]): Promise<WriteResult> {
    const { turns, descriptors } = this.#desk;
    const leave = await descriptors.acquire(1, this.#signal);
    try {
      const file = await this.#opened();
      let written = 0;
      for await (const chunk of last ?? []) {
        await writeAll(file, chunk);
        written += chunk.byteLength;
        onProgress?.(written);
      }
      await stamp(file);
      await file.sync();
      const etag = etagOf(await file.stat({ bigint: true }));
      // One descriptor after the other: many writers that each hold one and wait for another would never end.
      await this.#close();
      this.#signal?.throwIfAborted();
      // Opened before anything has happened, since a lack of descriptors afterwards would leave the outcome unknown.
      const directory = await openDirectory(dirname(this.#target.path), this.#signal);
      try {
        const [path, target] = [this.#path!, this.#target.path];
        await turns.take(target, () => publish(path, target, this.#conditions)).catch(inTheWay);
        await directory.sync().catch(unknown);
      } finally {
        await directory.close();
      }
      return { etag };
    } finally {
      leave();
    }
  }

  /** What is left when it has its name, or shall have none. */
  async discard(): Promise<void> {
    await this.#close();
    if (this.#path !== undefined) await unlink(this.#path).catch(ifMissing);
  }

  async #opened(): Promise<FileHandle> {
    if (this.#file) return this.#file;
    const path = this.#path;
    if (path === undefined) this.#file = await this.#made().catch(inTheWay);
    else this.#file = await patiently(() => open(path, "a"), this.#signal);
    return this.#file;
  }

  async #made(): Promise<FileHandle> {
    for (let attempt = 1; ; attempt++) {
      const { path, mode } = this.#target;
      const temporary = join(dirname(path), UNFINISHED + randomBytes(8).toString("hex"));
      try {
        const file = await patiently(() => open(temporary, "ax", mode ?? 0o666), this.#signal);
        this.#path = temporary;
        this.#file = file;
        // The umask may have taken bits that the file to be replaced has.
        if (mode !== undefined) await file.chmod(mode);
        return file;
      } catch (error) {
        // The directory was empty and somebody has removed it meanwhile.
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
  return { path, mode: await admitted(path, conditions) };
}

/** Fails early where the write cannot succeed. The permission bits of the file that will be replaced, if there is one. */
async function admitted(target: string, conditions: Conditions): Promise<number | undefined> {
  const there = await lstat(target).catch(ifMissing);
  // Directories are not objects: an empty one does not keep an object from having its name.
  if (there?.isDirectory()) await rmdir(target);
  else if (there && conditions.ifAbsent) throw failure("AlreadyExists", "a file is there");
  // A rename would take away what the whole machine may use, /dev/null above all.
  if (there && !isReplaceable(there)) throw failure("Unsupported", "a device, a pipe or a socket is there");
  await match(target, conditions.ifMatch);
  return there?.isFile() ? there.mode & 0o777 : undefined;
}

function isReplaceable(there: Stats): boolean {
  return there.isFile() || there.isDirectory() || there.isSymbolicLink();
}

/**
 * Sets the time of modification to now, finer than the tick of the kernel (up to 10 ms): inodes are used again at
 * once, so that within one tick a third file could be told from the first by nothing else.
 */
function stamp(file: FileHandle): Promise<void> {
  const beyondMillisecond = Number(process.hrtime.bigint() % 1_000_000n) / 1e6;
  const now = (Date.now() + beyondMillisecond) / 1000;
  return file.utimes(now, now);
}

async function publish(path: string, target: string, { ifAbsent, ifMatch }: Conditions): Promise<void> {
  await match(target, ifMatch);
  if (ifAbsent) await link(path, target).catch(unlinkable);
  else await rename(path, target);
}

async function match(target: string, ifMatch: string | undefined): Promise<void> {
  if (ifMatch === undefined) return;
  const there = await stat(target, { bigint: true }).catch(ifMissing);
  matches(there, ifMatch);
}

/** PreconditionFailed unless it is a file with this etag. */
export function matches(there: BigIntStats | undefined, ifMatch: string): void {
  if (!there) throw failure("PreconditionFailed", "no such file");
  const etag = etagOf(there);
  if (etag !== ifMatch) throw failure("PreconditionFailed", `the etag is ${etag}, not ${ifMatch}`);
}

function ifMissing(error: unknown): undefined {
  if (!isErrno(error, "ENOENT")) throw error;
}

/** A file where a directory has to be, or the reverse. */
export function inTheWay(cause: unknown): never {
  if (!isErrno(cause, "ENOTDIR", "EISDIR", "ENOTEMPTY")) throw cause;
  throw failure("Unsupported", "a file system holds either `a` or `a/…`, not both", { cause });
}

function unlinkable(cause: unknown): never {
  if (isErrno(cause, "EEXIST")) throw failure("AlreadyExists", "a file is there", { cause });
  if (!isErrno(cause, "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS")) throw cause;
  throw failure("Unsupported", "ifAbsent needs hard links, which this file system does not have", { cause });
}

function unknown(cause: unknown): never {
  throw failure("CommitUnknown", "the file is there, but whether it outlives a power cut is not known", { cause });
}

/** Who changes a path next: one at a time, in the order of asking. */
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
