import type { ListObjectsV2CommandOutput, ListObjectVersionsCommandOutput, ObjectVersion } from "@aws-sdk/client-s3";
import { failure } from "../../../../errors.js";
import type { Item, ListOptions } from "../../../driver.js";
import { byUtf8 } from "../../../order.js";
import { decoded, required, started } from "../list.js";
import { calling, type Sdk } from "./client.js";

export function list(sdk: Sdk, prefix: string, options: ListOptions): AsyncGenerator<readonly Item[]> {
  return options.versions ? versions(sdk, prefix, options) : objects(sdk, prefix, options);
}

async function* objects({ client, library, bucket }: Sdk, prefix: string, options: ListOptions) {
  const { delimiter, startAfter, signal } = options;
  const fixed = { Bucket: bucket, Prefix: prefix, Delimiter: delimiter, EncodingType: "url" as const };
  let token: string | undefined;
  do {
    const command = new library.ListObjectsV2Command({ ...fixed, StartAfter: startAfter, ContinuationToken: token });
    const page: ListObjectsV2CommandOutput = await calling("ListObjectsV2", signal, (o) => client.send(command, o));
    const files = (page.Contents ?? []).map(file);
    yield* filled(started([...files, ...directories(page)], options));
    token = next(token, page.IsTruncated === true, page.NextContinuationToken);
  } while (token !== undefined);
}

async function* versions({ client, library, bucket }: Sdk, prefix: string, options: ListOptions) {
  const { delimiter, startAfter, signal } = options;
  const fixed = { Bucket: bucket, Prefix: prefix, Delimiter: delimiter, EncodingType: "url" as const };
  let at: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = { KeyMarker: startAfter };
  let before: string | undefined;
  do {
    const command = new library.ListObjectVersionsCommand({ ...fixed, ...at });
    const page: ListObjectVersionsCommandOutput = await calling("ListObjectVersions", signal, (o) =>
      client.send(command, o),
    );
    yield* filled(started([...history(page), ...directories(page)], options));
    before = next(
      before,
      page.IsTruncated === true,
      page.NextKeyMarker && `${page.NextKeyMarker} ${page.NextVersionIdMarker}`,
    );
    at = { KeyMarker: decoded(page.NextKeyMarker ?? ""), VersionIdMarker: page.NextVersionIdMarker };
  } while (before !== undefined);
}

/** The mark of the next page, which must be another than the one that led to this. */
function next(before: string | undefined, truncated: boolean, mark: string | undefined): string | undefined {
  if (!truncated) return undefined;
  if (mark === before) throw failure("Corrupt", "the server repeats a page of the listing");
  return required(mark);
}

function* filled(items: readonly Item[]): Generator<Item[]> {
  if (items.length > 0) yield [...items].sort((a, b) => byUtf8(a.key, b.key));
}

function file({ Key, Size, LastModified, ETag }: Pick<ObjectVersion, "Key" | "Size" | "LastModified" | "ETag">): Item {
  const item: Item = { key: decoded(required(Key)), type: "file", size: Size ?? 0 };
  if (LastModified) item.modified = LastModified;
  if (ETag) item.etag = ETag;
  return item;
}

function directories({ CommonPrefixes = [] }: Pick<ListObjectsV2CommandOutput, "CommonPrefixes">): Item[] {
  return CommonPrefixes.map(({ Prefix }) => ({ key: decoded(required(Prefix)), type: "directory" }));
}

/** Versions and markers come as two lists; those of one key go from new to old. */
function history({ Versions = [], DeleteMarkers = [] }: ListObjectVersionsCommandOutput): Item[] {
  const stored = Versions.map((row) => ({ ...file(row), ...versioned(row), deleted: false }));
  const markers = DeleteMarkers.map((row) => {
    const { size: _, etag: __, ...item } = file(row);
    return { ...item, ...versioned(row), deleted: true };
  });
  return [...markers, ...stored].sort((a, b) => Number(b.modified) - Number(a.modified));
}

function versioned({ VersionId, IsLatest }: ObjectVersion): { version: string; latest: boolean } {
  return { version: required(VersionId), latest: IsLatest === true };
}
