import { single } from "../../../streams.js";
import { parseContentRange, rangeHeader, sizeFrom } from "../../driver/content.js";
import type { DriverReadOptions, DriverReadResult, DriverStatOptions, ObjectInfo } from "../../driver/driver.js";
import { HttpError } from "../../http/errors.js";
import { canonicalQuery } from "../../signing/sigv4.js";
import type { Bucket } from "./client.js";
import { infoOf, promisedChecksum, verified } from "./object.js";

export function versionQuery(version: string | undefined): string {
  return version === undefined ? "" : canonicalQuery([["versionId", version]]);
}

export async function stat(
  bucket: Bucket,
  key: string,
  { version, signal, ifMatch }: DriverStatOptions & { ifMatch?: string | undefined },
): Promise<ObjectInfo> {
  const { use } = bucket.encryption;
  const headers = ifMatch === undefined ? use : { ...use, "if-match": ifMatch };
  const answer = await bucket.client.send({ method: "HEAD", key, query: versionQuery(version), headers, signal });
  return infoOf(key, sizeFrom(answer.headers["content-length"]), answer.headers, bucket);
}

export async function read(bucket: Bucket, key: string, options: DriverReadOptions): Promise<DriverReadResult> {
  try {
    return await get(bucket, key, options);
  } catch (error) {
    if (!(error instanceof HttpError) || error.status !== 416) throw error;
    // The range starts past the end, or the object is empty, where every range is refused.
    return { info: await stat(bucket, key, options), body: single(new Uint8Array(0)) };
  }
}

async function get(bucket: Bucket, key: string, options: DriverReadOptions): Promise<DriverReadResult> {
  const { start, end, ifMatch, version, signal } = options;
  const range = rangeHeader(start, end);
  const checked = range === undefined && bucket.checksums.read;
  const headers: Record<string, string> = { ...bucket.encryption.use };
  if (range !== undefined) headers.range = range;
  if (checked) headers["x-amz-checksum-mode"] = "ENABLED";
  if (ifMatch !== undefined) headers["if-match"] = ifMatch;
  const answer = await bucket.client.send({ method: "GET", key, query: versionQuery(version), headers, signal });
  try {
    const { size, length } = parseContentRange(answer, range === undefined ? undefined : { start, end });
    answer.body.expect(length);
    const info = infoOf(key, size, answer.headers, bucket);
    const checksum = checked ? promisedChecksum(answer.headers) : undefined;
    const body = checksum === undefined ? answer.body : verified(answer.body, checksum);
    return { info, body, attempts: answer.attempts };
  } catch (error) {
    answer.body.discard();
    throw error;
  }
}
