/** The part of the driver that small bundles need: single objects. */
import type { S3Options } from "../../../connections/options/s3.js";
import type { ObjectDriver, Shared } from "../../driver.js";
import type { HttpOptions } from "../../http.js";
import type { Bucket } from "./bucket.js";
import { openClient } from "./client.js";
import { removeEach, removeObject } from "./delete-each.js";
import { codeOf } from "./dialect.js";
import type { EncryptionHeaders } from "./encryption.js";
import type { KeySource } from "./keys.js";
import { profiles } from "./profile.js";
import { read, stat } from "./read.js";
import { write } from "./write.js";

/** What is known of a bucket besides its name and who asks. */
export interface BucketOptions extends Pick<S3Options, "provider" | "addressing" | "region" | "endpoint"> {
  readonly requesterPays?: boolean;
  readonly encryption: EncryptionHeaders;
  /** @default those of the provider's profile */
  readonly checksums?: Bucket["checksums"];
  readonly transport?: Pick<HttpOptions, "sockets" | "connect" | "idle" | "tries" | "tls">;
}

export async function bucketOf(
  name: string,
  options: BucketOptions,
  keys: KeySource,
  env: Shared["env"],
): Promise<Bucket> {
  const { encryption, transport } = options;
  const client = await openClient(name, { ...options, keys }, { ...transport, env });
  const profile = profiles[options.provider];
  const { checksums = { write: profile.checksums, read: profile.checksums } } = options;
  return { name, client, profile, encryption, checksums };
}

/** Each key of a `delete` is a request of its own. */
export function objectDriver(bucket: Bucket, { uploads }: Shared): ObjectDriver {
  return {
    metadata: true,
    stat: (key, options) => stat(bucket, key, options),
    read: (key, options) => read(bucket, key, options),
    write: (key, body, options) => write(bucket, key, body, options, uploads),
    delete: (objects, { signal }) => removeEach((one) => removeObject(bucket, one, signal), objects, signal),
    codeOf,
    close: async () => bucket.client.close(),
  };
}
