/** Two objects that are to be one and the same. */
import { createHash } from "node:crypto";
import { isStorageError } from "../errors.js";
import type { Info } from "../fs/driver.js";
import type { Storage } from "../fs/storage.js";
import type { StoragePath } from "../path.js";

type Signal = AbortSignal | undefined;

/** Copies an object unless the same bytes are there; whether it did. */
export async function copyUnlessSame(storage: Storage, from: StoragePath, to: StoragePath, signal: Signal) {
  if (await isSame(storage, from, to, signal)) return false;
  await storage.copy(from, to, { signal });
  return true;
}

/** By size and digest; where a provider states no digest, the bytes are read. */
async function isSame(storage: Storage, from: StoragePath, to: StoragePath, signal: Signal): Promise<boolean> {
  const there = await infoOf(storage, to, signal);
  if (!there) return false;
  const here = await storage.stat(from, { signal });
  if (here.size !== there.size) return false;
  if (here.md5 !== undefined && there.md5 !== undefined) return here.md5 === there.md5;
  const [a, b] = await Promise.all([from, to].map((path) => sha256Of(storage, path, signal)));
  return a === b;
}

async function infoOf(storage: Storage, path: StoragePath, signal: Signal): Promise<Info | undefined> {
  return storage.stat(path, { signal }).catch((error: unknown) => {
    if (isStorageError(error, "NotFound")) return undefined;
    throw error;
  });
}

async function sha256Of(storage: Storage, path: StoragePath, signal: Signal): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of storage.read(path, { signal })) hash.update(chunk);
  return hash.digest("hex");
}
