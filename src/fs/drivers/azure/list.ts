/** Listings, by whatever client. */
import type { Item, ListOptions } from "../../driver.js";
import { byUtf8, isAfter } from "../../order.js";
import { NewestFirst } from "../../versions.js";

/** Rows of a page. The service gives up to 5,000; smaller pages keep a listing that stops early cheap. */
export const PAGE = 1000;

/** The pages of the service, each in the order of UTF-8 bytes, and the versions of a key newest first. */
export async function* listed(
  pages: AsyncIterable<readonly Item[]>,
  { startAfter, versions }: ListOptions,
): AsyncGenerator<readonly Item[]> {
  const newestFirst = new NewestFirst();
  for await (const page of pages) {
    // The service has no way to start in the middle, so rows before `startAfter` are fetched and left out.
    const after = page.filter(({ key }) => isAfter(key, startAfter));
    // Azurite puts the prefixes of a page before its blobs; the sort is stable, so versions keep their order.
    const sorted = [...after].sort((a, b) => byUtf8(a.key, b.key));
    const items = versions ? newestFirst.add(sorted) : sorted;
    if (items.length > 0) yield items;
  }
  const rest = newestFirst.rest();
  if (rest.length > 0) yield rest;
}

/** A row that is an object. */
export function fileItem(
  key: string,
  { size, modified, etag }: { size: number; modified: Date; etag: string | undefined },
  version?: { id: string; latest: boolean },
): Item {
  const item: Item = { key, type: "file", size, modified };
  // Listings leave out the quotes that are part of the etag everywhere else.
  if (etag) item.etag = etag.startsWith('"') ? etag : `"${etag}"`;
  return version === undefined ? item : { ...item, version: version.id, latest: version.latest, deleted: false };
}
