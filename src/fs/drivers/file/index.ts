import type { BigIntStats } from "node:fs";
import { type FileHandle, link, lstat, readlink, rename, unlink } from "node:fs/promises";
import { basename, dirname, isAbsolute, parse, resolve, sep } from "node:path";
import { type MemoryLimiter, memoryLimiter } from "../../../concurrency.js";
import { failure, invalid } from "../../../errors.js";
import { type ByteStream, single } from "../../../streams.js";
import {
  BatchDeleteError,
  type DeleteFailure,
  type Driver,
  type DriverCopyOptions,
  type DriverFactory,
  type DriverReadOptions,
  type FileSystem,
  type ObjectIdentifier,
  type WriteResult,
} from "../../driver/driver.js";
import { type Desk, inTheWay, KeyedMutex, matches, replace } from "./atomic-write.js";
import { CHUNK, chunksOf, codeOfErrno, isErrno, readToEnd, readUpTo } from "./disk.js";
import { listFiles } from "./list.js";
import { etagOf, infoOf, opened, statOf } from "./object.js";
import { PathResolver } from "./paths.js";

/** How many files are deleted together. */
const TOGETHER = 64;

/**
 * Reads and writes that may open a file at the same time; what has one then waits for the disk only, never for its
 * caller. More would not be faster, since Node does four at a time, and a process may have no more than 256 open.
 */
const MAX_OPEN = 16;

interface Disk extends Desk {
  /** Who may copy a file now: a copy has the source open all the time. */
  copies: MemoryLimiter;
}

/**
 * Returns drivers of `file://`: over the files below `root`. The key is the absolute path without its first slash; the bucket is empty.
 *
 * A write is synced to the disk before it resolves; what a killed process leaves of one is a `.stowage-tmp-…` file
 * that no listing shows, and that a listing removes once it is a week old. A write keeps the permission bits of the
 * file it replaces; a new file has those of the umask. The temporary file never has more.
 * `ifMatch` guards against writers of the same Storage only, `ifAbsent` against everybody.
 *
 * Symbolic links are read where they stay inside the root, replaced by a write, and removed, not followed, by a
 * delete; docs/symlinks.md has the whole rule. Between the check of a directory and its use another process could put a link in its place: who can rename
 * inside the root is trusted.
 *
 * Directories are made as needed, exist to listings only as long as there is a file below them, and stay on the disk
 * when they are empty, until an object takes their name. Metadata, versions, signing and `a` beside `a/…` are
 * Unsupported.
 */
export function file(root: string): DriverFactory {
  const lanes = () => memoryLimiter(MAX_OPEN, Number.POSITIVE_INFINITY);
  const disk: Disk = {
    places: new PathResolver(root),
    turns: new KeyedMutex(),
    descriptors: lanes(),
    copies: lanes(),
    kept: 0,
  };
  const open = (bucket: string) => {
    if (bucket !== "") throw invalid("a file has no bucket: write file:///path");
    return fileDriver(disk);
  };
  return { schemes: ["file", "local"], open };
}

function fileDriver(disk: Disk): Driver {
  const { places } = disk;
  return {
    metadata: false,
    async stat(key, { version }) {
      refuseVersions(version !== undefined);
      return statOf(places, key);
    },
    async *list(prefix, options) {
      refuseVersions(options.versions);
      yield* listFiles(places, prefix, options);
    },
    async read(key, options) {
      refuseVersions(options.version !== undefined);
      return read(disk, key, options);
    },
    async write(key, body, options) {
      if (options.metadata) throw failure("Unsupported", "a file carries no metadata");
      return replace(disk, places.named(key), body, options);
    },
    async copy(from, to, options) {
      const leave = await disk.copies.acquire(1, options.signal);
      return copy(disk, from.key, to, options).finally(leave);
    },
    async delete(doomed, { signal }) {
      refuseVersions(doomed.some(({ version }) => version !== undefined));
      await removeAll(disk, doomed, signal);
    },
    async deleteIfMatch(key, etag) {
      await removeOne(disk, { key, etag });
    },
    async signedUrl() {
      throw failure("Unsupported", "nobody can be given a signed link to a file");
    },
    codeOf: codeOfErrno,
    async close() {},
    fileSystem: fileSystemOf(disk),
  };
}

