import type { ErrorCode } from "../../errors.js";

/** What a provider's answer says about a failure. */
export interface Explanation {
  code?: string | undefined;
  detail?: string | undefined;
  requestId?: string | undefined;
  /** For the dialect's own `mend`: what would have been right. */
  hint?: string | undefined;
}

/** `answer`: the server said no. The others: no whole answer came. */
export type HttpFailure = "answer" | "network" | "tls" | "timeout";

/** A request that failed. Holds neither query, header nor body, so that nothing secret is in it. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  /** How many times the request was sent. */
  attempts = 1;
  /** Whether a try whose answer was lost, this one or an earlier, may have been carried out. */
  ambiguous = false;
  /** Whether `ambiguous` is a suspicion: an official client tries again by itself and does not say so. */
  suspected = false;
  /** What the dialect made of the answer for its own use. */
  hint: string | undefined;

  constructor(
    readonly kind: HttpFailure,
    readonly method: string,
    /** 0 without an answer. */
    readonly status: number,
    /** The provider's code, or Node's (`ECONNRESET`) without an answer. */
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

/** The rest of a body did not come, or too much came. The part that was delivered before is good. */
export class IncompleteBodyError extends Error {
  override readonly name = "BodyCut";

  constructor(
    /** `reset`: the line dropped; `short`: the end came early; `long`: more came than promised; `stalled`: nothing came for too long. */
    readonly kind: "reset" | "short" | "long" | "stalled",
    /** Bytes that came. */
    readonly received: number,
    /** Bytes that were promised, where that is known. */
    readonly expected: number | undefined,
  ) {
    super(`the body ended ${kind} after ${received} of ${expected ?? "unknown"} bytes`);
  }
}

const LONGEST_DETAIL = 300;
/** Of a provider's code, and of the id of a request. */
const LONGEST_NAME = 100;

/** What a server says as part of a message: one line without control characters. */
function printable(text: string | undefined, longest: number): string | undefined {
  const line = text?.slice(0, 4 * longest).replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, " ");
  return line?.trim().slice(0, longest) || undefined;
}

/** The failure that an answer with an error status describes. */
export function responseError(
  method: string,
  status: number,
  { code, detail, requestId, hint }: Explanation,
  retryAfter: number | undefined,
): HttpError {
  const told = { code: printable(code, LONGEST_NAME), requestId: printable(requestId, LONGEST_NAME) };
  const line = printable(detail, LONGEST_DETAIL) ?? "";
  const error = new HttpError("answer", method, status, told.code, line, told.requestId, retryAfter);
  error.hint = hint;
  return error;
}

/** The failure behind an error of a socket, a resolver or the parser. The original is left out: it may carry bytes. */
export function networkError(method: string, error: unknown): HttpError {
  if (error instanceof IncompleteBodyError) {
    return new HttpError(error.kind === "stalled" ? "timeout" : "network", method, 0, "BODY_CUT", error.message);
  }
  const { code = "", message = String(error) } = error as NodeJS.ErrnoException;
  return new HttpError(kindOf(code), method, 0, code || undefined, message.slice(0, LONGEST_DETAIL));
}

function kindOf(code: string): HttpFailure {
  if (code === "ETIMEDOUT" || code === "ESOCKETTIMEDOUT") return "timeout";
  return TLS.test(code) ? "tls" : "network";
}

const TLS = /^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH|EPROTO$)/;

/** Whether the server may have carried out a request that failed so. */
export function mayHaveSucceeded(error: HttpError): boolean {
  if (error.kind === "answer") return isSuccess(error.status) || (error.status >= 500 && error.status !== 501);
  return error.kind !== "tls" && !NEVER_SENT.has(error.code ?? "");
}

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/** The failure that is a success which the protocol does not have: the answer of something else than the service. */
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

/** The category of a transport error by status alone; drivers look at the provider's codes, 409 and 412 first. */
export function codeOfHttp(error: unknown): ErrorCode | undefined {
  if (error instanceof IncompleteBodyError) return BY_CUT[error.kind];
  if (!(error instanceof HttpError)) return undefined;
  if (error.kind !== "answer") return error.kind === "timeout" ? "Timeout" : "Unavailable";
  if (error.status < 400) return "Unsupported";
  return BY_STATUS[error.status] ?? (error.status >= 500 ? "Unavailable" : "InvalidArgument");
}

/** A body that runs over is a lie of the server's that the next try repeats; what is missing may come then. */
const BY_CUT: Record<IncompleteBodyError["kind"], ErrorCode> = {
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
