/** Converts the server's descriptions of objects. */
import type { IncomingHttpHeaders } from "node:http";
import { failure, invalid } from "../../../errors.js";
import { headerValue, modifiedIn } from "../../driver/content.js";
import type { AttributeName, DriverListEntry, ObjectAttributes, ObjectInfo, WriteResult } from "../../driver/driver.js";
import { dateInRow, sizeInRow } from "../../driver/listing.js";
import { type Document, documentOf, textOf } from "../../http/json.js";
import { parseDocument } from "./client.js";

/** The requested fields of an object. */
export const INFO_FIELDS =
  "name,size,updated,generation,md5Hash,contentType,cacheControl,contentDisposition,contentEncoding,contentLanguage,storageClass,metadata,kmsKeyName,customerEncryption";
export const ITEM_FIELDS = "name,size,updated,generation,storageClass";

/** All attributes that objects of GCS carry. It has no tags of objects. */
export const ATTRIBUTES: readonly AttributeName[] = [
  "contentType",
  "cacheControl",
  "contentDisposition",
  "contentEncoding",
  "contentLanguage",
  "metadata",
  "storageClass",
];
/** The attributes with their header in the response to a read. In a resource, they have our own names. */
const TEXTS = {
  contentType: "content-type",
  cacheControl: "cache-control",
  contentDisposition: "content-disposition",
  contentEncoding: "x-goog-stored-content-encoding",
  contentLanguage: "content-language",
  storageClass: "x-goog-storage-class",
} as const;
const TEXT_NAMES = Object.keys(TEXTS) as (keyof typeof TEXTS)[];

/** https://cloud.google.com/storage/docs/storage-classes */
const CLASSES: readonly string[] = [
  "STANDARD",
  "NEARLINE",
  "COLDLINE",
  "ARCHIVE",
  "MULTI_REGIONAL",
  "REGIONAL",
  "DURABLE_REDUCED_AVAILABILITY",
];

/** Returns attributes as fields of a resource. Throws InvalidArgument for an unknown storage class. */
export function fieldsOf(attributes: ObjectAttributes): Omit<Resource, "name"> {
  const { metadata, storageClass } = attributes;
  if (storageClass !== undefined && !CLASSES.includes(storageClass))
    throw invalid(`unknown storage class ${JSON.stringify(storageClass)} (expected one of ${CLASSES.join(", ")})`);
  const texts = TEXT_NAMES.filter((name) => attributes[name] !== undefined).map((name) => [name, attributes[name]]);
  return { ...Object.fromEntries(texts), ...(metadata && { metadata }) };
}

/** The description of an uploaded object. */
export interface Resource extends Partial<Record<keyof typeof TEXTS, string>> {
  name: string;
  metadata?: Record<string, string>;
  /** Checksums of the data, in base64. */
  md5Hash?: string;
  crc32c?: string;
}

/**
 * The user metadata name of a conditional write's nonce, by which it recognizes its own object when a response is lost.
 */
export const NONCE = "stowage-nonce";

const META = "x-goog-meta-";

export function infoOf(key: string, resource: Document): ObjectInfo {
  const { size, modified, etag: generation } = knownOf(resource);
  const md5Hash = textOf(resource, "md5Hash");
  const metadata = documentOf(resource, "metadata") ?? {};
  return {
    key,
    size,
    modified,
    etag: generation,
    version: generation,
    ...(md5Hash !== undefined && { md5: hex(md5Hash) }),
    ...texts((name) => textOf(resource, name)),
    ...encryption(textOf(resource, "kmsKeyName"), documentOf(resource, "customerEncryption") !== undefined),
    ...metadataFrom(Object.keys(metadata).map((name) => [name, textOf(metadata, name) ?? ""])),
  };
}

/** Returns what the server states of every object. Throws Corrupt for a missing or invalid field. */
function knownOf(resource: Document): { size: number; modified: Date; etag: string } {
  const size = sizeInRow(textOf(resource, "size"));
  const modified = toSecond(dateInRow(textOf(resource, "updated")));
  const etag = textOf(resource, "generation") ?? "";
  if (Number.isNaN(size)) throw missing("size");
  if (Number.isNaN(modified.getTime())) throw missing("updated");
  if (!/^\d+$/.test(etag)) throw missing("generation");
  return { size, modified, etag };
}

