/** User metadata as headers. */
import type { IncomingHttpHeaders } from "node:http";
import { decodeWords, encodeWords } from "../../words.js";

const PREFIX = "x-amz-meta-";

export function metadataHeaders(metadata: Record<string, string> | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata ?? {})) headers[PREFIX + name] = encodeWords(value);
  return headers;
}

export function metadataOf(headers: IncomingHttpHeaders): Record<string, string> | undefined {
  let metadata: Record<string, string> | undefined;
  for (const name in headers) {
    if (!name.startsWith(PREFIX)) continue;
    metadata ??= {};
    metadata[name.slice(PREFIX.length)] = decodeWords(String(headers[name]));
  }
  return metadata;
}
