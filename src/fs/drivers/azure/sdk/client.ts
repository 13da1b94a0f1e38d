/** What all verbs on the official client work with. */
import type { BlockBlobClient, ContainerClient } from "@azure/storage-blob";
import { failure } from "../../../../errors.js";
import { lineFailure, refusal } from "../../../http.js";
import { faithful } from "../key.js";

export interface Sdk {
  readonly container: ContainerClient;
  readonly encryptionScope: string | undefined;
}

/** The object of this key, or one version of it. */
export function objectOf({ container }: Sdk, key: string, version?: string): BlockBlobClient {
  const object = container.getBlockBlobClient(faithful(key));
  return version === undefined ? object : object.withVersion(version).getBlockBlobClient();
}

type Signal = AbortSignal | undefined;

/** `work` with its failure as an `HttpError`: the client's own errors hold the request, and what signed it. */
export async function calling<T>(
  method: string,
  signal: Signal,
  work: (cancel: { abortSignal?: AbortSignal }) => Promise<T>,
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
  statusCode?: number;
  code?: string;
  details?: { errorCode?: string };
  request?: { requestId?: string };
}

export function failureOf(method: string, error: unknown): Error {
  const { name, message, statusCode, code, details } = error as SdkError;
  const detail = message.split("\n")[0]!.slice(0, 300);
  if (/^(Authentication|CredentialUnavailable|AggregateAuthentication)/.test(name)) {
    return failure("Unauthenticated", `no token from Azure: ${name}: ${detail}`);
  }
  const failed = statusCode
    ? refusal(method, statusCode, { code: code ?? details?.errorCode, detail }, undefined)
    : lineFailure(method, { code, message: detail });
  // The client tries again by itself and does not say so: each lost answer may have been that of a success.
  failed.unsure = true;
  failed.suspected = true;
  return failed;
}
