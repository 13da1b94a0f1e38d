/** The driver of an S3 bucket on the thin transport. */
import { readFile } from "node:fs/promises";
import type { S3Options } from "../../../connections/options/s3.js";
import { failure } from "../../../errors.js";
import type { Driver, Shared } from "../../driver.js";
import type { HttpOptions } from "../../http.js";
import type { Bucket } from "./bucket.js";
import { openClient } from "./client.js";
import { copy } from "./copy.js";
import { HttpCopy } from "./copy-http.js";
import { remove } from "./delete.js";
import { HttpDelete } from "./delete-http.js";
import { codeOf } from "./dialect.js";
import { encryptionHeaders } from "./encryption.js";
import type { KeySource } from "./keys.js";
import { list } from "./list.js";
import { profiles } from "./profile.js";
import { read, stat } from "./read.js";
import { write } from "./write.js";

/** Seconds that a signed request is valid at most. */
const WEEK = 7 * 24 * 60 * 60;

/** What is known of a bucket besides its name and who asks. */
export type BucketOptions = Omit<S3Options, "credentials">;

export async function openBucket(
  name: string,
  options: BucketOptions,
  keys: KeySource,
  shared: Shared,
): Promise<Driver> {
  const client = await openClient(name, { ...options, keys }, await transportOf(options, shared.env));
  const profile = profiles[options.provider];
  const bucket = { name, client, profile, encryption: encryptionHeaders(options.encryption), checksums: sums(options) };
  return s3Driver(bucket, shared);
}

function sums({ provider, requestChecksum, responseChecksum }: BucketOptions): Bucket["checksums"] {
  const usual = profiles[provider].checksums;
  const wanted = (said: S3Options["requestChecksum"]) => (said === undefined ? usual : said === "when_supported");
  return { write: wanted(requestChecksum), read: wanted(responseChecksum) };
}

async function transportOf(
  options: BucketOptions,
  env: Shared["env"],
): Promise<Omit<HttpOptions, "protocol" | "dialect">> {
  const { connections: sockets, connectTimeout: connect, readTimeout: idle, attempts: tries, verify } = options;
  const tls = typeof verify === "string" ? { ca: await readFile(verify) } : { rejectUnauthorized: verify };
  return { sockets, connect, idle, tries, tls, env };
}

function s3Driver(bucket: Bucket, { uploads }: Shared): Driver {
  return {
    metadata: true,
    stat: (key, options) => stat(bucket, key, options),
    list: (prefix, options) => list(bucket, prefix, options),
    read: (key, options) => read(bucket, key, options),
    write: (key, body, options) => write(bucket, key, body, options, uploads),
    copy: (from, to, options) => copy(new HttpCopy(from, bucket, to), options),
    delete: (objects, { signal }) => remove(new HttpDelete(bucket), objects, signal),
    sign: async (key, { method, expiresIn }) => {
      if (expiresIn > WEEK) throw failure("InvalidArgument", `expiresIn is at most ${WEEK} seconds`);
      return bucket.client.presigned(method, key, expiresIn);
    },
    codeOf,
    close: async () => bucket.client.close(),
  };
}
