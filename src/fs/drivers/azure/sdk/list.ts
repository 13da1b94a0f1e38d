import type { BlobItem } from "@azure/storage-blob";
import type { Item, ListOptions } from "../../../driver.js";
import { fileItem, PAGE, type Page } from "../list.js";
import { failureOf, type Sdk } from "./client.js";

interface Segment {
  blobItems: BlobItem[];
  blobPrefixes?: { name: string }[];
}

export async function* sdkPages({ container }: Sdk, prefix: string, options: ListOptions): AsyncGenerator<Page> {
  const { delimiter, versions, signal } = options;
  const init = { prefix, includeVersions: versions, includeMetadata: true, ...(signal && { abortSignal: signal }) };
  const listing = delimiter ? container.listBlobsByHierarchy(delimiter, init) : container.listBlobsFlat(init);
  try {
    for await (const { segment, continuationToken } of listing.byPage({ maxPageSize: PAGE })) {
      yield { items: itemsIn(segment), next: continuationToken || undefined };
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw failureOf("GET", error);
  }
}

function itemsIn({ blobItems, blobPrefixes = [] }: Segment): Item[] {
  // A hierarchical namespace has directories that exist by themselves; the client tells them by this mark only.
  const files = blobItems.filter(({ metadata }) => metadata?.hdi_isfolder !== "true");
  return [...files.map(file), ...blobPrefixes.map(({ name }): Item => ({ key: name, type: "directory" }))];
}

function file({ name, versionId: id, isCurrentVersion = false, properties }: BlobItem): Item {
  const { contentLength: size = Number.NaN, lastModified: modified, etag } = properties;
  return fileItem(name, { size, modified, etag }, id === undefined ? undefined : { id, latest: isCurrentVersion });
}
