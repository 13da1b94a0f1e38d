import { lstat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { failure, invalid } from "../../errors.js";
import { collect, single } from "../bytes.js";
import {
  type Bytes,
  type DeleteFailure,
  type Doomed,
  type Driver,
  type OpenDriver,
  PartialDelete,
  type ReadOptions,
} from "../driver.js";
import { CHUNK, chunksOf, codeOfErrno, isErrno } from "./file/io.js";
import { infoOf, opened, statOf } from "./file/object.js";
import { Places } from "./file/place.js";
import { matches, replace } from "./file/replace.js";
import { Turns } from "./file/turns.js";
import { listed } from "./file/walk.js";

/** How many files are deleted together. */
const TOGETHER = 64;

interface Disk {
  places: Places;
  turns: Turns;
}

/**
 * Drivers over the files below `root`. The key is the absolute path without its first slash; the bucket is empty.
 *
 * A write is synced to the disk before it resolves; what a killed process leaves of one is a `.stowage-tmp-…` file
 * that no listing shows. It keeps the permission bits of the file it replaces; a new one has those of the umask.
 * `ifMatch` guards against writers of the same Storage only, `ifAbsent` against everybody.
 *
 * Symbolic links are read where they stay inside the root, replaced by a write, and removed, not followed, by a
 * delete. Between the check of a directory and its use another process could put a link in its place: who can rename
 * inside the root is trusted.
 *
 * Directories are made as needed, exist to listings only as long as there is a file below them, and stay on the disk
 * when they are empty, until an object takes their name. Metadata, versions, signing and `a` beside `a/…` are
 * Unsupported.
 */
export function fileDrivers(root: string): OpenDriver {
  const disk: Disk = { places: new Places(root), turns: new Turns() };
  return (bucket) => {
    if (bucket !== "") throw invalid("a file has no bucket: write file:///path");
    return fileDriver(disk);
  };
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
      yield* listed(places, prefix, options);
    },
    async read(key, options) {
      refuseVersions(options.version !== undefined);
      return read(places, key, options);
    },
    async write(key, body, options) {
      if (options.metadata) throw failure("Unsupported", "a file carries no metadata");
      return replace(disk, places.named(key), body, options);
    },
    async copy(from, to, { ifAbsent, ifMatch, signal }) {
      const target = places.named(to);
      const { file, stats } = await opened(places, from.key, signal);
      try {
        if (ifMatch !== undefined) matches(stats, ifMatch);
        const options = { ifAbsent, ifMatch: undefined, signal, onProgress: undefined };
        return await replace(disk, target, chunksOf(file, 0, Number(stats.size)), options);
      } finally {
        await file.close();
      }
    },
    async delete(doomed, { signal }) {
      refuseVersions(doomed.some(({ version }) => version !== undefined));
      await removeAll(disk, doomed, signal);
    },
    async sign() {
      throw failure("Unsupported", "nobody can be given a signed link to a file");
    },
    codeOf: codeOfErrno,
    async close() {},
  };
}

function refuseVersions(asked: boolean): void {
  if (asked) throw failure("Unsupported", "a file has no versions");
}

async function read(
  places: Places,
  key: string,
  { start, end, ifMatch, signal }: ReadOptions,
): ReturnType<Driver["read"]> {
  const { file, stats } = await opened(places, key, signal);
  try {
    if (ifMatch !== undefined) matches(stats, ifMatch);
    const info = infoOf(key, stats);
    const body = chunksOf(file, start, Math.min(end ?? info.size, info.size));
    return { info, body: info.size > CHUNK ? body : await readNow(body) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** What fits in one chunk is read at once, so that no open file waits for whoever may never read it. */
async function readNow(body: Bytes): Promise<Bytes> {
  return single(await collect(body));
}

async function removeAll(disk: Disk, doomed: readonly Doomed[], signal: AbortSignal | undefined): Promise<void> {
  const failures: DeleteFailure[] = [];
  const attempt = ({ key }: Doomed) =>
    removeOne(disk, key).catch((error: unknown) => void failures.push({ key, error }));
  for (let at = 0; at < doomed.length; at += TOGETHER) {
    signal?.throwIfAborted();
    await Promise.all(doomed.slice(at, at + TOGETHER).map(attempt));
  }
  if (failures.length > 0) throw new PartialDelete(failures);
}

/** Removes a file or a link. Its directory is confined as for a write; that nothing is there, or a directory, is a success. */
async function removeOne({ places, turns }: Disk, key: string): Promise<void> {
  const named = places.named(key);
  try {
    const path = join(await places.real(dirname(named)), basename(named));
    await turns.take(path, () => remove(path));
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
