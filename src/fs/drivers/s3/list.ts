import { failure } from "../../../errors.js";
import type { Item, ListOptions } from "../../driver.js";
import { byUtf8, isAfter } from "../../order.js";
import { canonicalQuery } from "../../sign.js";
import type { Fields } from "../../xml.js";
import { parsed } from "../../xml-rows.js";
import type { Bucket } from "./bucket.js";

type Query = [string, string][];

/** One page, and the query parameters that get the next one. */
interface Page {
  items: Item[];
  next: Query | undefined;
}

/** Pages of up to 1,000 rows. */
export async function* list(bucket: Bucket, prefix: string, options: ListOptions): AsyncGenerator<readonly Item[]> {
  const first = options.versions ? versionsQuery(options) : objectsQuery(options);
  const read = options.versions ? versionsPage : objectsPage;
  const fixed: Query = [
    ["encoding-type", "url"],
    ["prefix", prefix],
  ];
  if (options.delimiter) fixed.push(["delimiter", options.delimiter]);
  let next: Query | undefined = first.start;
  let before = "";
  while (next) {
    const query = canonicalQuery([...fixed, ...first.kind, ...next]);
    if (query === before) throw failure("Corrupt", "the server repeats a page of the listing");
    before = query;
    const { text } = await bucket.client.text({ method: "GET", key: "", query, signal: options.signal });
    const page = read(text);
    next = page.next;
    const items = started(page.items, options);
    if (items.length > 0) yield items;
  }
}

/** A directory that begins before `startAfter` is a row of the service as long as something in it comes after. */
export function started(items: readonly Item[], { delimiter, startAfter }: ListOptions): readonly Item[] {
  return delimiter ? items.filter(({ key }) => isAfter(key, startAfter)) : items;
}

interface First {
  kind: Query;
  start: Query;
}

function objectsQuery({ startAfter }: ListOptions): First {
  return { kind: [["list-type", "2"]], start: startAfter === undefined ? [] : [["start-after", startAfter]] };
}

function versionsQuery({ startAfter }: ListOptions): First {
  return { kind: [["versions", ""]], start: startAfter === undefined ? [] : [["key-marker", startAfter]] };
}

function objectsPage(text: string): Page {
  const { rows, fields } = parsed(text, "ListBucketResult", { Contents: file, CommonPrefixes: directory });
  const { IsTruncated, NextContinuationToken: token } = fields;
  const next: Query | undefined = IsTruncated === "true" ? [["continuation-token", required(token)]] : undefined;
  return { items: inOrder(rows), next };
}

function versionsPage(text: string): Page {
  const kinds = { Version: version, DeleteMarker: marker, CommonPrefixes: directory };
  const { rows, fields } = parsed(text, "ListVersionsResult", kinds);
  const { IsTruncated, NextKeyMarker, NextVersionIdMarker } = fields;
  if (IsTruncated !== "true") return { items: inOrder(rows), next: undefined };
  const next: Query = [["key-marker", decoded(required(NextKeyMarker))]];
  if (NextVersionIdMarker) next.push(["version-id-marker", NextVersionIdMarker]);
  return { items: inOrder(rows), next };
}

/** Objects and common prefixes come as two sorted lists; a page has them in one order. */
function inOrder(rows: Item[]): Item[] {
  return rows.some(({ type }) => type === "directory") ? rows.sort((a, b) => byUtf8(a.key, b.key)) : rows;
}

function directory({ Prefix }: Fields): Item {
  return { key: decoded(required(Prefix)), type: "directory" };
}

function file({ Key, Size, LastModified, ETag }: Fields): Item {
  const item: Item = { key: decoded(required(Key)), type: "file", size: Number(Size) };
  item.modified = new Date(required(LastModified));
  if (ETag) item.etag = ETag;
  return item;
}

function version(row: Fields): Item {
  return { ...file(row), version: required(row.VersionId), latest: row.IsLatest === "true", deleted: false };
}

function marker({ Key, VersionId, IsLatest, LastModified }: Fields): Item {
  const item: Item = { key: decoded(required(Key)), type: "file", version: required(VersionId) };
  return { ...item, modified: new Date(required(LastModified)), latest: IsLatest === "true", deleted: true };
}

/** `encoding-type=url`, which is how keys with characters that XML has no way to write can be listed at all. */
export function decoded(text: string): string {
  if (!text.includes("%") && !text.includes("+")) return text;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw failure("Corrupt", "the listing has a key that is not UTF-8");
  }
}

export function required(value: string | undefined): string {
  if (value === undefined) throw failure("Corrupt", "the listing lacks a field");
  return value;
}
