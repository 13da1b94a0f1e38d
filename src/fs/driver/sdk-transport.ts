/** The transport of this library, with an official client in place of Node's own `request`. */
import { EventEmitter } from "node:events";
import type { Agent, ClientRequest, IncomingHttpHeaders, RequestOptions } from "node:http";
import { finished, Readable } from "node:stream";
import { Http } from "../http/client.js";
import type { HttpClient, ServiceProtocol } from "../http/types.js";
import type { DriverContext } from "./driver.js";

/** One signed attempt, for a client to send. */
export interface ClientRequestOptions {
  method: string;
  hostname: string;
  port: number | undefined;
  /** With the query, as sent. */
  path: string;
  /** With `host` and, for a body, `content-length`. */
  headers: Record<string, string>;
  /** A long body is a stream, whose progress shows that the connection is alive. */
  body: Buffer | Readable | undefined;
  signal: AbortSignal;
}

/** A response with an unread body. */
export interface ClientResponse {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Undefined if there is none. */
  body?: Readable | ReadableStream<Uint8Array> | undefined;
}

/** Sends one request once, without retries. */
export type ClientSend = (request: ClientRequestOptions) => Promise<ClientResponse>;

/**
 * Returns an `Http` that sends through a client, with the same retries, timeouts, checks and errors as every other
 * driver.
 */
export function clientHttp(
  protocol: "http:" | "https:",
  service: ServiceProtocol,
  gate: Gate,
  { observe }: Pick<DriverContext, "observe">,
  send: ClientSend,
): HttpClient {
  const request = (options: RequestOptions) => new ClientExchange(options, gate, send) as unknown as ClientRequest;
  const http = new Http({ protocol, service }, request, NO_AGENT as Agent);
  return observe ? observe(http) : http;
}

/** The client keeps its own connections, which stay open when a driver is closed. */
const NO_AGENT = { destroy() {} } as unknown;

/**
 * Admits as many requests as the client has connections, so that waiting for one of them does not count as an idle
 * server. One per client.
 */
export class Gate {
  readonly #limit: () => number;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  constructor(limit: () => number) {
    this.#limit = limit;
  }

  enter(start: () => void): void {
    if (this.#inside >= this.#limit()) this.#waiting.push(start);
    else this.#admit(start);
  }

  leave(): void {
    this.#inside--;
    const next = this.#waiting.shift();
    if (next) this.#admit(next);
  }

  #admit(start: () => void): void {
    this.#inside++;
    start();
  }
}

/** The subset of `ClientRequest` that the transport uses. */
class ClientExchange extends EventEmitter {
  writableEnded = false;
  readonly #options: RequestOptions;
  readonly #gate: Gate;
  readonly #send: ClientSend;
  readonly #abort = new AbortController();
  #upload: RequestBodyStream | undefined;
  #response: Readable | undefined;

  constructor(options: RequestOptions, gate: Gate, send: ClientSend) {
    super();
    this.#options = options;
    this.#gate = gate;
    this.#send = send;
  }

  write(chunk: Uint8Array, taken: () => void): void {
    if (!this.#upload) {
      this.#upload = new RequestBodyStream();
      this.#start(this.#upload);
    }
    this.#upload.give(chunk, taken);
  }

  end(body?: Uint8Array): void {
    this.writableEnded = true;
    if (this.#upload) this.#upload.push(null);
    else this.#start(body && Buffer.from(body.buffer, body.byteOffset, body.byteLength));
  }

  destroy(): void {
    this.#abort.abort();
    this.#upload?.destroy();
    this.#response?.destroy();
  }

  #start(body: ClientRequestOptions["body"]): void {
    this.#gate.enter(() => {
      this.#exchange(body)
        .catch((error: unknown) => void this.emit("error", error))
        .finally(() => this.#gate.leave());
    });
  }

  /** Ends when the response is read, or abandoned. */
  async #exchange(body: ClientRequestOptions["body"]): Promise<void> {
    const { signal } = this.#abort;
    if (signal.aborted) return;
    this.emit("socket");
    const { method = "GET", host: hostname, port, path, headers } = this.#options;
    const where = { method, hostname: String(hostname), port: port ? Number(port) : undefined, path: path ?? "/" };
    const response = await this.#send({ ...where, headers: pairsOf(headers as unknown as string[]), body, signal });
    const message = messageOf(response);
    this.#response = message;
    if (signal.aborted) message.destroy();
    const closed = new Promise<void>((resolve) => void finished(message, { writable: false }, () => resolve()));
    this.emit("response", message);
    await closed;
  }
}

/** The chunks of a long body, each taken on the client's demand. */
class RequestBodyStream extends Readable {
  #taken: (() => void) | undefined;

  give(chunk: Uint8Array, taken: () => void): void {
    this.#taken = taken;
    this.push(chunk);
  }

  override _read(): void {
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
  }
}

/** The transport writes headers as a flat list. */
function pairsOf(list: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let i = 0; i < list.length; i += 2) headers[list[i]!] = list[i + 1]!;
  return headers;
}

function messageOf({ status, headers, body }: ClientResponse): Readable {
  const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  const head = { statusCode: status, headers: Object.fromEntries(lower) as IncomingHttpHeaders };
  return Object.assign(streamOf(body), head);
}

function streamOf(body: ClientResponse["body"]): Readable {
  if (body === undefined) return Readable.from([]);
  return "on" in body ? body : Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]);
}
