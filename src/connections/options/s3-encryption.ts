/** `s3_additional_kwargs`: what S3 is told with each object, under the names of s3fs and boto3. */
import { Secret } from "../secret.js";
import type { FieldReader } from "./fields.js";

/** Server-side encryption of what is written. */
export type S3Encryption =
  | { readonly kind: "s3" }
  | {
      readonly kind: "kms";
      readonly algorithm: "aws:kms" | "aws:kms:dsse";
      /** Undefined for the account's own key. */
      readonly keyId: string | undefined;
      readonly bucketKey: boolean | undefined;
    }
  /** The customer's own key of 32 bytes, as base64. Reads need it too. */
  | { readonly kind: "c"; readonly key: Secret };

export function readAdditional(extra: FieldReader): { requesterPays: boolean; encryption: S3Encryption | undefined } {
  const more = extra.object("s3_additional_kwargs");
  const payer = more.oneOf("RequestPayer", ["requester"]) !== undefined;
  const [own, managed] = [customerKey(more), managedKey(more)];
  if (own && managed) throw more.wrong("SSECustomerKey", "and ServerSideEncryption exclude each other");
  more.done();
  return { requesterPays: payer || extra.flag("requester_pays") === true, encryption: own ?? managed };
}

function managedKey(more: FieldReader): S3Encryption | undefined {
  const algorithm = more.oneOf("ServerSideEncryption", ["aes256", "aws:kms", "aws:kms:dsse"]);
  const keyId = more.text("SSEKMSKeyId");
  const bucketKey = more.flag("BucketKeyEnabled");
  if (algorithm === "aws:kms" || algorithm === "aws:kms:dsse") return { kind: "kms", algorithm, keyId, bucketKey };
  if (keyId !== undefined) throw more.wrong("SSEKMSKeyId", "needs ServerSideEncryption aws:kms");
  if (bucketKey !== undefined) throw more.wrong("BucketKeyEnabled", "needs ServerSideEncryption aws:kms");
  return algorithm && { kind: "s3" };
}

function customerKey(more: FieldReader): S3Encryption | undefined {
  const algorithm = more.oneOf("SSECustomerAlgorithm", ["aes256"]);
  const text = more.text("SSECustomerKey");
  more.ignore(["SSECustomerKeyMD5"]); // computed from the key
  if (text === undefined && algorithm === undefined) return undefined;
  const key = text === undefined ? undefined : keyBytes(text);
  if (key?.length !== 32) throw more.wrong("SSECustomerKey", "must be 32 bytes, as they are or in base64");
  if (more.has("ServerSideEncryption"))
    throw more.wrong("SSECustomerKey", "and ServerSideEncryption exclude each other");
  return { kind: "c", key: new Secret(key.toString("base64")) };
}

function keyBytes(text: string): Buffer {
  const raw = Buffer.from(text, "utf8");
  return raw.length === 32 ? raw : Buffer.from(text, "base64");
}
