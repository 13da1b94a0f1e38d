/** What the server says about objects, in our words. */
import type { IncomingHttpHeaders } from "node:http";
import { failure } from "../../../errors.js";
import type { Info, Item, Receipt } from "../../driver.js";
import { parsed } from "./server.js";

/** Which fields of an object are asked for. */
export const INFO_FIELDS = "name,size,updated,generation,md5Hash,contentType,metadata";
export const ITEM_FIELDS = "name,size,updated,generation";

/** An object in the JSON API; numbers of 64 bits are text. */
export interface Resource {
  name: string;
  size: string;
  updated: string;
  generation: string;
  timeDeleted: string;
  /** In base64; missing where the service has put the object together of others. */
  md5Hash: string;
  contentType: string;
  metadata: Record<string, string>;
}

/** User metadata under which a conditional write leaves its mark, to know its own object again when an answer is lost. */
export const NONCE = "stowage-nonce";

const META = "x-goog-meta-";

export function infoOf(
  key: string,
  { size, updated, generation = "", md5Hash, contentType, metadata }: Partial<Resource>,
): Info {
  return {
    key,
    size: Number(size ?? 0),
    modified: toSecond(updated),
    etag: generation,
    version: generation,
    ...(md5Hash !== undefined && { md5: hex(md5Hash) }),
    ...(contentType !== undefined && { contentType }),
    ...named(Object.entries(metadata ?? {})),
  };
}

/** The same from the headers that come with an object's data; `size` is that of the whole object. */
export function infoOfHeaders(key: string, headers: IncomingHttpHeaders, size: number): Info {
  const generation = one(headers["x-goog-generation"]) ?? "";
  const contentType = headers["content-type"];
  const md5 = /md5=([\w+/]+=*)/.exec(String(headers["x-goog-hash"]))?.[1];
  const metadata = Object.entries(headers)
    .filter(([name]) => name.startsWith(META))
    .map(([name, value]) => [name.slice(META.length), utf8(one(value) ?? "")] as const);
  return {
    key,
    size,
    modified: new Date(headers["last-modified"] ?? 0),
    etag: generation,
    version: generation,
    ...(md5 !== undefined && { md5: hex(md5) }),
    ...(contentType !== undefined && { contentType }),
    ...named(metadata),
  };
}

function hex(base64: string): string {
  return Buffer.from(base64, "base64").toString("hex");
}

export function itemOf({ name = "", size, updated, generation = "" }: Partial<Resource>): Item {
  return { key: name, type: "file", size: Number(size ?? 0), modified: toSecond(updated), etag: generation };
}

/** Without the fraction, which only the JSON API tells: every way to ask gives the same time. */
function toSecond(time: string | undefined): Date {
  return new Date(Math.floor(Date.parse(time ?? "") / 1000) * 1000 || 0);
}

export function receiptOf({ generation }: Partial<Resource>): Receipt {
  return generation === undefined ? {} : { etag: generation, version: generation };
}

/** `etag` as a generation. Nothing else can be one, so a foreign etag matches no object. */
export function generationOf(etag: string | undefined): string | undefined {
  if (etag === undefined || /^\d+$/.test(etag)) return etag;
  throw failure("PreconditionFailed", "the etag is not a generation, so no object here can have it");
}

function named(metadata: readonly (readonly [string, string])[]): Pick<Info, "metadata"> {
  const own = metadata.filter(([name]) => name !== NONCE).map(([name, value]) => [name.toLowerCase(), value]);
  return own.length > 0 ? { metadata: Object.fromEntries(own) } : {};
}

export function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
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

/** The receipt in the answer to an upload; CommitUnknown when it does not say what was stored. */
export function parsedReceipt(text: string): Receipt {
  return storedReceipt(parsed<Resource>(text, "CommitUnknown"));
}

/** The receipt of what an upload has stored; CommitUnknown when the server does not say which generation that is. */
export function storedReceipt(stored: Partial<Resource>): Receipt {
  if (stored.generation === undefined) throw failure("CommitUnknown", "the answer to the upload names no generation");
  return receiptOf(stored);
}
