/** How Azure Storage says that something failed. */
import type { IncomingHttpHeaders } from "node:http";
import type { ErrorCode } from "../../../errors.js";
import type { OperationContext } from "../../driver/driver.js";
import { codeOfHttp, type Explanation, HttpError } from "../../http/client.js";
import { leafFieldsIf } from "../../http/xml-fields.js";

/** The code is a header, so that an answer to HEAD has one too; the sentence is in the body. */
export function explain(_status: number, headers: IncomingHttpHeaders, text: string): Explanation {
  const { Code, Message } = text.includes("<Error") ? leafFieldsIf(text, "Error") : {};
  const code = one(headers["x-ms-error-code"]) ?? Code;
  return { code, detail: Message?.split("\n")[0], requestId: one(headers["x-ms-request-id"]) };
}

export function one(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

const TIMED: ReadonlySet<string | undefined> = new Set([
  ...[undefined, "AuthenticationFailed", "InvalidHeaderValue"],
  "RequestTimeTooSkewed",
]);

/** Whether a refusal may be one of the date that is signed. */
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
  // Another writer has committed meanwhile, which discards blocks that wait.
  ["InvalidBlockList", "Unavailable"],
  ["PendingCopyOperation", "Unavailable"],
  ["BlobArchived", "Unsupported"],
  ["InvalidBlobType", "Unsupported"],
  ["SnapshotsPresent", "PreconditionFailed"],
]);

export function codeOf(error: unknown, { ifAbsent }: OperationContext): ErrorCode {
  if (!(error instanceof HttpError)) return codeOfHttp(error) ?? "Unavailable";
  if (error.status === 412 && ifAbsent && error.code !== "SourceConditionNotMet") return "AlreadyExists";
  return CODES.get(error.code ?? "") ?? codeOfHttp(error) ?? "Unavailable";
}
