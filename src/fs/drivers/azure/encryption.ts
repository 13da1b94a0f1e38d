/** The encryption of one call. https://learn.microsoft.com/azure/storage/blobs/encryption-customer-provided-keys */
import type { Secret } from "../../../connections/index.js";
import { checkConfidential, keySha256 } from "../../driver/customer-key.js";
import type { CallEncryption, EncryptionName } from "../../driver/driver.js";
import { type EncryptionHeaders, type Server, scopeHeaders } from "./client.js";

export const ENCRYPTIONS: readonly EncryptionName[] = ["scope", "customerKey"];

/** Returns the same container for calls with this encryption. */
export function encryptedServer(server: Server, call: CallEncryption): Server {
  checkConfidential(call, server.origin);
  const { create, customerKey } = call;
  const made = create ? createHeaders(create) : customerKey ? keyHeaders(customerKey) : server.encryption;
  return server.with({ create: made.create, use: customerKey ? keyHeaders(customerKey).use : made.use });
}

function createHeaders({ scope, customerKey }: NonNullable<CallEncryption["create"]>): EncryptionHeaders {
  return customerKey ? keyHeaders(customerKey) : scopeHeaders(scope);
}

function keyHeaders(key: Secret): EncryptionHeaders {
  const headers = {
    "x-ms-encryption-key": key.reveal(),
    "x-ms-encryption-key-sha256": keySha256(key),
    "x-ms-encryption-algorithm": "AES256",
  };
  return { create: headers, use: headers };
}
