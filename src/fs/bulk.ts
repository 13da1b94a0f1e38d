/** Deletes of many objects, in batches that the provider answers call by call. */
import { byteBudget } from "./budget.js";
import { type DeleteFailure, type Doomed, PartialDelete } from "./driver.js";

type Signal = AbortSignal | undefined;

/** What became of one call in a batch: it worked, it is to be made again on its own, or it failed for good. */
export type Verdict = "gone" | "again" | Error;

export interface BulkDelete {
  /** Objects in one batch at most. */
  readonly size: number;
  /** A missing object is success. */
  one(object: Doomed, signal: Signal): Promise<void>;
  /** By the place of the object in the batch; one without a verdict is made again. */
  many(objects: readonly Doomed[], signal: Signal): Promise<readonly (Verdict | undefined)[]>;
}

/** Batches in flight. */
const PARALLEL = 8;

/** Deletes all of them; those that fail are named in a {@link PartialDelete}, each with its own error. */
export async function deleteAll(bulk: BulkDelete, objects: readonly Doomed[], signal: Signal): Promise<void> {
  const [only, ...more] = objects;
  if (only && more.length === 0) return bulk.one(only, signal);
  const lanes = byteBudget(PARALLEL, Number.POSITIVE_INFINITY);
  const failures: DeleteFailure[] = [];
  const tasks = batches(objects, bulk.size).map(async (batch) => {
    const leave = await lanes.take(1, signal);
    failures.push(...(await deleteBatch(bulk, batch, signal).finally(leave)));
  });
  const failed = (await Promise.allSettled(tasks)).find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
  if (failures.length > 0) throw new PartialDelete(failures);
}

function batches(objects: readonly Doomed[], size: number): Doomed[][] {
  const count = Math.ceil(objects.length / size);
  return Array.from({ length: count }, (_, i) => objects.slice(i * size, (i + 1) * size));
}

async function deleteBatch(bulk: BulkDelete, batch: readonly Doomed[], signal: Signal): Promise<DeleteFailure[]> {
  const verdicts = batch.length === 1 ? [] : await bulk.many(batch, signal);
  const failures = await Promise.all(
    batch.map(async (object, i) => {
      const verdict = verdicts[i] ?? "again";
      const error = verdict === "again" ? await again(bulk, object, signal) : verdict;
      return error === "gone" ? undefined : { key: object.key, error };
    }),
  );
  return failures.filter((failure) => failure !== undefined);
}

async function again(bulk: BulkDelete, object: Doomed, signal: Signal): Promise<unknown> {
  try {
    await bulk.one(object, signal);
    return "gone";
  } catch (error) {
    signal?.throwIfAborted();
    return error;
  }
}
