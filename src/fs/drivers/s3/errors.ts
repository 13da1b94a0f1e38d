/** Parses errors of S3. */
import type { IncomingHttpHeaders } from "node:http";
import type { ErrorCode } from "../../../errors.js";
import { headerValue } from "../../driver/content.js";
import type { OperationContext } from "../../driver/driver.js";
import { codeOfHttp, HttpError } from "../../http/errors.js";
import type { Explanation } from "../../http/types.js";
import { leafFieldsIf } from "../../http/xml-fields.js";

/** Parses the error document. `hint` is the correct region for the signature. */
export function explain(_status: number, headers: IncomingHttpHeaders, text: string): Explanation {
  const { Code, Message, RequestId, Region } = text.startsWith("<") ? leafFieldsIf(text, "Error") : {};
  const requestId = RequestId ?? headerValue(headers["x-amz-request-id"]);
  const hint = headerValue(headers["x-amz-bucket-region"]) ?? Region;
  return { code: Code, detail: Message, requestId, hint };
}

/** Returns whether a 200 hides a failure: CopyObject and CompleteMultipartUpload send it first and may fail later. */
export function isErrorBody(text: string): boolean {
  return /^\s*(?:<\?xml[^>]*>\s*)?<Error[\s>]/.test(text);
}

/** Codes of expired temporary keys; the third is MinIO's for such keys without their token. */
export const EXPIRED: readonly string[] = ["ExpiredToken", "InvalidToken", "InvalidTokenId", "TokenRefreshRequired"];

const THROTTLED = [
  "SlowDown",
  "SlowDownRead",
  "SlowDownWrite",
  "TooManyRequests",
  "Throttling",
  "ThrottlingException",
  "RequestLimitExceeded",
];

/** Transient, whatever the status. */
const PASSING = [
  ...THROTTLED,
  "ConditionalRequestConflict",
  "OperationAborted",
  "RequestTimeout",
  "PriorRequestNotComplete",
];

export function isRetryable({ code = "" }: HttpError): boolean {
  return PASSING.includes(code);
}

/** Returns whether the request was throttled, which changes nothing. */
export function isThrottled({ code = "" }: HttpError): boolean {
  return THROTTLED.includes(code);
}

const TIMED = ["RequestTimeTooSkewed", "SignatureDoesNotMatch", "RequestExpired"];

/** Returns whether a refusal concerns the time: by the message for AccessDenied; a response to HEAD has no code. */
export function aboutTime({ code, detail }: HttpError): boolean {
  if (code === undefined) return true;
  if (code === "AccessDenied" || code === "InvalidRequest") return /\b(?:time|date|expired)\b/i.test(detail);
  return TIMED.includes(code);
}

/** Codes whose meaning differs from that of their status. */
const CODES: Readonly<Partial<Record<ErrorCode, readonly string[]>>> = {
  Unauthenticated: [...EXPIRED, "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed"],
  Throttled: THROTTLED,
  Timeout: ["RequestTimeout"],
  // The second: the upload was aborted by another party, or has expired; the whole write may succeed later.
  Unavailable: ["OperationAborted", "NoSuchUpload"],
  TooLarge: ["EntityTooLarge", "MetadataTooLarge"],
  Corrupt: ["BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"],
  Unsupported: ["NotImplemented"],
};

function codeNamed(code = ""): ErrorCode | undefined {
  return (Object.keys(CODES) as ErrorCode[]).find((one) => CODES[one]!.includes(code));
}

export function codeOf(error: unknown, call: OperationContext): ErrorCode {
  if (!(error instanceof HttpError)) return codeOfHttp(error) ?? "Unavailable";
  return conditionOf(error, call) ?? codeNamed(error.code) ?? codeOfHttp(error) ?? "Unavailable";
}

/** Returns the code for statuses whose meaning depends on the request. */
function conditionOf({ status, code }: HttpError, { op, ifAbsent, ifMatch }: OperationContext): ErrorCode | undefined {
  if (status === 412 || code === "ConditionalRequestConflict") return ifAbsent ? "AlreadyExists" : "PreconditionFailed";
  // A condition on a missing object fails as 404.
  if (status === 404 && code === "NoSuchKey" && op === "write" && ifMatch) return "PreconditionFailed";
  // A delete marker exists, but cannot be read.
  if (status === 405 && (op === "stat" || op === "read")) return "NotFound";
  return undefined;
}
