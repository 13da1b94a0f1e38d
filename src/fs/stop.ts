import { setMaxListeners } from "node:events";

/** An abort of our own, for tasks that end together, that also happens when the caller's `signal` aborts. */
export class Stop {
  readonly #own = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #forward = (): void => this.#own.abort(this.#outer?.reason);

  /** Throws the reason of a `signal` that has aborted already. Call `free` when the tasks are over. */
  constructor(outer: AbortSignal | undefined) {
    outer?.throwIfAborted();
    this.#outer = outer;
    // As many listeners as there are tasks; Node would take more than ten for a leak and warn.
    setMaxListeners(0, this.#own.signal);
    outer?.addEventListener("abort", this.#forward, { once: true });
  }

  get signal(): AbortSignal {
    return this.#own.signal;
  }

  /** Only the first reason counts; it is `signal.reason` from then on. */
  now(reason: unknown): void {
    this.#own.abort(reason);
  }

  free(): void {
    this.#outer?.removeEventListener("abort", this.#forward);
  }
}
