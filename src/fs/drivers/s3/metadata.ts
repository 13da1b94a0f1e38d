/**
 * User metadata as headers, which are ASCII. Other values are RFC 2047 encoded words, as S3 itself returns them and
 * the Java and .NET clients write them; a value that looks like one is encoded too, so that every value comes back.
 */
import type { IncomingHttpHeaders } from "node:http";

const PREFIX = "x-amz-meta-";
const PLAIN = /^(?:[!-~](?:[ -~]*[!-~])?)?$/;
const WORD = /=\?([\w-]+)\?([BbQq])\?([^?]*)\?=/g;

export function metadataHeaders(metadata: Record<string, string> | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata ?? {})) headers[PREFIX + name] = encodeValue(value);
  return headers;
}

export function metadataOf(headers: IncomingHttpHeaders): Record<string, string> | undefined {
  let metadata: Record<string, string> | undefined;
  for (const name in headers) {
    if (!name.startsWith(PREFIX)) continue;
    metadata ??= {};
    metadata[name.slice(PREFIX.length)] = decodeValue(String(headers[name]));
  }
  return metadata;
}

export function encodeValue(value: string): string {
  if (PLAIN.test(value) && !value.includes("=?")) return value;
  return `=?UTF-8?B?${Buffer.from(value, "utf8").toString("base64")}?=`;
}

export function decodeValue(value: string): string {
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
