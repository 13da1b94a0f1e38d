/** Percent-encoding as signatures want it: all bytes but the unreserved ones of RFC 3986. */

const PLAIN_PATH = /^[A-Za-z0-9\-_.~/]*$/;
const KEPT_BY_NODE = /[!'()*]/g;

/** One name or value. The text must be well-formed Unicode. */
export function encodeComponent(text: string): string {
  return encodeURIComponent(text).replace(KEPT_BY_NODE, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** A key as the path of a request: slashes stay, also doubled and leading ones. */
export function encodeKey(key: string): string {
  return PLAIN_PATH.test(key) ? key : encodeComponent(key).replaceAll("%2F", "/");
}

/** A query in the one form that is both sent and signed: encoded, sorted by name, `name=` where there is no value. */
export function canonicalQuery(pairs: Iterable<readonly [string, string]>): string {
  const encoded = Array.from(pairs, ([name, value]) => [encodeComponent(name), encodeComponent(value)] as const);
  encoded.sort(([a, x], [b, y]) => order(a, b) || order(x, y));
  return encoded.map((pair) => pair.join("=")).join("&");
}

/** By code units, which for encoded text are its bytes; not by a locale. */
function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
