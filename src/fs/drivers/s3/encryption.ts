import { createHash } from "node:crypto";
import type { S3Encryption } from "../../../connections/options/s3-encryption.js";

type Headers = Readonly<Record<string, string>>;

/** The headers that server-side encryption needs. */
export interface EncryptionHeaders {
  /** With what creates an object. */
  readonly create: Headers;
  /** With reads and parts: the customer's own key. */
  readonly use: Headers;
  /** With the source of a copy. */
  readonly source: Headers;
}

export const NO_ENCRYPTION: EncryptionHeaders = { create: {}, use: {}, source: {} };

const SSE = "x-amz-server-side-encryption";

export function encryptionHeaders(encryption: S3Encryption | undefined): EncryptionHeaders {
  if (!encryption) return NO_ENCRYPTION;
  if (encryption.kind === "s3") return { create: { [SSE]: "AES256" }, use: {}, source: {} };
  if (encryption.kind === "kms") return { create: managed(encryption), use: {}, source: {} };
  const key = encryption.key.reveal();
  const use = customer(SSE, key);
  return { create: use, use, source: customer(`x-amz-copy-source-${SSE.slice("x-amz-".length)}`, key) };
}

function managed({ algorithm, keyId, bucketKey }: Extract<S3Encryption, { kind: "kms" }>): Headers {
  return {
    [SSE]: algorithm,
    ...(keyId === undefined ? {} : { [`${SSE}-aws-kms-key-id`]: keyId }),
    ...(bucketKey === undefined ? {} : { [`${SSE}-bucket-key-enabled`]: String(bucketKey) }),
  };
}

/** `key`: 32 bytes in base64. */
function customer(prefix: string, key: string): Headers {
  return {
    [`${prefix}-customer-algorithm`]: "AES256",
    [`${prefix}-customer-key`]: key,
    [`${prefix}-customer-key-md5`]: createHash("md5").update(key, "base64").digest("base64"),
  };
}
