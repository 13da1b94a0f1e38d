/** Airflow's TypeScript task SDK with large XComs in object storage, in a bundle that holds only the parts that are named. */
import { chainConnections } from "../connections/index.js";
import { type LeanStorageOptions, openStorage } from "../open-lean.js";
import { type ObjectStorageOptions, wrapHandler } from "./wrap.js";

export type { TaskConnection } from "../connections/index.js";
export { type Log, type WrappedTaskClient, wrapTaskClient } from "./client.js";
export { unmapped } from "./map-index.js";
export type { GetXCom, SetXCom, TaskClient, TaskContext, XComTarget } from "./sdk.js";
export type { SettingsOptions } from "./settings.js";
export type { LeanStorageOptions, ObjectStorageOptions };

/** The parts that a task's bundle is to hold, and the settings. */
export type LeanObjectStorageOptions = Omit<ObjectStorageOptions, "storage" | "env"> & LeanStorageOptions;

/**
 * As `withObjectStorage` of `stowage/airflow`, of the drivers and codecs that are given: a row that needs another is an
 * error that names it. Connections are asked of `client.getConnection`, then of `connections`.
 *
 * @example withObjectStorage(handler, { drivers: { s3: openS3WithKeys }, codecs: [gzip] })
 */
export function withObjectStorage<A = unknown>(
  handler: (args: A) => unknown,
  options: LeanObjectStorageOptions,
): (args: A) => Promise<unknown> {
  return wrapHandler(handler, options, (server, env) => {
    const { drivers, codecs, contentTypeOf, connections } = options;
    const sources = connections ? chainConnections(server, connections) : server;
    return openStorage({ drivers, codecs, contentTypeOf, connections: sources, env });
  });
}
