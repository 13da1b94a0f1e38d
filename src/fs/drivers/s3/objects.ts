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

/** What has to be known of a bucket besides its name and who asks; the rest is as usual where nothing is said. */
export interface BucketOptions
  extends Pick<S3Options, "provider" | "addressing" | "region" | "endpoint">,
    Partial<
      Omit<S3Options, "provider" | "addressing" | "region" | "endpoint" | "credentials" | "encryption" | "verify">
    > {
  readonly encryption: EncryptionHeaders;
  readonly tls?: HttpOptions["tls"];
}

export async function bucketOf(
  name: string,
  options: BucketOptions,
  keys: KeySource,
  env: Shared["env"],
): Promise<Bucket> {
  const client = await openClient(name, { ...options, keys }, transportOf(options, env));
  const profile = profiles[options.provider];
  return { name, client, profile, encryption: options.encryption, checksums: sums(options) };
}

function sums({ provider, requestChecksum, responseChecksum }: BucketOptions): Bucket["checksums"] {
  const usual = profiles[provider].checksums;
  const wanted = (said: S3Options["requestChecksum"]) => (said === undefined ? usual : said === "when_supported");
  return { write: wanted(requestChecksum), read: wanted(responseChecksum) };
}

function transportOf(options: BucketOptions, env: Shared["env"]): Omit<HttpOptions, "protocol" | "dialect"> {
  const { connections: sockets, connectTimeout: connect, readTimeout: idle, attempts: tries, tls } = options;
  return { sockets, connect, idle, tries, tls, env };
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
