/** Parses what a response to a read says about the object, after checking that it answers this range. */

import { failure } from "../../errors.js";
import type { HttpResponse } from "../http/types.js";
import { CONTENT_TYPES } from "./content-types.data.js";
import type { ResponseHeaders } from "./driver.js";

/**
 * Returns the bytes of the whole object, and of this response. Without `range` the request was for the whole object.
 */
export function parseContentRange(
  { status, headers }: Pick<HttpResponse, "status" | "headers">,
  range: { start: number; end: number | undefined } | undefined,
): { size: number; length: number } {
  const contentRange = headers["content-range"];
  if (range) return rangeIn(status, contentRange, range.start, range.end);
  const length = sizeFrom(headers["content-length"]);
  if (status === 200 && (contentRange === undefined || isWhole(contentRange, length))) return { size: length, length };
  throw failure("Unsupported", `the server answered ${status} with a range, and the whole object was asked for`);
}

/** Returns the same of a response to a request for the last `last` bytes. */
export function parseSuffixRange(
  { status, headers }: Pick<HttpResponse, "status" | "headers">,
  last: number,
): { size: number; length: number } {
  const contentRange = headers["content-range"];
  if (contentRange === undefined && status === 200) {
    // Servers may send an object that is not larger as a whole.
    const size = sizeFrom(headers["content-length"]);
    if (size <= last) return { size, length: size };
  }
  const start = Number(/^bytes (\d+)-/.exec(contentRange ?? "")?.[1]);
  const { size, length } = rangeIn(status, contentRange, start, undefined);
  if (start === Math.max(0, size - last)) return { size, length };
  throw failure("Unsupported", "the server sent another range than the one that was asked for");
}

function isWhole(contentRange: string, length: number): boolean {
  return contentRange === `bytes 0-${length - 1}/${length}`;
}

/**
 * Returns the modification time, which a response about an object has next to its etag. A response with neither is not
 * about an object, such as the login page of a network.
 */
export function modifiedIn(text: string | undefined, etag: string | undefined): Date | undefined {
  if (text === undefined && !etag) throw failure("Unsupported", "the response has no ETag and no Last-Modified");
  if (text === undefined) return undefined;
  const modified = new Date(text);
  if (Number.isNaN(modified.getTime())) throw failure("Corrupt", "Last-Modified is no date");
  return modified;
}

/** Returns the size that a response states. A response without one is not taken for an empty object. */
export function sizeFrom(header: string | number | undefined): number {
  const size = header === "" ? Number.NaN : Number(header);
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw failure("Unsupported", "the server does not say how large the object is");
}

/** Returns the value of a header; the first, if a client gives several. */
export function headerValue(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function rangeIn(status: number, text = "", start: number, end: number | undefined) {
  if (status !== 206 && status !== 200) throw failure("Unsupported", `the server answered ${status} to a read`);
  // The form of servers that do not refuse every range of an empty object.
  if (text === "bytes 0--1/0") return { size: 0, length: 0 };
  if (status === 200 && text === "")
    throw failure("Unsupported", "the server ignores ranges and sends the whole object");
  const [, first, last, size] = (/^bytes (\d+)-(\d+)\/(\d+)$/.exec(text) ?? []).map(Number);
  const wanted = Math.min(end ?? size!, size!) - 1;
  if (first === start && last === wanted) return { size: size!, length: wanted - start + 1 };
  throw failure("Unsupported", "the server sent another range than the one that was asked for");
}

/** Returns response headers of a link as pairs of the provider's names and their values. */
export function responsePairs<N extends string>(
  headers: ResponseHeaders,
  names: Partial<Record<keyof ResponseHeaders, N>>,
): [N, string][] {
  return (Object.keys(headers) as (keyof ResponseHeaders)[]).flatMap((name) => {
    const value = headers[name];
    return names[name] === undefined || value === undefined ? [] : [[names[name], value]];
  });
}

/** Returns the value of a `Range` header; undefined for the whole object. */
export function rangeHeader(start: number, end: number | undefined): string | undefined {
  if (start === 0 && end === undefined) return undefined;
  return `bytes=${start}-${end === undefined ? "" : end - 1}`;
}

// Content types by suffix; the build generates the table, since mime-types itself is CommonJS and reads JSON at run
// time.

/** Unpacks `family:subtype suffix suffix,subtype,…`, one family a line; a lone subtype is its own suffix. */
function unpack(packed: string): ReadonlyMap<string, string> {
  const types = new Map<string, string>();
  for (const line of packed.split("\n")) {
    const colon = line.indexOf(":");
    for (const entry of line.slice(colon + 1).split(",")) {
      const [subtype, ...suffixes] = entry.split(" ");
      for (const suffix of suffixes.length > 0 ? suffixes : [subtype!]) {
        types.set(suffix, `${line.slice(0, colon)}/${subtype}`);
      }
    }
  }
  return types;
}

const TYPES = /* @__PURE__ */ unpack(CONTENT_TYPES);

/** Returns the content type of the last suffix of `name` (a file name or a key), if known; case-insensitive. */
export function contentTypeOf(name: string): string | undefined {
  const dot = name.lastIndexOf(".");
  // A name like `.json` is a hidden file, not a suffix.
  if (dot <= name.lastIndexOf("/") + 1) return undefined;
  return TYPES.get(name.slice(dot + 1).toLowerCase());
}

// Text in headers, which are ASCII. Other text becomes RFC 2047 encoded words, as S3 itself returns them and the Java
// and .NET clients write them; text that looks like one is encoded too, so that every value round-trips.

const PLAIN = /^(?:[!-~](?:[ -~]*[!-~])?)?$/;
const WORD = /=\?([\w-]+)\?([BbQq])\?([^?]*)\?=/g;

export function encodeRfc2047(value: string): string {
  if (PLAIN.test(value) && !value.includes("=?")) return value;
  return `=?UTF-8?B?${Buffer.from(value, "utf8").toString("base64")}?=`;
}

export function decodeRfc2047(value: string): string {
  if (!value.includes("=?")) return value;
  // White space between two encoded words belongs to the encoding.
  return value.replace(/\?=\s+=\?/g, "?==?").replace(WORD, (word, charset, encoding, text) => {
    const bytes = /^b$/i.test(encoding) ? Buffer.from(text, "base64") : quotedPrintable(text);
    return decodedAs(charset, bytes) ?? word;
  });
}

function quotedPrintable(text: string): Buffer {
  const raw = text
    .replaceAll("_", " ")
    .replace(/=([0-9A-Fa-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(raw, "latin1");
}

function decodedAs(charset: string, bytes: Buffer): string | undefined {
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return undefined;
  }
}
