/**
 * S3 with static keys, for the smallest bundles: reads no connection and loads nothing later.
 *
 * @packageDocumentation
 */

import { checkOptions, invalid, type OptionNames } from "../../../errors.js";
import { type DriverFactory, type ObjectDriver, withOwnCredentials } from "../../driver/driver.js";
import { fixedKeys, NO_ENCRYPTION } from "./client.js";
import type { S3Provider } from "./connection.js";
import { type BucketOptions, bucketOf, objectDriver, openBucket } from "./driver.js";
import { profiles } from "./profile.js";

/** Keys, and their server. */
export interface S3Keys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
  /** @default "us-east-1" */
  region?: string | undefined;
  /** `https://host`; by default AWS's own for the region. */
  endpoint?: string | undefined;
  /** The S3 dialect of the endpoint. @default "aws" without an endpoint, else "generic" */
  provider?: S3Provider | undefined;
  /** Whether the bucket is in the host or in the path. @default "auto" without an endpoint, else "path" */
  addressing?: BucketOptions["addressing"] | undefined;
}

const NAMES: OptionNames<S3Keys> = {
  accessKeyId: true,
  secretAccessKey: true,
  sessionToken: true,
  region: true,
  endpoint: true,
  provider: true,
  addressing: true,
};

/** The schemes of S3. */
export const SCHEMES: readonly string[] = ["s3", "s3a"];

/** Returns drivers that open buckets with these keys; they ignore the connection in the path. */
export function s3(keys: S3Keys): DriverFactory {
  const { options, provider } = settled(keys);
  const open = withOwnCredentials((name, _connection, shared) => openBucket(name, options, provider, shared));
  return { schemes: SCHEMES, open };
}

/** Returns drivers for `createObjects`: they neither list nor copy nor sign, and delete key by key. */
export function s3Objects(keys: S3Keys): DriverFactory<ObjectDriver> {
  const { options, provider } = settled(keys);
  const open = withOwnCredentials(async (name, _connection, shared) =>
    objectDriver(await bucketOf(name, options, provider, shared.env), shared),
  );
  return { schemes: SCHEMES, open };
}

function settled(keys: S3Keys) {
  checkOptions("s3", keys, NAMES);
  const { accessKeyId, secretAccessKey, sessionToken, region, endpoint } = keys;
  if (!accessKeyId || !secretAccessKey) throw invalid("s3 needs accessKeyId and secretAccessKey");
  const usual = endpoint === undefined ? AMAZON : ELSEWHERE;
  const { provider = usual.provider, addressing = usual.addressing } = keys;
  if (!Object.hasOwn(profiles, provider)) throw unknownProvider(provider);
  const options: BucketOptions = { region, endpoint, encryption: NO_ENCRYPTION, provider, addressing };
  return { options, provider: fixedKeys({ accessKeyId, secretAccessKey, sessionToken }) };
}

export function unknownProvider(provider: string): Error {
  const known = Object.keys(profiles).join(", ");
  return invalid(`unknown provider ${JSON.stringify(provider)} of s3 (expected one of ${known})`);
}

const AMAZON = { provider: "aws", addressing: "auto" } as const;
const ELSEWHERE = { provider: "generic", addressing: "path" } as const;
