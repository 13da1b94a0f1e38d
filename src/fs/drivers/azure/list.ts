/** Lists blobs. */
import { failure } from "../../../errors.js";
import type { DriverListEntry, DriverListOptions } from "../../driver/driver.js";
import { dateInRow, Listing, NewestFirst, pageSize, sizeInRow } from "../../driver/listing.js";
import { type Fields, readXml } from "../../http/xml.js";
import type { Server } from "./client.js";

/** One page of the service, and the marker of the next one. */
interface Page {
  items: readonly DriverListEntry[];
  next: string | undefined;
}

/** Yields the pages of the service, each in the order of UTF-8 bytes, and the versions of a key newest first. */
export async function* listBlobs(
  server: Server,
  prefix: string,
  options: DriverListOptions,
): AsyncGenerator<readonly DriverListEntry[]> {
  const newestFirst = new NewestFirst();
  const listing = new Listing(prefix, options);
  for await (const page of pagesOf(server, prefix, options)) {
    if (page.next !== undefined) listing.next(page.next);
    // The service cannot start in the middle, so entries before `startAfter` are fetched and dropped. Azurite puts the
    // prefixes of a page before its blobs; the sort is stable, so versions keep their order.
    const sorted = listing.page(page.items);
    const items = options.versions ? newestFirst.add(sorted) : sorted;
    if (items.length > 0) yield items;
  }
  const rest = newestFirst.rest();
  if (rest.length > 0) yield rest;
}

/** Converts a blob entry. */
function fileItem(
  key: string,
  { size, modified, etag, tier }: Properties,
  version?: { id: string; latest: boolean },
): DriverListEntry {
  const item: DriverListEntry = { key, type: "file", size, modified };
  // Listings omit the quotes that are part of the etag everywhere else.
  if (etag) item.etag = etag.startsWith('"') ? etag : `"${etag}"`;
  if (tier) item.storageClass = tier;
  return version === undefined ? item : { ...item, version: version.id, latest: version.latest, deleted: false };
}

async function* pagesOf(server: Server, prefix: string, options: DriverListOptions): AsyncGenerator<Page> {
  const { delimiter, versions, signal } = options;
  const fixed = {
    restype: "container",
    comp: "list",
    prefix: prefix || undefined,
    delimiter,
    include: versions ? "versions" : undefined,
    // Entries before `startAfter` come too, and small pages would multiply the requests for them.
    maxresults: pageSize(options.startAfter === undefined ? options : {}),
  };
  let marker: string | undefined;
  do {
    const { text } = await server.text({ method: "GET", key: "", query: { ...fixed, marker }, signal });
    const page = pageOf(text);
    marker = page.next;
    yield page;
  } while (marker !== undefined);
}

function pageOf(text: string): Page {
  const { rows, fields } = readXml(text, "EnumerationResults", { "Blobs/BlobPrefix": directory, "Blobs/Blob": file });
  return { items: rows.filter((item) => item !== undefined), next: fields.NextMarker || undefined };
}

function directory(row: Fields): DriverListEntry {
  return { key: nameOf(row), type: "directory" };
}

function file(row: Fields): DriverListEntry | undefined {
  // A hierarchical namespace has real directories; they are not objects.
  if (row["Properties/ResourceType"] === "directory") return undefined;
  const { VersionId: id, IsCurrentVersion: current } = row;
  const version = id === undefined ? undefined : { id, latest: current === "true" };
  return fileItem(nameOf(row), propertiesOf(row), version);
}

interface Properties {
  size: number;
  modified: Date;
  etag: string | undefined;
  tier: string | undefined;
}

function propertiesOf(row: Fields): Properties {
  const modified = dateInRow(row["Properties/Last-Modified"]);
  const [etag, tier] = [row["Properties/Etag"], row["Properties/AccessTier"]];
  return { size: sizeInRow(row["Properties/Content-Length"]), modified, etag, tier };
}

/** Decodes names with characters that XML cannot represent: they are percent-encoded and marked so. */
function nameOf({ Name, "Name@Encoded": encoded }: Fields): string {
  if (Name === undefined) throw failure("Corrupt", "the listing has a row without a name");
  if (encoded !== "true") return Name;
  try {
    return decodeURIComponent(Name);
  } catch {
    throw failure("Corrupt", "the listing has a name that is not UTF-8");
  }
}
