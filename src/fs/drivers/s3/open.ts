/** Opens S3 and compatible services from a connection; static keys need no package. */

import { readFile } from "node:fs/promises";
import type { OpenDriver } from "../../driver/driver.js";
import { envWithAwsProfile } from "./aws-profile.js";
import { type Bucket, encryptionHeaders, USUAL_REGION } from "./client.js";
import { type S3Options, s3Options } from "./connection.js";
import { keySource } from "./credentials.js";
import { type BucketOptions, openBucket } from "./driver.js";
import { profiles } from "./profile.js";

/** Opens the driver of an S3 bucket. Throws InvalidArgument or Unsupported for a connection that it cannot honour. */
export const openS3: OpenDriver = async (name, connection, shared) => {
  const options = s3Options(connection, await envWithAwsProfile(connection, shared.env));
  return openBucket(
    name,
    await prepared(options),
    keySource(options.credentials, options.region ?? USUAL_REGION),
    shared,
  );
};

// Converts the options of a connection for the driver.

/** Reads the CA file, if there is one. */
export async function prepared(options: S3Options): Promise<BucketOptions> {
  const { provider, addressing, region, endpoint, requesterPays, verify } = options;
  const {
    connections: maxSockets,
    connectTimeout: connectTimeoutMs,
    readTimeout: idleTimeoutMs,
    attempts: maxAttempts,
  } = options;
  const tls = typeof verify === "string" ? { ca: await readFile(verify) } : { rejectUnauthorized: verify };
  return {
    ...{ provider, addressing, region, endpoint, requesterPays },
    encryption: encryptionHeaders(options.encryption),
    checksums: checksumsOf(options),
    transport: { maxSockets, connectTimeoutMs, idleTimeoutMs, maxAttempts, tls },
  };
}

function checksumsOf({ provider, requestChecksum, responseChecksum }: S3Options): Bucket["checksums"] {
  const usual = profiles[provider].checksums;
  const wanted = (said: S3Options["requestChecksum"]) => (said === undefined ? usual : said === "when_supported");
  return { write: wanted(requestChecksum), read: wanted(responseChecksum) };
}
