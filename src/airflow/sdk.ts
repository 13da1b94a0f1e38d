/** The required part of Airflow's TypeScript task SDK, by shape: we import none of its packages. */
import type { AsyncLocalStorage } from "node:async_hooks";
import type { TaskConnection } from "../connections/index.js";
import { failure } from "../errors.js";

/** The running task instance as the SDK describes it. */
export interface TaskContext {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  /** -1 if the task is not mapped. */
  readonly mapIndex: number;
  /** Aborts when Airflow ends the task. */
  readonly signal: AbortSignal;
}

/** The target of a call; omitted ids are the running task's own. */
export interface XComTarget {
  key: string;
  dagId?: string | undefined;
  runId?: string | undefined;
  taskId?: string | undefined;
  /** Defaults to the running task's own index, also for another task. -1 or null: not mapped. */
  mapIndex?: number | null | undefined;
}

export interface GetXCom extends XComTarget {
  includePriorDates?: boolean | undefined;
}

export interface SetXCom extends XComTarget {
  value: unknown;
}

/** The part of the SDK's client that the adapter uses. */
export interface TaskClient {
  getXCom(options: GetXCom): Promise<unknown>;
  setXCom(options: SetXCom): Promise<void>;
  getConnection(id: string): Promise<TaskConnection | null>;
}

/** The context and client that an SDK passes to a handler or puts in scope around it. */
export interface TaskScope {
  readonly ctx: TaskContext;
  readonly client: TaskClient;
}

/** An SDK's call of a handler. */
export interface TaskCall extends TaskScope {
  /** Values that the SDK bound to the handler's parameter by name; undefined if it binds none. */
  readonly bound: object | undefined;
  /** Calls the handler as the SDK would, with this client and these bound values instead of its own. */
  forward<A>(handler: (args: A) => unknown, client: TaskClient, bound: object | undefined): unknown;
}

/** Airflow's SDK keeps the results of `getContext()` and `getClient()` here; all of its copies share the symbol. */
const TASK_SCOPE = Symbol.for("airflow.ts-sdk.task-scope");

/**
 * Returns the current call. Supports both shapes of the SDK: context and client in the handler's parameter
 * (0.1.0-beta1), and in scope around it, with the bound arguments as parameter (`getContext()`, `getClient()`). Throws
 * Unsupported for any other.
 */
export function taskCall(args: unknown): TaskCall {
  const scopes = (globalThis as { [TASK_SCOPE]?: AsyncLocalStorage<TaskScope> })[TASK_SCOPE];
  const scope = scopes?.getStore();
  if (scopes && isScope(scope)) return scopedCall(scopes, scope, args);
  if (isScope(args)) return argumentCall(args);
  throw failure(
    "Unsupported",
    "this SDK gives a handler neither { ctx, client } nor a scope; use wrapTaskClient with what it gives",
  );
}

function scopedCall(scopes: AsyncLocalStorage<TaskScope>, scope: TaskScope, args: unknown): TaskCall {
  return {
    ctx: scope.ctx,
    client: scope.client,
    bound: isObject(args) ? args : undefined,
    forward: (handler, client, bound) => scopes.run({ ...scope, client }, () => handler((bound ?? args) as never)),
  };
}

function argumentCall(args: TaskScope): TaskCall {
  return {
    ctx: args.ctx,
    client: args.client,
    bound: undefined,
    forward: (handler, client) => handler({ ...args, client } as never),
  };
}

function isScope(value: unknown): value is TaskScope {
  if (!isObject(value)) return false;
  const { ctx, client } = value;
  const has = (name: string) => isObject(client) && typeof client[name] === "function";
  return isObject(ctx) && typeof ctx.taskId === "string" && has("getXCom") && has("setXCom") && has("getConnection");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Returns the id of the task instance, if the SDK gives it under one of Airflow's names for it. */
export function taskInstanceId(ctx: TaskContext): string | undefined {
  const { tiId, taskInstanceId, id } = ctx as { tiId?: unknown; taskInstanceId?: unknown; id?: unknown };
  return [tiId, taskInstanceId, id].find((found): found is string => typeof found === "string" && UUID.test(found));
}
