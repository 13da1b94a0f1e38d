/** stowage as a driver of unstorage. Keys with `:` are keys with `/`, as in unstorage's own driver for S3. */
import { type Driver, defineDriver } from "unstorage";
import { isStorageError, type Storage } from "../../../src/index.js";

/** Returns null where the object is missing, as unstorage wants it. */
async function orNull<T>(value: Promise<T>): Promise<T | null> {
  try {
    return await value;
  } catch (error) {
    if (isStorageError(error, "NotFound")) return null;
    throw error;
  }
}

/** @param base a path without a slash at its end */
export const stowageDriver: (options: { storage: Storage; base: string }) => Driver = defineDriver(
  ({ storage, base }: { storage: Storage; base: string }) => {
    const at = (key: string) => `${base}/${key.replaceAll(":", "/")}`;
    const offset = `${base}/`.replace(/^\w+:\/\/[^/]+\//, "").length;
    return {
      name: "stowage",
      hasItem: (key) => storage.exists(at(key)),
      getItem: (key) => orNull(storage.text(at(key))),
      getItemRaw: (key) => orNull(storage.bytes(at(key))),
      setItem: async (key, value) => void (await storage.write(at(key), value)),
      setItemRaw: async (key, value) => void (await storage.write(at(key), value)),
      removeItem: (key) => storage.delete(at(key)),
      getMeta: async (key) => {
        const found = await orNull(storage.stat(at(key)));
        return found && { ...(found.modified && { mtime: found.modified }), size: found.size };
      },
      getKeys: async (prefix = "") => {
        const keys = [];
        for await (const { key, type } of storage.list(at(prefix), { recursive: true })) {
          if (type === "file") keys.push(key.slice(offset).replaceAll("/", ":"));
        }
        return keys;
      },
      clear: (prefix = "") => storage.delete(at(prefix), { recursive: true, emptyBucket: true }),
    };
  },
);
