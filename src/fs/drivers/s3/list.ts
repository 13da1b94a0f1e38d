import { failure } from "../../../errors.js";
import type { DriverListEntry, DriverListOptions } from "../../driver/driver.js";
import { dateInRow, detached, Listing, pageSize, sizeInRow } from "../../driver/listing.js";
import type { Fields } from "../../http/xml.js";
import { readXml } from "../../http/xml.js";
import { canonicalQuery } from "../../signing/sigv4.js";
import type { Bucket } from "./client.js";

type Query = [string, string][];

/** One page, and the query parameters that get the next one. */
interface Page {
  items: DriverListEntry[];
  next: Query | undefined;
}

/** Yields pages of up to 1,000 entries, each of which is emptied when the next one is asked for: see `listParallel`. */
export async function* list(
  bucket: Bucket,
  prefix: string,
  options: DriverListOptions,
): AsyncGenerator<readonly DriverListEntry[]> {
  const first = options.versions ? versionsQuery(options) : objectsQuery(options);
  const read = options.versions ? versionsPage : objectsPage;
  const fixed: Query = [
    ["encoding-type", "url"],
    ["prefix", prefix],
  ];
  if (options.delimiter) fixed.push(["delimiter", options.delimiter]);
  // Not every service reads a number that is the default anyway.
  if (options.atMost !== undefined) fixed.push(["max-keys", pageSize(options)]);
  const listing = new Listing(prefix, options, bucket.ordered);
  let next: Query | undefined = first.start;
  while (next) {
    const query = canonicalQuery([...fixed, ...first.kind, ...next]);
    const answer = await bucket.client.text({ method: "GET", key: "", query, signal: options.signal });
    const page = read(answer.text);
    // As the page: what has waited for it still refers to the answer.
    answer.text = "";
    next = page.next;
    if (next) listing.next(canonicalQuery(next));
    const items = listing.page(page.items);
    page.items.length = 0;
    if (items.length > 0) yield items;
    items.length = 0;
  }
}

interface First {
  kind: Query;
  start: Query;
}

function objectsQuery({ startAfter }: DriverListOptions): First {
  return { kind: [["list-type", "2"]], start: startAfter === undefined ? [] : [["start-after", startAfter]] };
}

function versionsQuery({ startAfter }: DriverListOptions): First {
  return { kind: [["versions", ""]], start: startAfter === undefined ? [] : [["key-marker", startAfter]] };
}

function objectsPage(text: string): Page {
  const { rows, fields } = readXml(text, undefined, { Contents: file, CommonPrefixes: directory });
  const { NextContinuationToken: token } = fields;
  const next: Query | undefined = isTruncated(fields)
    ? [["continuation-token", detached(required(token, "NextContinuationToken"))]]
    : undefined;
  return { items: itemsOf(rows, fields), next };
}

function versionsPage(text: string): Page {
  const kinds = { Version: version, DeleteMarker: marker, CommonPrefixes: directory };
  const { rows, fields } = readXml(text, undefined, kinds);
  const { NextKeyMarker, NextVersionIdMarker } = fields;
  if (!isTruncated(fields)) return { items: itemsOf(rows, fields), next: undefined };
  const next: Query = [["key-marker", decoder(fields.EncodingType)(required(NextKeyMarker, "NextKeyMarker"))]];
  if (NextVersionIdMarker) next.push(["version-id-marker", NextVersionIdMarker]);
  return { items: itemsOf(rows, fields), next };
}

/** Checks the field that every listing has, which identifies the document. */
function isTruncated({ IsTruncated }: Fields): boolean {
  if (IsTruncated === "true" || IsTruncated === "false") return IsTruncated === "true";
  throw failure("Corrupt", "the server's answer is no listing: it has no IsTruncated");
}

/** Decodes keys at the end, since the document can state their encoding anywhere. */
function itemsOf(rows: DriverListEntry[], { EncodingType }: Fields): DriverListEntry[] {
  const decode = decoder(EncodingType);
  for (const row of rows) row.key = decode(row.key);
  return rows;
}

function directory({ Prefix }: Fields): DriverListEntry {
  return { key: required(Prefix, "Prefix"), type: "directory" };
}

function file({ Key, Size, LastModified, ETag, StorageClass }: Fields): DriverListEntry {
  const item: DriverListEntry = { key: required(Key, "Key"), type: "file", size: sizeInRow(Size) };
  item.modified = dateInRow(LastModified);
  if (ETag) item.etag = ETag;
  if (StorageClass) item.storageClass = StorageClass;
  return item;
}

function version(row: Fields): DriverListEntry {
  return {
    ...file(row),
    version: required(row.VersionId, "VersionId"),
    latest: row.IsLatest === "true",
    deleted: false,
  };
}

function marker({ Key, VersionId, IsLatest, LastModified }: Fields): DriverListEntry {
  const item: DriverListEntry = { key: required(Key, "Key"), type: "file", version: required(VersionId, "VersionId") };
  return { ...item, modified: dateInRow(LastModified), latest: IsLatest === "true", deleted: true };
}

/**
 * Returns a decoder from keys of a listing to those of objects. Many servers ignore `encoding-type=url`, the only way
 * to list keys with characters that XML cannot represent, and then omit `EncodingType`: their `+` is one.
 */
function decoder(encodingType: string | undefined): (text: string) => string {
  return encodingType?.toLowerCase() === "url" ? decoded : same;
}

function same(text: string): string {
  return text;
}

function decoded(text: string): string {
  if (!text.includes("%") && !text.includes("+")) return text;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw failure("Corrupt", "the listing has a key that is not UTF-8");
  }
}

function required(value: string | undefined, field: string): string {
  if (value === undefined) throw failure("Corrupt", `the listing lacks the field ${field}`);
  return value;
}
