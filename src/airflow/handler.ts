/** Wraps a task handler so that its XComs go through object storage; the caller opens the Storage. */

import type { Objects, Storage } from "../fs/index.js";
import { XComObjectStorageBackend, type XComObjectStorageBackendOptions } from "../objectstore-backend.js";
import type { XComFeatures } from "../xcom/features.js";
import type { XComBackend } from "../xcom/options.js";
import type { Env } from "../xcom/settings.js";
import { type TaskCall, type TaskClient, taskCall } from "./sdk.js";
import { backendWarning, effectiveSettings, type SettingsOptions } from "./settings.js";
import { type Log, rowOf, wrapTaskClient } from "./task-client.js";

export interface ObjectStorageOptions<S extends Objects = Storage>
  extends SettingsOptions,
    Omit<XComObjectStorageBackendOptions, "storage" | keyof SettingsOptions> {
  /** Your own Storage, for example with drivers on configured clients; it is not closed. */
  storage?: S | undefined;
  /** Layers around the backend, such as `(backend) => replicate({ targets: [backend, …] })`. @default none */
  layers?: ((backend: XComObjectStorageBackend<S>) => XComBackend) | undefined;
  /** @default process.env */
  env?: Env | undefined;
  /** Receives the line about the settings. @default console.log, which is the task's log */
  log?: Log | undefined;
  /** @default console.warn */
  warn?: Log | undefined;
}

const RETURN_VALUE = "return_value";

/** The parts of an adapter. */
export interface Parts<S extends Objects> {
  /** Opens the Storage of a task run, which is closed afterwards. */
  open(client: TaskClient, env: Env): S;
  features: XComFeatures;
}

export function wrapHandler<A, S extends Objects>(
  handler: (args: A) => unknown,
  options: ObjectStorageOptions<S>,
  parts: Parts<S>,
): (args: A) => Promise<unknown> {
  const wrapped = (args: A) => run(handler, taskCall(args), options, parts);
  // The SDK reads a handler's name, and the names of its arguments, from the function.
  return Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(handler));
}

async function run<A, S extends Objects>(
  handler: (args: A) => unknown,
  call: TaskCall,
  options: ObjectStorageOptions<S>,
  { open, features }: Parts<S>,
): Promise<unknown> {
  const { log = console.log, warn = console.warn, env = process.env } = options;
  const { line, ...settings } = effectiveSettings(options, env);
  log(line);
  const warning = backendWarning(env);
  if (warning) warn(warning);
  const storage = options.storage ?? open(call.client, env);
  try {
    const backend = new XComObjectStorageBackend({ ...options, ...settings, storage }, features);
    return await runOn(options.layers?.(backend) ?? backend, handler, call, warn);
  } finally {
    if (storage !== options.storage) await storage.close();
  }
}

async function runOn<A>(
  backend: XComBackend,
  handler: (args: A) => unknown,
  call: TaskCall,
  warn: Log,
): Promise<unknown> {
  const { ctx, client } = call;
  const bound = call.bound && (await bindObjects(call.bound, backend, ctx.signal));
  const result = await call.forward(handler, wrapTaskClient(client, ctx, backend, warn), bound);
  return result === undefined ? undefined : rowOf(backend, ctx, { key: RETURN_VALUE }, result);
}

/**
 * Returns the arguments that an SDK has bound by name, with the values of rows in place of the rows. The SDK's own
 * object still resolves names, since it accepts more spellings than it lists.
 */
async function bindObjects(bound: object, backend: XComBackend, signal: AbortSignal): Promise<object> {
  const rows = new Set(Object.keys(bound).map((name) => Reflect.get(bound, name)));
  const values = new Map<unknown, unknown>();
  await Promise.all([...rows].map(async (row) => values.set(row, await backend.loadValue(row, { signal }))));
  return new Proxy(bound, {
    get(target, name) {
      const row: unknown = Reflect.get(target, name);
      return values.has(row) ? values.get(row) : row;
    },
  });
}
