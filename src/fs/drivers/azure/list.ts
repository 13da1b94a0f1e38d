import type { XmlElement } from "@rgrove/parse-xml";
import { failure } from "../../../errors.js";
import type { Item, ListOptions } from "../../driver.js";
import { byUtf8 } from "../../order.js";
import { NewestFirst } from "../../versions.js";
import { elements, fields } from "../../xml.js";
import { documentIn } from "./dialect.js";
import type { Server } from "./server.js";

/** Rows of a page. The service gives up to 5,000; smaller pages keep a listing that stops early cheap. */
const PAGE = "1000";

/** Pages in the order of the service; the versions of a key newest first. */
export async function* listObjects(
  server: Server,
  prefix: string,
  options: ListOptions,
): AsyncGenerator<readonly Item[]> {
  const newestFirst = new NewestFirst();
  for await (const page of pages(server, prefix, options)) {
    const items = options.versions ? newestFirst.add(page) : page;
    if (items.length > 0) yield items;
  }
  const rest = newestFirst.rest();
  if (rest.length > 0) yield rest;
}

/** The service has no way to start in the middle, so rows before `startAfter` are fetched and left out. */
async function* pages(server: Server, prefix: string, options: ListOptions): AsyncGenerator<readonly Item[]> {
  const { delimiter, startAfter, versions, signal } = options;
  const fixed = {
    restype: "container",
    comp: "list",
    prefix: prefix || undefined,
    delimiter,
    include: versions ? "versions" : undefined,
    maxresults: PAGE,
  };
  let marker: string | undefined;
  do {
    const { text } = await server.text({ method: "GET", key: "", query: { ...fixed, marker }, signal });
    const { items, next } = pageOf(text);
    if (next !== undefined && next === marker) throw failure("Corrupt", "the server repeats a page of the listing");
    marker = next;
    yield startAfter === undefined ? items : items.filter((item) => isAfter(item, startAfter));
  } while (marker !== undefined);
}

export function isAfter({ key, type }: Item, startAfter: string): boolean {
  return byUtf8(key, startAfter) > 0 || (type === "directory" && startAfter !== key && startAfter.startsWith(key));
}

function pageOf(text: string): { items: Item[]; next: string | undefined } {
  const items: Item[] = [];
  let next: string | undefined;
  for (const element of elements(documentIn(text, "EnumerationResults"))) {
    if (element.name === "NextMarker") next = element.text || undefined;
    if (element.name === "Blobs") for (const row of elements(element)) items.push(...itemOf(row));
  }
  // Azurite puts the prefixes of a page before its blobs; the sort is stable, so versions keep their order.
  return { items: items.sort((a, b) => byUtf8(a.key, b.key)), next };
}

function* itemOf(row: XmlElement): Generator<Item> {
  if (row.name === "BlobPrefix") yield { key: nameOf(row), type: "directory" };
  if (row.name !== "Blob") return;
  const properties = child(row, "Properties");
  const about = properties ? fields(properties) : {};
  // A hierarchical namespace has directories that exist by themselves; they are no objects.
  if (about.ResourceType !== "directory") yield file(row, about);
}

function file(row: XmlElement, about: Record<string, string | undefined>): Item {
  const { "Last-Modified": modified, Etag: etag, "Content-Length": size } = about;
  const { VersionId: version, IsCurrentVersion: current } = fields(row);
  const item: Item = { key: nameOf(row), type: "file", size: Number(size), modified: new Date(modified ?? 0) };
  if (etag) item.etag = quoted(etag);
  return version === undefined ? item : { ...item, version, latest: current === "true", deleted: false };
}

/** Listings leave out the quotes that are part of the etag everywhere else. */
export function quoted(etag: string): string {
  return etag.startsWith('"') ? etag : `"${etag}"`;
}

/** Names with characters that XML cannot write come percent-encoded and say so. */
function nameOf(row: XmlElement): string {
  const name = child(row, "Name");
  if (!name) throw failure("Corrupt", "the listing has a row without a name");
  return name.attributes.Encoded === "true" ? decodeURIComponent(name.text) : name.text;
}

function child(row: XmlElement, name: string): XmlElement | undefined {
  for (const element of elements(row)) if (element.name === name) return element;
  return undefined;
}
