/**
 * Airflow's TypeScript task SDK with large XComs in object storage.
 *
 * Import it before anything else: it lets CommonJS libraries work in the one-file bundles of `airflow-ts-pack`.
 */
import "./require.js";

export type { TaskConnection } from "../connections/index.js";
export { type Log, type WrappedTaskClient, wrapTaskClient } from "./client.js";
export { withObjectStorage } from "./handler.js";
export { unmapped } from "./map-index.js";
export type { GetXCom, SetXCom, TaskClient, TaskContext, XComTarget } from "./sdk.js";
export type { SettingsOptions } from "./settings.js";
export type { ObjectStorageOptions } from "./wrap.js";
