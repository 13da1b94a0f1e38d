/** S3 on the thin transport, and on the official client. The first loads nothing of the second. */
import type { S3Client } from "@aws-sdk/client-s3";
import type { Connection } from "../../../connections/connection.js";
import { type S3Provider, s3Options } from "../../../connections/options/s3.js";
import { failure } from "../../../errors.js";
import { type DriverContext, type ObjectDriver, type OpenDriver, withOwnCredentials } from "../../driver/driver.js";
import { type CredentialProvider, fixedKeys, isLazy, NO_ENCRYPTION, staticCredentials } from "./client.js";
import { type BucketOptions, bucketOf, objectDriver, openBucket } from "./driver.js";
import { prepared } from "./open.js";
import { profiles } from "./profile.js";
import { gateOf, type SdkS3, sdkDriver } from "./sdk.js";

export { openS3 } from "./open.js";

/**
 * Opens buckets through a client of `@aws-sdk/client-s3`, with its credentials, endpoints, middleware and retries,
 * whatever connection a path names: for FIPS, access points, Express buckets and SigV4a. `provider` says which dialect
 * the client's endpoint speaks. Signing also needs `@aws-sdk/s3-request-presigner`.
 *
 * @example openStorage({ drivers: { s3: fromS3Client(new S3Client()) } })
 */
export function fromS3Client(client: S3Client, { provider = "aws" }: { provider?: S3Provider } = {}): OpenDriver {
  const own = client as unknown as SdkS3;
  const gate = gateOf(own);
  return withOwnCredentials((name, _connection, shared) =>
    sdkDriver({ client: own, gate, name, profile: profiles[provider] }, shared),
  );
}

// S3 with keys that are written down and nothing else, for small bundles.

/** Keys, and the server that knows them. */
export interface S3Keys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
  /** @default "us-east-1" */
  region?: string | undefined;
  /** `https://host`; left out, AWS's own of the region. */
  endpoint?: string | undefined;
  /** Which dialect of S3 the endpoint speaks. @default "aws" without an endpoint, else "generic" */
  provider?: S3Provider | undefined;
  /** Whether the bucket is in the host or in the path. @default "auto" without an endpoint, else "path" */
  addressing?: BucketOptions["addressing"] | undefined;
}

/**
 * Opens buckets with these keys, whatever connection a path names. No field of a connection is read, so a bundle of it
 * holds neither their reader nor AWS's credential chains.
 *
 * @example openStorage({ drivers: { s3: fromS3Keys({ accessKeyId, secretAccessKey, region: "eu-central-1" }) } })
 */
export function fromS3Keys(given: S3Keys): OpenDriver {
  const { options, keys } = settled(given);
  return withOwnCredentials((name, _connection, shared) => openBucket(name, options, keys, shared));
}

/**
 * As `fromS3Keys`, for `openObjects`: the driver neither lists nor copies nor signs, and deletes key by key.
 *
 * @example openObjects({ drivers: { s3: s3Objects({ accessKeyId, secretAccessKey, region: "eu-central-1" }) } })
 */
export function s3Objects(given: S3Keys): OpenDriver<ObjectDriver> {
  const { options, keys } = settled(given);
  return withOwnCredentials(async (name, _connection, shared) =>
    objectDriver(await bucketOf(name, options, keys, shared.env), shared),
  );
}

function settled({ accessKeyId, secretAccessKey, sessionToken, region, endpoint, ...said }: S3Keys) {
  const { provider, addressing } = endpoint === undefined ? AMAZON : ELSEWHERE;
  const options: BucketOptions = {
    ...{ region, endpoint, encryption: NO_ENCRYPTION },
    provider: said.provider ?? provider,
    addressing: said.addressing ?? addressing,
  };
  return { options, keys: fixedKeys({ accessKeyId, secretAccessKey, sessionToken }) };
}

const AMAZON = { provider: "aws", addressing: "auto" } as const;
const ELSEWHERE = { provider: "generic", addressing: "path" } as const;

/**
 * As `openS3` for connections that hold their keys, or ask for anonymous access. Unsupported for roles, profiles and
 * whatever else has to be found first: a bundle of it holds nothing of AWS's credential chains.
 */
export const openS3WithKeys: OpenDriver = async (name, connection, shared) => {
  const { options, keys } = await stated(connection, shared.env);
  return openBucket(name, options, keys, shared);
};

/** As `openS3WithKeys`, for `openObjects`: the driver neither lists nor copies nor signs, and deletes key by key. */
export const openS3Objects: OpenDriver<ObjectDriver> = async (name, connection, shared) => {
  const { options, keys } = await stated(connection, shared.env);
  return objectDriver(await bucketOf(name, options, keys, shared.env), shared);
};

async function stated(
  connection: Connection | undefined,
  env: DriverContext["env"],
): Promise<{ options: BucketOptions; keys: CredentialProvider }> {
  const options = s3Options(connection, env);
  const { credentials } = options;
  if (!isLazy(credentials)) return { options: await prepared(options), keys: staticCredentials(credentials) };
  const why = `only keys that are written down are taken here, not credentials of the kind ${credentials.kind}`;
  throw failure("Unsupported", `${why}; use openS3`);
}
