/** Azure Storage: Shared Key, https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key, and service SAS. */
import { createHmac } from "node:crypto";

export interface SharedKeyRequest {
  method: string;
  /** The path as sent, percent-encoded. */
  path: string;
  /** Raw names and values, not encoded. */
  query: readonly (readonly [string, string])[];
  /** Lower-case names, including `x-ms-date`. */
  headers: Readonly<Record<string, string>>;
  /** Length of the body in bytes. */
  length: number;
}

export interface SasRequest {
  account: string;
  bucket: string;
  key: string;
  /** `r`, `cw` or `d`. */
  permissions: string;
  /** ISO 8601 in seconds, UTC. */
  expiry: string;
  /** Whether the URL also works over plain HTTP. */
  plain: boolean;
  /** Headers of the response by their fields, such as `rsct`. */
  response?: Partial<Record<(typeof RESPONSE_FIELDS)[number], string>>;
}

/** The service version of both the requests and the tokens. */
export const AZURE_VERSION = "2024-11-04";

/** The headers whose values are signed by position. */
const PLACED = [
  "content-encoding",
  "content-language",
  "content-length",
  "content-md5",
  "content-type",
  "date",
  "if-modified-since",
  "if-match",
  "if-none-match",
  "if-unmodified-since",
  "range",
];

/** Returns the value of the `Authorization` header. `key`: the account's key, decoded. */
export function sharedKey(account: string, key: Uint8Array, request: SharedKeyRequest): string {
  const { method, headers, length } = request;
  // The signature uses an empty string for the length of an empty body.
  const placed = PLACED.map((name) =>
    name === "content-length" ? (length > 0 ? String(length) : "") : (headers[name] ?? ""),
  );
  const text = `${method}\n${placed.join("\n")}\n${canonicalHeaders(headers)}${canonicalResource(account, request)}`;
  return `SharedKey ${account}:${hmac(key, text)}`;
}

function canonicalHeaders(headers: Readonly<Record<string, string>>): string {
  const names = Object.keys(headers).filter((name) => name.startsWith("x-ms-"));
  names.sort(byWeight);
  let text = "";
  for (const name of names) text += `${name}:${headers[name]!.trim()}\n`;
  return text;
}

function canonicalResource(account: string, { path, query }: SharedKeyRequest): string {
  let text = `/${account}${path}`;
  const sorted = [...query].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, value] of sorted) text += `\n${name.toLowerCase()}:${value}`;
  return text;
}

/** The service orders names as Windows does: a hyphen counts only between names that are equal without it. */
function byWeight(a: string, b: string): number {
  const [x, y] = [a.replaceAll("-", ""), b.replaceAll("-", "")];
  if (x !== y) return weighed(x) < weighed(y) ? -1 : 1;
  return a < b ? -1 : 1;
}

/** Other punctuation comes before digits, digits before letters; only the underscore follows digits in ASCII. */
function weighed(name: string): string {
  return name.replaceAll("_", "!");
}

/** The response headers in the order of the signature: cache control, disposition, encoding, language, type. */
const RESPONSE_FIELDS = ["rscc", "rscd", "rsce", "rscl", "rsct"] as const;

/** Returns the query of a service SAS for one object, encoded, without `?`. */
export function serviceSas(key: Uint8Array, request: SasRequest): string {
  const { account, bucket, key: name, permissions, expiry, plain, response = {} } = request;
  const protocol = plain ? "https,http" : "https";
  const resource = `/blob/${account}/${bucket}/${name}`;
  const absent = "";
  // permissions, start, expiry, resource, identifier, ip, protocol, version, kind, snapshot, encryption scope, five response headers
  const fields = [permissions, absent, expiry, resource, absent, absent, protocol, AZURE_VERSION, "b", absent, absent];
  const headers = RESPONSE_FIELDS.map((name) => response[name] ?? absent);
  const text = [...fields, ...headers].join("\n");
  const signed = { sv: AZURE_VERSION, spr: protocol, se: expiry, sr: "b", sp: permissions };
  return Object.entries({ ...signed, ...response, sig: hmac(key, text) })
    .map(([field, value]) => `${field}=${encodeURIComponent(value)}`)
    .join("&");
}

function hmac(key: Uint8Array, text: string): string {
  return createHmac("sha256", key).update(text, "utf8").digest("base64");
}
