/**
 * S3 and compatible services: by the connection of a path, by keys, or by the caller's own client.
 *
 * @packageDocumentation
 */

import { checkOptions, invalid } from "../../../errors.js";
import { type DriverFactory, withOwnCredentials } from "../../driver/driver.js";
import type { S3Provider } from "./connection.js";
import { s3 as byKeys, type S3Keys, SCHEMES, unknownProvider } from "./keys.js";
import { openS3 } from "./open.js";
import { profiles } from "./profile.js";
import { gateOf, type SdkS3, sdkDriver } from "./sdk.js";

export type { DriverFactory } from "../../driver/driver.js";
export type { S3Keys } from "./keys.js";

/** The part of a client of `@aws-sdk/client-s3` that is used. */
export interface S3ClientLike {
  readonly config: { readonly requestHandler: object };
  readonly middlewareStack: { clone(): object };
}

export interface S3ClientOptions {
  /** The S3 dialect of the client's endpoint. @default "aws" */
  provider?: S3Provider | undefined;
}

export interface S3 {
  /**
   * Opens the buckets of paths with their connections. Static keys need no package; roles, profiles and AWS's default
   * chain need `@aws-sdk/credential-providers`.
   */
  (): DriverFactory;
  /** Opens buckets with these keys; ignores the connection in the path. */
  (keys: S3Keys): DriverFactory;
  /**
   * Opens buckets through a client of `@aws-sdk/client-s3`, for FIPS, access points, directory buckets, SigV4a and
   * proxies; ignores the connection in the path. The client finds endpoints, signs and sends; retries and checks are
   * those of the driver, and middleware added to the client does not see the requests. Signed URLs also need
   * `@aws-sdk/s3-request-presigner`.
   *
   * @example createStorage({ drivers: [s3.fromClient(new S3Client())] })
   */
  fromClient(client: S3ClientLike, options?: S3ClientOptions): DriverFactory;
}

/** S3 and compatible services, for `createStorage`. */
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
