/** Something that must not wait beyond a point in time. */
export interface Watched {
  /** By `performance.now()`; Infinity while nobody waits. */
  limit: number;
  /** Called when the limit has passed, until the watch ends or the limit moves. */
  overdue(now: number): void;
}

/** Looks after all exchanges of one client with a single timer, so that no chunk or request arms its own. */
export class Watchdog {
  readonly #watched = new Set<Watched>();
  readonly #tick: number;
  #timer: NodeJS.Timeout | undefined;

  /** `patience`: the shortest limit in milliseconds; limits are noticed at most a tenth of it late. */
  constructor(patience: number) {
    this.#tick = Math.min(1000, Math.max(5, patience / 10));
  }

  add(watched: Watched): void {
    this.#watched.add(watched);
    this.#timer ??= setInterval(() => this.#look(), this.#tick).unref();
  }

  delete(watched: Watched): void {
    this.#watched.delete(watched);
  }

  #look(): void {
    if (this.#watched.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const now = performance.now();
    for (const watched of this.#watched) if (watched.limit <= now) watched.overdue(now);
  }
}
