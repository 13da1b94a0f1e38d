import { failure } from "../../../errors.js";
import type { Bytes, Info, ReadOptions, StatOptions } from "../../driver.js";
import { HttpError, type HttpResponse } from "../../http.js";
import { canonicalQuery } from "../../sign.js";
import type { Bucket } from "./bucket.js";
import { promisedChecksum, verified } from "./checksum.js";
import { infoOf } from "./info.js";

export function versionQuery(version: string | undefined): string {
  return version === undefined ? "" : canonicalQuery([["versionId", version]]);
}

export async function stat(
  { client, encryption }: Bucket,
  key: string,
  { version, signal, ifMatch }: StatOptions & { ifMatch?: string | undefined },
): Promise<Info> {
  const headers = ifMatch === undefined ? encryption.use : { ...encryption.use, "if-match": ifMatch };
  const answer = await client.send({ method: "HEAD", key, query: versionQuery(version), headers, signal });
  return infoOf(key, Number(answer.headers["content-length"] ?? 0), answer.headers);
}

export async function read(bucket: Bucket, key: string, options: ReadOptions): Promise<{ info: Info; body: Bytes }> {
  try {
    return await get(bucket, key, options);
  } catch (error) {
    if (!(error instanceof HttpError) || error.status !== 416) throw error;
    // The range starts past the end, or the object is empty, where every range is refused.
    return { info: await stat(bucket, key, options), body: nothing() };
  }
}

async function* nothing(): Bytes {}

async function get(bucket: Bucket, key: string, options: ReadOptions): Promise<{ info: Info; body: Bytes }> {
  const { start, end, ifMatch, version, signal } = options;
  const whole = start === 0 && end === undefined;
  const headers: Record<string, string> = { ...bucket.encryption.use };
  if (!whole) headers.range = `bytes=${start}-${end === undefined ? "" : end - 1}`;
  else if (bucket.checksums.read) headers["x-amz-checksum-mode"] = "ENABLED";
  if (ifMatch !== undefined) headers["if-match"] = ifMatch;
  const answer = await bucket.client.send({ method: "GET", key, query: versionQuery(version), headers, signal });
  const size = whole ? wholeSize(answer) : rangeSize(answer, start, end);
  const info = infoOf(key, size, answer.headers);
  const checksum = whole && bucket.checksums.read ? promisedChecksum(answer.headers) : undefined;
  return { info, body: checksum === undefined ? answer.body : verified(answer.body, checksum) };
}

function wholeSize({ body }: HttpResponse): number {
  if (body.expected !== undefined) return body.expected;
  body.discard();
  throw failure("Unsupported", "the server does not say how long the object is");
}

/** The size of the whole object, after a check that exactly the range comes. */
function rangeSize({ status, headers, body }: HttpResponse, start: number, end: number | undefined): number {
  const [, first, last, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers["content-range"] ?? "") ?? [];
  const wanted = Math.min(end ?? Number(size), Number(size)) - 1;
  if (status === 206 && Number(first) === start && Number(last) === wanted) {
    body.expect(wanted - start + 1);
    return Number(size);
  }
  body.discard();
  throw failure("Unsupported", status === 200 ? "the server ignores Range" : "the server sent another range");
}
