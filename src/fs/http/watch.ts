/** Something that must not wait beyond a point in time. */
export interface Watched {
  /** By `performance.now()`; Infinity while nobody waits. */
  limit: number;
  /** The watchdog's own note of where it keeps this. */
  slot: number;
  /** Called when the limit has passed, until the watch ends or the limit moves. */
  overdue(now: number): void;
}

/** Looks after all exchanges of one client with a single timer, so that no chunk or request arms its own. */
export class Watchdog {
  // No Set: the tables that it outgrows point to the next one, so that the collector would keep ended exchanges for long.
  readonly #watched: Watched[] = [];
  readonly #tick: number;
  #timer: NodeJS.Timeout | undefined;

  /** `patience`: the shortest limit in milliseconds; limits are noticed at most a tenth of it late. */
  constructor(patience: number) {
    this.#tick = Math.min(1000, Math.max(5, patience / 10));
  }

  add(watched: Watched): void {
    watched.slot = this.#watched.push(watched) - 1;
    this.#timer ??= setInterval(() => this.#look(), this.#tick).unref();
  }

  /** Does nothing when it has been deleted before. */
  delete(watched: Watched): void {
    if (this.#watched[watched.slot] !== watched) return;
    const last = this.#watched.pop()!;
    if (last === watched) return;
    this.#watched[watched.slot] = last;
    last.slot = watched.slot;
  }

  #look(): void {
    if (this.#watched.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const now = performance.now();
    // A copy, since those that are overdue leave.
    for (const watched of [...this.#watched]) if (watched.limit <= now) watched.overdue(now);
  }
}
