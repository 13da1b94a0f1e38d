import { invalid } from "../errors.js";
import type { Reached } from "./call.js";
import { type DeleteFailure, type Doomed, PartialDelete } from "./driver.js";
import type { DeleteInit } from "./options.js";

/** A full page of a listing, and the most that a provider deletes in one request. */
const BATCH = 1000;

/** Deletes an object and everything below it. Failed keys do not stop the others; they come in one error at the end. */
export async function removeTree({ key, driver }: Reached, init: DeleteInit): Promise<void> {
  if (key === "" && !init.allowRoot)
    throw invalid("this would empty the whole bucket; allowRoot says that it is meant");
  if (init.version !== undefined) throw invalid("recursive and version contradict each other");
  const { signal } = init;
  const prefix = key === "" ? "" : `${key}/`;
  const failures: DeleteFailure[] = [];
  const remove = (doomed: Doomed[]) =>
    driver.delete(doomed, { signal }).catch((error) => void failures.push(...partial(error)));
  // The next page is listed while this one is deleted.
  let running: Promise<void> = Promise.resolve();
  const last: Doomed[] = key === "" ? [] : [{ key }];
  for await (const page of driver.list(prefix, {
    delimiter: undefined,
    startAfter: undefined,
    versions: false,
    signal,
  })) {
    await running;
    const doomed = page.map((item) => ({ key: item.key }));
    // The object itself goes with a page that has room, so that it costs no request of its own.
    if (doomed.length < BATCH) doomed.push(...last.splice(0));
    running = remove(doomed);
    running.catch(() => {});
  }
  await running;
  if (last.length > 0) await remove(last);
  if (failures.length > 0) throw new PartialDelete(failures);
}

function partial(error: unknown): readonly DeleteFailure[] {
  if (error instanceof PartialDelete) return error.failures;
  throw error;
}
