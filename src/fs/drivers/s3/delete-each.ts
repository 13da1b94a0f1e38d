/** Deletes that are a request for each key. */
import { type DeleteFailure, type Doomed, PartialDelete } from "../../driver.js";
import { HttpError } from "../../http.js";
import type { Bucket } from "./bucket.js";
import { versionQuery } from "./read.js";

/** Single deletes in flight. */
const PARALLEL = 16;

type Signal = AbortSignal | undefined;
type RemoveOne = (object: Doomed) => Promise<void>;

/** DeleteObject; a missing key is success. */
export async function removeObject({ client }: Bucket, { key, version }: Doomed, signal: Signal): Promise<void> {
  try {
    await client.send({ method: "DELETE", key, query: versionQuery(version), signal });
  } catch (error) {
    // AWS answers 204 for a missing key; other services say what they see.
    if (!(error instanceof HttpError && error.status === 404 && error.code !== "NoSuchBucket")) throw error;
  }
}

/** The failure of a single object as it is; those of several together. */
export async function removeEach(one: RemoveOne, objects: readonly Doomed[], signal: Signal): Promise<void> {
  if (objects.length === 1) return one(objects[0]!);
  const failures = await failuresOf(one, objects, signal);
  if (failures.length > 0) throw new PartialDelete(failures);
}

export async function failuresOf(one: RemoveOne, objects: readonly Doomed[], signal: Signal): Promise<DeleteFailure[]> {
  const failures: DeleteFailure[] = [];
  const rest = objects.values();
  async function lane(): Promise<void> {
    for (const object of rest) {
      await one(object).catch((error) => {
        signal?.throwIfAborted();
        failures.push({ key: object.key, error });
      });
    }
  }
  await Promise.all(Array.from({ length: Math.min(PARALLEL, objects.length) }, lane));
  return failures;
}
