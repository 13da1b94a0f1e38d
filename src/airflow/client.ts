import { isStorageError } from "../errors.js";
import type { XComBackend } from "../objectstore-backend.js";
import type { Owner } from "../xcom/coordinate.js";
import { mapIndexWarning } from "./map-index.js";
import {
  type GetXCom,
  type SetXCom,
  type TaskClient,
  type TaskContext,
  taskInstanceId,
  type XComTarget,
} from "./sdk.js";
import { checkWire } from "./wire.js";

/** The client with values of every kind where the SDK has JSON. */
export type WrappedTaskClient<C extends TaskClient> = Omit<C, "setXCom"> & { setXCom(options: SetXCom): Promise<void> };

/** Where warnings go; `console.warn` is the task's log. */
export type Log = (line: string) => void;

/**
 * The client with `getXCom` and `setXCom` on a backend: references come back as their values, large values become
 * objects. All other methods are the client's own. `ctx.signal` ends every transfer.
 */
export function wrapTaskClient<C extends TaskClient>(
  client: C,
  ctx: TaskContext,
  backend: XComBackend,
  warn: Log = console.warn,
): WrappedTaskClient<C> {
  const own = {
    getXCom: (options: GetXCom) => getXCom(client, ctx, backend, options, warn),
    setXCom: async (options: SetXCom) => {
      const value = await rowOf(backend, ctx, options, options.value);
      await client.setXCom({ ...options, value });
    },
  };
  return new Proxy(client, {
    get(target, name) {
      if (Object.hasOwn(own, name)) return own[name as keyof typeof own];
      const found: unknown = Reflect.get(target, name);
      return typeof found === "function" ? found.bind(target) : found;
    },
  }) as WrappedTaskClient<C>;
}

async function getXCom(client: TaskClient, ctx: TaskContext, backend: XComBackend, options: GetXCom, warn: Log) {
  const row = await client.getXCom(options);
  if (row === null) {
    const warning = mapIndexWarning(options, ctx);
    if (warning) warn(warning);
    return null;
  }
  // An earlier run's row refers to that run's object.
  const owner = options.includePriorDates ? undefined : ownerOf(options, ctx);
  return backend.loadValue(row, { owner, signal: ctx.signal });
}

/** What the row of a value is to hold: the value itself or a reference, either safe to send. */
export async function rowOf(
  backend: XComBackend,
  ctx: TaskContext,
  target: XComTarget,
  value: unknown,
): Promise<unknown> {
  const { signal } = ctx;
  const row = await backend.storeValue(ownerOf(target, ctx), target.key, value, { signal });
  try {
    checkWire(row);
  } catch (error) {
    throw isStorageError(error) ? error.at("setXCom", `${target.taskId ?? ctx.taskId}/${target.key}`) : error;
  }
  signal.throwIfAborted();
  return row;
}

function ownerOf(target: XComTarget, ctx: TaskContext): Owner {
  const { dagId = ctx.dagId, runId = ctx.runId, taskId = ctx.taskId, mapIndex = ctx.mapIndex } = target;
  const isSelf = dagId === ctx.dagId && runId === ctx.runId && taskId === ctx.taskId && mapIndex === ctx.mapIndex;
  return { dagId, runId, taskId, mapIndex: mapIndex ?? -1, tiId: isSelf ? taskInstanceId(ctx) : undefined };
}
