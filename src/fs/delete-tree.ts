import { isInstance } from "../brand.js";
import { invalid } from "../errors.js";
import { Batch } from "./batch.js";
import type { BatchDeleteError, ObjectDriver, ObjectIdentifier } from "./driver/driver.js";
import type { Operation, ResolvedObject } from "./operation.js";
import type { DeleteOptions } from "./options.js";
import { listParallel } from "./parallel-list.js";

/** A full page of a listing, and the most that a provider deletes in one request. */
const BATCH = 1000;

/** Fails for a tree that may not be deleted, and for a path that no file can have. */
export async function checkDeletable({ key, driver }: ResolvedObject, options: DeleteOptions): Promise<void> {
  if (key === "" && !options.emptyBucket)
    throw invalid("this would empty the whole bucket; pass `emptyBucket: true` to allow it");
  if (options.version !== undefined) throw invalid("recursive and version contradict each other");
  if (key !== "") await driver.fileSystem?.isLink(key);
}

/**
 * Deletes an object and everything below it; of a symbolic link, only the link. Continues after failed keys and adds
 * them to the batch.
 */
export async function removeTree(
  batch: Batch,
  call: Operation,
  resolved: ResolvedObject,
  { signal }: DeleteOptions,
): Promise<void> {
  const { key, driver } = resolved;
  const remove = (targets: readonly ObjectIdentifier[], count?: number) =>
    deleteIn(batch, { call, driver }, targets, signal, count);
  if (key !== "" && (await driver.fileSystem?.isLink(key))) return remove([{ key }]);
  // Lists the next page while this one is being deleted.
  let running: Promise<void> = Promise.resolve();
  // The object itself joins a page that has room, so that it costs no extra request.
  const last: ObjectIdentifier[] = key === "" ? [] : [{ key }];
  try {
    for await (const page of pagesOf(batch, call, resolved, signal)) {
      await running;
      const targets = page.map((item) => ({ key: item.key }));
      if (targets.length < BATCH) targets.push(...last.splice(0));
      running = remove(targets, page.length);
      running.catch(() => {});
    }
  } catch (error) {
    await running;
    if (signal?.aborted || batch.untouched) throw error;
    // The rest of the listing is unknown; the error still reports what was done.
    batch.fail({ path: call.at, error: call.toStorageError(error) });
  }
  await running;
  if (last.length > 0) await remove(last, 0);
}

function pagesOf(batch: Batch, call: Operation, { key, driver }: ResolvedObject, signal: AbortSignal | undefined) {
  const options = {
    delimiter: undefined,
    startAfter: undefined,
    versions: false,
    others: true,
    unlisted: (name: string, error: unknown) => batch.fail(call.failure(name, error)),
    signal,
  };
  return listParallel(driver, key === "" ? "" : `${key}/`, options, { ordered: false });
}

/** Deletes in all buckets, even after one has failed; throws all failures in one error. */
export async function deleteGroups(
  groups: ReadonlyMap<ObjectDriver, { call: Operation; targets: ObjectIdentifier[] }>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const batch = new Batch();
  let first = "";
  for (const [driver, { call, targets }] of groups) {
    first ||= call.at;
    await deleteIn(batch, { call, driver }, targets, signal);
  }
  batch.check("delete", first, "not deleted");
}

/** Deletes objects of one bucket, `count` of which are known to exist; adds failures to the batch, throws an abort. */
async function deleteIn(
  batch: Batch,
  { call, driver }: { call: Operation; driver: ObjectDriver },
  targets: readonly ObjectIdentifier[],
  signal: AbortSignal | undefined,
  count = targets.length,
): Promise<void> {
  try {
    await driver.delete(targets, { signal });
    batch.done(count);
  } catch (error) {
    if (signal?.aborted) throw call.toStorageError(error);
    const isPartial = isInstance<BatchDeleteError>(error, "BatchDeleteError");
    const failures = isPartial ? error.failures : targets.map(({ key }) => ({ key, error }));
    batch.done(Math.max(0, count - failures.length));
    for (const failed of failures) batch.fail(call.failure(failed.key, failed.error));
  }
}
