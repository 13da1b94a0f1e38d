/**
 * Changes of attributes in place, the encryption of one call and the checksums that the service compares.
 * https://cloud.google.com/storage/docs/encryption/customer-supplied-keys
 */
import type { Secret } from "../../../connections/index.js";
import { failure } from "../../../errors.js";
import { checkConfidential, keySha256 } from "../../driver/customer-key.js";
import type {
  CallEncryption,
  ChecksumName,
  DriverAttributeOptions,
  EncryptionName,
  ObjectAttributes,
  WriteResult,
} from "../../driver/driver.js";
import type { Origin } from "../../http/types.js";
import type { KeyHeaders, ObjectLocation, Server } from "./client.js";
import { copyObject } from "./copy.js";
import { fieldsOf, storedResult } from "./object.js";

/**
 * Patches the fields that change, which keeps the generation. Only a rewrite changes the storage class: it makes a new
 * generation.
 */
export async function setAttributes(
  api: Server,
  key: string,
  attributes: ObjectAttributes,
  { was, changed, signal }: DriverAttributeOptions,
): Promise<WriteResult> {
  if (changed.has("storageClass")) {
    const from = { bucket: api.place.bucket, key };
    return copyObject(api, from, key, { ifAbsent: false, ifMatch: was.etag, attributes, signal });
  }
  const fields: Record<string, unknown> = fieldsOf(attributes);
  const body = Object.fromEntries([...changed].map((name) => [name, fields[name] ?? null]));
  // A patch merges metadata: a name is only removed by null.
  if (changed.has("metadata")) {
    const gone = Object.keys(was.metadata ?? {}).map((name) => [name, null]);
    body.metadata = { ...Object.fromEntries(gone), ...attributes.metadata };
  }
  const query = { ifGenerationMatch: was.etag, fields: "generation" };
  const headers = { "content-type": "application/json; charset=UTF-8" };
  const data = Buffer.from(JSON.stringify(body));
  const result = storedResult(
    await api.json({ method: "PATCH", path: api.objects(key), query, headers, body: data, signal }),
  );
  if (result.etag !== was.etag) throw failure("ObjectChanged", "another write has replaced the object");
  return result;
}

export const ENCRYPTIONS: readonly EncryptionName[] = ["kmsKeyId", "customerKey"];

/** Returns the same location for calls with this encryption. */
export function encryptedPlace(
  place: ObjectLocation,
  call: CallEncryption,
  origin: Pick<Origin, "protocol" | "hostname">,
): ObjectLocation {
  checkConfidential(call, origin);
  const { create, customerKey } = call;
  const made = create ? create.customerKey : customerKey;
  const keys: KeyHeaders = {
    create: headersOf("x-goog-encryption", made),
    read: headersOf("x-goog-encryption", customerKey ?? made),
    source: headersOf("x-goog-copy-source-encryption", customerKey),
  };
  const kmsKeyName = create ? create.kmsKeyId : customerKey ? undefined : place.kmsKeyName;
  return { ...place, kmsKeyName, keys };
}

function headersOf(prefix: string, key: Secret | undefined): Record<string, string> {
  if (!key) return {};
  return {
    [`${prefix}-algorithm`]: "AES256",
    [`${prefix}-key`]: key.reveal(),
    [`${prefix}-key-sha256`]: keySha256(key),
  };
}

/** The checksums that the service compares before an upload, in parts too, becomes an object. */
export const CHECKSUMS: readonly ChecksumName[] = ["md5", "crc32c"];
