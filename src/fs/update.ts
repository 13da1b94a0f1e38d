/** Read, change, write: repeated until no other writer comes between. */
import { pause } from "../concurrency.js";
import { failure, isStorageError } from "../errors.js";
import type { StoragePath } from "../path.js";
import { orAbort } from "../streams.js";
import { attributesOf } from "./attributes.js";
import type { ObjectInfo, WriteResult } from "./driver/driver.js";
import { encryptionOf } from "./encryption.js";
import type { GetResult } from "./get.js";
import { checkCount, type ReadOptions, type StatOptions, type UpdateOptions, type WriteOptions } from "./options.js";
import type { WriteBody } from "./write.js";

/** Returns the new body; undefined to leave the object as it is. */
export type UpdateFunction = (current: GetResult | undefined) => WriteBody | undefined | Promise<WriteBody | undefined>;

/** The verbs of Storage that an update needs. */
interface Verbs {
  get(path: StoragePath, options: ReadOptions): Promise<GetResult>;
  stat(path: StoragePath, options: StatOptions): Promise<ObjectInfo>;
  write(path: StoragePath, body: WriteBody, options: WriteOptions): Promise<WriteResult>;
}

const ATTEMPTS = 30;
/** Milliseconds; the pause before a repetition is random, up to a limit that doubles each time. */
const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 1000;

export async function updateObject(
  storage: Verbs,
  path: StoragePath,
  change: UpdateFunction,
  options: UpdateOptions,
): Promise<WriteResult | undefined> {
  const { attempts = ATTEMPTS, ...others } = options;
  checkCount("attempts", attempts, 1);
  for (let attempt = 1; ; attempt++) {
    const done = await tryUpdate(storage, path, change, others, attempt < attempts);
    if (done !== "again") return done;
    const limit = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** attempt);
    await pause(Math.random() * limit, options.signal);
  }
}

/** Returns the outcome of one attempt; "again" if another writer came between and there are attempts left. */
async function tryUpdate(
  storage: Verbs,
  path: StoragePath,
  change: UpdateFunction,
  options: Omit<UpdateOptions, "attempts">,
  more: boolean,
): Promise<WriteResult | undefined | "again"> {
  const { compression, maxDecodedBytes, ...writing } = options;
  const { signal, encryption } = options;
  const { customerKey } = encryption ?? {};
  const current = await storage
    .get(path, { compression, maxDecodedBytes, customerKey, signal })
    .catch((error: unknown) => {
      if (isStorageError(error, "NotFound")) return undefined;
      throw error;
    });
  try {
    const body = await orAbort(Promise.resolve(change(current)), signal).catch((error: unknown): typeof AGAIN => {
      // The object changed while `change` was reading it.
      if (more && isStorageError(error, "ObjectChanged") && error.path === String(path)) return AGAIN;
      throw error;
    });
    if (body === AGAIN) return "again";
    if (body === undefined) return undefined;
    // What is not read is closed before the write: some servers let a write wait for open reads.
    await current?.cancel();
    return await write(storage, path, body, current, { ...definedOptions(writing), compression });
  } catch (error) {
    if (more && conflicts.has(error as object)) return "again";
    throw error;
  } finally {
    await current?.close();
  }
}

const AGAIN = Symbol("again");
/** The failures of writes that another writer has caused. */
const conflicts = new WeakSet<object>();

async function write(
  storage: Verbs,
  path: StoragePath,
  body: WriteBody,
  current: GetResult | undefined,
  options: WriteOptions,
): Promise<WriteResult> {
  if (current && current.info.etag === undefined)
    throw failure("Unsupported", "the server gives the object no etag").at("update", String(path));
  const condition = current ? { ifMatch: current.info.etag } : { ifAbsent: true };
  const kept = current ? await attributes(storage, path, current, options) : {};
  try {
    return await storage.write(path, body, { ...kept, ...options, ...condition });
  } catch (error) {
    const gone = current !== undefined && isStorageError(error, "NotFound");
    if (isStorageError(error) && (gone || CONFLICTS.has(error.code))) conflicts.add(error);
    throw error;
  }
}

/** Returns the attributes and the encryption of the object, which an update keeps. */
async function attributes(
  storage: Verbs,
  path: StoragePath,
  { info }: GetResult,
  { tags, encryption, signal }: WriteOptions,
): Promise<WriteOptions> {
  const kept = { ...attributesOf(info), storageClass: info.storageClass, encryption: encryptionOf(info) };
  if (!info.tagCount || tags !== undefined) return kept;
  const { customerKey } = encryption ?? {};
  return { ...kept, tags: (await storage.stat(path, { tags: true, customerKey, signal })).tags };
}

const CONFLICTS: ReadonlySet<string> = new Set(["PreconditionFailed", "AlreadyExists", "ObjectChanged"]);

/** Leaves out options that are undefined, which would replace attributes. */
function definedOptions(options: WriteOptions): WriteOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
