import type { HttpError } from "./error.js";

const FIRST_DELAY = 50;
const LONGEST_DELAY = 10_000;
const LONGEST_RETRY_AFTER = 60_000;

const TOKENS = 500;
const COST = 5;
const COST_OF_TIMEOUT = 10;
const REFUND = 1;

/** Failures that seldom pass within seconds are tried this often at most. */
const TRIES_WHEN_HOPELESS = 3;

/** What one client may still spend on retries, so that a storm of failures does not multiply its requests. */
export class RetryBudget {
  #tokens = TOKENS;

  /** Pays for sending again after `error`; false when it cannot be paid. */
  spend(error: HttpError): boolean {
    const cost = error.kind === "timeout" ? COST_OF_TIMEOUT : COST;
    if (cost > this.#tokens) return false;
    this.#tokens -= cost;
    return true;
  }

  refund(): void {
    if (this.#tokens < TOKENS) this.#tokens += REFUND;
  }
}

/** Milliseconds to wait before sending again: decorrelated jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter), or what the server asks for if that is more. */
export function delayAfter(error: HttpError, previous: number): number {
  const most = Math.max(FIRST_DELAY, previous * 3);
  const jitter = Math.min(LONGEST_DELAY, FIRST_DELAY + Math.random() * (most - FIRST_DELAY));
  return Math.max(jitter, Math.min(LONGEST_RETRY_AFTER, error.retryAfter ?? 0));
}

/** How often a request that failed with `error` may be sent in all. */
export function triesFor(error: HttpError, tries: number): number {
  const hopeless = error.kind === "timeout" || error.code === "ENOTFOUND";
  return hopeless ? Math.min(tries, TRIES_WHEN_HOPELESS) : tries;
}

const PASSING: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

/** Whether the failure passes by itself as far as HTTP says. */
export function isPassing(error: HttpError): boolean {
  if (error.kind === "answer") return PASSING.has(error.status);
  return error.kind !== "tls" && error.code !== "DEADLINE";
}

/** `Retry-After` in milliseconds: seconds or a date. */
export function retryAfter(header: string | undefined, now: number): number | undefined {
  if (!header) return undefined;
  const seconds = Number(header);
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now;
  return wait > 0 ? wait : undefined;
}