function fileSystemOf({ places, turns }: Disk): FileSystem {
  return {
    async isLink(key) {
      if (places.isRoot(key)) return false;
      const stats = await places
        .own(places.named(key))
        .then((path) => lstat(path))
        .catch(ifGone);
      return stats?.isSymbolicLink() === true;
    },
    async realKey(key) {
      return (await places.resolved(`/${key}`)).slice(1);
    },
    async moveLink(from, to, { ifAbsent }) {
      const source = await places.own(places.named(from));
      const named = places.named(to);
      await places.made(dirname(named));
      const target = await places.own(named);
      await turns
        .take(target, async () => {
          if (source !== target) await refuseOwnWay(source, target);
          if (!ifAbsent) return rename(source, target);
          await link(source, target).catch(refuseTaken);
          await unlink(source);
        })
        .catch(inTheWay);
    },
    async makeDirectory(key) {
      const directory = await places.made(places.named(key)).catch(inTheWay);
      if (!(await lstat(directory)).isDirectory())
        throw failure("Unsupported", "a file is there: a file system holds either `a` or `a/…`, not both");
    },
  };
}

/** A link that takes the place of something on its own way leads to itself, and what it led to is lost. */
async function refuseOwnWay(link: string, target: string): Promise<void> {
  const there = await lstat(target, { bigint: true }).catch(ifGone);
  for (const step of await wayOf(link)) {
    const stats = there && (await lstat(step, { bigint: true }).catch(ifGone));
    if (step === target || (stats && stats.ino === there.ino && stats.dev === there.dev))
      throw invalid("the link leads there, or on by way of it; moved there it would lead to itself");
  }
}

/** Links that are followed one after the other at most, as Linux does. */
const MAX_LINKS = 40;

/** Every further link on the way of `link`, and where it ends, which need not exist; each in its real directory. */
async function wayOf(link: string): Promise<string[]> {
  const passed: string[] = [];
  let directory = dirname(link);
  let rest = [basename(link)];
  let links = 0;
  while (rest.length > 0) {
    const [name = "", ...others] = rest;
    const path = resolve(directory, name);
    const text = await readlink(path).catch((error) => (isErrno(error, "EINVAL") ? undefined : ifGone(error)));
    if (text !== undefined && ++links > MAX_LINKS) break;
    if (text !== undefined && path !== link) passed.push(path);
    if (text === undefined) directory = path;
    else if (isAbsolute(text)) directory = parse(text).root;
    rest = text === undefined ? others : [...text.split(sep).filter((part) => part !== ""), ...others];
  }
  return [...passed, directory];
}

function refuseTaken(cause: unknown): never {
  throw isErrno(cause, "EEXIST") ? failure("AlreadyExists", "a file is there", { cause }) : cause;
}

/** Whether what is at `path` is this very file, whatever leads there: a link, a mount, another spelling of the name. */
async function isAt(places: PathResolver, path: string, { dev, ino }: BigIntStats): Promise<boolean> {
  const there = await places
    .own(path)
    .then((own) => lstat(own, { bigint: true }))
    .catch(ifGone);
  return there !== undefined && there.ino === ino && there.dev === dev;
}

function ifGone(error: unknown): undefined {
  if (!isErrno(error, "ENOENT", "ENOTDIR")) throw error;
}

function refuseVersions(asked: boolean): void {
  if (asked) throw failure("Unsupported", "a file has no versions");
}

/** The content of the file, and how long it is: what is read counts where the stated size says nothing. */
interface Content {
  size: number;
  body: ByteStream;
}

