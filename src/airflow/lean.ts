/**
 * Airflow's TypeScript task SDK with large XComs in object storage, in a bundle of only the named parts.
 *
 * @packageDocumentation
 */
import type { ConnectionSource } from "../connections/index.js";
import type { ObjectDriver } from "../fs/driver/index.js";
import { type CreateStorageOptions, createObjects, type Objects } from "../fs/index.js";
import type { XComFeatures } from "../xcom/features.js";
import { type ObjectStorageOptions, wrapHandler } from "./handler.js";
import type { TaskClient } from "./sdk.js";

export type { TaskConnection } from "../connections/index.js";
export { taskConnections } from "./connections.js";
export type { GetXCom, SetXCom, TaskClient, TaskContext, XComTarget } from "./sdk.js";
export type { SettingsOptions } from "./settings.js";
export { type Log, unmapped, type WrappedTaskClient, wrapTaskClient } from "./task-client.js";
export type { CreateStorageOptions, ObjectStorageOptions };

/** The parts of a task's bundle, and the settings. */
export interface LeanObjectStorageOptions
  extends Omit<ObjectStorageOptions<Objects>, "storage" | "env">,
    Omit<CreateStorageOptions<ObjectDriver>, "connections"> {
  /** The source of connections: `taskConnections` asks Airflow's API server. @default none */
  connections?: ((client: TaskClient) => ConnectionSource) | undefined;
  /**
   * Implementations of the options `keyTemplate`, `readAliases`, `serializers`, `allowedTypes` and `digest`.
   * @default none
   */
  features?: XComFeatures | undefined;
}

/**
 * Like `withObjectStorage` of `stowage/airflow`, with only the given drivers and codecs: a row that needs another
 * throws an error that names it.
 *
 * @example withObjectStorage(handler, { drivers: [s3()], codecs: [gzip], connections: taskConnections })
 */
export function withObjectStorage<A = unknown>(
  handler: (args: A) => unknown,
  options: LeanObjectStorageOptions,
): (args: A) => Promise<unknown> {
  const { drivers, codecs, contentTypeOf, connections, features = {} } = options;
  return wrapHandler<A, Objects>(handler, options, {
    open: (client, env) => createObjects({ drivers, codecs, contentTypeOf, connections: connections?.(client), env }),
    features,
  });
}
