/** Moves between a swept path and its trash, which can be cut off at any point and repeated. */
import { failure, isStorageError } from "../../errors.js";
import type { Abortable, ListEntry, Storage } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import { pathBelow } from "../keys/base.js";
import type { Candidate } from "./candidates.js";
import { areApart, type FoundObject, findObject, haveSameBytes } from "./same-bytes.js";

export interface Moving extends Abortable {
  storage: Storage;
  path: StoragePath;
  trash: StoragePath;
}

/** Versions of one object that a trash can hold. */
const MAX_PLACES = 100;
/** The folders of a trash for objects whose place has other bytes. No id of Airflow has an equals sign. */
const AGAIN = /^again=([1-9]\d?)\//;

function placeInTrash(trash: StoragePath, below: string, nth: number): StoragePath {
  return pathBelow(trash, nth === 0 ? below : `again=${nth}/${below}`);
}

/** Returns the number of the folder of a key below the trash, 0 for none, and its place below the swept path. */
export function placeOf(key: string): { nth: number; below: string } {
  const [folder = "", nth = 0] = AGAIN.exec(key) ?? [];
  return { nth: Number(nth), below: key.slice(folder.length) };
}

/** Why an object stays, and whether a copy of it is in the trash nevertheless. */
export interface Refusal {
  error: unknown;
  isCopied: boolean;
}

/**
 * Moves an object to the trash, if it still is as it was listed; returns why it stays. A copy that is there, of a move
 * that was cut off, is enough if it has the same bytes. Other bytes stay where they are: the object gets the next place.
 */
export async function moveToTrash(orphan: Candidate, moving: Moving): Promise<Refusal | undefined> {
  const { storage, path, trash, signal } = moving;
  const { below, etag, modified } = orphan;
  const from = pathBelow(path, below);
  let isCopied = false;
  try {
    const found = await storage.stat(from, { signal });
    checkListed(found, orphan);
    for (let nth = 0; nth < MAX_PLACES; nth++) {
      const to = placeInTrash(trash, below, nth);
      const refusal = await moveIfAbsent(from, to, { ifMatch: etag, storage, signal });
      if (!refusal) return undefined;
      const there = await findObject(storage, to, signal);
      isCopied = there !== undefined && (await haveSameBytes(storage, found, there, signal));
      if (!there || !isStorageError(refusal, "AlreadyExists")) throw refusal;
      if (!isCopied) continue;
      checkApart(found, there);
      await storage.delete(from, { ifMatch: { etag, modified }, signal });
      return undefined;
    }
    throw failure("AlreadyExists", `the trash has ${MAX_PLACES} other versions of it: empty it, or name another trash`);
  } catch (error) {
    return { error, isCopied };
  }
}

/** On S3 equal content has equal etags, so that only the time shows that an object was written again. */
function checkListed(found: FoundObject, { etag, modified }: Candidate): void {
  const apart = Math.abs((found.modified?.getTime() ?? Number.NaN) - modified.getTime());
  if (found.etag !== etag || !(apart < 1000)) throw failure("ObjectChanged", "it was written since it was listed");
}

interface Move extends Abortable {
  storage: Storage;
  ifMatch?: string;
}

/** Returns why an object was not moved. */
async function moveIfAbsent(from: StoragePath, to: StoragePath, { storage, ...options }: Move): Promise<unknown> {
  try {
    return await storage.move(from, to, { ...options, ifAbsent: true });
  } catch (error) {
    options.signal?.throwIfAborted();
    return error;
  }
}

function checkApart(object: FoundObject, copy: FoundObject): void {
  if (areApart(object, copy)) return;
  throw failure("AlreadyExists", `${copy.path} may be the same object by another name, so that both stay`);
}

/**
 * Moves an object back from the trash. Returns whether it was moved; `false` if its place has the same bytes already,
 * so that only the copy in the trash went. Throws `AlreadyExists`, with the place, for other bytes.
 */
export async function moveBack({ path: from }: ListEntry, moving: Moving): Promise<boolean> {
  const { storage, path, trash, signal } = moving;
  const to = pathBelow(path, placeOf(from.relativeTo(trash)).below);
  const refusal = await moveIfAbsent(from, to, { storage, signal });
  if (!refusal) return true;
  const isGone = isStorageError(refusal, "NotFound");
  if (!isGone && !isStorageError(refusal, "AlreadyExists")) throw refusal;
  const [copy, there] = await Promise.all([findObject(storage, from, signal), findObject(storage, to, signal)]);
  // Another undo was faster.
  if (!copy && there) return false;
  if (!copy || !there) throw refusal;
  try {
    if (!(await haveSameBytes(storage, copy, there, signal)))
      throw failure("AlreadyExists", `another object is at its place, ${to}; both stay`);
    checkApart(copy, there);
    await storage.delete(from, { ifMatch: { etag: copy.etag, modified: copy.modified }, signal });
  } catch (error) {
    // Another undo was faster, also if it is now.
    if (!isStorageError(error, "NotFound") || (await findObject(storage, from, signal))) throw error;
  }
  return false;
}
