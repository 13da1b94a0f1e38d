import type { IncomingHttpHeaders } from "node:http";
import type { HttpBody } from "./body.js";
import type { Explanation, HttpError } from "./errors.js";
import type { SignedRequest, Transport } from "./transport.js";

export type { Explanation } from "./errors.js";
export type { Origin, SignedRequest } from "./transport.js";

export interface HttpRequest {
  /** Builds and signs one attempt, on each attempt anew; `now` is milliseconds since 1970 by the server's clock. */
  prepare(now: number): SignedRequest | Promise<SignedRequest>;
  signal?: AbortSignal | undefined;
  /** Statuses accepted besides 2xx, for example 308. All others are thrown as {@link HttpError}. */
  accept?: readonly number[] | undefined;
  /** If given, exactly these statuses are accepted, and any other 2xx is a failure that may have taken effect. */
  statuses?: readonly number[] | undefined;
  /** Milliseconds without a byte after which the attempt fails; the client's by default. */
  idleTimeoutMs?: number | undefined;
  /** The maximum number of attempts; 1 = no retry. The client's by default. */
  maxAttempts?: number | undefined;
}

/** Status and headers of a response. */
export interface HttpHead {
  status: number;
  headers: IncomingHttpHeaders;
  /** The number of attempts. */
  attempts: number;
  /** Whether an earlier attempt, whose response was lost, may have taken effect. */
  ambiguous: boolean;
}

export interface HttpResponse extends HttpHead {
  body: HttpBody;
}

export interface HttpText extends HttpHead {
  text: string;
}

/** Sends requests to one endpoint, with retries. */
export interface HttpClient {
  /** Returns the time by the server's clock in milliseconds since 1970, as far as it is known. */
  now(): number;
  /** Sends until a response is accepted; the caller reads its body or discards it. */
  send(request: HttpRequest): Promise<HttpResponse>;
  /**
   * As `send`, but reads the body as UTF-8 within the retries. Throws TooLarge above `max` bytes, 16 MiB by default.
   */
  text(request: HttpRequest, max?: number): Promise<HttpText>;
  /** Closes all connections, including those in use. */
  close(): void;
}

/** The protocol of one provider's server. */
export interface ServiceProtocol {
  /** `text` is the error body, at most 64 KiB of it. */
  parseError(status: number, headers: IncomingHttpHeaders, text: string): Explanation;
  /** Returns whether a 2xx body read by `text` hides a failure, which then counts as a 500. */
  isErrorBody?(text: string): boolean;
  /** Returns whether the failure is transient, besides the statuses 408, 429, 500, 502, 503 and 504. */
  isRetryable?(error: HttpError): boolean;
  /** Returns whether the response says that the request was not carried out, where its status leaves that open. */
  declined?(error: HttpError): boolean;
  /** Returns whether a refusal (400, 401, 403) concerns the time or its signature; any of them if omitted. */
  aboutTime?(error: HttpError): boolean;
  /**
   * Removes the cause (new credentials, another region). Returns true to retry at once. Called at most 3 times per
   * request.
   */
  recover?(error: HttpError, headers: IncomingHttpHeaders, sent: SignedRequest): boolean | Promise<boolean>;
}

export interface HttpOptions {
  protocol: "http:" | "https:";
  service: ServiceProtocol;
  /** Maximum number of sockets; further requests wait. 256 by default. */
  maxSockets?: number | undefined;
  /** Milliseconds to establish a connection. 10,000 by default. */
  connectTimeoutMs?: number | undefined;
  /** Milliseconds of waiting without a byte; the consumer's own time does not count. 10,000 by default. */
  idleTimeoutMs?: number | undefined;
  /** Milliseconds for a request from its first attempt to the last byte of its body. No limit by default. */
  requestTimeoutMs?: number | undefined;
  /** The maximum number of attempts per request. 6 by default. */
  maxAttempts?: number | undefined;
  tls?: { ca?: string | Buffer | undefined; rejectUnauthorized?: boolean | undefined } | undefined;
  /** The source of `NODE_USE_ENV_PROXY` and the proxy variables that Node itself honours with it. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Opens the transport that is used instead of Node's own client, unless it is undefined. */
  openSockets?: ((options: HttpOptions, maxSockets: number) => Promise<Transport> | undefined) | undefined;
  /** Returns a client that sends through this one, such as one that publishes its requests. */
  observe?: ((http: HttpClient) => HttpClient) | undefined;
}
