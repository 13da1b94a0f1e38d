/** User metadata as headers. */
import type { IncomingHttpHeaders } from "node:http";
import { decodeWords, encodeWords } from "../../words.js";

const PREFIX = "x-amz-meta-";

/** User metadata by which a conditional write knows its own object again when an answer is lost. Nobody is shown it. */
export const NONCE = "stowage-nonce";
export const NONCE_HEADER = PREFIX + NONCE;

export function metadataHeaders(metadata: Record<string, string> | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata ?? {})) headers[PREFIX + name] = encodeWords(value);
  return headers;
}

export function metadataOf(headers: IncomingHttpHeaders): Record<string, string> | undefined {
  let metadata: Record<string, string> | undefined;
  for (const name in headers) {
    if (!name.startsWith(PREFIX) || name === NONCE_HEADER) continue;
    metadata ??= {};
    metadata[name.slice(PREFIX.length)] = decodeWords(String(headers[name]));
  }
  return metadata;
}

export function nonceIn(headers: IncomingHttpHeaders): string | undefined {
  const nonce = headers[NONCE_HEADER];
  return typeof nonce === "string" ? nonce : undefined;
}
