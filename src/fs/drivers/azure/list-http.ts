import type { XmlElement } from "@rgrove/parse-xml";
import { failure } from "../../../errors.js";
import type { Item, ListOptions } from "../../driver.js";
import { elements, fields } from "../../xml.js";
import { documentIn } from "./dialect.js";
import { fileItem, PAGE } from "./list.js";
import type { Server } from "./server.js";

export async function* httpPages(
  server: Server,
  prefix: string,
  { delimiter, versions, signal }: ListOptions,
): AsyncGenerator<readonly Item[]> {
  const fixed = {
    restype: "container",
    comp: "list",
    prefix: prefix || undefined,
    delimiter,
    include: versions ? "versions" : undefined,
    maxresults: String(PAGE),
  };
  let marker: string | undefined;
  do {
    const { text } = await server.text({ method: "GET", key: "", query: { ...fixed, marker }, signal });
    const { items, next } = pageOf(text);
    if (next !== undefined && next === marker) throw failure("Corrupt", "the server repeats a page of the listing");
    marker = next;
    yield items;
  } while (marker !== undefined);
}

function pageOf(text: string): { items: Item[]; next: string | undefined } {
  const items: Item[] = [];
  let next: string | undefined;
  for (const element of elements(documentIn(text, "EnumerationResults"))) {
    if (element.name === "NextMarker") next = element.text || undefined;
    if (element.name === "Blobs") for (const row of elements(element)) items.push(...itemOf(row));
  }
  return { items, next };
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
  const { "Last-Modified": modified = 0, Etag: etag, "Content-Length": size } = about;
  const { VersionId: id, IsCurrentVersion: current } = fields(row);
  const version = id === undefined ? undefined : { id, latest: current === "true" };
  return fileItem(nameOf(row), { size: Number(size), modified: new Date(modified), etag }, version);
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
