/** The only place that assigns drivers to schemes. */
import { ALL } from "./codecs/index.js";
import { type ConnectionsOption, resolveConnections } from "./connections/index.js";
import { checkOptions, invalid, type OptionNames } from "./errors.js";
import { contentTypeOf } from "./fs/driver/content.js";
import type { DriverFactory, OpenDriver } from "./fs/driver/driver.js";
import { createStorage } from "./fs/open.js";
import type { Storage } from "./fs/storage.js";
import { type Provider, schemesOf } from "./path.js";

export interface OpenStorageOptions {
  /** Connections by id, each a record or its text, or a function that finds one. The environment comes after it. */
  connections?: ConnectionsOption | undefined;
  /** The source of `AIRFLOW_CONN_*` and of the providers' own variables. @default process.env */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** The folder that confines `file://`. @default "/" */
  fileRoot?: string | undefined;
  /** Drivers for more schemes, or replacements for built-in ones: `[s3.fromClient(client)]`. */
  drivers?: readonly DriverFactory[] | undefined;
}

const NAMES: OptionNames<OpenStorageOptions> = { connections: true, env: true, fileRoot: true, drivers: true };

/**
 * Returns a Storage over all schemes: `createStorage` with every driver, codec and connection source. Sends no request,
 * reads no file and loads no driver until a path needs one.
 */
export function openStorage(options: OpenStorageOptions = {}): Storage {
  checkOptions("openStorage", options, NAMES);
  const { env = process.env, fileRoot = "/", drivers = [] } = options;
  if (!Array.isArray(drivers))
    throw invalid("drivers must be an array of driver factories, as [s3.fromClient(client)]");
  const connections = resolveConnections(options.connections, env);
  return createStorage({ drivers: [...builtIn(fileRoot), ...drivers], connections, codecs: ALL, contentTypeOf, env });
}

/** The schemes of one factory share one function, by which the core knows that two paths have the same provider. */
function builtIn(fileRoot: string): DriverFactory[] {
  return [
    provider("s3", async (...at) => (await import("./fs/drivers/s3/open.js")).openS3(...at)),
    provider("gs", async (...at) => (await import("./fs/drivers/gcs/open.js")).openGcs(...at)),
    provider("azure", async (...at) => (await import("./fs/drivers/azure/open.js")).openAzure(...at)),
    provider(
      "file",
      once(async () => (await import("./fs/drivers/file/index.js")).file(fileRoot)),
    ),
    provider(
      "memory",
      once(async () => (await import("./fs/drivers/memory.js")).memory()),
    ),
  ];
}

function provider(name: Provider, open: OpenDriver): DriverFactory {
  return { schemes: schemesOf(name), open };
}

/** Loads a factory once per Storage, so that memory and file keep their state across buckets. */
function once(load: () => Promise<DriverFactory>): OpenDriver {
  let loaded: Promise<DriverFactory> | undefined;
  return async (...at) => {
    loaded ??= load();
    return (await loaded).open(...at);
  };
}
