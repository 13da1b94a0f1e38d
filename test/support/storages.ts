import { afterEach, vi } from "vitest";
import type { Storage } from "../../src/fs/storage.js";
import { openStorage } from "../../src/open.js";

/** Opens storages; after each test they are closed, and the environment is again what it was. */
export function useStorages(): typeof openStorage {
  const open: Storage[] = [];
  afterEach(async () => {
    vi.unstubAllEnvs();
    await Promise.all(open.splice(0).map((storage) => storage.close()));
  });
  return (options) => {
    const storage = openStorage(options);
    open.push(storage);
    return storage;
  };
}
