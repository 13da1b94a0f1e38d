/** Read, change, write: repeated until no other writer comes between. */
import { pause } from "../concurrency.js";
import { failure, isStorageError } from "../errors.js";
import type { StoragePath } from "../path.js";
import { attributesOf } from "./attributes.js";
import type { ObjectAttributes, ObjectInfo, WriteResult } from "./driver/driver.js";
import type { GetResult } from "./get.js";
import { checkCount, type ReadOptions, type StatOptions, type UpdateOptions, type WriteOptions } from "./options.js";
import type { WriteBody } from "./write-body.js";

/** Returns the new body; undefined to leave the object as it is. */
export type UpdateFunction = (current: GetResult | undefined) => WriteBody | undefined | Promise<WriteBody | undefined>;

/** The verbs of Storage that an update needs. */
interface Verbs {
  get(path: StoragePath, init: ReadOptions): Promise<GetResult>;
  stat(path: StoragePath, init: StatOptions): Promise<ObjectInfo>;
  write(path: StoragePath, body: WriteBody, init: WriteOptions): Promise<WriteResult>;
}

const ATTEMPTS = 30;
/** Milliseconds; the pause before a repetition is random, up to a limit that doubles each time. */
const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 1000;

export async function updateObject(
  storage: Verbs,
  path: StoragePath,
  change: UpdateFunction,
  init: UpdateOptions,
): Promise<WriteResult | undefined> {
  const { attempts = ATTEMPTS, ...options } = init;
  checkCount("attempts", attempts, 1);
  for (let attempt = 1; ; attempt++) {
    try {
      return await once(storage, path, change, options);
    } catch (error) {
      if (attempt >= attempts || !isConflict(error)) throw error;
    }
    const limit = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** attempt);
    await pause(Math.random() * limit, init.signal);
  }
}

async function once(
  storage: Verbs,
  path: StoragePath,
  change: UpdateFunction,
  options: Omit<UpdateOptions, "attempts">,
): Promise<WriteResult | undefined> {
  const { compression, maxDecodedBytes, ...writing } = options;
  const { signal } = options;
  const current = await storage.get(path, { compression, maxDecodedBytes, signal }).catch((error: unknown) => {
    if (isStorageError(error, "NotFound")) return undefined;
    throw error;
  });
  try {
    const body = await change(current);
    if (body === undefined) return undefined;
    if (!current) return await storage.write(path, body, { ...writing, compression, ifAbsent: true });
    const { etag: ifMatch } = current.info;
    if (!ifMatch) throw failure("Unsupported", "the server gives the object no etag").at("update", String(path));
    const kept = await attributes(storage, path, current, options);
    return await storage.write(path, body, { ...kept, ...writing, compression, ifMatch });
  } finally {
    await current?.cancel();
  }
}

/** Returns the attributes of the object, which an update keeps. */
async function attributes(
  storage: Verbs,
  path: StoragePath,
  { info }: GetResult,
  { tags, signal }: Omit<UpdateOptions, "attempts">,
): Promise<ObjectAttributes> {
  const kept = attributesOf(info);
  if (!info.tagCount || tags !== undefined) return kept;
  return { ...kept, tags: (await storage.stat(path, { tags: true, signal })).tags };
}

/** Returns whether another writer came between. A lost response is none: the write may have happened. */
function isConflict(error: unknown): boolean {
  return isStorageError(error) && CONFLICTS.has(error.code);
}

const CONFLICTS: ReadonlySet<string> = new Set(["PreconditionFailed", "AlreadyExists", "ObjectChanged", "NotFound"]);
