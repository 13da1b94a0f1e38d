/** A Storage whose schemes all live in memory and count the calls of their drivers, and a backend on it. */
import { XComObjectStorageBackend } from "../../src/backend.js";
import { codecs } from "../../src/codecs/index.js";
import { isStorageError } from "../../src/errors.js";
import type { Driver, OpenDriver } from "../../src/fs/driver/driver.js";
import { memory } from "../../src/fs/drivers/memory.js";
import type { Storage } from "../../src/fs/storage.js";
import type { XComObjectStorageBackendOptions } from "../../src/objectstore-backend.js";
import { openStorage } from "../../src/open.js";
import { collect, single } from "../../src/streams.js";
import { defineSerializer } from "../../src/xcom/serializer.js";

/** Where the backends of `make` store. */
export const BASE = "s3://conn@bucket/xcom";
export const OWNER = { dagId: "my_dag", runId: "manual__2026-01-02T03:04:05.678901+00:00", taskId: "grp.my_task" };
export const TI = "019b1c2d-0000-7000-8000-000000000001";
export const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;

/** The codecs that this Node, with the packages at hand, can write; reading needs less. */
const WRITABLE = new Set<string | null>([null, ""]);
for (const name of codecs.names) {
  try {
    await collect(codecs.get(name).encode(single(Buffer.from("x"))));
    WRITABLE.add(name);
  } catch (error) {
    if (!isStorageError(error, "Unsupported")) throw error;
  }
}

export const canWrite = (compression: string | null) => WRITABLE.has(compression);

export interface World {
  storage: Storage;
  /** `read key`, `write key` and so on, in order. */
  calls: string[];
}

export function world(): World {
  const calls: string[] = [];
  const open: OpenDriver = memory().open;
  const counting: OpenDriver = async (...args) => counted(await open(...args), calls);
  const schemes = ["file", "local", "s3", "s3a", "gs", "abfs", "abfss", "memory"];
  const connection = { type: "aws" };
  const storage = openStorage({
    env: {},
    drivers: [{ schemes, open: counting }],
    connections: { conn: connection, other: connection, extra: connection, minio: connection, az: connection },
  });
  return { storage, calls };
}

/** A backend that stores every value as an object, unless the options say otherwise. */
export function make(options: Partial<XComObjectStorageBackendOptions> = {}, existing: World = world()) {
  const { storage, calls } = existing;
  return { storage, calls, backend: new XComObjectStorageBackend({ storage, path: BASE, threshold: 0, ...options }) };
}

/** Stores Buffers as they are. */
export const buffers = defineSerializer<Buffer>({
  name: "test.buffer@1",
  suffix: ".bin",
  test: (value) => Buffer.isBuffer(value),
  async *encode(value) {
    yield value;
  },
  decode: async (body) => Buffer.from(await collect(body)),
});

function counted(driver: Driver, calls: string[]): Driver {
  return {
    ...driver,
    stat: (key, options) => {
      calls.push(`stat ${key}`);
      return driver.stat(key, options);
    },
    list: (prefix, options) => {
      calls.push(`list ${prefix}`);
      return driver.list(prefix, options);
    },
    read: (key, options) => {
      calls.push(`read ${key}`);
      return driver.read(key, options);
    },
    write: (key, body, options) => {
      calls.push(`write ${key}`);
      return driver.write(key, body, options);
    },
    delete: (objects, options) => {
      calls.push(...objects.map(({ key }) => `delete ${key}`));
      return driver.delete(objects, options);
    },
  };
}
