/** The one place where schemes meet drivers. */
import { type ConnectionsOption, resolveConnections } from "./connections/index.js";
import { byteBudget } from "./fs/budget.js";
import type { OpenDriver, Shared } from "./fs/driver.js";
import { type FindDriver, Reach } from "./fs/reach.js";
import { Storage } from "./fs/storage.js";
import { type Provider, schemesOf } from "./path.js";

export interface OpenStorageOptions {
  /** Connections by id, each a record or its text, or a function that finds one. The environment is asked after it. */
  connections?: ConnectionsOption | undefined;
  /** Where `AIRFLOW_CONN_*` and the providers' own variables are looked up. @default process.env */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** The folder that `file://` cannot leave. @default "/" */
  fileRoot?: string | undefined;
  /** More schemes, or other drivers for the known ones. */
  drivers?: Readonly<Record<string, OpenDriver>> | undefined;
}

/** Bytes that all parts of all uploads, and all ranges of all parallel reads, of one Storage may hold in memory. */
const TRANSFER_BUDGET = 64 * 1024 * 1024;

/** A Storage over all schemes. Sends no request, reads no file and loads no driver until a path needs one. */
export function openStorage(options: OpenStorageOptions = {}): Storage {
  const env = options.env ?? process.env;
  const shared: Shared = { uploads: byteBudget(TRANSFER_BUDGET), downloads: byteBudget(TRANSFER_BUDGET), env };
  const schemes = new Map(builtIn(options.fileRoot ?? "/"));
  for (const [scheme, open] of Object.entries(options.drivers ?? {})) schemes.set(scheme, async () => open);
  return new Storage(new Reach(schemes, resolveConnections(options.connections, env), shared), shared);
}

/** Aliases share one function: by it the core knows that two paths are at the same provider. */
function builtIn(fileRoot: string): [string, FindDriver][] {
  const memory = once(async () => (await import("./fs/drivers/memory.js")).memoryDrivers());
  const file = once(async () => (await import("./fs/drivers/file.js")).fileDrivers(fileRoot));
  const s3 = async () => (await import("./fs/drivers/s3/open.js")).openS3;
  const gcs = async () => (await import("./fs/drivers/gcs/index.js")).openGcs;
  const azure = async () => (await import("./fs/drivers/azure/open.js")).openAzure;
  return [
    ...alias(s3, "s3"),
    ...alias(gcs, "gs"),
    ...alias(azure, "azure"),
    ...alias(file, "file"),
    ...alias(memory, "memory"),
  ];
}

function alias(find: FindDriver, provider: Provider): [string, FindDriver][] {
  return schemesOf(provider).map((scheme) => [scheme, find]);
}

/** What memory and file keep between buckets lives once for each Storage. */
function once(find: FindDriver): FindDriver {
  let found: Promise<OpenDriver> | undefined;
  return () => {
    found ??= find();
    return found;
  };
}
