/** What carries the requests of a client: Node's own client, sockets, or an official library. */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Readable } from "node:stream";

/** The origin of requests to one endpoint; created once by `originOf`, not per request. */
export interface Origin {
  protocol: "http:" | "https:";
  hostname: string;
  /** The scheme's default port if omitted. */
  port: number | undefined;
  /** The value of the `Host` header, with the port unless it is the scheme's default. */
  host: string;
  /** The endpoint's own path, which the driver puts before every request path: `` or `/some/path`. */
  base: string;
}

/** One attempt of a request, built and signed. */
export interface SignedRequest {
  method: string;
  origin: Origin;
  /** Path and query exactly as sent: percent-encoded, starting with `/`. */
  path: string;
  /** Without `host` and `content-length`, which the transport adds. */
  headers: Readonly<Record<string, string>>;
  /** Sent with its length; PUT and POST without content send an empty one. A body may have several pieces. */
  body?: Uint8Array | readonly Uint8Array[] | undefined;
}

/** Sends the requests of one client, over connections that it keeps. */
export interface Transport {
  /** Begins a request, of which nothing is sent yet. Throws InvalidArgument for characters that no request can carry. */
  begin(out: SignedRequest, listener: ResponseListener): OutgoingRequest;
  /** Closes all connections, including those in use. */
  close(): void;
}

/** A request, and the connection that carries it. Node's `ClientRequest` is one. */
export interface OutgoingRequest {
  /** Sends a piece of the body; calls `taken` when the next one may come. */
  write(piece: Uint8Array, taken: () => void): void;
  /** Sends what is left of the request. */
  end(body?: Uint8Array): void;
  /** Whether `end` was called. */
  readonly writableEnded: boolean;
  /** The connection, once there is one. */
  readonly socket?: { readonly connecting: boolean } | null | undefined;
  /** Closes the connection. */
  destroy(): void;
}

/** Where the bytes of a response come from. Node's `IncomingMessage` is one. */
export interface BodySource {
  pause(): void;
  resume(): void;
}

/** Where the bytes of a response go. */
export interface BodySink {
  push(data: Uint8Array): void;
  /** The response is complete. */
  end(): void;
}

export interface ResponseListener {
  /** A connection, maybe one that is being made, carries the request. */
  assigned(): void;
  /**
   * `length` is that of the body; undefined if only its end shows it. Returns where the body goes, or undefined if the
   * request was given up.
   */
  responded(
    status: number,
    headers: IncomingHttpHeaders,
    length: number | undefined,
    source: BodySource,
  ): BodySink | undefined;
  /** The connection failed, or ended without an error. Means nothing after the end of the response. */
  failed(error?: Error): void;
}

/** A response as Node has it. */
export type ResponseMessage = Readable & Pick<IncomingMessage, "statusCode" | "headers">;

/** Hands a response and its bytes to a listener. */
export function respond(listener: ResponseListener, method: string, message: ResponseMessage): void {
  const { statusCode: status = 0, headers } = message;
  const promised = headers["content-length"];
  let length = promised ? Number(promised) : undefined;
  if (method === "HEAD" || status === 204 || status === 304) length = 0;
  const body = listener.responded(status, headers, length, message);
  // Nearly all responses to requests other than reads have no body, which needs no events.
  if (length === 0) {
    message.resume();
    body?.end();
    return;
  }
  message
    .on("data", (data: Uint8Array) => body?.push(data))
    .on("end", () => body?.end())
    // After every error too, which Node does not throw without a listener.
    .on("close", () => listener.failed());
}

/** Returns names and values in turn: Node writes a flat list as it is, without a look-up and a check per name. */
export function headerList({ origin, headers, body }: SignedRequest): string[] {
  const list = ["host", origin.host];
  for (const name in headers) list.push(name, headers[name]!);
  if (body) list.push("content-length", String(lengthOf(body)));
  return list;
}

function lengthOf(body: Uint8Array | readonly Uint8Array[]): number {
  if (body instanceof Uint8Array) return body.byteLength;
  return body.reduce((sum, piece) => sum + piece.byteLength, 0);
}
