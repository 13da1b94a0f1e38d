/**
 * The only HTTP client, for all clouds: keep-alive, retries, timeouts and byte accounting, nothing provider-specific.
 */
import type { IncomingHttpHeaders } from "node:http";
import { pause } from "../../concurrency.js";
import { invalid } from "../../errors.js";
import {
  HttpError,
  IncompleteBodyError,
  isSuccess,
  mayHaveSucceeded,
  networkError,
  responseError,
  unexpectedResponse,
} from "./errors.js";
import { type Answer, type ExchangeLimits, exchange, Watchdog, type Wire } from "./exchange.js";
import { nodeTransport } from "./node-transport.js";
import type { Transport } from "./transport.js";
import type {
  HttpClient,
  HttpOptions,
  HttpRequest,
  HttpResponse,
  HttpText,
  Origin,
  ServiceProtocol,
  SignedRequest,
} from "./types.js";

const MAX_SOCKETS = 256;
const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 10_000;
const MAX_ATTEMPTS = 6;
const MAX_RECOVERIES = 3;
const MAX_ERROR_BODY_BYTES = 64 * 1024;
/** Maximum size in bytes of a response read as text: a page of a listing with 1,000 keys fits easily. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;
/** Servers refuse signed requests from a skew of 5 (GCS presigned) or 15 (S3, Azure) minutes on. */
const MAX_CLOCK_SKEW_MS = 4 * 60_000;

/** Parses an endpoint such as `http://127.0.0.1:9000`; a path becomes `base`. */
export function originOf(endpoint: string): Origin {
  const { protocol, hostname, port, host, pathname, search, username } = parseEndpoint(endpoint);
  if (search || username) throw invalid("an endpoint has neither a user nor a query");
  const base = pathname.replace(/\/+$/, "");
  // A socket wants an IPv6 address bare, the Host header in brackets.
  return {
    protocol: protocol as Origin["protocol"],
    hostname: hostname.replace(/^\[|\]$/g, ""),
    port: port ? Number(port) : undefined,
    host,
    base,
  };
}

function parseEndpoint(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) throw invalid("an endpoint looks like https://host or http://host:port");
  return url;
}

/** Opens a client for the origins of one protocol. */
export async function openHttp(options: HttpOptions): Promise<HttpClient> {
  const { maxSockets = MAX_SOCKETS, openSockets, observe } = options;
  const transport = await (openSockets?.(options, maxSockets) ?? nodeTransport(options, maxSockets));
  const http = new Http(options, transport);
  return observe ? observe(http) : http;
}

/** One failed attempt: the failure, the response headers if any, and the request as sent. */
interface FailedAttempt {
  error: HttpError;
  headers: IncomingHttpHeaders;
  sent: SignedRequest;
}

/** The progress of one request. */
interface RequestProgress {
  attempts: number;
  recoveries: number;
  delay: number;
  ambiguous: boolean;
}

export class Http implements HttpClient {
  readonly #service: ServiceProtocol;
  readonly #wire: Wire;
  readonly #options: HttpOptions;
  readonly #budget = new RetryBudget();
  /** The server's clock minus ours in milliseconds, learned when the server refused a signature for it. */
  #skew = 0;
  #closed = false;

  /** Use {@link openHttp}. */
  constructor(options: HttpOptions, transport: Transport) {
    const {
      connectTimeoutMs = CONNECT_TIMEOUT_MS,
      idleTimeoutMs = IDLE_TIMEOUT_MS,
      requestTimeoutMs = Number.POSITIVE_INFINITY,
    } = options;
    this.#options = options;
    this.#service = options.service;
    const watch = new Watchdog(Math.min(connectTimeoutMs, idleTimeoutMs, requestTimeoutMs));
    this.#wire = { transport, watch, connectTimeoutMs, idleTimeoutMs };
  }

  now(): number {
    return Date.now() + this.#skew;
  }

  send(request: HttpRequest): Promise<HttpResponse> {
    return this.#run(request, responseOf);
  }

  text(request: HttpRequest, max = MAX_TEXT_BYTES): Promise<HttpText> {
    return this.#run(request, async ({ status, headers, body }, { attempts, ambiguous }, method) => {
      const text = await body.text(max);
      if (this.#service.isErrorBody?.(text))
        throw responseError(method, 500, this.#service.parseError(500, headers, text), undefined);
      return { status, headers, text, attempts, ambiguous: ambiguous };
    });
  }

  close(): void {
    this.#closed = true;
    this.#wire.transport.close();
  }

