/** The driver of an S3 bucket on this library's transport. */

import type {
  ConditionalIdentifier,
  Driver,
  DriverAttributeOptions,
  DriverContext,
  DriverStatOptions,
  ObjectAttributes,
  ObjectDriver,
  ObjectInfo,
  WriteResult,
} from "../../driver/driver.js";
import { originOf } from "../../http/client.js";
import type { HttpOptions } from "../../http/types.js";
import {
  ATTRIBUTES,
  attributeHeaders,
  ENCRYPTIONS,
  encryptedBucket,
  readTags,
  sameEncryption,
  writeTags,
} from "./attributes.js";
import { bucketService } from "./buckets.js";
import { type Bucket, type CredentialProvider, type EncryptionHeaders, openClient, type S3Client } from "./client.js";
import type { S3Options } from "./connection.js";
import { copy } from "./copy.js";
import { remove, removeEach, removeIfMatch, removeObject } from "./delete.js";
import { codeOf } from "./errors.js";
import { list } from "./list.js";
import { AMAZON, profiles } from "./profile.js";
import { read, stat } from "./read.js";
import { readLast } from "./read-last.js";
import { presigned, presignedPost } from "./sign.js";
import { checksumsOf, write, writeChecked } from "./write.js";

export async function openBucket(
  name: string,
  given: BucketOptions,
  keys: CredentialProvider,
  shared: DriverContext,
): Promise<Driver> {
  const options: BucketOptions = {
    ...given,
    ...(name === "" && { addressing: "path" }),
    transport: { ...given.transport, observe: shared.observe },
  };
  const opened = await bucketOf(name, options, keys, shared.env);
  const bucket = { ...opened, ...(options.endpoint !== undefined && { origin: originOf(options.endpoint) }) };
  return s3Driver(bucket, shared, {
    signedUrl: (key, request) => presigned(bucket.client, key, request),
    signedPost: (key, request) => presignedPost(bucket, key, request),
    buckets: bucketService({
      open: async (region = options.region) =>
        (await bucketOf("", { ...options, region, addressing: "path" }, keys, shared.env)).client,
      region: options.region,
      amazon: bucket.profile === AMAZON,
    }),
  });
}

/** Returns the driver of a bucket, on any client. */
export function s3Driver(of: Bucket, shared: DriverContext, more: OfClient): Driver {
  const bucket: Bucket = { ...of, attributes: attributeHeaders };
  return {
    ...objectDriver(bucket, shared),
    attributes: ATTRIBUTES,
    attributesOnCopy: ATTRIBUTES,
    checksums: checksumsOf(bucket.profile),
    encryption: {
      names: ENCRYPTIONS,
      customerKeyOnCopy: true,
      driver: (call) => s3Driver(encryptedBucket(bucket, call), shared, more),
    },
    stat: (key, options) => statWithTags(bucket, key, options),
    write: (key, body, options) => writeChecked(bucket, key, body, options, shared.uploads),
    setAttributes: (key, attributes, options) => setAttributes(bucket, key, attributes, options),
    readLast: (key, last, options) => readLast(bucket, key, last, options),
    list: (prefix, options) => list(bucket, prefix, options),
    // Servers that walk folders have an order of their own; a range would end where it passes the next one.
    startsAnywhere: bucket.ordered !== false && (bucket.profile === AMAZON || bucket.profile === profiles.minio),
    copy: (from, to, options) => copy({ from, to: bucket, key: to }, options),
    delete: (objects, { signal }) => remove(bucket, objects, signal),
    ...(bucket.profile === AMAZON && {
      deleteManyIfMatch: (objects: readonly ConditionalIdentifier[], { signal }: { signal: AbortSignal | undefined }) =>
        removeIfMatch(bucket, objects, signal),
    }),
    ...more,
  };
}

/** What depends on the kind of the client. */
type OfClient = Pick<Driver, "signedUrl" | "signedPost" | "buckets">;

// The part of the driver that small bundles need: single objects.

/** The settings of a bucket besides its name and credentials. */
export interface BucketOptions extends Pick<S3Options, "provider" | "addressing" | "region" | "endpoint"> {
  readonly requesterPays?: boolean;
  readonly encryption: EncryptionHeaders;
  /** @default those of the provider's profile */
  readonly checksums?: Bucket["checksums"];
  readonly transport?: Pick<
    HttpOptions,
    "maxSockets" | "connectTimeoutMs" | "idleTimeoutMs" | "maxAttempts" | "tls" | "observe"
  >;
}

export async function bucketOf(
  name: string,
  options: BucketOptions,
  keys: CredentialProvider,
  env: DriverContext["env"],
): Promise<Bucket & { client: S3Client }> {
  const { encryption, transport } = options;
  const client = await openClient(name, { ...options, keys }, { ...transport, env });
  const profile = profiles[options.provider];
  const { checksums = { write: profile.checksums, read: profile.checksums } } = options;
  return { name, client, profile, encryption, checksums };
}

async function statWithTags(bucket: Bucket, key: string, options: DriverStatOptions): Promise<ObjectInfo> {
  const { version, signal } = options;
  const info = await stat(bucket, key, options);
  // Not every service counts the tags in the response to HEAD.
  return options.tags ? { ...info, tags: await readTags(bucket, { key }, version, signal) } : info;
}

/** Copies the object onto itself, which makes a new version of it. Tags alone are set in place, without a condition. */
async function setAttributes(
  bucket: Bucket,
  key: string,
  attributes: ObjectAttributes,
  { was, changed, conditional, signal }: DriverAttributeOptions,
): Promise<WriteResult> {
  if (changed.size === 1 && changed.has("tags") && !conditional) {
    await writeTags(bucket, key, attributes.tags, signal);
    return {
      ...(was.etag !== undefined && { etag: was.etag }),
      ...(was.version !== undefined && { version: was.version }),
    };
  }
  const onto = { from: { bucket: bucket.name, key }, to: sameEncryption(bucket, was), key };
  return copy(onto, { ifAbsent: false, ifMatch: was.etag, attributes, signal });
}

/** Returns a driver of single objects, whose `delete` sends one request per key. */
export function objectDriver(bucket: Bucket, { uploads }: DriverContext): ObjectDriver {
  return {
    stat: (key, options) => stat(bucket, key, options),
    read: (key, options) => read(bucket, key, options),
    write: (key, body, options) => write(bucket, key, body, options, uploads),
    delete: (objects, { signal }) => removeEach((one) => removeObject(bucket, one, signal), objects, signal),
    codeOf,
    close: async () => bucket.client.close(),
  };
}
