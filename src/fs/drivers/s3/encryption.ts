/** The encryption of one call. Small bundles do without. */
import type { IncomingHttpHeaders } from "node:http";
import { headerValue } from "../../driver/content.js";
import { checkConfidential } from "../../driver/customer-key.js";
import type { CallEncryption, EncryptionName, ObjectInfo, StoredEncryption } from "../../driver/driver.js";
import { type Bucket, type EncryptionHeaders, encryptionHeaders, NO_ENCRYPTION } from "./client.js";

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
