/** The attributes and the encryption of objects as headers, and their tags. Small bundles do without. */
import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { failure, invalid } from "../../../errors.js";
import { headerValue } from "../../driver/content.js";
import { checkConfidential } from "../../driver/customer-key.js";
import type {
  AttributeName,
  CallEncryption,
  EncryptionName,
  ObjectAttributes,
  ObjectInfo,
  StoredEncryption,
} from "../../driver/driver.js";
import { readXml } from "../../http/xml.js";
import { escapeXml } from "../../http/xml-fields.js";
import { canonicalQuery } from "../../signing/sigv4.js";
import {
  type AttributeHeaders,
  type Bucket,
  type EncryptionHeaders,
  encryptionHeaders,
  NO_ENCRYPTION,
} from "./client.js";
import { AMAZON } from "./profile.js";

/** All attributes that objects of S3 carry. */
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

/** The headers of attributes that need no conversion, and that small bundles do not know. */
const HEADERS = {
  cacheControl: "cache-control",
  contentDisposition: "content-disposition",
  contentEncoding: "content-encoding",
  contentLanguage: "content-language",
  storageClass: "x-amz-storage-class",
} as const;
const PAIRS = Object.entries(HEADERS) as [keyof typeof HEADERS, string][];

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html#AmazonS3-PutObject-request-header-StorageClass */
const CLASSES: readonly string[] = [
  "STANDARD",
  "REDUCED_REDUNDANCY",
  "STANDARD_IA",
  "ONEZONE_IA",
  "INTELLIGENT_TIERING",
  "GLACIER",
  "DEEP_ARCHIVE",
  "OUTPOSTS",
  "GLACIER_IR",
  "SNOW",
  "EXPRESS_ONEZONE",
  "FSX_OPENZFS",
  "FSX_ONTAP",
];

export const attributeHeaders: AttributeHeaders = {
  /** Throws InvalidArgument for a storage class that AWS does not have; other services have their own. */
  headersOf(attributes, { profile }) {
    const { tags, storageClass } = attributes;
    if (profile === AMAZON && storageClass !== undefined && !CLASSES.includes(storageClass))
      throw invalid(`unknown storage class ${JSON.stringify(storageClass)} (expected one of ${CLASSES.join(", ")})`);
    const headers: Record<string, string> = {};
    for (const [name, header] of PAIRS) if (attributes[name] !== undefined) headers[header] = attributes[name];
    if (tags && Object.keys(tags).length > 0) headers["x-amz-tagging"] = canonicalQuery(Object.entries(tags));
    return headers;
  },
  addTo(info, headers) {
    for (const [name, header] of PAIRS) {
      const value = headerValue(headers[header]);
      if (value !== undefined) info[name] = value;
    }
    const count = Number(headers["x-amz-tagging-count"] ?? 0);
    if (count > 0) info.tagCount = count;
    const encryption = encryptionIn(headers);
    if (encryption) info.encryption = encryption;
  },
};

/** Returns the tags of an object of any bucket that the connection reaches. */
export async function readTags(
  { client }: Bucket,
  object: { bucket?: string; key: string },
  version: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Record<string, string>> {
  const query = canonicalQuery([["tagging", ""], ...(version === undefined ? [] : [["versionId", version] as const])]);
  const { text } = await client.text({ method: "GET", ...object, query, signal });
  const { rows } = readXml(text, undefined, { "TagSet/Tag": ({ Key, Value = "" }) => [Key, Value] as const });
  if (!/<Tagging\b/.test(text)) throw failure("Corrupt", "the server's answer is no list of tags");
  return Object.fromEntries(rows.map(([name, value]) => [tagName(name), value]));
}

function tagName(name: string | undefined): string {
  if (name) return name;
  throw failure("Corrupt", "the server's list of tags has one without a name");
}

/** Replaces all tags of an object, and nothing else of it. */
export async function writeTags(
  { client }: Bucket,
  key: string,
  tags: ObjectAttributes["tags"] = {},
  signal: AbortSignal | undefined,
): Promise<void> {
  const rows = Object.entries(tags).map(
    ([name, value]) => `<Tag><Key>${escapeXml(name)}</Key><Value>${escapeXml(value)}</Value></Tag>`,
  );
  const body = Buffer.from(`<Tagging><TagSet>${rows.join("")}</TagSet></Tagging>`);
  // One of the requests for which every service demands a digest of the body.
  const headers = {
    "content-md5": createHash("md5").update(body).digest("base64"),
    "content-type": "application/xml",
  };
  await client.send({ method: "PUT", key, query: "tagging=", headers, body, signal });
}

export const ENCRYPTIONS: readonly EncryptionName[] = ["sse", "kmsKeyId", "customerKey"];

/** Returns the same bucket for calls with this encryption. */
export function encryptedBucket(bucket: Bucket, call: CallEncryption): Bucket {
  checkConfidential(call, bucket.origin ?? HIDDEN);
  const { create, customerKey } = call;
  const own = customerKey && encryptionHeaders({ kind: "c", key: customerKey });
  const made = (create ? headersOf(create) : own) ?? bucket.encryption;
  const encryption = { create: made.create, use: made.use, source: (own ?? bucket.encryption).source };
  return { ...bucket, encryption };
}

/** The endpoint of a bucket that states none. */
const HIDDEN = { protocol: "https:", hostname: "" } as const;

function headersOf({ sse, kmsKeyId, customerKey }: NonNullable<CallEncryption["create"]>): EncryptionHeaders {
  if (customerKey) return encryptionHeaders({ kind: "c", key: customerKey });
  if (sse === "AES256") return encryptionHeaders({ kind: "s3" });
  if (sse === undefined && kmsKeyId === undefined) return NO_ENCRYPTION;
  return encryptionHeaders({ kind: "kms", algorithm: sse ?? "aws:kms", keyId: kmsKeyId, bucketKey: undefined });
}

/** Returns the same bucket for a new version of an object, which has the same encryption. */
export function sameEncryption(bucket: Bucket, { encryption: kept }: ObjectInfo): Bucket {
  const { sse, kmsKeyId } = kept ?? {};
  if (sse !== "AES256" && sse !== "aws:kms" && sse !== "aws:kms:dsse") return bucket;
  const { create } = headersOf({ sse, ...(kmsKeyId !== undefined && { kmsKeyId }) });
  return { ...bucket, encryption: { ...bucket.encryption, create } };
}

const SSE = "x-amz-server-side-encryption";

export function encryptionIn(headers: IncomingHttpHeaders): StoredEncryption | undefined {
  const sse = headerValue(headers[SSE]);
  const kmsKeyId = headerValue(headers[`${SSE}-aws-kms-key-id`]);
  if (headers[`${SSE}-customer-algorithm`] !== undefined) return { customerKey: true };
  if (sse === undefined) return undefined;
  return { sse, ...(kmsKeyId !== undefined && { kmsKeyId }) };
}
