/** Listings, by whatever client. */
import type { Item, ListOptions } from "../../driver.js";
import { Listing } from "../../listing.js";
import { NewestFirst } from "../../versions.js";

/** Rows of a page. The service gives up to 5,000; smaller pages keep a listing that stops early cheap. */
export const PAGE = 1000;

/** One page of the service, and the mark of the next one. */
export interface Page {
  items: readonly Item[];
  next: string | undefined;
}

/** The pages of the service, each in the order of UTF-8 bytes, and the versions of a key newest first. */
export async function* listed(
  pages: AsyncIterable<Page>,
  prefix: string,
  options: ListOptions,
): AsyncGenerator<readonly Item[]> {
  const newestFirst = new NewestFirst();
  const listing = new Listing(prefix, options);
  for await (const page of pages) {
    if (page.next !== undefined) listing.next(page.next);
    // The service has no way to start in the middle, so rows before `startAfter` are fetched and left out. Azurite puts
    // the prefixes of a page before its blobs; the sort is stable, so versions keep their order.
    const sorted = listing.page(page.items);
    const items = options.versions ? newestFirst.add(sorted) : sorted;
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
