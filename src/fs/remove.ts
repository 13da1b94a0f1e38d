import { invalid } from "../errors.js";
import type { Batch } from "./batch.js";
import type { Call, Reached } from "./call.js";
import type { Doomed } from "./driver.js";
import { deleteIn } from "./objects.js";
import type { DeleteInit } from "./options.js";

/** A full page of a listing, and the most that a provider deletes in one request. */
const BATCH = 1000;

/**
 * Deletes an object and everything below it; of a symbolic link, the link alone. Failed keys do not stop the others;
 * all of them go into the batch.
 */
export async function removeTree(batch: Batch, call: Call, reached: Reached, init: DeleteInit): Promise<void> {
  const { key, driver } = reached;
  const { signal } = init;
  if (key === "" && !init.allowRoot)
    throw invalid("this would empty the whole bucket; allowRoot says that it is meant");
  if (init.version !== undefined) throw invalid("recursive and version contradict each other");
  const remove = (doomed: readonly Doomed[], count?: number) =>
    deleteIn(batch, { call, driver }, doomed, signal, count);
  if (key !== "" && (await driver.fileSystem?.isLink(key))) return remove([{ key }]);
  // The next page is listed while this one is deleted.
  let running: Promise<void> = Promise.resolve();
  // The object itself goes with a page that has room, so that it costs no request of its own.
  const last: Doomed[] = key === "" ? [] : [{ key }];
  try {
    for await (const page of pagesOf(batch, call, reached, signal)) {
      await running;
      const doomed = page.map((item) => ({ key: item.key }));
      if (doomed.length < BATCH) doomed.push(...last.splice(0));
      running = remove(doomed, page.length);
      running.catch(() => {});
    }
  } catch (error) {
    await running;
    if (signal?.aborted || batch.untouched) throw error;
    // Without the rest of the listing nobody knows what else there is; what was done is told all the same.
    batch.fail(call.at, call.told(error));
  }
  await running;
  if (last.length > 0) await remove(last, 0);
}

function pagesOf(batch: Batch, call: Call, { key, driver }: Reached, signal: AbortSignal | undefined) {
  return driver.list(key === "" ? "" : `${key}/`, {
    delimiter: undefined,
    startAfter: undefined,
    versions: false,
    others: true,
    unlisted: (name, error) => {
      const { path, error: reason } = call.failure(name, error);
      batch.fail(path, reason);
    },
    signal,
  });
}
