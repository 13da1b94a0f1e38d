import type { IncomingHttpHeaders } from "node:http";
import { type BodyOwner, HttpBody } from "./body.js";
import { HttpError, networkError } from "./errors.js";
import type { BodySource, OutgoingRequest, ResponseListener, Transport } from "./transport.js";
import type { SignedRequest } from "./types.js";

/** Bytes of a large body passed to the socket at once; each pass counts as progress. */
const SLICE = 256 * 1024;

/** The settings that all exchanges of one client share. */
export interface Wire {
  transport: Transport;
  watch: Watchdog;
  connectTimeoutMs: number;
  idleTimeoutMs: number;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: HttpBody;
}

export interface ExchangeLimits {
  signal: AbortSignal | undefined;
  /** Milliseconds without a byte. */
  idleTimeoutMs: number;
  /** `performance.now()` by which the whole request must have ended. */
  deadline: number;
}

/** Sends one request once. Rejects with HttpError, or with the reason of an abort, which also closes the connection. */
export function exchange(wire: Wire, out: SignedRequest, limits: ExchangeLimits): Promise<Answer> {
  return new Promise((resolve, reject) => new Exchange(wire, out, limits, resolve, reject).start());
}

/** One request and its response on a connection, until the last byte of the body. */
class Exchange implements Watched, BodyOwner, ResponseListener {
  limit: number;
  slot = -1;
  /** `performance.now()` since which the reader waits for bytes. */
  #since = 0;
  #request: OutgoingRequest | undefined;
  #body: HttpBody | undefined;
  #over = false;

  constructor(
    readonly wire: Wire,
    readonly out: SignedRequest,
    readonly limits: ExchangeLimits,
    readonly resolve: (answer: Answer) => void,
    readonly reject: (error: unknown) => void,
  ) {
    this.limit = limits.deadline;
  }

  start(): void {
    const request = this.wire.transport.begin(this.out, this);
    this.#request = request;
    this.wire.watch.add(this);
    this.limits.signal?.addEventListener("abort", this, { once: true });
    this.#send(request);
  }

  assigned(): void {
    // Waiting for one of the client's own connections does not count as an idle server.
    this.#wait(Math.min(this.wire.connectTimeoutMs, this.limits.idleTimeoutMs));
  }

  responded(
    status: number,
    headers: IncomingHttpHeaders,
    length: number | undefined,
    source: BodySource,
  ): HttpBody | undefined {
    if (this.#over) return undefined;
    this.quiet();
    this.#body = new HttpBody(source, length, this);
    this.resolve({ status, headers, body: this.#body });
    return this.#body;
  }

  failed(error?: Error): void {
    if (this.#body) this.#body.broken("reset");
    else this.#fail(networkError(this.out.method, error));
  }

  waiting(): void {
    this.#wait(this.limits.idleTimeoutMs);
  }

  quiet(): void {
    this.limit = this.limits.deadline;
  }

  done(): void {
    this.#over = true;
    this.wire.watch.delete(this);
    this.limits.signal?.removeEventListener("abort", this);
    // Answered before the whole request was sent: the connection cannot be reused.
    if (!this.#request?.writableEnded) this.#request?.destroy();
  }

  cut(): void {
    this.done();
    this.#request?.destroy();
  }

  overdue(now: number): void {
    if (now >= this.limits.deadline) this.#fail(this.#timeout("DEADLINE", "the request took too long"));
    else if (this.#body) this.#body.broken("stalled");
    else this.#silent(now, this.#request?.socket?.connecting === true);
  }

  #silent(now: number, connecting: boolean): void {
    const end = this.#since + (connecting ? this.wire.connectTimeoutMs : this.limits.idleTimeoutMs);
    if (now < end) this.limit = Math.min(end, this.limits.deadline);
    else if (connecting) this.#fail(this.#timeout("CONNECT_TIMEOUT", "no connection in time"));
    else this.#fail(this.#timeout("IDLE_TIMEOUT", "silent for too long"));
  }

  /** The signal has aborted. */
  handleEvent(): void {
    this.#fail(this.limits.signal?.reason, true);
  }

  #wait(patience: number): void {
    this.#since = performance.now();
    this.limit = Math.min(this.#since + patience, this.limits.deadline);
  }

  #timeout(code: string, detail: string): HttpError {
    return new HttpError("timeout", this.out.method, 0, code, detail);
  }

  #fail(error: unknown, now = false): void {
    if (this.#over) return;
    if (!this.#body) this.reject(error);
    this.#body?.fail(error, now);
    this.cut();
  }

  #send(request: OutgoingRequest): void {
    const { body } = this.out;
    if (!body) request.end();
    else if (body instanceof Uint8Array && body.byteLength <= SLICE) request.end(body);
    else this.#feed(request, slices(body instanceof Uint8Array ? [body] : body));
  }

  #feed(request: OutgoingRequest, rest: Iterator<Uint8Array>): void {
    const { done, value } = rest.next();
    if (this.#over || this.#body) return;
    this.waiting();
    if (done) request.end();
    else request.write(value, () => this.#feed(request, rest));
  }
}

function* slices(pieces: readonly Uint8Array[]): Generator<Uint8Array, undefined> {
  for (const piece of pieces) {
    for (let at = 0; at < piece.byteLength; at += SLICE) yield piece.subarray(at, at + SLICE);
  }
}

/** A wait that must end by a point in time. */
interface Watched {
  /** By `performance.now()`; Infinity while nothing waits. */
  limit: number;
  /** Index of this entry in the watchdog's list. */
  slot: number;
  /** Called after the limit has passed, until the watch ends or the limit moves. */
  overdue(now: number): void;
}

/** Watches all exchanges of one client with a single timer, so that no chunk or request starts its own. */
export class Watchdog {
  // No Set: the tables that it outgrows point to the next one, so that the collector would keep ended exchanges for
  // long.
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

  /** Does nothing if already deleted. */
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
    // A copy, since overdue entries remove themselves.
    for (const watched of [...this.#watched]) if (watched.limit <= now) watched.overdue(now);
  }
}
