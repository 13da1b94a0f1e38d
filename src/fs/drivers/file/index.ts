import type { BigIntStats } from "node:fs";
import { type FileHandle, link, lstat, readlink, rename, unlink } from "node:fs/promises";
import { basename, dirname, isAbsolute, parse, resolve, sep } from "node:path";
import { forEachConcurrent, type MemoryLimiter, memoryLimiter } from "../../../concurrency.js";
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
import { type Desk, KeyedMutex, matches, replace, toUnsupported } from "./atomic-write.js";
import { CHUNK, chunksOf, codeOfErrno, ifGone, isErrno, readToEnd, readUpTo } from "./disk.js";
import { listFiles } from "./list.js";
import { etagOf, infoOf, openObject, statOf } from "./object.js";
import { PathResolver } from "./paths.js";

/** The number of files deleted in parallel. */
const TOGETHER = 64;

/**
 * Reads and writes that may have a file open at the same time; an open one then waits only for the disk, never for its
 * caller. More would not be faster, since Node runs four at a time, and a process may have as few as 256 descriptors.
 */
const MAX_OPEN = 16;

interface Disk extends Desk {
  /** Limits copies, which keep the source open all the time. */
  copies: MemoryLimiter;
}

/**
 * Returns drivers of `file://` for the files below `root`. The key is the absolute path without its first slash; the
 * bucket is empty.
 *
 * A write is synced to disk before it resolves. A killed process leaves a `.stowage-tmp-…` file, which listings hide,
 * and remove once it is a week old. A write keeps the permission bits of the file it replaces; a new file gets those of
 * the umask. The temporary file never has more. `ifMatch` guards only against writers of the same Storage, `ifAbsent`
 * against all writers.
 *
 * Reads follow symbolic links that stay inside the root, writes replace them, and deletes remove them without
 * following; docs/symlinks.md has the whole rule. Between the check of a directory and its use another process could
 * put a link in its place: processes that can rename inside the root are trusted.
 *
 * Directories are created as needed, exist to listings only while there is a file below them, and stay on disk when
 * empty, until an object takes their name. Metadata, versions, signing and `a` beside `a/…` are Unsupported.
 */
export function file(root: string): DriverFactory {
  const slots = () => memoryLimiter(MAX_OPEN, Number.POSITIVE_INFINITY);
  const disk: Disk = {
    places: new PathResolver(root),
    turns: new KeyedMutex(),
    descriptors: slots(),
    copies: slots(),
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
    attributes: [],
    attributesOnCopy: [],
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
    async readLast(key, last, options) {
      refuseVersions(options.version !== undefined);
      return read(disk, key, { ...options, start: -last, end: undefined });
    },
    async write(key, body, options) {
      if (options.metadata) throw failure("Unsupported", "a file carries no metadata");
      return replace(disk, places.named(key), body, options);
    },
    async copy(from, to, options) {
      const leave = await disk.copies.acquire(1, options.signal);
      return copy(disk, from.key, to, options).finally(leave);
    },
    async delete(targets, { signal }) {
      refuseVersions(targets.some(({ version }) => version !== undefined));
      await removeAll(disk, targets, signal);
    },
    async deleteIfMatch(key, etag) {
      await removeOne(disk, { key, etag });
    },
    async setAttributes() {
      throw failure("Unsupported", "files have no attributes");
    },
    async signedPost() {
      throw failure("Unsupported", "files have no upload forms; use a bucket");
    },
    async signedUrl() {
      throw failure("Unsupported", "files have no signed links; copy the file to a bucket");
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
        .catch(toUnsupported);
    },
    async makeDirectory(key) {
      const directory = await places.made(places.named(key)).catch(toUnsupported);
      if (!(await lstat(directory)).isDirectory())
        throw failure("Unsupported", "a file is there: a file system holds either `a` or `a/…`, not both");
    },
  };
}

/**
 * Refuses a link that would replace something on its own way: it would lead to itself, and its target would be lost.
 */
async function refuseOwnWay(link: string, target: string): Promise<void> {
  const there = await lstat(target, { bigint: true }).catch(ifGone);
  for (const step of await wayOf(link)) {
    const stats = there && (await lstat(step, { bigint: true }).catch(ifGone));
    if (step === target || (stats && stats.ino === there.ino && stats.dev === there.dev))
      throw invalid("the link leads there, or on by way of it; moved there it would lead to itself");
  }
}

/** The maximum number of links followed in a row, as in Linux. */
const MAX_LINKS = 40;

/** Returns every further link on the way of `link`, and its end, which need not exist; each in its real directory. */
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

/** Returns whether `path` leads to this very file, by a link, a mount, or another spelling of the name. */
async function isAt(places: PathResolver, path: string, { dev, ino }: BigIntStats): Promise<boolean> {
  const there = await places
    .own(path)
    .then((own) => lstat(own, { bigint: true }))
    .catch(ifGone);
  return there !== undefined && there.ino === ino && there.dev === dev;
}

function refuseVersions(asked: boolean): void {
  if (asked) throw failure("Unsupported", "a file has no versions");
}

/** The content of the file and its length: the bytes read count where the stated size means nothing. */
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
    const { file, stats } = await openObject(places, key, signal);
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
 * Returns the bytes [start, end), where a negative start counts from the end, and closes the file after them. Reads a
 * small file at once, so that no open file waits for a caller that may never read it. Cuts a growing file at its first
 * size; files of /proc state 0 bytes and those of /sys a page, whatever they contain, so they are read to the end.
 */
async function contentOf(
  file: FileHandle,
  stats: BigIntStats,
  start: number,
  end: number | undefined,
): Promise<Content> {
  const size = Number(stats.size);
  const last = Math.min(end ?? size, size);
  const first = start < 0 ? Math.max(0, size + start) : start;
  if (size > CHUNK) return { size, body: chunksOf(file, first, last) };
  return closing(file, async () => {
    const data = await readUpTo(file, first, last);
    if (size > 0 && data.byteLength === Math.max(0, last - first)) return { size, body: single(data) };
    // The file was truncated meanwhile.
    if (size > 0 && (await file.stat({ bigint: true })).size !== stats.size) return { size, body: single(data) };
    const whole = await readToEnd(file);
    return { size: whole.byteLength, body: single(whole.subarray(start, end)) };
  });
}

/** Runs `work` and closes the file, however it ends. */
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
  const { file, stats } = await openObject(places, from, signal);
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
  targets: readonly ObjectIdentifier[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const failures: DeleteFailure[] = [];
  await forEachConcurrent(targets, { concurrency: TOGETHER }, async ({ key }) => {
    signal?.throwIfAborted();
    await removeOne(disk, { key }).catch((error: unknown) => failures.push({ key, error }));
  });
  if (failures.length > 0) throw new BatchDeleteError(failures);
}

/**
 * Removes a file or a link, with `etag` only if it is that of the file; a link is no file, and its target stays.
 * Confines its directory as a write does. Succeeds if there is nothing, or a directory.
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
    // Deno returns ENOTEMPTY for a directory, and removes an empty one.
    if (!isErrno(error, "ENOENT", "ENOTDIR", "EISDIR", "ENOTEMPTY")) throw error;
  }
}

async function remove(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    // macOS returns EPERM for a directory.
    if (!isErrno(error, "EPERM") || !(await lstat(path)).isDirectory()) throw error;
  }
}
