/** Whether two objects have the same bytes, and whether they are two objects at all. */
import { createHash } from "node:crypto";
import { isStorageError } from "../../errors.js";
import type { Storage } from "../../fs/index.js";
import { providerOf, type StoragePath } from "../../path.js";
import type { ByteStream } from "../../streams.js";

/** An object as it was just looked at. */
export type FoundObject = Awaited<ReturnType<Storage["stat"]>>;

/** Returns the object at a path; undefined if there is none. */
export async function findObject(
  storage: Storage,
  path: StoragePath,
  signal: AbortSignal | undefined,
): Promise<FoundObject | undefined> {
  try {
    return await storage.stat(path, { signal });
  } catch (error) {
    if (isStorageError(error, "NotFound")) return undefined;
    throw error;
  }
}

/** By size and MD5, or by SHA-256 if a provider states no MD5. Reads both only as they were looked at. */
export async function haveSameBytes(
  storage: Storage,
  a: FoundObject,
  b: FoundObject,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (a.size !== b.size) return false;
  if (a.md5 !== undefined && b.md5 !== undefined) return a.md5 === b.md5;
  const digest = ({ path, etag }: FoundObject) => sha256(storage.read(path, { ifMatch: etag, signal }));
  return (await digest(a)) === (await digest(b));
}

/**
 * Returns whether something proves that these are two objects, so that one may go. Two connections, or two names of a
 * bucket, can lead to one object, which then has one time; so can two paths of files, whose etags have the inode.
 */
export function areApart(a: FoundObject, b: FoundObject): boolean {
  const provider = providerOf(a.path.scheme);
  const isKnown = provider !== undefined && provider === providerOf(b.path.scheme);
  if (isKnown && a.path.connectionId === b.path.connectionId && a.path.bucket === b.path.bucket)
    return provider === "file" ? a.etag !== b.etag : a.path.key !== b.path.key;
  return Math.abs((a.modified?.getTime() ?? Number.NaN) - (b.modified?.getTime() ?? Number.NaN)) >= 1000;
}

export async function sha256(bytes: ByteStream): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of bytes) hash.update(chunk);
  return hash.digest("hex");
}
