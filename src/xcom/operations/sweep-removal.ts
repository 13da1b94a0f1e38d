/** Deletes the orphans of a sweep, or moves them to its trash: each only as it was listed. */
import { forEachConcurrent, memoryLimiter } from "../../concurrency.js";
import { type ErrorCode, isStorageError } from "../../errors.js";
import { type Abortable, deleteListed, type Storage } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import { pathBelow } from "../keys/base.js";
import type { Candidate } from "./candidates.js";
import type { Watched } from "./progress.js";
import { keepFailure, type SweepReport } from "./sweep-report.js";
import { moveToTrash } from "./sweep-trash.js";

/** An object without a reference, and what became of it. */
export interface SweptObject {
  /**
   * `orphan`: nothing was asked for. `changed`: it is another object by now, or none, and was left alone. `failed`: it
   * is still there. `left`: it was not tried.
   */
  action: "orphan" | "deleted" | "moved" | "changed" | "failed" | "left";
  path: StoragePath;
  /** Bytes, as stored. */
  size: number;
  modified: Date;
  /** Of `failed`. */
  error?: unknown;
  /** Of `changed` and `failed`: whether its copy is in the trash, which the next sweep takes up. */
  isCopied?: true;
}

export interface Removal extends Abortable, Watched {
  storage: Storage;
  path: StoragePath;
  delete?: boolean | undefined;
  trash: StoragePath | undefined;
  concurrency: number;
  onOrphan?: ((object: SweptObject) => void | Promise<void>) | undefined;
}

/** Failed deletes after which the rest is not tried, if none has succeeded: the credentials do not allow it. */
const HOPELESS = 1000;

/** Orphans that are deleted together: the most that a bulk request takes. */
const BATCH = 1000;
/** Batches at a time. */
const BATCHES = 4;

/** Removes the orphans, several at a time. Continues after failures, unless there is nothing else. */
export async function removeOrphans(
  orphans: AsyncIterable<Candidate>,
  removal: Removal,
  report: SweepReport,
): Promise<void> {
  const unlisted = report.failed;
  const isHopeless = () => report.failed - unlisted >= HOPELESS && report.deleted + report.moved === 0;
  const settle = async (done: SweptObject) => {
    count(done, report);
    const { deleted, moved, changed, failed, left, freed: bytes, orphaned: total } = report;
    const settled = deleted + moved + changed + failed - unlisted + left;
    if (done.action !== "orphan") removal.onProgress?.({ phase: "remove", count: settled, total, bytes });
    await removal.onOrphan?.(done);
  };
  if (removal.trash || !removal.delete)
    return forEachConcurrent(orphans, removal, async (orphan) => {
      const done = await moved(orphan, removal, isHopeless());
      // What is done counts also after an abort.
      if (done.action === "failed") removal.signal?.throwIfAborted();
      await settle(done);
    });
  const slots = memoryLimiter(removal.concurrency, Number.POSITIVE_INFINITY);
  const concurrency = Math.min(BATCHES, removal.concurrency);
  await forEachConcurrent(batchesOf(orphans), { ...removal, concurrency }, async (batch) => {
    const { storage, path: top, signal } = removal;
    const objects = batch.map(({ below, ...state }) => ({ ...state, path: pathBelow(top, below) }));
    if (isHopeless()) for (const object of objects) await settle({ ...swept(object), action: "left" });
    else
      await deleteListed(storage.registry, objects, {
        slots,
        onDone: (object, error) =>
          settle(error === undefined ? { ...swept(object), action: "deleted" } : undone(swept(object), error)),
        signal,
      });
  });
}

async function* batchesOf(orphans: AsyncIterable<Candidate>): AsyncGenerator<Candidate[], void, undefined> {
  let batch: Candidate[] = [];
  for await (const orphan of orphans) {
    if (batch.push(orphan) < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

type Swept = Pick<SweptObject, "path" | "size" | "modified">;

function swept({ path, size, modified }: Swept): Swept {
  return { path, size, modified };
}

/** Moves an orphan to the trash, if there is one. */
async function moved(orphan: Candidate, removal: Removal, isHopeless: boolean): Promise<SweptObject> {
  const { below, size, modified } = orphan;
  const object = { path: pathBelow(removal.path, below), size, modified };
  const { trash } = removal;
  if (!trash) return { ...object, action: "orphan" };
  if (isHopeless) return { ...object, action: "left" };
  const refusal = await moveToTrash(orphan, { ...removal, trash });
  if (!refusal) return { ...object, action: "moved" };
  const stays = undone(object, refusal.error);
  return refusal.isCopied ? { ...stays, isCopied: true } : stays;
}

function undone(object: Swept, error: unknown): SweptObject {
  const isChanged = isStorageError(error) && CHANGED.includes(error.code);
  return isChanged ? { ...object, action: "changed" } : { ...object, action: "failed", error };
}

const CHANGED: readonly ErrorCode[] = ["PreconditionFailed", "ObjectChanged", "NotFound"];

function count({ action, path, size, error, isCopied }: SweptObject, report: SweepReport): void {
  if (action === "orphan") return;
  report[action] += 1;
  if (isCopied) report.copies += 1;
  if (action === "deleted" || action === "moved") report.freed += size;
  if (action === "failed") keepFailure(report.failures, { path: String(path), error });
}
