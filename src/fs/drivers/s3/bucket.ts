import type { S3Client } from "./client.js";
import type { EncryptionHeaders } from "./encryption.js";
import type { Profile } from "./profile.js";

/** What all verbs of the driver work with. */
export interface Bucket {
  readonly name: string;
  readonly client: S3Client;
  readonly profile: Profile;
  readonly encryption: EncryptionHeaders;
  /** Whether CRC32 goes with writes, and is asked for with reads. */
  readonly checksums: { readonly write: boolean; readonly read: boolean };
}
