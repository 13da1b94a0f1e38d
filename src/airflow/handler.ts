import { connectionsFromTaskClient } from "../connections/index.js";
import type { Storage } from "../fs/storage.js";
import { XComObjectStorageBackend, type XComObjectStorageBackendOptions } from "../objectstore-backend.js";
import { openStorage } from "../open.js";
import type { Env } from "../xcom/config.js";
import { bindObjects } from "./bound.js";
import { type Log, rowOf, wrapTaskClient } from "./client.js";
import { type TaskCall, type TaskClient, taskCall } from "./sdk.js";
import { backendWarning, effectiveSettings, type SettingsOptions } from "./settings.js";

export interface ObjectStorageOptions
  extends SettingsOptions,
    Partial<Pick<XComObjectStorageBackendOptions, "maxDecodedBytes" | "onMissing" | "encoding">> {
  /** A Storage of your own, with drivers on configured clients for example; it is not closed. */
  storage?: Storage | undefined;
  /** @default process.env */
  env?: Env | undefined;
  /** Where the line about the settings goes. @default console.log, which is the task's log */
  log?: Log | undefined;
  /** @default console.warn */
  warn?: Log | undefined;
}

const RETURN_VALUE = "return_value";

/**
 * A task handler whose XComs go through object storage: what it reads by `getXCom` and what is bound to its parameters
 * are values and not references, and what it writes by `setXCom` or returns becomes an object when it is large.
 *
 * Connections are asked of `client.getConnection`, then of the environment; settings come from the options, then from
 * `AIRFLOW__COMMON_IO__*`. It works with the handlers of every shape that the SDK has had.
 */
export function withObjectStorage<A = unknown>(
  handler: (args: A) => unknown,
  options: ObjectStorageOptions = {},
): (args: A) => Promise<unknown> {
  const wrapped = (args: A) => run(handler, taskCall(args), options);
  // The SDK finds a handler's name, and the names of its arguments, on the function.
  return Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(handler));
}

async function run<A>(handler: (args: A) => unknown, call: TaskCall, options: ObjectStorageOptions): Promise<unknown> {
  const { log = console.log, warn = console.warn, env = process.env } = options;
  const { line, ...settings } = effectiveSettings(options, env);
  log(line);
  const warning = backendWarning(env);
  if (warning) warn(warning);
  const storage = options.storage ?? openStorage({ connections: serverConnections(call.client), env });
  try {
    const { maxDecodedBytes, onMissing, encoding } = options;
    const backend = new XComObjectStorageBackend({ storage, ...settings, maxDecodedBytes, onMissing, encoding });
    return await runOn(backend, handler, call, warn);
  } finally {
    if (storage !== options.storage) await storage.close();
  }
}

async function runOn<A>(
  backend: XComObjectStorageBackend,
  handler: (args: A) => unknown,
  call: TaskCall,
  warn: Log,
): Promise<unknown> {
  const { ctx, client } = call;
  const bound = call.bound && (await bindObjects(call.bound, backend, ctx.signal));
  const result = await call.forward(handler, wrapTaskClient(client, ctx, backend, warn), bound);
  return result === undefined ? undefined : rowOf(backend, ctx, { key: RETURN_VALUE }, result);
}

function serverConnections(client: TaskClient) {
  return connectionsFromTaskClient(client, "the API server (client.getConnection)");
}
