/**
 * A recording proxy on the loopback interface, in front of any HTTP server:
 *
 *     const proxy = await recordingProxy(server.endpoint);
 *     const seen = through(server, proxy);         // the same server and connection record, by way of the proxy
 *     ... seen.connection ...
 *     expect(proxy.operations()).toEqual({ write: 1, read: 1 });
 *     proxy.requests[0].headers["if-none-match"]   // what was sent
 *     await proxy.close();
 *
 * Bodies stream through both ways. The Host header is passed on as it came, so signatures stay valid, and `Location`
 * headers that name the server are made to name the proxy. `faults.ts` builds on this.
 */

import type { ServerResponse } from "node:http";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { type Operation, operationOf } from "./operations.js";

/** One request as it arrived, and how it was answered. */
export interface Recorded {
  readonly method: string;
  /** Path and query as sent, still encoded. */
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly operation: Operation;
  /** Of the answer that the client got; missing while there is none, and when there never was one. */
  status?: number;
  /** Name of the fault that this request met, if any. */
  fault?: string;
  /** The connection went before the whole answer was out, be it by a fault of the request before it on the same one. */
  lost?: boolean;
}

/** One request under way: answer it by `relay(exchange, await exchange.forward())`, or otherwise. */
export interface Exchange {
  readonly recorded: Recorded;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Sends the request on, body and all, and resolves with the server's answer, its body not yet read. */
  forward(): Promise<IncomingMessage>;
}

export interface Recorder {
  /** The target's URL with the proxy's host and port. */
  readonly endpoint: string;
  readonly target: string;
  readonly requests: readonly Recorded[];
  /** How many requests of each operation have arrived since the start or the last `clear`. */
  operations(): Partial<Record<Operation, number>>;
  /** Connections that clients hold open right now, idle ones of a keep-alive pool included. */
  connections(): number;
  /** Requests that have neither been answered in full nor broken off. */
  inFlight(): number;
  clear(): void;
  close(): Promise<void>;
}

export interface ProxyOptions {
  /** PEM of the target's authority, when it speaks TLS with a certificate of its own. */
  ca?: string;
  /** Answers one request; relays by default. */
  answer?: (exchange: Exchange) => Promise<void>;
}

/** A proxy that counts and remembers requests and changes nothing. */
export function recordingProxy(target: string, options: { ca?: string } = {}): Promise<Recorder> {
  return startProxy(target, options);
}

/** The same server record by way of the proxy: its endpoint and its connection name the proxy's port. */
export function through<S extends object>(server: S, proxy: Recorder): S {
  const from = new URL(proxy.target).origin;
  return JSON.parse(JSON.stringify(server).replaceAll(from, new URL(proxy.endpoint).origin)) as S;
}

/** A proxy whose every request `answer` deals with. */
export async function startProxy(target: string, options: ProxyOptions = {}): Promise<Recorder> {
  const { answer = async (exchange) => relay(exchange, await exchange.forward()) } = options;
  const requests: Recorded[] = [];
  const sockets = new Set<Socket>();
  const waiting = new WeakMap<Socket, Map<Recorded, ServerResponse>>();
  let inFlight = 0;
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const recorded = record(request, target);
    requests.push(recorded);
    inFlight += 1;
    response.once("close", () => {
      inFlight -= 1;
    });
    waiting.get(request.socket)?.set(recorded, response);
    const forward = () => send(request, target, options.ca);
    // A client or a server that goes away is an event of the test, not a failure of the proxy.
    answer({ recorded, request, response, forward }).catch(() => response.destroy());
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    const answers = new Map<Recorded, ServerResponse>();
    waiting.set(socket, answers);
    socket.on("error", () => {});
    socket.once("close", () => {
      sockets.delete(socket);
      // An answer behind an unfinished one never gets the connection, so its own "close" tells nothing.
      for (const [recorded, { writableFinished }] of answers) if (!writableFinished) recorded.lost = true;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: target.replace(new URL(target).origin, `http://127.0.0.1:${port}`),
    target,
    requests,
    operations: () => countOf(requests),
    connections: () => sockets.size,
    inFlight: () => inFlight,
    clear: () => void requests.splice(0),
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function record(request: IncomingMessage, target: string): Recorded {
  const { method = "GET", headers } = request;
  const url = new URL(request.url ?? "/", target);
  return { method, url, headers, operation: operationOf(method, url, headers) };
}

function countOf(requests: readonly Recorded[]): Partial<Record<Operation, number>> {
  const counts: Partial<Record<Operation, number>> = {};
  for (const { operation } of requests) counts[operation] = (counts[operation] ?? 0) + 1;
  return counts;
}

function send(request: IncomingMessage, target: string, ca: string | undefined): Promise<IncomingMessage> {
  const { protocol, hostname, port } = new URL(target);
  const start = protocol === "https:" ? requestHttps : requestHttp;
  const { method, url: path } = request;
  // One connection per request: a kept one could be closed by the server just as it is used again.
  const headers = { ...request.headers, connection: "close" };
  return new Promise((resolve, reject) => {
    const outgoing = start({ hostname, port, method, path, headers, agent: false, ...(ca ? { ca } : {}) }, resolve);
    outgoing.once("error", reject);
    pipeline(request, outgoing).catch((error) => outgoing.destroy(error));
  });
}

const OF_THE_CONNECTION = new Set(["connection", "keep-alive", "transfer-encoding"]);

/** The answer's headers as the client shall see them; `undefined` removes one. */
export function headersOf(
  exchange: Exchange,
  answer: IncomingMessage,
  changes: Record<string, string | undefined> = {},
): Record<string, string | string[]> {
  const headers: Record<string, string | string[] | undefined> = { ...answer.headers, ...changes };
  const host = exchange.request.headers.host;
  const { location } = answer.headers;
  if (location && host && !("location" in changes)) headers.location = renamed(location, host);
  const kept = Object.entries(headers).filter(([name, value]) => value !== undefined && !OF_THE_CONNECTION.has(name));
  return Object.fromEntries(kept) as Record<string, string | string[]>;
}

/** A Location of the server itself, told as the client knows the server. */
function renamed(location: string, host: string): string {
  if (!URL.canParse(location)) return location;
  const url = new URL(location);
  return url.hostname === "127.0.0.1" ? `http://${host}${url.pathname}${url.search}` : location;
}

/** Passes the server's answer on. */
export async function relay(
  exchange: Exchange,
  answer: IncomingMessage,
  changes: Record<string, string | undefined> = {},
): Promise<void> {
  const { recorded, response } = exchange;
  recorded.status = answer.statusCode ?? 0;
  response.writeHead(recorded.status, headersOf(exchange, answer, changes));
  await pipeline(answer, response);
}
