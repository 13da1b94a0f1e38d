import { readFile } from "node:fs/promises";
import type { S3Options } from "../../../connections/options/s3.js";
import { encryptionHeaders } from "./encryption.js";
import type { BucketOptions } from "./objects.js";

/** The options of a connection, with the headers that its encryption needs, and its certificates read. */
export async function prepared({ encryption, verify, ...options }: S3Options): Promise<BucketOptions> {
  const tls = typeof verify === "string" ? { ca: await readFile(verify) } : { rejectUnauthorized: verify };
  return { ...options, tls, encryption: encryptionHeaders(encryption) };
}
