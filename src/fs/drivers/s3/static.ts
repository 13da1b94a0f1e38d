/**
 * S3 with connections that hold their keys, for small bundles: without AWS's credential chains.
 *
 * @packageDocumentation
 */
import type { Connection } from "../../../connections/connection.js";
import { failure } from "../../../errors.js";
import type { DriverContext, DriverFactory, ObjectDriver } from "../../driver/driver.js";
import { type CredentialProvider, isLazy, staticCredentials } from "./client.js";
import { s3Options } from "./connection.js";
import { type BucketOptions, bucketOf, objectDriver, openBucket } from "./driver.js";
import { SCHEMES } from "./keys.js";
import { prepared } from "./open.js";

export type { DriverFactory } from "../../driver/driver.js";

/**
 * Returns drivers that open the buckets of paths with their connections, or with the keys of the environment. They
 * throw `Unsupported` for roles, profiles and other credentials that must be found first.
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

/** Returns drivers for `createObjects`: they neither list nor copy nor sign, and delete key by key. */
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
