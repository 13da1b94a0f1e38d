/** Parses errors of Google Cloud Storage: JSON from its JSON API, XML from its XML API. */
import type { ErrorCode } from "../../../errors.js";
import type { OperationContext } from "../../driver/driver.js";
import { codeOfHttp, HttpError } from "../../http/errors.js";
import { isDocument, jsonIn } from "../../http/json.js";
import type { Explanation } from "../../http/types.js";

/** Returns the reason of the JSON API, or the code of the XML API, with the message. */
export function explain(headers: Record<string, string | string[] | undefined>, text: string): Explanation {
  const requestId = String(headers["x-guploader-uploadid"] ?? "").slice(0, 64) || undefined;
  const found = text.trimStart().startsWith("{") ? fromJson(text) : fromXml(text);
  return { ...found, requestId };
}

/** Checks every field of the document: explaining a failure must not cause another one. */
function fromJson(text: string): Explanation {
  const document = jsonIn(text);
  return isDocument(document) ? explanationIn(document.error, NESTED) : {};
}

/** Google's own storage-testbench puts the whole document of an error into the message of another one. */
const NESTED = 3;

function explanationIn(error: unknown, depth: number): Explanation {
  if (typeof error === "string") return { detail: error };
  if (!isDocument(error)) return {};
  const [first] = Array.isArray(error.errors) ? error.errors : [];
  const row = isDocument(first) ? first : {};
  const inner = depth > 0 && isDocument(error.message) ? explanationIn(error.message.error, depth - 1) : {};
  return {
    code: stringOrUndefined(row.reason) ?? inner.code,
    detail: stringOrUndefined(error.message) ?? inner.detail ?? stringOrUndefined(row.message),
  };
}

function stringOrUndefined(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function fromXml(text: string): Explanation {
  const of = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1];
  return { code: of("Code"), detail: of("Message") };
}

/** Rate limits with status 403. https://cloud.google.com/storage/docs/json_api/v1/status-codes */
const TOO_FAST: ReadonlySet<string> = new Set(["rateLimitExceeded", "userRateLimitExceeded"]);

/** Returns whether a refusal is transient, beyond what its status says. */
export function passes({ status, code = "" }: HttpError): boolean {
  return status === 403 && TOO_FAST.has(code);
}

/** Returns the category of any error that the driver throws. */
export function codeOf(error: unknown, { op, ifAbsent }: OperationContext): ErrorCode {
  if (!(error instanceof HttpError) || error.kind !== "answer") return codeOfHttp(error) ?? "Unavailable";
  if (error.status === 412 && ifAbsent) return "AlreadyExists";
  if (passes(error)) return "Throttled";
  // Only the message tells it from other invalid requests.
  if (error.status === 400 && /doesn't match calculated/.test(error.detail)) return "Corrupt";
  // A conflict with another change of the same object; the same call may succeed next time.
  if (error.status === 409) return op === "write" || op === "copy" ? "Unavailable" : "PreconditionFailed";
  return codeOfHttp(error) ?? "Unavailable";
}
