/** Parses errors of Azure Storage. */
import type { IncomingHttpHeaders } from "node:http";
import type { ErrorCode } from "../../../errors.js";
import { headerValue } from "../../driver/content.js";
import type { OperationContext } from "../../driver/driver.js";
import { codeOfHttp, HttpError } from "../../http/errors.js";
import type { Explanation } from "../../http/types.js";
import { leafFieldsIf } from "../../http/xml-fields.js";

/** Returns the code from a header, so that a response to HEAD has one too, and the message from the body. */
export function explain(_status: number, headers: IncomingHttpHeaders, text: string): Explanation {
  const { Code, Message } = text.includes("<Error") ? leafFieldsIf(text, "Error") : {};
  const code = headerValue(headers["x-ms-error-code"]) ?? Code;
  return { code, detail: Message?.split("\n")[0], requestId: headerValue(headers["x-ms-request-id"]) };
}

const TIMED: ReadonlySet<string | undefined> = new Set([
  ...[undefined, "AuthenticationFailed", "InvalidHeaderValue"],
  "RequestTimeTooSkewed",
]);

/** Returns whether a refusal may concern the signed date. */
export function aboutTime({ code }: HttpError): boolean {
  return TIMED.has(code);
}

/** https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes */
const CODES: ReadonlyMap<string, ErrorCode> = new Map([
  ["AuthenticationFailed", "Unauthenticated"],
  ["InvalidAuthenticationInfo", "Unauthenticated"],
  ["NoAuthenticationInformation", "Unauthenticated"],
  ["PublicAccessNotPermitted", "PermissionDenied"],
  ["BlobImmutableDueToPolicy", "PermissionDenied"],
  ["BlobAlreadyExists", "AlreadyExists"],
  ["UnauthorizedBlobOverwrite", "AlreadyExists"],
  ["ContainerBeingDeleted", "NotFound"],
  ["ServerBusy", "Throttled"],
  ["OperationTimedOut", "Timeout"],
  ["Md5Mismatch", "Corrupt"],
  ["Crc64Mismatch", "Corrupt"],
  ["RequestBodyTooLarge", "TooLarge"],
  ["MetadataTooLarge", "TooLarge"],
  // Another writer has committed meanwhile, which discards uncommitted blocks.
  ["InvalidBlockList", "Unavailable"],
  ["PendingCopyOperation", "Unavailable"],
  ["BlobArchived", "Unsupported"],
  ["InvalidBlobType", "Unsupported"],
  ["SnapshotsPresent", "PreconditionFailed"],
]);

export function codeOf(error: unknown, { ifAbsent }: OperationContext): ErrorCode {
  if (!(error instanceof HttpError)) return codeOfHttp(error) ?? "Unavailable";
  if (error.status === 412 && ifAbsent && error.code !== "SourceConditionNotMet") return "AlreadyExists";
  // Azurite has no code of its own for it.
  if (error.code === "InvalidOperation" && /\bcontentMD5\b/i.test(error.detail)) return "Corrupt";
  return CODES.get(error.code ?? "") ?? codeOfHttp(error) ?? "Unavailable";
}
