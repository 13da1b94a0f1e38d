/** Where a bucket is. */
import type { S3Options } from "../../../connections/options/s3.js";
import { invalid } from "../../../errors.js";
import { type Origin, originOf } from "../../http.js";
import { encodeKey } from "../../sign.js";

export interface Address {
  origin: Origin;
  /** Path of the bucket, with a slash at its end; keys follow encoded. */
  path: string;
}

type Place = Pick<S3Options, "endpoint" | "addressing">;

/** The address of `bucket` at an endpoint, or in AWS's `region` without one. */
export function addressOf({ endpoint, addressing }: Place, bucket: string, region: string): Address {
  const origin = originOf(endpoint ?? amazon(region));
  if (!inHost(addressing, bucket, origin)) return { origin, path: `${origin.base}/${encodeKey(bucket)}/` };
  const [hostname, host] = [`${bucket}.${origin.hostname}`, `${bucket}.${origin.host}`];
  return { origin: { ...origin, hostname, host }, path: `${origin.base}/` };
}

function amazon(region: string): string {
  return `https://s3.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`;
}

const LABEL = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/;

/** With a dot in its name a bucket is under no wildcard certificate. */
function inHost(addressing: Place["addressing"], bucket: string, { protocol }: Origin): boolean {
  if (addressing === "path") return false;
  const fits = LABEL.test(protocol === "http:" ? bucket.replaceAll(".", "") : bucket);
  if (addressing === "virtual" && !fits) throw invalid("this bucket's name cannot be part of a host");
  return fits;
}
