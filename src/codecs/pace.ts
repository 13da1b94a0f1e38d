import { setImmediate } from "node:timers/promises";

/** How long, in milliseconds, work may hold the event loop at a stretch. */
const STRETCH = 5;

/** Lets the event loop turn during long work. */
export class Pace {
  #since = performance.now();

  /** Resolves after a turn of the event loop when this work has held it for long, else at once. */
  async rest(): Promise<void> {
    if (performance.now() - this.#since < STRETCH) return;
    await setImmediate();
    this.#since = performance.now();
  }
}
