/** Deletes of many keys, by whatever client. */

import { failure } from "../../../errors.js";
import { type DeleteFailure, type Doomed, PartialDelete } from "../../driver.js";
import { HttpError } from "../../http.js";
import { isWritable } from "../../xml.js";
import { failuresOf, removeEach } from "./delete-each.js";

/** Keys that one DeleteObjects takes. */
const BATCH = 1000;
/** How often keys that failed for a passing reason are sent in all. */
const ROUNDS = 3;

type Signal = AbortSignal | undefined;

/** The requests that delete. */
export interface DeleteRoute {
  /** Whether there is DeleteObjects. */
  readonly bulk: boolean;
  /** DeleteObject; a missing key is success. */
  one(object: Doomed, signal: Signal): Promise<void>;
  /** DeleteObjects of up to 1,000; the rows of its answer that tell of a failure. */
  many(objects: readonly Doomed[], signal: Signal): Promise<FailedRow[]>;
}

export interface FailedRow {
  Key?: string | undefined;
  VersionId?: string | undefined;
  Code?: string | undefined;
  Message?: string | undefined;
}

export async function remove(route: DeleteRoute, objects: readonly Doomed[], signal: Signal): Promise<void> {
  const one = (object: Doomed) => route.one(object, signal);
  if (objects.length < 2 || !route.bulk) return removeEach(one, objects, signal);
  // The answer of DeleteObjects, too, is XML, which some keys cannot be written in.
  const batched = objects.filter(({ key }) => isWritable(key));
  const failures = await failuresOf(
    one,
    objects.filter(({ key }) => !isWritable(key)),
    signal,
  );
  for (let at = 0; at < batched.length; at += BATCH) {
    failures.push(...(await removeBatch(route, batched.slice(at, at + BATCH), signal)));
  }
  if (failures.length > 0) throw new PartialDelete(failures);
}

async function removeBatch(route: DeleteRoute, objects: readonly Doomed[], signal: Signal): Promise<DeleteFailure[]> {
  const failures: DeleteFailure[] = [];
  let doomed = objects;
  for (let round = 1; doomed.length > 0; round++) {
    const rows = (await route.many(doomed, signal)).filter(({ Code = "" }) => !MISSING.has(Code));
    const keys = new Set(doomed.map(({ key }) => key));
    const strange = rows.find(({ Key }) => Key === undefined || !keys.has(Key));
    if (strange) throw failure("Corrupt", "the server reports a key that was not to be deleted");
    const again = round < ROUNDS ? rows.filter(({ Code = "" }) => PASSING.has(Code)) : [];
    for (const row of rows) if (!again.includes(row)) failures.push(failureOf(row));
    doomed = again.map(({ Key = "", VersionId }) => ({ key: Key, ...(VersionId ? { version: VersionId } : {}) }));
  }
  return failures;
}

const MISSING: ReadonlySet<string> = new Set(["NoSuchKey", "NoSuchVersion"]);
const PASSING: ReadonlySet<string> = new Set(["InternalError", "ServiceUnavailable", "SlowDown"]);

/** A row has the code of a failure, but no status. */
function failureOf({ Key = "", Code = "", Message = "" }: FailedRow): DeleteFailure {
  const status = PASSING.has(Code) ? 503 : Code === "AccessDenied" ? 403 : 400;
  return { key: Key, error: new HttpError("answer", "DELETE", status, Code, Message.slice(0, 300)) };
}
