/** Where the objects of Temporal's claims are. */
import { liesBelow, toPath } from "../claims/index.js";
import { checkOptions, failure, invalid, type OptionNames } from "../errors.js";
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

/** As `checkOptions`. All other adapters call `url` a path. */
export function checkPlaced<T extends TemporalPlaces>(verb: string, options: T, names: OptionNames<T>): void {
  if (Object.hasOwn(Object(options), "path"))
    throw invalid(`unknown option "path" of ${verb}; did you mean url? (known: ${Object.keys(names).join(", ")})`);
  checkOptions(verb, options, names);
  if (options.url === undefined) throw invalid(`url of ${verb} must be a bucket or a path, such as s3://lake@payloads`);
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
  const name = JSON.stringify(bucket);
  if (places.length > 0) throw failure("PermissionDenied", `a claim's key leads out of the bucket ${name}`);
  const fix = "say where it is with the option also";
  throw failure("PermissionDenied", `no place is known for the bucket ${name}: ${fix}`);
}

function withKey({ scheme, connectionId, bucket }: StoragePath, key: string): StoragePath {
  return StoragePath.of({ scheme, connectionId, bucket, key });
}
