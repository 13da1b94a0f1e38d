/** How S3 says that something failed. */
import type { IncomingHttpHeaders } from "node:http";
import type { ErrorCode } from "../../../errors.js";
import type { OperationContext } from "../../driver/driver.js";
import { codeOfHttp, type Explanation, HttpError } from "../../http/client.js";
import { leafFieldsIf } from "../../http/xml-fields.js";

/** The error document. `hint` is the region that the request should have been signed for. */
export function explain(_status: number, headers: IncomingHttpHeaders, text: string): Explanation {
  const { Code, Message, RequestId, Region } = text.startsWith("<") ? leafFieldsIf(text, "Error") : {};
  const requestId = RequestId ?? one(headers["x-amz-request-id"]);
  const hint = one(headers["x-amz-bucket-region"]) ?? Region;
  return { code: Code, detail: Message, requestId, hint };
}

function one(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** CopyObject and CompleteMultipartUpload send 200 first and may fail later. */
export function hidden(text: string): boolean {
  return /^\s*(?:<\?xml[^>]*>\s*)?<Error[\s>]/.test(text);
}

/** Temporary keys that have to be renewed; the third is what MinIO says of them without their token. */
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

/** Passing, whatever the status. */
const PASSING = [
  ...THROTTLED,
  "ConditionalRequestConflict",
  "OperationAborted",
  "RequestTimeout",
  "PriorRequestNotComplete",
];

export function transient({ code = "" }: HttpError): boolean {
  return PASSING.includes(code);
}

/** A request that was turned away for the rate of requests has changed nothing. */
export function declined({ code = "" }: HttpError): boolean {
  return THROTTLED.includes(code);
}

const TIMED = ["RequestTimeTooSkewed", "SignatureDoesNotMatch", "RequestExpired"];

/** The answer to HEAD has no code. What is denied is about the time where the words say so. */
export function aboutTime({ code, detail }: HttpError): boolean {
  if (code === undefined) return true;
  if (code === "AccessDenied" || code === "InvalidRequest") return /\b(?:time|date|expired)\b/i.test(detail);
  return TIMED.includes(code);
}

/** What statuses alone would say otherwise. */
const CODES: Readonly<Partial<Record<ErrorCode, readonly string[]>>> = {
  Unauthenticated: [...EXPIRED, "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed"],
  Throttled: THROTTLED,
  Timeout: ["RequestTimeout"],
  // The second: the upload was aborted by somebody, or has expired; the whole write may succeed later.
  Unavailable: ["OperationAborted", "NoSuchUpload"],
  TooLarge: ["EntityTooLarge", "MetadataTooLarge"],
  Corrupt: ["BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"],
  Unsupported: ["NotImplemented"],
};

function named(code = ""): ErrorCode | undefined {
  return (Object.keys(CODES) as ErrorCode[]).find((one) => CODES[one]!.includes(code));
}

export function codeOf(error: unknown, call: OperationContext): ErrorCode {
  if (!(error instanceof HttpError)) return codeOfHttp(error) ?? "Unavailable";
  return conditionOf(error, call) ?? named(error.code) ?? codeOfHttp(error) ?? "Unavailable";
}

/** The statuses whose meaning depends on what was asked. */
function conditionOf({ status, code }: HttpError, { op, ifAbsent, ifMatch }: OperationContext): ErrorCode | undefined {
  if (status === 412 || code === "ConditionalRequestConflict") return ifAbsent ? "AlreadyExists" : "PreconditionFailed";
  // A condition on an object that is not there fails as 404.
  if (status === 404 && code === "NoSuchKey" && op === "write" && ifMatch) return "PreconditionFailed";
  // A delete marker is there, but cannot be read.
  if (status === 405 && (op === "stat" || op === "read")) return "NotFound";
  return undefined;
}
