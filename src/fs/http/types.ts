import type { IncomingHttpHeaders } from "node:http";
import type { HttpBody } from "./body.js";
import type { Explanation, HttpError } from "./errors.js";

export type { Explanation } from "./errors.js";

/** Where requests of one endpoint go; made once by `originOf`, not per request. */
export interface Origin {
  protocol: "http:" | "https:";
  hostname: string;
  /** The scheme's own port when left out. */
  port: number | undefined;
  /** The value of the `Host` header: the port is part of it unless it is the scheme's own. */
  host: string;
  /** Path of the endpoint that every request path starts with, which the driver puts there: `` or `/some/path`. */
  base: string;
}

/** One try of a request, built and signed. */
export interface SignedRequest {
  method: string;
  origin: Origin;
  /** Path and query exactly as sent: percent-encoded, starting with `/`. */
  path: string;
  /** Without `host` and `content-length`, which the transport adds. */
  headers: Readonly<Record<string, string>>;
  /** Sent with its length; PUT and POST without content send an empty one. One body may come in pieces. */
  body?: Uint8Array | readonly Uint8Array[] | undefined;
}

export interface HttpRequest {
  /** Builds and signs one try. Called again for each; `now` is milliseconds since 1970 by the server's clock. */
  prepare(now: number): SignedRequest | Promise<SignedRequest>;
  signal?: AbortSignal | undefined;
  /** Statuses that are an answer besides 2xx, for example 308. All others are thrown as {@link HttpError}. */
  accept?: readonly number[] | undefined;
  /** When given, exactly these statuses are an answer, and any other 2xx is a failure that may have been carried out. */
  statuses?: readonly number[] | undefined;
  /** Milliseconds without a byte after which the try is given up; the client's `idle` when left out. */
  idleTimeoutMs?: number | undefined;
  /** How often it is sent at most; 1 = never again. The client's `tries` when left out. */
  maxAttempts?: number | undefined;
}

/** The head of an answer. */
export interface HttpHead {
  status: number;
  headers: IncomingHttpHeaders;
  /** How many tries it took. */
  attempts: number;
  /** Whether an earlier try, whose answer was lost, may have been carried out. */
  ambiguous: boolean;
}

export interface HttpResponse extends HttpHead {
  body: HttpBody;
}

export interface HttpText extends HttpHead {
  text: string;
}

/** How one provider's server talks. */
export interface ServiceProtocol {
  /** `text` is the error body, at most 64 KiB of it. */
  parseError(status: number, headers: IncomingHttpHeaders, text: string): Explanation;
  /** Whether a 2xx body read by `text` hides a failure, which then counts as a 500. */
  isErrorBody?(text: string): boolean;
  /** Whether the failure passes by itself, besides the statuses 408, 429, 500, 502, 503 and 504. */
  isRetryable?(error: HttpError): boolean;
  /** Whether the answer says that the request was not carried out, where its status leaves that open. */
  declined?(error: HttpError): boolean;
  /** Whether a refusal (400, 401, 403) is about the time or the signature that holds it; any of them when left out. */
  aboutTime?(error: HttpError): boolean;
  /** Removes the cause (new credentials, another region). True: send again at once. Called at most 3 times a request. */
  recover?(error: HttpError, headers: IncomingHttpHeaders, sent: SignedRequest): boolean | Promise<boolean>;
}

export interface HttpOptions {
  protocol: "http:" | "https:";
  dialect: ServiceProtocol;
  /** Sockets at most; further requests wait. 256 when left out. */
  maxSockets?: number | undefined;
  /** Milliseconds until a connection must stand. 10,000 when left out. */
  connectTimeoutMs?: number | undefined;
  /** Milliseconds of waiting without a byte; time that the consumer spends does not count. 10,000 when left out. */
  idleTimeoutMs?: number | undefined;
  /** Milliseconds for a request from its first try to the last byte of its body. No limit when left out. */
  requestTimeoutMs?: number | undefined;
  /** How often a request is sent at most. 6 when left out. */
  maxAttempts?: number | undefined;
  tls?: { ca?: string | Buffer | undefined; rejectUnauthorized?: boolean | undefined } | undefined;
  /** Read for `NODE_USE_ENV_PROXY` and the proxy variables that Node itself honours with it. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
}
