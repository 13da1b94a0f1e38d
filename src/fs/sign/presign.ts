/** AWS Signature Version 4 in the query, https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html */
import { canonicalQuery } from "./encode.js";
import { type AccessKeys, ALGORITHM, canonical, type Signable, type SigV4, UNSIGNED_PAYLOAD } from "./sigv4.js";

/** Path and query of a presigned request, which signs the host only. `now`: milliseconds; `expiresIn`: seconds. */
export function presign(
  signer: SigV4,
  request: Signable,
  extra: Iterable<readonly [string, string]>,
  keys: AccessKeys,
  now: number,
  expiresIn: number,
): string {
  const day = signer.today(keys, now);
  const pairs = [
    ...extra,
    ["X-Amz-Algorithm", ALGORITHM],
    ["X-Amz-Credential", day.credential],
    ["X-Amz-Date", signer.date],
    ["X-Amz-Expires", String(expiresIn)],
    ["X-Amz-SignedHeaders", "host"],
  ] as [string, string][];
  if (keys.sessionToken) pairs.push(["X-Amz-Security-Token", keys.sessionToken]);
  const query = canonicalQuery(pairs);
  const text = canonical(request, query, `host:${request.host}\n`, "host", UNSIGNED_PAYLOAD);
  return `${request.path}?${query}&X-Amz-Signature=${signer.signature(text, day)}`;
}
