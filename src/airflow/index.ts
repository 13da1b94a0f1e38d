/**
 * Airflow's TypeScript task SDK with large XComs in object storage.
 *
 * Import it before anything else: it lets CommonJS libraries work in the one-file bundles of `airflow-ts-pack`.
 *
 * @packageDocumentation
 */
import "./require.js";
import { openStorage } from "../open.js";
import { ALL_FEATURES } from "../xcom/presets.js";
import { taskConnections } from "./connections.js";
import { type ObjectStorageOptions, wrapHandler } from "./handler.js";

export type { TaskConnection } from "../connections/index.js";
export type { ObjectStorageOptions } from "./handler.js";
export type { GetXCom, SetXCom, TaskClient, TaskContext, XComTarget } from "./sdk.js";
export type { SettingsOptions } from "./settings.js";
export { type Log, unmapped, type WrappedTaskClient, wrapTaskClient } from "./task-client.js";

/**
 * Wraps a task handler so that its XComs go through object storage: `getXCom` and bound parameters give values instead
 * of references, and large values from `setXCom` or the return value become objects.
 *
 * Connections come from `client.getConnection`, then from the environment; settings from the options, then from
 * `AIRFLOW__COMMON_IO__*`. Works with the handlers of every shape that the SDK has had.
 */
export function withObjectStorage<A = unknown>(
  handler: (args: A) => unknown,
  options: ObjectStorageOptions = {},
): (args: A) => Promise<unknown> {
  return wrapHandler(handler, options, {
    open: (client, env) => openStorage({ connections: taskConnections(client), env }),
    features: ALL_FEATURES,
  });
}
