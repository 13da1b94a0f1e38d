/** The driver of an S3 bucket on the thin transport. */
import type { Driver, Shared } from "../../driver.js";
import type { Bucket } from "./bucket.js";
import { copy } from "./copy.js";
import { HttpCopy } from "./copy-http.js";
import { remove } from "./delete.js";
import { HttpDelete } from "./delete-http.js";
import type { KeySource } from "./keys.js";
import { list } from "./list.js";
import { type BucketOptions, bucketOf, objectDriver } from "./objects.js";
import { presigned } from "./presign.js";

export async function openBucket(
  name: string,
  options: BucketOptions,
  keys: KeySource,
  shared: Shared,
): Promise<Driver> {
  return s3Driver(await bucketOf(name, options, keys, shared.env), shared);
}

function s3Driver(bucket: Bucket, shared: Shared): Driver {
  return {
    ...objectDriver(bucket, shared),
    list: (prefix, options) => list(bucket, prefix, options),
    copy: (from, to, options) => copy(new HttpCopy(from, bucket, to), options),
    delete: (objects, { signal }) => remove(new HttpDelete(bucket), objects, signal),
    sign: (key, { method, expiresIn }) => presigned(bucket.client, method, key, expiresIn),
  };
}
