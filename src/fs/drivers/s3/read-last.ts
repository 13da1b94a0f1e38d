import { failure } from "../../../errors.js";
import type { ByteStream } from "../../../streams.js";
import { single } from "../../../streams.js";
import { parseSuffixRange } from "../../driver/content.js";
import type { DriverSuffixOptions, ObjectInfo } from "../../driver/driver.js";
import { HttpError } from "../../http/errors.js";
import type { Bucket } from "./client.js";
import { infoOf } from "./object.js";
import { stat, versionQuery } from "./read.js";

/** Reads the last bytes. Apart from other reads, so that bundles for single objects do without it. */
export async function readLast(
  bucket: Bucket,
  key: string,
  last: number,
  options: DriverSuffixOptions,
): Promise<{ info: ObjectInfo; body: ByteStream }> {
  const { ifMatch, version, signal } = options;
  const headers: Record<string, string> = { ...bucket.encryption.use, range: `bytes=-${last}` };
  if (ifMatch !== undefined) headers["if-match"] = ifMatch;
  try {
    const answer = await bucket.client.send({ method: "GET", key, query: versionQuery(version), headers, signal });
    try {
      const { size, length } = parseSuffixRange(answer, last);
      answer.body.expect(length);
      return { info: infoOf(key, size, answer.headers, bucket), body: answer.body };
    } catch (error) {
      answer.body.discard();
      throw error;
    }
  } catch (error) {
    if (!(error instanceof HttpError) || error.status !== 416) throw error;
    // Every range of an empty object is refused.
    const info = await stat(bucket, key, options);
    if (info.size > 0) throw failure("ObjectChanged", "the object grew while it was read", { cause: error });
    return { info, body: single(new Uint8Array(0)) };
  }
}
