/** What the headers of an answer say about an object, and the headers that say it about a new one. */
import type { IncomingHttpHeaders } from "node:http";
import { failure } from "../../../errors.js";
import type { Info, Receipt } from "../../driver.js";
import { decodeWords, encodeWords } from "../../words.js";
import { one } from "./dialect.js";

const PREFIX = "x-ms-meta-";

/** User metadata by which a conditional write knows its own object again when an answer is lost. */
export const NONCE = `${PREFIX}stowage_nonce`;

export function infoOf(key: string, size: number, headers: IncomingHttpHeaders): Info {
  const info: Info = { key, size, modified: new Date(headers["last-modified"] ?? 0), etag: headers.etag ?? "" };
  const version = one(headers["x-ms-version-id"]);
  if (version !== undefined) info.version = version;
  if (headers["content-type"]) info.contentType = headers["content-type"];
  const metadata = metadataOf(headers);
  if (metadata) info.metadata = metadata;
  return info;
}

function metadataOf(headers: IncomingHttpHeaders): Record<string, string> | undefined {
  const names = Object.keys(headers).filter((name) => name.startsWith(PREFIX) && name !== NONCE);
  if (names.length === 0) return undefined;
  return Object.fromEntries(names.map((name) => [name.slice(PREFIX.length), decodeWords(String(headers[name]))]));
}

export function receiptOf(headers: IncomingHttpHeaders): Receipt {
  const { etag } = headers;
  const version = one(headers["x-ms-version-id"]);
  return { ...(etag === undefined ? {} : { etag }), ...(version === undefined ? {} : { version }) };
}

/** Azure takes names that C# takes. https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata */
export function metadataHeaders(metadata: Record<string, string> | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata ?? {})) {
    if (!/^[a-z_][a-z0-9_]*$/.test(name)) {
      throw failure(
        "InvalidArgument",
        `Azure takes no metadata named ${name}: only letters, digits and _, no digit first`,
      );
    }
    headers[PREFIX + name] = encodeWords(value);
  }
  return headers;
}
