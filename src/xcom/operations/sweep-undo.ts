/** Moves the trash of a sweep back. */
import { forEachConcurrent, OBJECTS_IN_PARALLEL } from "../../concurrency.js";
import { checkOptions, type EntryFailure, failure, invalid, isBatchError, type OptionNames } from "../../errors.js";
import { type Abortable, checkCount, type ListEntry, type Storage } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import { asPath } from "../keys/base.js";
import { checkFilesApart } from "./real-paths.js";
import { keepFailure } from "./sweep-report.js";
import { moveBack, placeOf } from "./sweep-trash.js";

export interface UndoSweepOptions extends Abortable {
  storage: Storage;
  /** The path that was swept. */
  path: StoragePath | string;
  /** The trash of the sweep. */
  trash: StoragePath | string;
  /** Objects moved in parallel. @default 32 */
  concurrency?: number | undefined;
}

export interface UndoSweepReport {
  moved: number;
  /** The bytes of moved objects. */
  bytes: number;
  /** Objects that were at their place with the same bytes: only their copies in the trash went. */
  present: number;
  /** Objects that stay in the trash, `AlreadyExists` if there are other bytes at their place, and unlisted folders. */
  failed: number;
  /** The first 1,000 failures. */
  failures: EntryFailure[];
}

const OPTIONS: OptionNames<UndoSweepOptions> = {
  storage: true,
  path: true,
  trash: true,
  concurrency: true,
  signal: true,
};

/** Places that are held free for a later version; with more of them, no earlier version is moved at all. */
const MAX_HELD = 10_000;

/**
 * Moves everything in the trash of a sweep back to its place, of several versions the last. Never replaces an object.
 * Continues after failures, but not with earlier versions of what failed, and can be cut off and repeated.
 *
 * @example await undoSweep({ storage, path: "s3://lake@bucket/xcom", trash: "s3://lake@bucket/xcom-trash" });
 */
export async function undoSweep(options: UndoSweepOptions): Promise<UndoSweepReport> {
  checkOptions("undoSweep", options, OPTIONS);
  const { storage, concurrency = OBJECTS_IN_PARALLEL, signal } = options;
  const [path, trash] = [asPath(options.path), asPath(options.trash)];
  if (path.key === "") throw invalid(`path of undoSweep is the whole bucket ${path}`);
  checkApart(path, trash);
  checkCount("concurrency of undoSweep", concurrency, 1);
  await checkFilesApart(path, trash, "path and trash of undoSweep");
  const report: UndoSweepReport = { moved: 0, bytes: 0, present: 0, failed: 0, failures: [] };
  const moving = { storage, path, trash, signal };
  const held = { isAll: false, places: new Set<string>() };
  const back = async (entries: AsyncIterable<ListEntry>) => {
    const moves = forEachConcurrent(entries, { concurrency, signal }, async (entry) => {
      const { below, nth } = placeOf(entry.path.relativeTo(trash));
      try {
        if (held.places.has(below)) throw failure("PreconditionFailed", "a later version of it is still in the trash");
        if (!(await moveBack(entry, moving))) report.present += 1;
        else {
          report.moved += 1;
          report.bytes += entry.size ?? 0;
        }
      } catch (error) {
        signal?.throwIfAborted();
        report.failed += 1;
        keepFailure(report.failures, { path: String(entry.path), error });
        if (nth > 0) held.places.add(below);
        held.isAll ||= held.places.size >= MAX_HELD;
      }
    });
    await moves.catch((error: unknown) => {
      if (!isBatchError(error)) throw error;
      held.isAll = true;
      report.failed += error.failureCount;
      for (const failed of error.failures) keepFailure(report.failures, failed);
    });
  };
  // The last version of an object first: it gets the place.
  const later = await foldersAgain(storage, trash, signal);
  for (const folder of later) {
    await back(storage.list(folder, { recursive: true, signal }));
    // What could not be listed may have later versions than those that follow.
    if (held.isAll) return report;
  }
  const entries = storage.list(trash, { recursive: true, signal });
  await back(later.length === 0 ? entries : withoutFolders(entries, trash));
  return report;
}

/** Returns the folders of later versions in the trash, the last first. */
async function foldersAgain(storage: Storage, trash: StoragePath, signal: AbortSignal | undefined) {
  const folders: { nth: number; path: StoragePath }[] = [];
  for await (const { type, path } of storage.list(trash, { signal })) {
    const { nth } = placeOf(`${path.relativeTo(trash)}/`);
    if (type === "directory" && nth > 0) folders.push({ nth, path });
  }
  return folders.sort((a, b) => b.nth - a.nth).map(({ path }) => path);
}

async function* withoutFolders(entries: AsyncIterable<ListEntry>, trash: StoragePath): AsyncGenerator<ListEntry> {
  for await (const entry of entries) if (placeOf(entry.path.relativeTo(trash)).nth === 0) yield entry;
}

/** Throws InvalidArgument for a trash that is a whole bucket, or lies in the swept path, or around it. */
export function checkApart(path: StoragePath, trash: StoragePath): void {
  if (trash.key === "") throw invalid(`trash is the whole bucket ${trash}; name a folder in it`);
  if (trash.bucket !== path.bucket) return;
  const [a, b] = [`${trash.key}/`, `${path.key}/`];
  if (a.startsWith(b) || b.startsWith(a)) throw invalid(`trash ${trash} and path ${path}: one contains the other`);
}
