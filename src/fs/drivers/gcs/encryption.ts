/** The encryption of one call. https://cloud.google.com/storage/docs/encryption/customer-supplied-keys */
import type { Secret } from "../../../connections/index.js";
import { checkConfidential, keySha256 } from "../../driver/customer-key.js";
import type { CallEncryption, ChecksumName, EncryptionName } from "../../driver/driver.js";
import type { Origin } from "../../http/types.js";
import type { KeyHeaders, ObjectLocation } from "./client.js";

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