  async #run<T>(
    request: HttpRequest,
    take: (answer: Answer, course: RequestProgress, method: string) => T | Promise<T>,
  ): Promise<T> {
    const course: RequestProgress = { attempts: 0, recoveries: 0, delay: 0, ambiguous: false };
    const limits = this.#limits(request);
    for (;;) {
      if (this.#closed) throw invalid("the storage is closed");
      const prepared = request.prepare(this.now());
      const out = prepared instanceof Promise ? await prepared : prepared;
      request.signal?.throwIfAborted();
      course.attempts++;
      let failed: FailedAttempt;
      try {
        const answer = await exchange(this.#wire, out, limits);
        if (isAnswer(answer.status, request)) {
          const taken = await take(answer, course, out.method);
          this.#budget.refund();
          return taken;
        }
        failed = await this.#readError(out, answer);
      } catch (error) {
        failed = { error: asHttpError(error, out, request.signal), headers: {}, sent: out };
      }
      await this.#prepareRetry(failed, request, course);
    }
  }

  #limits({ signal, idleTimeoutMs = this.#wire.idleTimeoutMs }: HttpRequest): ExchangeLimits {
    const { requestTimeoutMs } = this.#options;
    return {
      signal,
      idleTimeoutMs,
      deadline: requestTimeoutMs ? performance.now() + requestTimeoutMs : Number.POSITIVE_INFINITY,
    };
  }

  async #readError(sent: SignedRequest, { status, headers, body }: Answer): Promise<FailedAttempt> {
    // The status says more than a body that does not arrive.
    const text = await body.head(MAX_ERROR_BODY_BYTES).then(
      ({ data }) => data.toString("utf8"),
      () => "",
    );
    if (isSuccess(status)) {
      return {
        error: unexpectedResponse(sent.method, status, "unexpected status for this request"),
        headers,
        sent,
      };
    }
    const wait = retryAfter(headers["retry-after"], Date.now());
    return {
      error: responseError(sent.method, status, this.#service.parseError(status, headers, text), wait),
      headers,
      sent,
    };
  }

  /** Returns if the request should be sent again, else throws. */
  async #prepareRetry(failed: FailedAttempt, request: HttpRequest, course: RequestProgress): Promise<void> {
    const { error } = failed;
    request.signal?.throwIfAborted();
    error.attempts = course.attempts;
    course.ambiguous ||= mayHaveSucceeded(error) && this.#service.declined?.(error) !== true;
    error.ambiguous = course.ambiguous;
    if (await this.#mended(failed, course)) return;
    const { maxAttempts = this.#options.maxAttempts ?? MAX_ATTEMPTS } = request;
    const passing = isRetryable(error) || this.#service.isRetryable?.(error) === true;
    if (!passing || course.attempts >= triesFor(error, maxAttempts) || !this.#budget.spend(error)) throw error;
    course.delay = delayAfter(error, course.delay);
    await pause(course.delay, request.signal);
  }

  async #mended({ error, headers, sent }: FailedAttempt, course: RequestProgress): Promise<boolean> {
    if (error.kind !== "answer" || course.recoveries >= MAX_RECOVERIES) return false;
    if (!this.#learnClock(error, headers) && !(await this.#service.recover?.(error, headers, sent))) return false;
    course.recoveries++;
    return true;
  }

  /** Blames a refused signature on the clock if it is minutes off. */
  #learnClock(error: HttpError, { date = "" }: IncomingHttpHeaders): boolean {
    const { status } = error;
    if (status !== 400 && status !== 401 && status !== 403) return false;
    if (this.#service.aboutTime?.(error) === false) return false;
    const skew = Date.parse(date) - Date.now();
    if (!(Math.abs(skew - this.#skew) > MAX_CLOCK_SKEW_MS)) return false;
    this.#skew = skew;
    return true;
  }
}

function responseOf({ status, headers, body }: Answer, { attempts, ambiguous }: RequestProgress): HttpResponse {
  return { status, headers, body, attempts, ambiguous: ambiguous };
}

function isAnswer(status: number, { accept, statuses }: HttpRequest): boolean {
  if (statuses) return statuses.includes(status);
  return isSuccess(status) || accept?.includes(status) === true;
}

function asHttpError(error: unknown, { method }: SignedRequest, signal: AbortSignal | undefined): HttpError {
  if (signal?.aborted) throw signal.reason;
  if (error instanceof HttpError) return error;
  if (error instanceof IncompleteBodyError) return networkError(method, error);
  throw error;
}

const FIRST_DELAY = 50;
const LONGEST_DELAY = 10_000;
const LONGEST_RETRY_AFTER = 60_000;

const TOKENS = 500;
const COST = 5;
const COST_OF_TIMEOUT = 10;
const REFUND = 1;

/** The maximum number of attempts for failures that seldom pass within seconds. */
const TRIES_WHEN_HOPELESS = 3;

/** The retries that one client may still send, so that a storm of failures does not multiply its requests. */
class RetryBudget {
  #tokens = TOKENS;

  /** Pays for a retry after `error`; returns false if the budget is too low. */
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

/**
 * Returns the milliseconds before a retry: decorrelated jitter
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter), or the server's own delay if longer.
 */
function delayAfter(error: HttpError, previous: number): number {
  const most = Math.max(FIRST_DELAY, previous * 3);
  const jitter = Math.min(LONGEST_DELAY, FIRST_DELAY + Math.random() * (most - FIRST_DELAY));
  return Math.max(jitter, Math.min(LONGEST_RETRY_AFTER, error.retryAfter ?? 0));
}

/** Returns the maximum number of attempts for a request that failed with `error`. */
function triesFor(error: HttpError, tries: number): number {
  const hopeless = error.kind === "timeout" || error.code === "ENOTFOUND";
  return hopeless ? Math.min(tries, TRIES_WHEN_HOPELESS) : tries;
}

const PASSING: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

/** Returns whether the failure is transient as far as HTTP says. */
function isRetryable(error: HttpError): boolean {
  if (error.kind === "answer") return PASSING.has(error.status);
  return error.kind !== "tls" && error.code !== "DEADLINE";
}

/** Parses `Retry-After`, in seconds or as a date, to milliseconds. */
function retryAfter(header: string | undefined, now: number): number | undefined {
  if (!header) return undefined;
  const seconds = Number(header);
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now;
  return wait > 0 ? wait : undefined;
}
