import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import { invalid } from "../../errors.js";
import { type BodyOwner, HttpBody } from "./body.js";
import { HttpError, networkError } from "./errors.js";
import type { SignedRequest } from "./types.js";

/** Bytes of a large body passed to the socket at once; each pass counts as progress. */
const SLICE = 256 * 1024;
const HEADERS_LIMIT = 64 * 1024;

/** The settings that all exchanges of one client share. */
export interface Transport {
  request(options: RequestOptions): ClientRequest;
  agent: Agent;
  watch: Watchdog;
  connectTimeoutMs: number;
  idleTimeoutMs: number;
}

export interface Answer {
  status: number;
  message: IncomingMessage;
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
export function exchange(wire: Transport, out: SignedRequest, limits: ExchangeLimits): Promise<Answer> {
  return new Promise((resolve, reject) => new Exchange(wire, out, limits, resolve, reject).start());
}

/** One request and its response on a connection, until the last byte of the body. */
class Exchange implements Watched, BodyOwner {
  limit: number;
  slot = -1;
  /** `performance.now()` since which the reader waits for bytes. */
  #since = 0;
  #request: ClientRequest | undefined;
  #body: HttpBody | undefined;
  #over = false;

  constructor(
    readonly wire: Transport,
    readonly out: SignedRequest,
    readonly limits: ExchangeLimits,
    readonly resolve: (answer: Answer) => void,
    readonly reject: (error: unknown) => void,
  ) {
    this.limit = limits.deadline;
  }

  start(): void {
    const request = this.#open();
    this.#request = request;
    // Waiting for one of the client's own connections does not count as an idle server.
    request.on("socket", () => this.#wait(Math.min(this.wire.connectTimeoutMs, this.limits.idleTimeoutMs)));
    request.on("response", (message) => this.#respond(message));
    // Stays for the life of the connection: an error after the response must not be an uncaught one.
    request.on("error", (error) => this.#broken(error));
    this.wire.watch.add(this);
    this.limits.signal?.addEventListener("abort", this, { once: true });
    this.#send(request);
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

  #open(): ClientRequest {
    try {
      return this.wire.request(optionsFor(this.wire.agent, this.out));
    } catch (error) {
      // Node refuses characters that no header or request line can carry, and names the header, not the value.
      throw invalid((error as Error).message);
    }
  }

  #timeout(code: string, detail: string): HttpError {
    return new HttpError("timeout", this.out.method, 0, code, detail);
  }

  #broken(error: Error): void {
    if (this.#body) this.#body.broken("reset");
    else this.#fail(networkError(this.out.method, error));
  }

  #fail(error: unknown, now = false): void {
    if (this.#over) return;
    if (!this.#body) this.reject(error);
    this.#body?.fail(error, now);
    this.cut();
  }

  #respond(message: IncomingMessage): void {
    if (this.#over) return;
    const status = message.statusCode ?? 0;
    this.quiet();
    this.#body = new HttpBody(message, promised(this.out.method, status, message), this);
    this.resolve({ status, message, body: this.#body });
  }

  #send(request: ClientRequest): void {
    const { body } = this.out;
    if (!body) request.end();
    else if (body instanceof Uint8Array && body.byteLength <= SLICE) request.end(body);
    else this.#feed(request, slices(body instanceof Uint8Array ? [body] : body));
  }

  #feed(request: ClientRequest, rest: Iterator<Uint8Array>): void {
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

/** Returns the length that the headers promise; a body that may not exist (HEAD, 204, 304) has none. */
function promised(method: string, status: number, message: IncomingMessage): number | undefined {
  if (method === "HEAD" || status === 204 || status === 304) return 0;
  const length = message.headers["content-length"];
  return length === undefined ? undefined : Number(length);
}

/** Returns only options that differ from the default, since Node copies them three times per request. */
function optionsFor(agent: Agent, { method, origin, path, headers, body }: SignedRequest): RequestOptions {
  // Node writes a flat list as it is, without a look-up and a check per header name.
  const list = ["host", origin.host];
  for (const name in headers) list.push(name, headers[name]!);
  if (body) list.push("content-length", String(lengthOf(body)));
  const { hostname: host, port } = origin;
  return { agent, host, port, method, path, headers: list, maxHeaderSize: HEADERS_LIMIT } as RequestOptions;
}

function lengthOf(body: Uint8Array | readonly Uint8Array[]): number {
  if (body instanceof Uint8Array) return body.byteLength;
  return body.reduce((sum, piece) => sum + piece.byteLength, 0);
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
