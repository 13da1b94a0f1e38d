import { failure, invalid, isStorageError, type StorageError } from "../errors.js";
import { isPlain } from "../xcom/encoding/encoding.js";
import type { Owner } from "../xcom/keys/layout.js";
import type { XComBackend } from "../xcom/options.js";
import {
  type GetXCom,
  type SetXCom,
  type TaskClient,
  type TaskContext,
  taskInstanceId,
  type XComTarget,
} from "./sdk.js";

/** A client that accepts any value where the SDK accepts JSON. */
export type WrappedTaskClient<C extends TaskClient> = Omit<C, "setXCom"> & { setXCom(options: SetXCom): Promise<void> };

/** Receives warnings; `console.warn` is the task's log. */
export type Log = (line: string) => void;

/**
 * Returns the client with `getXCom` and `setXCom` on a backend: references are read as their values, large values
 * become objects. All other methods are the client's own. `ctx.signal` aborts every transfer.
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
  const owner = { ...ownerOf(options, ctx), anyRun: options.includePriorDates };
  return backend.loadValue(row, { owner, signal: ctx.signal });
}

/** Returns the row of a value: the value itself or a reference, either safe to send. */
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

/**
 * Lets a mapped task read or write the XCom of an unmapped one: without it the SDK uses the running task's own index
 * and finds nothing.
 *
 *     await client.getXCom(unmapped({ key: "return_value", taskId: "extract" }))
 */
export function unmapped<T extends XComTarget>(target: T): T & { mapIndex: number } {
  return { ...target, mapIndex: -1 };
}

/** Returns a warning for a mapped task that read another task without a map index and found nothing. */
function mapIndexWarning({ key, taskId, mapIndex }: GetXCom, ctx: TaskContext): string | undefined {
  const trap = mapIndex === undefined && ctx.mapIndex >= 0 && taskId !== undefined && taskId !== ctx.taskId;
  if (!trap) return undefined;
  return (
    `stowage: no XCom ${JSON.stringify(key)} of ${JSON.stringify(taskId)} at map index ${ctx.mapIndex}, this task's own; ` +
    "of a task that is not mapped, read unmapped({ key, taskId })"
  );
}

// Limits of a row that the SDK can send to Airflow's supervisor without losing the task.

/** Maximum bytes of a row: the SDK gives up on a response after 30 s, which 64 MiB take, and blocks meanwhile. */
const MAX_BYTES = 16 * 1024 * 1024;
/** Maximum nesting of a row: MessagePack is written up to 100 levels, some of them for the SDK's own envelope. */
const MAX_DEPTH = 90;

const MEND = "a lower threshold makes it an object";

/**
 * Refuses a row that would hang or kill the supervisor: throws InvalidArgument for a lone surrogate, for a value that
 * is not JSON and for deep nesting, TooLarge above 16 MiB.
 */
function checkWire(row: unknown): void {
  new WireCheck().visit(row);
}

class WireCheck {
  readonly #steps: (string | number)[] = [];
  #bytes = 0;

  visit(value: unknown): void {
    if (typeof value === "string") this.#text(value);
    else if (typeof value === "object" && value !== null) this.#inside(value);
    else this.#scalar(value);
    if (this.#bytes > MAX_BYTES) throw failure("TooLarge", `the row has more than ${MAX_BYTES} bytes; ${MEND}`);
  }

  #inside(value: object): void {
    if (this.#steps.length === MAX_DEPTH) throw this.#refuse(`is nested more than ${MAX_DEPTH} deep; ${MEND}`);
    const isList = Array.isArray(value);
    if (!isList && !isPlain(value)) throw this.#refuse(`is a ${value.constructor?.name}, which is not JSON`);
    for (const [step, item] of isList ? value.entries() : Object.entries(value)) {
      this.#steps.push(step);
      if (typeof step === "string") this.#text(step);
      this.visit(item);
      this.#steps.pop();
    }
  }

  #text(text: string): void {
    if (!text.isWellFormed()) throw this.#refuse(`has a lone surrogate; ${MEND}`);
    this.#bytes += Buffer.byteLength(text, "utf8");
  }

  #scalar(value: unknown): void {
    this.#bytes += 1;
    const isJson = value === null || typeof value === "boolean" || Number.isFinite(value);
    if (!isJson) throw this.#refuse(`is ${typeof value === "number" ? value : typeof value}, which is not JSON`);
  }

  #refuse(why: string): StorageError {
    const place = this.#steps.map((step) => `[${JSON.stringify(step)}]`).join("");
    return invalid(`value${place.slice(0, 200)} ${why}`);
  }
}
