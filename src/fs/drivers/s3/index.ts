/** S3 on the thin transport, and on the official client. The first loads nothing of the second. */
import type { S3Client } from "@aws-sdk/client-s3";
import type { S3Provider } from "../../../connections/options/s3.js";
import { type OpenDriver, withOwnCredentials } from "../../driver.js";
import { profiles } from "./profile.js";
import { loadSdk } from "./sdk/client.js";
import { sdkDriver } from "./sdk/driver.js";

export { fromS3Keys, openS3Objects, openS3WithKeys, type S3Keys, s3Objects } from "./lean.js";
export { openS3 } from "./open.js";

/**
 * Opens buckets through a client of `@aws-sdk/client-s3`, with its credentials, endpoints, middleware and retries,
 * whatever connection a path names: for FIPS, access points, Express buckets and SigV4a. `provider` says which dialect
 * the client's endpoint speaks. Signing also needs `@aws-sdk/s3-request-presigner`.
 *
 * @example openStorage({ drivers: { s3: fromS3Client(new S3Client()) } })
 */
export function fromS3Client(client: S3Client, { provider = "aws" }: { provider?: S3Provider } = {}): OpenDriver {
  return withOwnCredentials(async (bucket, _connection, shared) =>
    sdkDriver({ client, library: await loadSdk(), bucket, profile: profiles[provider] }, shared),
  );
}