function missing(field: string): Error {
  return failure("Corrupt", `the server's answer about an object has no usable field ${field}`);
}

/** Returns the same from the headers that come with an object's data; `size` is that of the whole object. */
export function infoOfHeaders(key: string, headers: IncomingHttpHeaders, size: number): ObjectInfo {
  const generation = headerValue(headers["x-goog-generation"]);
  const modified = modifiedIn(headerValue(headers["last-modified"]), generation);
  const md5 = /md5=([\w+/]+=*)/.exec(String(headers["x-goog-hash"]))?.[1];
  const metadata = Object.entries(headers)
    .filter(([name]) => name.startsWith(META))
    .map(([name, value]) => [name.slice(META.length), utf8(headerValue(value) ?? "")] as const);
  return {
    key,
    size,
    ...(modified && { modified }),
    ...(generation && { etag: generation, version: generation }),
    ...(md5 !== undefined && { md5: hex(md5) }),
    ...texts((name) => textInHeaders(headers, name)),
    ...encryption(
      headerValue(headers["x-goog-encryption-kms-key-name"]),
      headers["x-goog-encryption-key-sha256"] !== undefined,
    ),
    ...metadataFrom(metadata),
  };
}

/** `identity` is how responses state that the data is not encoded. */
function textInHeaders(headers: IncomingHttpHeaders, name: keyof typeof TEXTS): string | undefined {
  const value = headerValue(headers[TEXTS[name]]);
  return name === "contentEncoding" && value === "identity" ? undefined : value;
}

function texts(of: (name: keyof typeof TEXTS) => string | undefined): ObjectAttributes {
  const found: ObjectAttributes = {};
  for (const name of TEXT_NAMES) {
    const value = of(name);
    // Emulators state empty texts for what an object does not have.
    if (value) found[name] = value;
  }
  return found;
}

/** A key's name without its version, as a new object takes it. */
function encryption(kmsKeyName: string | undefined, customerKey: boolean): Pick<ObjectInfo, "encryption"> {
  if (customerKey) return { encryption: { customerKey } };
  return kmsKeyName ? { encryption: { kmsKeyId: kmsKeyName.replace(/\/cryptoKeyVersions\/[^/]*$/, "") } } : {};
}

function hex(base64: string): string {
  return Buffer.from(base64, "base64").toString("hex");
}

export function itemOf(row: Document): DriverListEntry {
  const storageClass = textOf(row, "storageClass");
  return { key: textOf(row, "name") ?? "", type: "file", ...knownOf(row), ...(storageClass && { storageClass }) };
}

/** Drops the fraction, which only the JSON API has, so that every request gives the same time. */
function toSecond(time: Date): Date {
  return new Date(Math.floor(time.getTime() / 1000) * 1000);
}

/** Returns `etag` as a generation. Nothing else can be one, so a foreign etag matches no object. */
export function generationOf(etag: string | undefined): string | undefined {
  if (etag === undefined || /^\d+$/.test(etag)) return etag;
  throw failure("PreconditionFailed", "the etag is not a generation, so no object here can have it");
}

function metadataFrom(metadata: readonly (readonly [string, string])[]): Pick<ObjectInfo, "metadata"> {
  const own = metadata.filter(([name]) => name !== NONCE).map(([name, value]) => [name.toLowerCase(), value]);
  return own.length > 0 ? { metadata: Object.fromEntries(own) } : {};
}

/** Node reads header bytes as Latin-1; the service sends UTF-8. */
function utf8(header: string): string {
  const bytes = Buffer.from(header, "latin1");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return header;
  }
}

/** Returns the result in an upload's response. Throws CommitUnknown if the response does not say what was stored. */
export function parsedResult(text: string): WriteResult {
  return storedResult(parseDocument(text, "CommitUnknown"));
}

/** Returns the result of a stored upload. Throws CommitUnknown if the server does not state its generation. */
export function storedResult(stored: Document): WriteResult {
  const generation = textOf(stored, "generation", "CommitUnknown") ?? "";
  if (!/^\d+$/.test(generation))
    throw failure("CommitUnknown", "the server's answer names no generation of the object");
  return { etag: generation, version: generation };
}