async function read(
  { places, descriptors }: Disk,
  key: string,
  { start, end, ifMatch, signal }: DriverReadOptions,
): ReturnType<Driver["read"]> {
  const leave = await descriptors.acquire(1, signal);
  try {
    const { file, stats } = await opened(places, key, signal);
    try {
      if (ifMatch !== undefined) matches(stats, ifMatch);
      const { size, body } = await contentOf(file, stats, start, end);
      const info = infoOf(key, stats);
      info.size = size;
      return { info, body };
    } catch (error) {
      await file.close();
      throw error;
    }
  } finally {
    leave();
  }
}

/**
 * The bytes [start, end), which close the file. What fits in one chunk is read at once, so that no open file waits for
 * whoever may never read it. A file that grows is cut at the size it had; those of /proc state 0 bytes and those of
 * /sys a page, whatever is in them, so that they are read to the end.
 */
async function contentOf(
  file: FileHandle,
  stats: BigIntStats,
  start: number,
  end: number | undefined,
): Promise<Content> {
  const size = Number(stats.size);
  const last = Math.min(end ?? size, size);
  if (size > CHUNK) return { size, body: chunksOf(file, start, last) };
  return closing(file, async () => {
    const data = await readUpTo(file, start, last);
    if (size > 0 && data.byteLength === Math.max(0, last - start)) return { size, body: single(data) };
    // Somebody has cut it off since.
    if (size > 0 && (await file.stat({ bigint: true })).size !== stats.size) return { size, body: single(data) };
    const whole = await readToEnd(file);
    return { size: whole.byteLength, body: single(whole.subarray(start, end)) };
  });
}

/** `work`, after which the file is closed, however it ends. */
async function closing<T>(file: FileHandle, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await file.close();
  }
}

async function copy(
  disk: Disk,
  from: string,
  to: string,
  { ifAbsent, ifMatch, signal }: DriverCopyOptions,
): Promise<WriteResult> {
  const { places } = disk;
  const target = places.named(to);
  const { file, stats } = await opened(places, from, signal);
  return closing(file, async () => {
    if (ifMatch !== undefined) matches(stats, ifMatch);
    if (await isAt(places, target, stats)) {
      if (ifAbsent) throw failure("AlreadyExists", "a file is there: the source itself, under another name");
      return { etag: etagOf(stats), same: true };
    }
    const { body } = await contentOf(file, stats, 0, undefined);
    return replace(disk, target, body, { ifAbsent, ifMatch: undefined, signal, onProgress: undefined });
  });
}

async function removeAll(
  disk: Disk,
  doomed: readonly ObjectIdentifier[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const failures: DeleteFailure[] = [];
  const attempt = ({ key }: ObjectIdentifier) =>
    removeOne(disk, { key }).catch((error: unknown) => void failures.push({ key, error }));
  for (let at = 0; at < doomed.length; at += TOGETHER) {
    signal?.throwIfAborted();
    await Promise.all(doomed.slice(at, at + TOGETHER).map(attempt));
  }
  if (failures.length > 0) throw new BatchDeleteError(failures);
}

/**
 * Removes a file or a link, with `etag` only if it is that of the file; a link is no file, and what it leads to stays.
 * Its directory is confined as for a write; that nothing is there, or a directory, is a success.
 */
async function removeOne({ places, turns }: Disk, { key, etag }: { key: string; etag?: string }): Promise<void> {
  if (places.isRoot(key)) return;
  const named = places.named(key);
  try {
    const path = await places.own(named);
    await turns.take(path, async () => {
      const stats = etag === undefined ? undefined : await lstat(path, { bigint: true });
      if (etag !== undefined && stats?.isFile()) matches(stats, etag);
      await remove(path);
    });
  } catch (error) {
    if (!isErrno(error, "ENOENT", "ENOTDIR", "EISDIR")) throw error;
  }
}

async function remove(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    // What macOS answers for a directory.
    if (!isErrno(error, "EPERM") || !(await lstat(path)).isDirectory()) throw error;
  }
}
