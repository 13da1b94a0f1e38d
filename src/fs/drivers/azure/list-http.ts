import { failure } from "../../../errors.js";
import type { Item, ListOptions } from "../../driver.js";
import { dateInRow, sizeInRow } from "../../listing.js";
import type { Fields } from "../../xml.js";
import { parsed } from "../../xml-rows.js";
import { fileItem, PAGE, type Page } from "./list.js";
import type { Server } from "./server.js";

export async function* httpPages(
  server: Server,
  prefix: string,
  { delimiter, versions, signal }: ListOptions,
): AsyncGenerator<Page> {
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
    const page = pageOf(text);
    marker = page.next;
    yield page;
  } while (marker !== undefined);
}

function pageOf(text: string): Page {
  const { rows, fields } = parsed(text, "EnumerationResults", { "Blobs/BlobPrefix": directory, "Blobs/Blob": file });
  return { items: rows.filter((item) => item !== undefined), next: fields.NextMarker || undefined };
}

function directory(row: Fields): Item {
  return { key: nameOf(row), type: "directory" };
}

function file(row: Fields): Item | undefined {
  // A hierarchical namespace has directories that exist by themselves; they are no objects.
  if (row["Properties/ResourceType"] === "directory") return undefined;
  const { VersionId: id, IsCurrentVersion: current } = row;
  const version = id === undefined ? undefined : { id, latest: current === "true" };
  return fileItem(nameOf(row), propertiesOf(row), version);
}

function propertiesOf(row: Fields): { size: number; modified: Date; etag: string | undefined } {
  const modified = dateInRow(row["Properties/Last-Modified"]);
  return { size: sizeInRow(row["Properties/Content-Length"]), modified, etag: row["Properties/Etag"] };
}

/** Names with characters that XML cannot write come percent-encoded and say so. */
function nameOf({ Name, "Name@Encoded": encoded }: Fields): string {
  if (Name === undefined) throw failure("Corrupt", "the listing has a row without a name");
  if (encoded !== "true") return Name;
  try {
    return decodeURIComponent(Name);
  } catch {
    throw failure("Corrupt", "the listing has a name that is not UTF-8");
  }
}
