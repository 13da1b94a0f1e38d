import { failure } from "../../../errors.js";
import type { Item, ListOptions } from "../../driver.js";
import { byUtf8, isAfter } from "../../order.js";
import { NewestFirst } from "../../versions.js";
import { ITEM_FIELDS, itemOf, type Resource } from "./objects.js";
import type { Api } from "./server.js";

interface Page {
  items: readonly Partial<Resource>[];
  prefixes: readonly string[];
  nextPageToken: string;
}

/** Pages of at most 1,000 objects and directories, in the order of UTF-8 bytes. */
export async function* listObjects(api: Api, prefix: string, options: ListOptions): AsyncGenerator<readonly Item[]> {
  const { delimiter, startAfter, versions } = options;
  const newestFirst = new NewestFirst();
  for await (const page of pages(api, prefix, options)) {
    const files = page.items ?? [];
    const items = versions ? newestFirst.add(files.map(versionOf)) : files.map(itemOf);
    const all = delimiter ? merged(items, page.prefixes ?? []) : items;
    // The server's own start is inclusive, and a directory may begin before it.
    const after = all.filter(({ key }) => isAfter(key, startAfter));
    if (after.length > 0) yield after;
  }
  const rest = newestFirst.rest();
  if (rest.length > 0) yield rest;
}

async function* pages(api: Api, prefix: string, options: ListOptions): AsyncGenerator<Partial<Page>> {
  const { delimiter, startAfter: startOffset, versions, signal } = options;
  // The kind is there even when nothing else is, which tells an empty listing from an answer that was cut.
  const fields = `kind,nextPageToken,prefixes,items(${ITEM_FIELDS}${versions ? ",timeDeleted" : ""})`;
  const fixed = { prefix: prefix || undefined, delimiter, startOffset, maxResults: "1000", fields };
  let pageToken: string | undefined;
  do {
    const query = { ...fixed, versions: versions ? "true" : undefined, pageToken };
    const page = await api.json<Page>({ method: "GET", path: api.objects(), query, signal });
    if (page.nextPageToken !== undefined && page.nextPageToken === pageToken) {
      throw failure("Unavailable", "the server repeats a page of the listing");
    }
    pageToken = page.nextPageToken || undefined;
    yield page;
  } while (pageToken !== undefined);
}

function versionOf(resource: Partial<Resource>): Item {
  const { generation = "", timeDeleted } = resource;
  return { ...itemOf(resource), version: generation, latest: timeDeleted === undefined };
}

function merged(files: readonly Item[], directories: readonly string[]): readonly Item[] {
  if (directories.length === 0) return files;
  const items: Item[] = directories.map((key) => ({ key, type: "directory" }));
  return [...files, ...items].sort((a, b) => byUtf8(a.key, b.key));
}
