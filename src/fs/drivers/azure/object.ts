/** Converts between our descriptions of objects and the service's. */
import type { IncomingHttpHeaders } from "node:http";
import { invalid } from "../../../errors.js";
import { decodeRfc2047, encodeRfc2047, headerValue, modifiedIn } from "../../driver/content.js";
import type { AttributeName, ObjectAttributes, ObjectInfo, WriteResult } from "../../driver/driver.js";
import { canonicalQuery } from "../../signing/sigv4.js";

export const META = "x-ms-meta-";

/**
 * The user metadata name of a conditional write's nonce, by which it recognizes its own object when a response is lost.
 */
export const NONCE = "stowage_nonce";

/** The service's description of an object. */
export interface BlobFields {
  modified: Date | undefined;
  etag: string | undefined;
  version: string | undefined;
  attributes: ObjectAttributes & Pick<ObjectInfo, "tagCount" | "encryption">;
  /** Of the data, in base64. */
  md5?: string | undefined;
  /** In wire format. */
  metadata: Iterable<readonly [name: string, value: string]>;
}

export function infoOf(
  key: string,
  size: number,
  { modified, etag, version, attributes, md5, metadata }: BlobFields,
): ObjectInfo {
  const own = Array.from(metadata, ([name, value]) => [name.toLowerCase(), decodeRfc2047(value)] as const);
  const shown = own.filter(([name]) => name !== NONCE);
  return {
    key,
    size,
    ...(modified && { modified }),
    ...(etag && { etag }),
    ...(version !== undefined && { version }),
    ...(md5 !== undefined && { md5: Buffer.from(md5, "base64").toString("hex") }),
    ...attributes,
    ...(shown.length > 0 && { metadata: Object.fromEntries(shown) }),
  };
}

export function blobFieldsIn(headers: IncomingHttpHeaders): BlobFields {
  const metadata = Object.entries(headers).filter(([name]) => name.startsWith(META));
  return {
    modified: modifiedIn(headers["last-modified"], headers.etag),
    etag: headers.etag,
    version: headerValue(headers["x-ms-version-id"]),
    attributes: attributesIn(headers),
    // With a range, the plain header is that of the range.
    md5: headerValue(headers[headers["content-range"] ? "x-ms-blob-content-md5" : "content-md5"]),
    metadata: metadata.map(([name, value]) => [name.slice(META.length), String(value)]),
  };
}

/** All attributes that blobs carry. */
export const ATTRIBUTES: readonly AttributeName[] = [
  "contentType",
  "cacheControl",
  "contentDisposition",
  "contentEncoding",
  "contentLanguage",
  "metadata",
  "storageClass",
  "tags",
];
/** The attributes that a copy inside the service can set. It cannot clear metadata: without any, it copies them. */
export const ON_COPY: readonly AttributeName[] = ["storageClass", "tags"];

/** The headers of a response; a request has `x-ms-blob-` before the same names. */
const TEXTS = {
  contentType: "content-type",
  cacheControl: "cache-control",
  contentDisposition: "content-disposition",
  contentEncoding: "content-encoding",
  contentLanguage: "content-language",
} as const;
const TEXT_PAIRS = Object.entries(TEXTS) as [keyof typeof TEXTS, string][];

function attributesIn(headers: IncomingHttpHeaders): BlobFields["attributes"] {
  const found: BlobFields["attributes"] = {};
  for (const [name, header] of TEXT_PAIRS) {
    const value = headerValue(headers[header]);
    if (value !== undefined) found[name] = value;
  }
  const tier = headerValue(headers["x-ms-access-tier"]);
  if (tier !== undefined) found.storageClass = tier;
  const count = Number(headers["x-ms-tag-count"] ?? 0);
  if (count > 0) found.tagCount = count;
  const scope = headerValue(headers["x-ms-encryption-scope"]);
  if (headers["x-ms-encryption-key-sha256"] !== undefined) found.encryption = { customerKey: true };
  else if (scope !== undefined) found.encryption = { scope };
  return found;
}

/** https://learn.microsoft.com/azure/storage/blobs/access-tiers-overview */
const TIERS: readonly string[] = ["Hot", "Cool", "Cold", "Archive"];

/** Returns the headers of the properties that Set Blob Properties sets all at once. */
export function propertyHeaders(attributes: ObjectAttributes): Record<string, string | undefined> {
  return Object.fromEntries(TEXT_PAIRS.map(([name, header]) => [`x-ms-blob-${header}`, attributes[name]]));
}

export function metadataHeaders(metadata: ObjectAttributes["metadata"]): Record<string, string> {
  return Object.fromEntries(Object.entries(wireMetadata(metadata)).map(([name, value]) => [META + name, value]));
}

/** Returns the headers of tier and tags. Throws InvalidArgument for those that Azure does not know. */
export function placeHeaders({ storageClass, tags }: ObjectAttributes): Record<string, string | undefined> {
  checkTier(storageClass);
  return { "x-ms-access-tier": storageClass, "x-ms-tags": tagsOf(tags) };
}

function checkTier(tier: string | undefined): void {
  if (tier !== undefined && !TIERS.includes(tier))
    throw invalid(`unknown access tier ${JSON.stringify(tier)} (expected one of ${TIERS.join(", ")})`);
}

function tagsOf(tags: ObjectAttributes["tags"]): string | undefined {
  const pairs = Object.entries(tags ?? {});
  const wrong = pairs.find((pair) => pair.some((text) => /[^A-Za-z0-9 +\-=._:/]/.test(text)));
  if (wrong) throw invalid(`tag ${wrong[0]}: Azure allows ASCII letters, digits, spaces and + - = . _ : /`);
  return pairs.length > 0 ? canonicalQuery(pairs) : undefined;
}

export function writeResultOf(headers: IncomingHttpHeaders): WriteResult {
  return writeResult(headers.etag, headerValue(headers["x-ms-version-id"]));
}

export function writeResult(etag: string | undefined, version: string | undefined): WriteResult {
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
