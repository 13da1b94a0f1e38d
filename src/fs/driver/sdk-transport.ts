/** The transport of this library, with an official client in place of connections of our own. */
import type { IncomingHttpHeaders } from "node:http";
import { finished, Readable } from "node:stream";
import { Http } from "../http/client.js";
import {
  headerList,
  type OutgoingRequest,
  type ResponseListener,
  type ResponseMessage,
  respond,
  type Transport,
} from "../http/transport.js";
import type { HttpClient, ServiceProtocol, SignedRequest } from "../http/types.js";
import type { DriverContext } from "./driver.js";

/** One signed attempt, for a client to send. */
export interface ClientRequestInit {
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
export type ClientSend = (request: ClientRequestInit) => Promise<ClientResponse>;

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
  const begin: Transport["begin"] = (out, listener) => new ClientExchange(out, listener, gate, send);
  // The client keeps its own connections, which stay open when a driver is closed.
  const http = new Http({ protocol, service }, { begin, close() {} });
  return observe ? observe(http) : http;
}

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

class ClientExchange implements OutgoingRequest {
  writableEnded = false;
  readonly #out: SignedRequest;
  readonly #listener: ResponseListener;
  readonly #gate: Gate;
  readonly #send: ClientSend;
  readonly #abort = new AbortController();
  #upload: Upload | undefined;
  #response: Readable | undefined;

  constructor(out: SignedRequest, listener: ResponseListener, gate: Gate, send: ClientSend) {
    this.#out = out;
    this.#listener = listener;
    this.#gate = gate;
    this.#send = send;
  }

  write(chunk: Uint8Array, taken: () => void): void {
    if (!this.#upload) {
      this.#upload = new Upload();
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

  #start(body: ClientRequestInit["body"]): void {
    this.#gate.enter(() => {
      this.#exchange(body)
        .catch((error: unknown) => this.#listener.failed(error as Error))
        .finally(() => this.#gate.leave());
    });
  }

  /** Ends when the response is read, or abandoned. */
  async #exchange(body: ClientRequestInit["body"]): Promise<void> {
    const { signal } = this.#abort;
    if (signal.aborted) return;
    this.#listener.assigned();
    const { method, origin, path } = this.#out;
    const { hostname, port } = origin;
    const headers = pairsOf(headerList(this.#out));
    const response = await this.#send({ method, hostname, port, path, headers, body, signal });
    const stream = messageOf(response);
    this.#response = stream;
    if (signal.aborted) stream.destroy();
    const closed = new Promise<void>((resolve) => void finished(stream, { writable: false }, () => resolve()));
    respond(this.#listener, method, stream);
    // Other streams than Node's own throw an error that nobody listens to.
    stream.on("error", (error) => this.#listener.failed(error));
    await closed;
  }
}

/** The chunks of a long body, each taken on the client's demand. */
class Upload extends Readable {
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

function messageOf({ status, headers, body }: ClientResponse): ResponseMessage {
  const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  return Object.assign(streamOf(body), {
    statusCode: status,
    headers: Object.fromEntries(lower) as IncomingHttpHeaders,
  });
}

function streamOf(body: ClientResponse["body"]): Readable {
  if (body === undefined) return Readable.from([]);
  return "on" in body ? body : Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]);
}
