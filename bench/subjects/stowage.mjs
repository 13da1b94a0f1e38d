import { openStorage, XComObjectStorageBackend } from "../../dist/index.js";

export async function open({ base, connection, env = {} }) {
  const storage = openStorage({ env, connections: connection ? { it: connection } : {} });
  const at = (key) => `${base}/${key}`;
  return {
    codecs: ["gzip", "zip", "zstd"],
    put: (key, data) => storage.write(at(key), data),
    get: (key) => storage.bytes(at(key)),
    stat: (key) => storage.stat(at(key)),
    remove: (key) => storage.delete(at(key)),
    write: (key, body, compression = null) => storage.write(at(key), body, { compression }),
    read: (key, compression = null) => storage.read(at(key), { compression }),
    async list(prefix) {
      let count = 0;
      for await (const _ of storage.list(at(prefix), { recursive: true })) count++;
      return count;
    },
    removeTree: (prefix) => storage.delete(at(prefix), { recursive: true }),
    async xcom(key, value, compression = null) {
      const xcom = new XComObjectStorageBackend({ storage, path: at(key), threshold: 0, compression });
      const owner = { dagId: "bench", runId: "run", taskId: "task" };
      await xcom.loadValue(await xcom.storeValue(owner, "return_value", value), { owner });
    },
    close: () => storage.close(),
  };
}
