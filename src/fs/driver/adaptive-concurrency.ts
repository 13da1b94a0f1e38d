/** Adapts the number of parallel requests of one transfer to the measured throughput. */

/** Bytes per millisecond from which on the line to the server does not limit one request: 160 MiB/s. */
const FAST_RATE = (160 * 2 ** 20) / 1000;

/** Windows below `FAST_RATE` before a single request gets company: one may be slow by chance. */
const SLOW_WINDOWS = 2;

/** Requests in flight after the first step. */
const FIRST_STEP = 4;

/** The least gain that keeps one request more: rates vary by themselves. */
const LEAST_GAIN = 0.04;

/** Windows that a number is kept after a larger one did not pay; doubled each time. */
const HOLD_WINDOWS = 8;

/**
 * Finds how many requests of one transfer should be in flight: doubles while the rate grows with them, then adds one at
 * a time, steps back from what does not pay, and halves when the server refuses. Pure: the caller brings the time.
 */
export class AdaptiveConcurrency {
  #limit: number;
  /** The rate before the last step, in bytes per millisecond. */
  #rate = 0;
  /** The number before the last step, until that is judged. */
  #before: number | undefined;
  #doubling = true;
  #slow = 0;
  #hold = 0;
  #patience = HOLD_WINDOWS;
  #refused = false;
  #bytes = 0;
  #since: number | undefined;

  /** `unitBytes`: what one request moves; a window is one of them for each in flight. */
  constructor(
    readonly most: number,
    readonly unitBytes: number,
    initial = 1,
  ) {
    this.#limit = Math.min(initial, most);
  }

  get limit(): number {
    return this.#limit;
  }

  /**
   * Counts bytes that have moved by `now`, in milliseconds of any clock that stays the same while `limit` does. With
   * one request that is the time that it was waited for, so that a slow consumer is not taken for a slow line.
   */
  recordBytes(bytes: number, now: number): void {
    if (this.#since === undefined) {
      this.#since = now;
      return;
    }
    this.#bytes += bytes;
    if (this.#bytes < this.#window()) return;
    const rate = this.#bytes / Math.max(now - this.#since, 0.001);
    const { limit } = this;
    this.#judge(rate);
    this.#refused = false;
    this.#bytes = 0;
    this.#since = this.limit === limit ? now : undefined;
  }

  /** Reacts to a 503, a 429, a time-out or a broken connection; once per window, since they come together. */
  recordRefusal(): void {
    if (this.#refused) return;
    this.#set(Math.max(1, Math.floor(this.#limit / 2)));
    this.#doubling = false;
    this.#rest();
    this.#refused = true;
  }

  /** Evaluates a single request early, because until then all data arrives over one connection. */
  #window(): number {
    return this.#limit === 1 && this.#doubling ? this.unitBytes / 8 : this.#limit * this.unitBytes;
  }

  #judge(rate: number): void {
    if (this.#hold > 0) {
      this.#hold--;
      return;
    }
    if (this.#before !== undefined && !this.#pays(rate, this.#before)) {
      this.#set(this.#before);
      this.#doubling = false;
      this.#rest();
      return;
    }
    if (this.#limit === 1 && !this.#isSlow(rate)) return;
    this.#rate = rate;
    this.#grow();
  }

  /** An eighth of what the added requests could bring at best: a wrong step back costs more than a wrong step up. */
  #pays(rate: number, before: number): boolean {
    return rate >= this.#rate * (1 + Math.max(LEAST_GAIN, (this.#limit / before - 1) / 8));
  }

  #isSlow(rate: number): boolean {
    this.#slow = rate < FAST_RATE ? this.#slow + 1 : 0;
    return this.#slow >= SLOW_WINDOWS;
  }

  #grow(): void {
    const before = this.#limit;
    const wanted = this.#doubling ? Math.max(FIRST_STEP, before * 2) : before + 1;
    this.#set(Math.min(this.most, wanted));
    if (this.#limit > before) this.#before = before;
  }

  #rest(): void {
    this.#hold = this.#patience;
    this.#patience *= 2;
  }

  #set(limit: number): void {
    this.#limit = limit;
    this.#before = undefined;
    this.#slow = 0;
    this.#bytes = 0;
    this.#since = undefined;
  }
}
