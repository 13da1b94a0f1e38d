/** Converts between our descriptions of objects and the service's. */
import type { IncomingHttpHeaders } from "node:http";
import { invalid } from "../../../errors.js";
import { decodeRfc2047, encodeRfc2047, headerValue, modifiedIn } from "../../driver/content.js";
import type { ObjectInfo, WriteResult } from "../../driver/driver.js";

export const META = "x-ms-meta-";

/**
 * The user metadata name of a conditional write's nonce, by which it recognizes its own object when a response is lost.
 */
export const NONCE = "stowage_nonce";

/** The service's description of an object. */
export interface Told {
  modified: Date | undefined;
  etag: string | undefined;
  version: string | undefined;
  contentType: string | undefined;
  /** Of the data, in base64. */
  md5?: string | undefined;
  /** In wire format. */
  metadata: Iterable<readonly [name: string, value: string]>;
}

export function infoOf(
  key: string,
  size: number,
  { modified, etag, version, contentType, md5, metadata }: Told,
): ObjectInfo {
  const own = Array.from(metadata, ([name, value]) => [name.toLowerCase(), decodeRfc2047(value)] as const);
  const shown = own.filter(([name]) => name !== NONCE);
  return {
    key,
    size,
    modified: modified ?? new Date(0),
    etag: etag ?? "",
    ...(version !== undefined && { version }),
    ...(md5 !== undefined && { md5: Buffer.from(md5, "base64").toString("hex") }),
    ...(contentType !== undefined && { contentType }),
    ...(shown.length > 0 && { metadata: Object.fromEntries(shown) }),
  };
}

export function toldIn(headers: IncomingHttpHeaders): Told {
  const metadata = Object.entries(headers).filter(([name]) => name.startsWith(META));
  return {
    modified: modifiedIn(headers["last-modified"], headers.etag),
    etag: headers.etag,
    version: headerValue(headers["x-ms-version-id"]),
    contentType: headers["content-type"],
    // With a range, the plain header is that of the range.
    md5: headerValue(headers[headers["content-range"] ? "x-ms-blob-content-md5" : "content-md5"]),
    metadata: metadata.map(([name, value]) => [name.slice(META.length), String(value)]),
  };
}

export function receiptOf(headers: IncomingHttpHeaders): WriteResult {
  return receipt(headers.etag, headerValue(headers["x-ms-version-id"]));
}

export function receipt(etag: string | undefined, version: string | undefined): WriteResult {
  return { ...(etag !== undefined && { etag }), ...(version !== undefined && { version }) };
}

/**
 * Returns metadata in wire format. Azure accepts names that are valid in C#.
 * https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
 */
export function wireMetadata(metadata: Record<string, string> | undefined): Record<string, string> {
  const entries = Object.entries(metadata ?? {});
  const wrong = entries.find(([name]) => !/^[a-z_][a-z0-9_]*$/.test(name));
  if (!wrong) return Object.fromEntries(entries.map(([name, value]) => [name, encodeRfc2047(value)]));
  throw invalid(`Azure takes no metadata named ${wrong[0]}: only letters, digits and _, no digit first`);
}
