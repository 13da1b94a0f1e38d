import type { ListObjectsV2CommandOutput, ListObjectVersionsCommandOutput, ObjectVersion } from "@aws-sdk/client-s3";
import { failure } from "../../../../errors.js";
import type { Item, ListOptions } from "../../../driver.js";
import { Listing } from "../../../listing.js";
import { decoder, required } from "../list.js";
import { calling, type Sdk } from "./client.js";

export function list(sdk: Sdk, prefix: string, options: ListOptions): AsyncGenerator<readonly Item[]> {
  return options.versions ? versions(sdk, prefix, options) : objects(sdk, prefix, options);
}

async function* objects({ client, library, bucket }: Sdk, prefix: string, options: ListOptions) {
  const { delimiter, startAfter, signal } = options;
  const fixed = { Bucket: bucket, Prefix: prefix, Delimiter: delimiter, EncodingType: "url" as const };
  const listing = listingOf(bucket, prefix, options);
  let token: string | undefined;
  do {
    const command = new library.ListObjectsV2Command({ ...fixed, StartAfter: startAfter, ContinuationToken: token });
    const page: ListObjectsV2CommandOutput = await calling("ListObjectsV2", signal, (o) => client.send(command, o));
    token = isTruncated(page) ? listing.next(required(page.NextContinuationToken, "NextContinuationToken")) : undefined;
    const decode = decoder(page.EncodingType);
    const files = (page.Contents ?? []).map((row) => file(row, decode));
    yield* filled(listing.page([...files, ...directories(page, decode)]));
  } while (token !== undefined);
}

async function* versions({ client, library, bucket }: Sdk, prefix: string, options: ListOptions) {
  const { delimiter, startAfter, signal } = options;
  const fixed = { Bucket: bucket, Prefix: prefix, Delimiter: delimiter, EncodingType: "url" as const };
  const listing = listingOf(bucket, prefix, options);
  let at: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } | undefined;
  do {
    const command = new library.ListObjectVersionsCommand({ ...fixed, ...(at ?? { KeyMarker: startAfter }) });
    const page: ListObjectVersionsCommandOutput = await calling("ListObjectVersions", signal, (o) =>
      client.send(command, o),
    );
    const decode = decoder(page.EncodingType);
    at = undefined;
    if (isTruncated(page)) {
      at = {
        KeyMarker: decode(required(page.NextKeyMarker, "NextKeyMarker")),
        VersionIdMarker: page.NextVersionIdMarker,
      };
      listing.next(JSON.stringify(at));
    }
    yield* filled(listing.page([...history(page, decode), ...directories(page, decode)]));
  } while (at !== undefined);
}

type Decode = (text: string) => string;

/** The names of directory buckets end so; they alone are not listed in order. */
function listingOf(bucket: string, prefix: string, options: ListOptions): Listing {
  return new Listing(prefix, options, !bucket.endsWith("--x-s3"));
}

function isTruncated({ IsTruncated }: { IsTruncated?: boolean | undefined }): boolean {
  if (IsTruncated !== undefined) return IsTruncated;
  throw failure("Corrupt", "the server's answer is no listing: it has no IsTruncated");
}

function* filled(items: readonly Item[]): Generator<readonly Item[]> {
  if (items.length > 0) yield items;
}

function file(row: Pick<ObjectVersion, "Key" | "Size" | "LastModified" | "ETag">, decode: Decode): Item {
  const { Key, Size = Number.NaN, LastModified, ETag } = row;
  const item: Item = { key: decode(required(Key, "Key")), type: "file", size: Size };
  if (LastModified) item.modified = LastModified;
  if (ETag) item.etag = ETag;
  return item;
}

function directories(
  { CommonPrefixes = [] }: Pick<ListObjectsV2CommandOutput, "CommonPrefixes">,
  decode: Decode,
): Item[] {
  return CommonPrefixes.map(({ Prefix }) => ({ key: decode(required(Prefix, "Prefix")), type: "directory" }));
}

/** Versions and markers come as two lists; those of one key go from new to old. */
function history({ Versions = [], DeleteMarkers = [] }: ListObjectVersionsCommandOutput, decode: Decode): Item[] {
  const stored = Versions.map((row) => ({ ...file(row, decode), ...versioned(row), deleted: false }));
  const markers = DeleteMarkers.map((row) => {
    const { size: _, etag: __, ...item } = file(row, decode);
    return { ...item, ...versioned(row), deleted: true };
  });
  return [...markers, ...stored].sort((a, b) => Number(b.modified) - Number(a.modified));
}

function versioned({ VersionId, IsLatest }: ObjectVersion): { version: string; latest: boolean } {
  return { version: required(VersionId, "VersionId"), latest: IsLatest === true };
}
