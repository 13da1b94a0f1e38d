/** What a connection says about S3, in the words of the driver. */
import { readFile } from "node:fs/promises";
import type { S3Options } from "../../../connections/options/s3.js";
import type { Bucket } from "./bucket.js";
import { encryptionHeaders } from "./encryption.js";
import type { BucketOptions } from "./objects.js";
import { profiles } from "./profile.js";

/** Reads the file of authorities, if there is one. */
export async function prepared(options: S3Options): Promise<BucketOptions> {
  const { provider, addressing, region, endpoint, requesterPays, verify } = options;
  const { connections: sockets, connectTimeout: connect, readTimeout: idle, attempts: tries } = options;
  const tls = typeof verify === "string" ? { ca: await readFile(verify) } : { rejectUnauthorized: verify };
  return {
    ...{ provider, addressing, region, endpoint, requesterPays },
    encryption: encryptionHeaders(options.encryption),
    checksums: checksumsOf(options),
    transport: { sockets, connect, idle, tries, tls },
  };
}

function checksumsOf({ provider, requestChecksum, responseChecksum }: S3Options): Bucket["checksums"] {
  const usual = profiles[provider].checksums;
  const wanted = (said: S3Options["requestChecksum"]) => (said === undefined ? usual : said === "when_supported");
  return { write: wanted(requestChecksum), read: wanted(responseChecksum) };
}
