/** S3 with keys that are written down and nothing else, for small bundles. */
import { type S3Provider, s3Options } from "../../../connections/options/s3.js";
import { failure } from "../../../errors.js";
import type { OpenDriver } from "../../driver.js";
import { type BucketOptions, openBucket } from "./driver.js";
import { fixedKeys, isLazy, statedKeys } from "./keys.js";

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
export function fromS3Keys({ accessKeyId, secretAccessKey, sessionToken, ...place }: S3Keys): OpenDriver {
  const keys = fixedKeys({ accessKeyId, secretAccessKey, sessionToken });
  return (name, _connection, shared) => openBucket(name, optionsOf(place), keys, shared);
}

function optionsOf({ region, endpoint, provider, addressing }: Omit<S3Keys, keyof KeyPair>): BucketOptions {
  const own = endpoint === undefined;
  return {
    ...UNSAID,
    region,
    endpoint,
    provider: provider ?? (own ? "aws" : "generic"),
    addressing: addressing ?? (own ? "auto" : "path"),
  };
}

type KeyPair = Pick<S3Keys, "accessKeyId" | "secretAccessKey" | "sessionToken">;

/** What the driver decides where nothing is said. */
const UNSAID = {
  verify: true,
  requesterPays: false,
  encryption: undefined,
  attempts: undefined,
  connectTimeout: undefined,
  readTimeout: undefined,
  connections: undefined,
  requestChecksum: undefined,
  responseChecksum: undefined,
} as const;

/**
 * As `openS3` for connections that hold their keys, or ask for anonymous access. Unsupported for roles, profiles and
 * whatever else has to be found first: a bundle of it holds nothing of AWS's credential chains.
 */
export const openS3WithKeys: OpenDriver = async (name, connection, shared) => {
  const options = s3Options(connection, shared.env);
  const { credentials } = options;
  if (!isLazy(credentials)) return openBucket(name, options, statedKeys(credentials), shared);
  const why = `openS3WithKeys takes keys that are written down, not credentials of the kind ${credentials.kind}; use openS3`;
  throw failure("Unsupported", why);
};
