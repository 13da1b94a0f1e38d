/** What the headers of an answer say about an object. */
import type { IncomingHttpHeaders } from "node:http";
import type { Info, Receipt } from "../../driver.js";
import { metadataOf } from "./metadata.js";

export function infoOf(key: string, size: number, headers: IncomingHttpHeaders): Info {
  const info: Info = { key, size, modified: new Date(headers["last-modified"] ?? 0), etag: headers.etag ?? "" };
  const version = headers["x-amz-version-id"];
  if (typeof version === "string") info.version = version;
  if (headers["content-type"] !== undefined) info.contentType = headers["content-type"];
  const metadata = metadataOf(headers);
  if (metadata) info.metadata = metadata;
  return info;
}

export function receiptOf(headers: IncomingHttpHeaders, etag = headers.etag): Receipt {
  const version = headers["x-amz-version-id"];
  return { ...(etag === undefined ? {} : { etag }), ...(typeof version === "string" ? { version } : {}) };
}
