/** How S3 says that something failed. */
import type { IncomingHttpHeaders } from "node:http";
import type { ErrorCode } from "../../../errors.js";
import type { FailedCall } from "../../driver.js";
import { codeOfHttp, type Explanation, HttpError } from "../../http.js";
import { fieldsIf } from "../../xml.js";

/** The error document. `hint` is the region that the request should have been signed for. */
export function explain(_status: number, headers: IncomingHttpHeaders, text: string): Explanation {
  const { Code, Message, RequestId, Region } = text.startsWith("<") ? fieldsIf(text, "Error") : {};
  const requestId = RequestId ?? (headers["x-amz-request-id"] as string | undefined);
  const hint = (headers["x-amz-bucket-region"] as string | undefined) ?? Region;
  return { code: Code, detail: Message, requestId, hint };
}

/** CopyObject and CompleteMultipartUpload send 200 first and may fail later. */
export function hidden(text: string): boolean {
  return /^\s*(?:<\?xml[^>]*>\s*)?<Error[\s>]/.test(text);
}

const PASSING: ReadonlySet<string> = new Set([
  "ConditionalRequestConflict",
  "OperationAborted",
  "RequestTimeout",
  "PriorRequestNotComplete",
  "Throttling",
  "ThrottlingException",
  "RequestLimitExceeded",
]);

export function transient({ code }: HttpError): boolean {
  return code !== undefined && PASSING.has(code);
}

const CODES: ReadonlyMap<string, ErrorCode> = new Map([
  ["ExpiredToken", "Unauthenticated"],
  ["InvalidToken", "Unauthenticated"],
  // What MinIO says of temporary keys without their token.
  ["InvalidTokenId", "Unauthenticated"],
  ["TokenRefreshRequired", "Unauthenticated"],
  ["InvalidAccessKeyId", "Unauthenticated"],
  ["SignatureDoesNotMatch", "Unauthenticated"],
  ["RequestTimeTooSkewed", "Unauthenticated"],
  ["SlowDown", "Throttled"],
  ["SlowDownRead", "Throttled"],
  ["SlowDownWrite", "Throttled"],
  ["Throttling", "Throttled"],
  ["ThrottlingException", "Throttled"],
  ["RequestLimitExceeded", "Throttled"],
  ["TooManyRequests", "Throttled"],
  ["RequestTimeout", "Timeout"],
  ["OperationAborted", "Unavailable"],
  // The upload was aborted by somebody, or has expired; the whole write may succeed later.
  ["NoSuchUpload", "Unavailable"],
  ["EntityTooLarge", "TooLarge"],
  ["MetadataTooLarge", "TooLarge"],
  ["BadDigest", "Corrupt"],
  ["InvalidDigest", "Corrupt"],
  ["XAmzContentChecksumMismatch", "Corrupt"],
  ["XAmzContentSHA256Mismatch", "Corrupt"],
  ["NotImplemented", "Unsupported"],
]);

export function codeOf(error: unknown, call: FailedCall): ErrorCode {
  if (!(error instanceof HttpError)) return codeOfHttp(error) ?? "Unavailable";
  return conditionOf(error, call) ?? CODES.get(error.code ?? "") ?? codeOfHttp(error) ?? "Unavailable";
}

/** The statuses whose meaning depends on what was asked. */
function conditionOf({ status, code }: HttpError, { op, ifAbsent, ifMatch }: FailedCall): ErrorCode | undefined {
  if (status === 412 || code === "ConditionalRequestConflict") return ifAbsent ? "AlreadyExists" : "PreconditionFailed";
  // A condition on an object that is not there fails as 404.
  if (status === 404 && code === "NoSuchKey" && op === "write" && ifMatch) return "PreconditionFailed";
  // A delete marker is there, but cannot be read.
  if (status === 405 && (op === "stat" || op === "read")) return "NotFound";
  return undefined;
}
