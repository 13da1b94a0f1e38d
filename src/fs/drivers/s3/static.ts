/** S3 by connections that hold their keys, for small bundles: nothing of AWS's credential chains is in them. */
import type { Connection } from "../../../connections/connection.js";
import { s3Options } from "../../../connections/options/s3.js";
import { failure } from "../../../errors.js";
import type { DriverContext, DriverFactory, ObjectDriver } from "../../driver/driver.js";
import { type CredentialProvider, isLazy, staticCredentials } from "./client.js";
import { type BucketOptions, bucketOf, objectDriver, openBucket } from "./driver.js";
import { SCHEMES } from "./keys.js";
import { prepared } from "./open.js";

export type { DriverFactory } from "../../driver/driver.js";

/**
 * Opens the buckets of paths with their connections, or with the keys of the environment. `Unsupported` for roles,
 * profiles and other credentials that have to be found first.
 */
export function s3(): DriverFactory {
  return {
    schemes: SCHEMES,
    open: async (name, connection, context) => {
      const { options, keys } = await stated(connection, context.env);
      return openBucket(name, options, keys, context);
    },
  };
}

/** As `s3`, for `createObjects`: the driver neither lists nor copies nor signs, and deletes key by key. */
export function s3Objects(): DriverFactory<ObjectDriver> {
  return {
    schemes: SCHEMES,
    open: async (name, connection, context) => {
      const { options, keys } = await stated(connection, context.env);
      return objectDriver(await bucketOf(name, options, keys, context.env), context);
    },
  };
}

async function stated(
  connection: Connection | undefined,
  env: DriverContext["env"],
): Promise<{ options: BucketOptions; keys: CredentialProvider }> {
  const options = s3Options(connection, env);
  const { credentials } = options;
  if (!isLazy(credentials)) return { options: await prepared(options), keys: staticCredentials(credentials) };
  const why = `stowage/s3/static takes keys that are written down, not credentials of the kind ${credentials.kind}`;
  throw failure("Unsupported", `${why}; use s3() of stowage/s3`);
}
