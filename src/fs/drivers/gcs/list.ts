import { failure } from "../../../errors.js";
import type { DriverListEntry, DriverListOptions } from "../../driver/driver.js";
import { Listing, NewestFirst, pageSize } from "../../driver/listing.js";
import { type Document, isDocument, listOf, textOf } from "../../http/json.js";
import type { Server } from "./client.js";
import { ITEM_FIELDS, itemOf } from "./object.js";

/** Yields pages of at most 1,000 objects and directories, in the order of UTF-8 bytes. */
export async function* listObjects(
  api: Server,
  prefix: string,
  options: DriverListOptions,
): AsyncGenerator<readonly DriverListEntry[]> {
  const newestFirst = new NewestFirst();
  const listing = new Listing(prefix, options);
  for await (const { items, next } of pages(api, prefix, options)) {
    if (next !== undefined) listing.next(next);
    // The server's own start is inclusive, and a directory may begin before it.
    const rows = listing.page(items);
    const done = options.versions ? newestFirst.add(rows) : rows;
    if (done.length > 0) yield done;
  }
  const rest = newestFirst.rest();
  if (rest.length > 0) yield rest;
}

interface Page {
  items: DriverListEntry[];
  next: string | undefined;
}

async function* pages(api: Server, prefix: string, options: DriverListOptions): AsyncGenerator<Page> {
  const { delimiter, startAfter: startOffset, versions, signal } = options;
  // `kind` is always present, which distinguishes an empty listing from a truncated response.
  const fields = `kind,nextPageToken,prefixes,items(${ITEM_FIELDS}${versions ? ",timeDeleted" : ""})`;
  const fixed = { prefix: prefix || undefined, delimiter, startOffset, maxResults: pageSize(options), fields };
  let pageToken: string | undefined;
  do {
    const query = { ...fixed, versions: versions ? "true" : undefined, pageToken };
    const page = await api.json({ method: "GET", path: api.objects(), query, signal });
    pageToken = textOf(page, "nextPageToken") || undefined;
    yield { items: rowsOf(page, options), next: pageToken };
  } while (pageToken !== undefined);
}

function rowsOf(page: Document, { delimiter, versions }: DriverListOptions): DriverListEntry[] {
  const files = listOf(page, "items").map((row) => {
    if (!isDocument(row)) throw failure("Corrupt", "the listing has a row that is no object");
    return versions ? versionOf(row) : itemOf(row);
  });
  const prefixes = delimiter ? listOf(page, "prefixes") : [];
  return prefixes.length === 0 ? files : [...files, ...prefixes.map(directory)];
}

function directory(key: unknown): DriverListEntry {
  if (typeof key !== "string") throw failure("Corrupt", "the listing has a prefix that is no text");
  return { key, type: "directory" };
}

function versionOf(row: Document): DriverListEntry {
  const item = itemOf(row);
  return { ...item, version: item.etag ?? "", latest: textOf(row, "timeDeleted") === undefined };
}
