/** Moves the trash of a sweep back. */
import { forEachConcurrent, OBJECTS_IN_PARALLEL } from "../../concurrency.js";
import { checkOptions, type EntryFailure, invalid, type OptionNames } from "../../errors.js";
import { type Abortable, checkCount, type ListEntry, type Storage } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import { asPath, pathBelow } from "../keys/base.js";
import { keepFailure } from "./sweep-report.js";

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
  bytes: number;
  /** Objects that stay in the trash; `AlreadyExists` if there is another one at their place. */
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

/**
 * Moves everything in the trash of a sweep back to its place. Never replaces an object. Continues after failures.
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
  const report: UndoSweepReport = { moved: 0, bytes: 0, failed: 0, failures: [] };
  const entries = storage.list(trash, { recursive: true, signal });
  await forEachConcurrent(entries, { concurrency, signal }, async (entry) => {
    try {
      await storage.move(entry.path, placeOf(entry, { path, trash }), { ifAbsent: true, signal });
      report.moved += 1;
      report.bytes += entry.size ?? 0;
    } catch (error) {
      signal?.throwIfAborted();
      report.failed += 1;
      keepFailure(report.failures, { path: String(entry.path), error });
    }
  });
  return report;
}

function placeOf(entry: ListEntry, { path, trash }: { path: StoragePath; trash: StoragePath }): StoragePath {
  return pathBelow(path, entry.path.relativeTo(trash));
}

/** Throws InvalidArgument for a trash that is a whole bucket, or lies in the swept path, or around it. */
export function checkApart(path: StoragePath, trash: StoragePath): void {
  if (trash.key === "") throw invalid(`trash is the whole bucket ${trash}; name a folder in it`);
  if (trash.bucket !== path.bucket) return;
  const [a, b] = [`${trash.key}/`, `${path.key}/`];
  if (a.startsWith(b) || b.startsWith(a)) throw invalid(`trash ${trash} and path ${path}: one contains the other`);
}
