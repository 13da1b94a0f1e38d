/** S3 and what speaks like it: by the connection of a path, by keys, or by the caller's own client. */
import type { Connection } from "../../../connections/connection.js";
import { type S3Provider, s3Options } from "../../../connections/options/s3.js";
import { checkOptions, failure, invalid } from "../../../errors.js";
import {
  type DriverContext,
  type DriverFactory,
  type ObjectDriver,
  type OpenDriver,
  withOwnCredentials,
} from "../../driver/driver.js";
import { type CredentialProvider, isLazy, staticCredentials } from "./client.js";
import { type BucketOptions, bucketOf, objectDriver, openBucket } from "./driver.js";
import { s3 as byKeys, s3Objects as objectsByKeys, type S3Keys, SCHEMES, unknownProvider } from "./keys.js";
import { openS3, prepared } from "./open.js";
import { profiles } from "./profile.js";
import { gateOf, type SdkS3, sdkDriver } from "./sdk.js";

export type { DriverFactory } from "../../driver/driver.js";
export type { S3Keys } from "./keys.js";
export { openS3 } from "./open.js";

/** What is used of a client of `@aws-sdk/client-s3`. */
export interface S3ClientLike {
  readonly config: { readonly requestHandler: object };
  readonly middlewareStack: { clone(): object };
}

export interface S3ClientOptions {
  /** Which dialect of S3 the client's endpoint speaks. @default "aws" */
  provider?: S3Provider | undefined;
}

export interface S3 {
  /**
   * Opens the buckets of paths with their connections. Keys that are written down need no package; roles, profiles and
   * AWS's default chain need `@aws-sdk/credential-providers`.
   */
  (): DriverFactory;
  /** Opens buckets with these keys, whatever connection a path names. */
  (keys: S3Keys): DriverFactory;
  /**
   * Opens buckets through a client of `@aws-sdk/client-s3`, whatever connection a path names: for FIPS, access points,
   * directory buckets, SigV4a and proxies. The client finds endpoints, signs and sends; retries and checks are those of
   * the driver, and middleware that was added to the client does not see the requests. Signed URLs also need
   * `@aws-sdk/s3-request-presigner`.
   *
   * @example createStorage({ drivers: [s3.fromClient(new S3Client())] })
   */
  fromClient(client: S3ClientLike, options?: S3ClientOptions): DriverFactory;
}

/** S3 and what speaks like it, for `createStorage`. */
export const s3: S3 = /* @__PURE__ */ Object.assign(
  (...given: [] | [keys: S3Keys]): DriverFactory =>
    given.length === 0 ? { schemes: SCHEMES, open: openS3 } : byKeys(given[0]),
  { fromClient },
);

function fromClient(client: S3ClientLike, options: S3ClientOptions = {}): DriverFactory {
  checkOptions("s3.fromClient", options, { provider: true });
  const { provider = "aws" } = options;
  if (!Object.hasOwn(profiles, provider)) throw unknownProvider(provider);
  if (typeof client?.middlewareStack?.clone !== "function" || !client.config?.requestHandler)
    throw invalid("s3.fromClient needs an S3Client of @aws-sdk/client-s3");
  const sdk = client as unknown as SdkS3;
  const gate = gateOf(sdk);
  const open = withOwnCredentials((name, _connection, shared) =>
    sdkDriver({ client: sdk, gate, name, profile: profiles[provider] }, shared),
  );
  return { schemes: SCHEMES, open };
}

// Names of before `createStorage`, for those that have not moved to it yet.

export function fromS3Client(client: S3ClientLike, options?: S3ClientOptions): OpenDriver {
  return fromClient(client, options).open;
}

export function fromS3Keys(keys: S3Keys): OpenDriver {
  return byKeys(keys).open;
}

export function s3Objects(keys: S3Keys): OpenDriver<ObjectDriver> {
  return objectsByKeys(keys).open;
}

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
