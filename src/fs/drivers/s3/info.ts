/** What the headers of an answer say about an object. */
import type { IncomingHttpHeaders } from "node:http";
import type { Info, Receipt } from "../../driver.js";
import { modifiedIn } from "../../extent.js";
import { metadataOf } from "./metadata.js";
import type { Profile } from "./profile.js";

export function infoOf(key: string, size: number, headers: IncomingHttpHeaders, { md5Etags }: Profile): Info {
  const { "last-modified": time, etag } = headers;
  const info: Info = { key, size, modified: modifiedIn(time, etag), etag: etag ?? "" };
  const version = versionIn(headers["x-amz-version-id"]);
  if (version !== undefined) info.version = version;
  const md5 = md5Etags && !isOpaque(headers) ? md5In(info.etag) : undefined;
  if (md5 !== undefined) info.md5 = md5;
  if (headers["content-type"] !== undefined) info.contentType = headers["content-type"];
  const metadata = metadataOf(headers);
  if (metadata) info.metadata = metadata;
  return info;
}

export function receiptOf(headers: IncomingHttpHeaders, etag = headers.etag): Receipt {
  const version = versionIn(headers["x-amz-version-id"]);
  return { ...(etag === undefined ? {} : { etag }), ...(version === undefined ? {} : { version }) };
}

/** What is written while a bucket keeps no versions is called `null`, one object after the other: that names none. */
export function versionIn(id: string | string[] | undefined): string | undefined {
  return typeof id === "string" && id !== "null" ? id : undefined;
}

/** Whether the etag is not made of the data alone. */
export function isOpaque(headers: IncomingHttpHeaders): boolean {
  const managed = String(headers["x-amz-server-side-encryption"] ?? "").startsWith("aws:kms");
  return managed || headers["x-amz-server-side-encryption-customer-algorithm"] !== undefined;
}

/** That of an object of several parts has a `-` and is of their MD5s. */
export function md5In(etag: string): string | undefined {
  return /^"([0-9a-f]{32})"$/.exec(etag)?.[1];
}
