/** The one place where schemes meet drivers. */
import { ALL } from "./codecs/index.js";
import { type ConnectionsOption, resolveConnections } from "./connections/index.js";
import { checkOptions, type OptionNames } from "./errors.js";
import { contentTypeOf } from "./fs/driver/content.js";
import type { OpenDriver } from "./fs/driver/driver.js";
import { openStorage as openLean } from "./fs/open.js";
import type { Storage } from "./fs/storage.js";
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

const NAMES: OptionNames<OpenStorageOptions> = { connections: true, env: true, fileRoot: true, drivers: true };

/** A Storage over all schemes. Sends no request, reads no file and loads no driver until a path needs one. */
export function openStorage(options: OpenStorageOptions = {}): Storage {
  checkOptions("openStorage", options, NAMES);
  const { env = process.env, fileRoot = "/" } = options;
  const drivers = { ...builtIn(fileRoot), ...options.drivers };
  const connections = resolveConnections(options.connections, env);
  return openLean({ drivers, connections, codecs: ALL, contentTypeOf, env });
}

/** Aliases share one function: by it the core knows that two paths are at the same provider. */
function builtIn(fileRoot: string): Record<string, OpenDriver> {
  return {
    ...aliases("s3", async (...at) => (await import("./fs/drivers/s3/open.js")).openS3(...at)),
    ...aliases("gs", async (...at) => (await import("./fs/drivers/gcs/index.js")).openGcs(...at)),
    ...aliases("azure", async (...at) => (await import("./fs/drivers/azure/open.js")).openAzure(...at)),
    ...aliases(
      "file",
      once(async () => (await import("./fs/drivers/file/index.js")).fileDrivers(fileRoot)),
    ),
    ...aliases(
      "memory",
      once(async () => (await import("./fs/drivers/memory.js")).memoryDrivers()),
    ),
  };
}

function aliases(provider: Provider, open: OpenDriver): Record<string, OpenDriver> {
  return Object.fromEntries(schemesOf(provider).map((scheme) => [scheme, open]));
}

/** What memory and file keep between buckets lives once for each Storage. */
function once(find: () => Promise<OpenDriver>): OpenDriver {
  let found: Promise<OpenDriver> | undefined;
  return async (...at) => {
    found ??= find();
    return (await found)(...at);
  };
}
