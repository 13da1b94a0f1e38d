/** A file that appears with all of its bytes or not at all. */
import { randomBytes } from "node:crypto";
import type { BigIntStats, Stats } from "node:fs";
import { type FileHandle, link, lstat, open, rename, rmdir, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { failure } from "../../../errors.js";
import type { Bytes, Receipt, WriteOptions } from "../../driver.js";
import { gathered, isErrno, patiently, syncDirectory, writeAll } from "./io.js";
import { etagOf } from "./object.js";
import { type Places, UNFINISHED } from "./place.js";
import type { Turns } from "./turns.js";

export type Conditions = Pick<WriteOptions, "ifAbsent" | "ifMatch">;

interface Unfinished {
  file: FileHandle;
  /** Where it is now, and where it is to be. */
  path: string;
  target: string;
}

const ATTEMPTS = 3;

/** Stores `body` at `named`: a temporary file beside it, synced, then renamed over it, or linked when nothing may be there. */
export async function replace(
  { places, turns }: { places: Places; turns: Turns },
  named: string,
  body: Bytes,
  { signal, onProgress, ...conditions }: Conditions & Pick<WriteOptions, "signal" | "onProgress">,
): Promise<Receipt> {
  const unfinished = await begin(places, named, conditions, signal).catch(inTheWay);
  const { file, path, target } = unfinished;
  try {
    await fill(file, body, onProgress);
    signal?.throwIfAborted();
    await turns.take(target, () => publish(unfinished, conditions)).catch(inTheWay);
    await syncDirectory(dirname(target)).catch(unknown);
    return { etag: etagOf(await file.stat({ bigint: true })) };
  } finally {
    await file.close();
    await unlink(path).catch(ifMissing);
  }
}

async function begin(
  places: Places,
  named: string,
  conditions: Conditions,
  signal: AbortSignal | undefined,
): Promise<Unfinished> {
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    const directory = await places.made(dirname(named));
    const target = join(directory, basename(named));
    const mode = await admitted(target, conditions);
    try {
      return { ...(await temporary(directory, mode, signal)), target };
    } catch (error) {
      // The directory was empty and somebody has removed it meanwhile.
      if (!isErrno(error, "ENOENT") || attempt === ATTEMPTS) throw error;
    }
  }
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

async function temporary(
  directory: string,
  mode: number | undefined,
  signal: AbortSignal | undefined,
): Promise<Omit<Unfinished, "target">> {
  const path = join(directory, UNFINISHED + randomBytes(8).toString("hex"));
  const file = await patiently(() => open(path, "wx", mode ?? 0o666), signal);
  try {
    // The umask may have taken bits that the file to be replaced has.
    if (mode !== undefined) await file.chmod(mode);
    return { file, path };
  } catch (error) {
    await file.close();
    await unlink(path).catch(ifMissing);
    throw error;
  }
}

async function fill(file: FileHandle, body: Bytes, onProgress: WriteOptions["onProgress"]): Promise<void> {
  let written = 0;
  for await (const chunk of gathered(body)) {
    await writeAll(file, chunk);
    written += chunk.byteLength;
    onProgress?.(written);
  }
  await stamp(file);
  await file.sync();
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

async function publish({ path, target }: Unfinished, { ifAbsent, ifMatch }: Conditions): Promise<void> {
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

function inTheWay(cause: unknown): never {
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
