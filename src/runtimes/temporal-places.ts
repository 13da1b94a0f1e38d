/** Where the objects of Temporal's claims are. */
import { liesBelow, toPath } from "../claims/index.js";
import { failure } from "../errors.js";
import { StoragePath } from "../path.js";

/** Where claims lead: the same for the driver and for what reads its references. */
export interface TemporalPlaces {
  /** Where payloads are stored: a bucket, as the official drivers have it, or a path. */
  url: StoragePath | string;
  /** The name of the bucket in claims. @default the bucket of `url`, or the last part of its path */
  bucket?: string | undefined;
  /** Other buckets whose claims are read, such as those of an older store: the name in claims, and where it is now. */
  also?: readonly { bucket: string; url: StoragePath | string }[] | undefined;
}

/** A bucket of claims, and the path that it stands for. */
export interface Place {
  bucket: string;
  path: StoragePath;
}

/** Returns all places, that of `url` first. */
export function placesOf({ url, bucket, also = [] }: TemporalPlaces): readonly [Place, ...Place[]] {
  return [placeOf(url, bucket), ...also.map((one) => placeOf(one.url, one.bucket))];
}

function placeOf(url: StoragePath | string, bucket: string | undefined): Place {
  const path = toPath(url);
  return { path, bucket: bucket ?? (path.bucket || path.name) };
}

/** The object that a claim names. */
export interface ClaimedObject {
  path: StoragePath;
  sha256: string;
}

/**
 * Returns the object of a claim, with the field names of any official driver. A claim is input from outside: it leads to
 * nothing but what lies at a place of ours.
 */
export function objectOf(claimData: Readonly<Record<string, string>>, places: readonly Place[]): ClaimedObject {
  const { bucket, key = claimData.object ?? claimData.object_name } = claimData;
  const algorithm = claimData.hashAlgorithm ?? claimData.hash_algorithm;
  const sha256 = claimData.hashValue ?? claimData.hash_value;
  if (!bucket || !key || !algorithm || !sha256)
    throw failure("InvalidArgument", "a claim needs bucket, key, hash_algorithm and hash_value");
  if (algorithm !== "sha256" || !/^[0-9a-f]{64}$/.test(sha256))
    throw failure("Unsupported", `a claim with a digest of the kind ${JSON.stringify(algorithm.slice(0, 40))}`);
  return { path: find(places, bucket, key), sha256 };
}

function find(all: readonly Place[], bucket: string, key: string): StoragePath {
  const places = all.filter((one) => one.bucket === bucket);
  // The key is that of the whole bucket; of an older bucket that has moved, it is below the new place.
  for (const { path: place } of places) {
    const path = withKey(place, key);
    if (liesBelow(path, place)) return path;
  }
  for (const { path: place } of places) {
    const path = withKey(place, `${place.key}/${key}`);
    if (liesBelow(path, place)) return path;
  }
  throw failure("PermissionDenied", `no place is known for the key in the bucket ${JSON.stringify(bucket)}; see also`);
}

function withKey({ scheme, connectionId, bucket }: StoragePath, key: string): StoragePath {
  return StoragePath.of({ scheme, connectionId, bucket, key });
}
