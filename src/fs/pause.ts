import { setTimeout } from "node:timers/promises";

/** Waits; rejects with the reason of `signal` when that aborts. */
export async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  await setTimeout(milliseconds, undefined, { signal }).catch(() => signal?.throwIfAborted());
}
