/** What all verbs on the official client work with. */
import type { S3Client } from "@aws-sdk/client-s3";
import { failure } from "../../../../errors.js";
import { HttpError, isSuccess, lineFailure, mayHaveLanded, refusal, strange } from "../../../http.js";
import { declined } from "../dialect.js";
import type { Profile } from "../profile.js";

export type Library = typeof import("@aws-sdk/client-s3");

export interface Sdk {
  readonly client: S3Client;
  readonly library: Library;
  readonly bucket: string;
  readonly profile: Profile;
}

export async function loadSdk(): Promise<Library> {
  try {
    return await import("@aws-sdk/client-s3");
  } catch (cause) {
    throw failure("Unsupported", "fromS3Client needs the package @aws-sdk/client-s3", { cause });
  }
}

type Signal = AbortSignal | undefined;

/** `work` with its failure as an {@link HttpError}: the client's own errors hold the request, and what signed it. */
export async function calling<T>(
  method: string,
  signal: Signal,
  work: (options: { abortSignal?: AbortSignal }) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  try {
    return await work(signal ? { abortSignal: signal } : {});
  } catch (error) {
    signal?.throwIfAborted();
    throw failureOf(method, error);
  }
}

interface SdkError extends Error {
  Code?: string;
  $metadata?: { httpStatusCode?: number; requestId?: string; attempts?: number };
}

function failureOf(method: string, error: unknown): Error {
  const { name, message, Code, $metadata = {} } = error as SdkError;
  if (name === "CredentialsProviderError") return failure("Unauthenticated", message.slice(0, 300));
  const { httpStatusCode: status, requestId, attempts = 1 } = $metadata;
  if (status !== undefined && isSuccess(status) && isUnreadable(error)) return unreadable(method, status);
  const failed = status
    ? refusal(method, status < 300 ? 500 : status, { code: Code ?? name, detail: message, requestId }, undefined)
    : lineFailure(method, error);
  failed.attempts = attempts;
  // The client tells only how often it tried: each lost answer may have been that of a success.
  failed.unsure = attempts > 1 || (mayHaveLanded(failed) && !declined(failed));
  return failed;
}

/** What the client's reader of answers throws, besides what an answer says. */
function isUnreadable(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError;
}

function unreadable(method: string, status: number): Error {
  const why = "the official client cannot read the server's answer";
  return /^(?:List|Get|Head)/.test(method) ? failure("Corrupt", why) : strange(method, status, why);
}

/** Whether the client found bytes that are not those that were stored. */
export function isChecksumMismatch(error: unknown): boolean {
  return error instanceof Error && !(error instanceof HttpError) && /^Checksum mismatch/i.test(error.message);
}
