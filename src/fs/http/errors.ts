import type { ErrorCode } from "../../errors.js";

/** The explanation of a failure in a provider's response. */
export interface Explanation {
  code?: string | undefined;
  detail?: string | undefined;
  requestId?: string | undefined;
  /** For the service's own `recover`: the right value. */
  hint?: string | undefined;
}

/** `answer`: the server refused. The others: no complete response arrived. */
export type HttpFailure = "answer" | "network" | "tls" | "timeout";

/** A failed request. Holds neither query, header nor body, and so no secret. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  /** The number of times the request was sent. */
  attempts = 1;
  /** Whether an attempt whose response was lost, this one or an earlier, may have taken effect. */
  ambiguous = false;
  /** Whether `ambiguous` is only a suspicion: an official client retries by itself without reporting it. */
  suspected = false;
  /** A detail of the response for the service's own use. */
  hint: string | undefined;

  constructor(
    readonly kind: HttpFailure,
    readonly method: string,
    /** 0 without a response. */
    readonly status: number,
    /** The provider's code, or Node's (`ECONNRESET`) without a response. */
    readonly code: string | undefined,
    readonly detail: string,
    readonly requestId: string | undefined = undefined,
    /** Milliseconds that the server asks to wait. */
    readonly retryAfter: number | undefined = undefined,
  ) {
    const what = [status || "", code ?? ""].filter(Boolean).join(" ");
    super(`${method} ${what}${detail ? `: ${detail}` : ""}${requestId ? ` [request ${requestId}]` : ""}`);
  }
}

/** The failure of a body that ended early or exceeded its length. The part already delivered is valid. */
export class IncompleteBodyError extends Error {
  override readonly name = "IncompleteBodyError";

  constructor(
    /**
     * `reset`: the connection dropped; `short`: the end came early; `long`: more bytes than promised; `stalled`: no
     * bytes for too long.
     */
    readonly kind: "reset" | "short" | "long" | "stalled",
    /** Bytes received. */
    readonly received: number,
    /** Bytes promised, if known. */
    readonly expected: number | undefined,
  ) {
    super(`the body ended ${kind} after ${received} of ${expected ?? "unknown"} bytes`);
  }
}

const LONGEST_DETAIL = 300;
/** Maximum length of a provider's code, and of a request id. */
const LONGEST_NAME = 100;

/** Formats the server's text for a message: one line without control characters. */
function printable(text: string | undefined, longest: number): string | undefined {
  const line = text?.slice(0, 4 * longest).replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, " ");
  return line?.trim().slice(0, longest) || undefined;
}

/** 32 bytes in base64: some servers repeat the customer's key of a request. */
const KEYS = /[\w+/]{43}=/g;

/** Returns the failure that an error response describes. */
export function responseError(
  method: string,
  status: number,
  { code, detail, requestId, hint }: Explanation,
  retryAfter: number | undefined,
): HttpError {
  const names = { code: printable(code, LONGEST_NAME), requestId: printable(requestId, LONGEST_NAME) };
  const line = printable(detail?.replace(KEYS, "[redacted]"), LONGEST_DETAIL) ?? "";
  const error = new HttpError("answer", method, status, names.code, line, names.requestId, retryAfter);
  error.hint = hint;
  return error;
}

/**
 * Returns the failure behind an error of a socket, a resolver or the parser. Omits the original: it may carry bytes.
 */
export function networkError(method: string, error: unknown): HttpError {
  if (error instanceof IncompleteBodyError) {
    return new HttpError(error.kind === "stalled" ? "timeout" : "network", method, 0, "INCOMPLETE_BODY", error.message);
  }
  const { code = "", message = String(error) } = error as NodeJS.ErrnoException;
  const detail = printable(message.replace(NO_TLS, "$1; is it http://?"), LONGEST_DETAIL) ?? "";
  return new HttpError(kindOf(code), method, 0, code || undefined, detail);
}

/** What OpenSSL says, with a line of its source, of a server that answers without TLS. */
const NO_TLS = /.*:(wrong version number|packet length too long):.*/s;

function kindOf(code: string): HttpFailure {
  if (code === "ETIMEDOUT" || code === "ESOCKETTIMEDOUT") return "timeout";
  return TLS.test(code) ? "tls" : "network";
}

const TLS = /^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH|EPROTO$)/;

/** Returns whether the server may have carried out a request that failed in this way. */
export function mayHaveSucceeded(error: HttpError): boolean {
  if (error.kind === "answer") return isSuccess(error.status) || (error.status >= 500 && error.status !== 501);
  return error.kind !== "tls" && !NEVER_SENT.has(error.code ?? "");
}

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/** Returns the failure for a success status outside the protocol: something other than the service responded. */
export function unexpectedResponse(method: string, status: number, detail: string): HttpError {
  const error = new HttpError("answer", method, status, "UnexpectedAnswer", detail);
  error.ambiguous = true;
  return error;
}

const NEVER_SENT = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "CONNECT_TIMEOUT",
]);

/** Returns the category of a transport error by status alone; drivers check the provider's codes, 409 and 412 first. */
export function codeOfHttp(error: unknown): ErrorCode | undefined {
  if (error instanceof IncompleteBodyError) return BY_KIND[error.kind];
  if (!(error instanceof HttpError)) return undefined;
  if (error.kind !== "answer") return error.kind === "timeout" ? "Timeout" : "Unavailable";
  if (error.status < 400) return "Unsupported";
  return BY_STATUS[error.status] ?? (error.status >= 500 ? "Unavailable" : "InvalidArgument");
}

/** A body that is too long is a server bug that a retry repeats; missing bytes may arrive then. */
const BY_KIND: Record<IncompleteBodyError["kind"], ErrorCode> = {
  reset: "Unavailable",
  short: "Unavailable",
  long: "Corrupt",
  stalled: "Timeout",
};

const BY_STATUS: Readonly<Record<number, ErrorCode | undefined>> = {
  401: "Unauthenticated",
  403: "PermissionDenied",
  404: "NotFound",
  408: "Timeout",
  410: "NotFound",
  412: "PreconditionFailed",
  413: "TooLarge",
  429: "Throttled",
  501: "Unsupported",
};
