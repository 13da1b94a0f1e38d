import type { GetXCom, TaskContext, XComTarget } from "./sdk.js";

/**
 * Reads or writes the XCom of a task that is not mapped, from one that is: without it the SDK asks for the running
 * task's own index and finds nothing.
 *
 *     await client.getXCom(unmapped({ key: "return_value", taskId: "extract" }))
 */
export function unmapped<T extends XComTarget>(target: T): T & { mapIndex: number } {
  return { ...target, mapIndex: -1 };
}

/** What to tell the user of a mapped task that read another task without a map index and found nothing. */
export function mapIndexWarning({ key, taskId, mapIndex }: GetXCom, ctx: TaskContext): string | undefined {
  const trap = mapIndex === undefined && ctx.mapIndex >= 0 && taskId !== undefined && taskId !== ctx.taskId;
  if (!trap) return undefined;
  return (
    `stowage: there is no XCom ${JSON.stringify(key)} of ${JSON.stringify(taskId)} at map index ${ctx.mapIndex}, ` +
    "which is this task's own; if that task is not mapped, read it with unmapped({ key, taskId })"
  );
}
