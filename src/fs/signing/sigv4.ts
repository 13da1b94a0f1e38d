/** AWS Signature Version 4, https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html */
import { createHmac, hash } from "node:crypto";

const ALGORITHM = "AWS4-HMAC-SHA256";

/** The hash value for an unsigned body. */
export const UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD";

export interface AccessKeys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

export interface Signable {
  method: string;
  /** Value of the `Host` header. */
  host: string;
  /** The canonical path: for S3 the path as sent, with every segment encoded once. */
  path: string;
  /** The canonical query from `canonicalQuery`, without `?`. */
  query: string;
}

export interface SignableRequest extends Signable {
  /** All are signed. Lower-case names, ASCII values, without `host`. */
  headers: Readonly<Record<string, string>>;
  /** SHA-256 of the body in hex, or {@link UNSIGNED_PAYLOAD}. */
  payload: string;
}

/** The state that all requests with the same keys share for one day. */
export interface Day {
  keys: AccessKeys;
  /** `20150830` */
  date: string;
  scope: string;
  credential: string;
  key: Buffer;
}

/** A signer of one region and service. Derives its signing key once per day and key object. */
export class SigV4 {
  readonly #region: string;
  readonly #service: string;
  // Caches the last ones, since many requests share a second and nearly all a day.
  #second = Number.NaN;
  #date = "";
  #day: Day | undefined;

  constructor(region: string, service: string) {
    this.#region = region;
    this.#service = service;
  }

  /**
   * Returns the headers to send: those of the request, the date, the session token and the signature. `now`:
   * milliseconds.
   */
  sign(request: SignableRequest, keys: AccessKeys, now: number): Record<string, string> {
    const day = this.today(keys, now);
    // No spread: Node 20 takes a microsecond for each header that is added to its result.
    const headers: Record<string, string> = Object.assign({}, request.headers);
    // Only S3 also needs the hash as a header.
    if (this.#service === "s3") headers["x-amz-content-sha256"] = request.payload;
    headers["x-amz-date"] = this.#date;
    if (keys.sessionToken) headers["x-amz-security-token"] = keys.sessionToken;
    const names = withHost(inOrder(Object.keys(headers)));
    let lines = "";
    for (const name of names) lines += `${name}:${trimmed(name === "host" ? request.host : headers[name]!)}\n`;
    const signed = names.join(";");
    const signature = this.signature(canonical(request, request.query, lines, signed, request.payload), day);
    headers.authorization = `${ALGORITHM} Credential=${day.credential}, SignedHeaders=${signed}, Signature=${signature}`;
    return headers;
  }

  /** The date of the last `today`, `20150830T123600Z`. */
  get date(): string {
    return this.#date;
  }

  signature(canonicalRequest: string, { scope, key }: Day): string {
    const text = `${ALGORITHM}\n${this.#date}\n${scope}\n${hash("sha256", canonicalRequest)}`;
    return createHmac("sha256", key).update(text).digest("hex");
  }

  /** Returns the signing state of these keys for today; also sets the date. */
  today(keys: AccessKeys, now: number): Day {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#date = `${new Date(second * 1000).toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;
      this.#second = second;
    }
    if (keys !== this.#day?.keys || !this.#date.startsWith(this.#day.date)) this.#day = this.#newDay(keys);
    return this.#day;
  }

  #newDay(keys: AccessKeys): Day {
    const date = this.#date.slice(0, 8);
    const steps = [date, this.#region, this.#service, "aws4_request"];
    const scope = steps.join("/");
    const key = steps.reduce(hmac, Buffer.from(`AWS4${keys.secretAccessKey}`));
    return { keys, date, scope, credential: `${keys.accessKeyId}/${scope}`, key };
  }
}

function canonical({ method, path }: Signable, query: string, lines: string, signed: string, payload: string): string {
  return `${method}\n${path}\n${query}\n${lines}\n${signed}\n${payload}`;
}

/** Trims the ends and collapses inner spaces, as the signature requires. */
function trimmed(value: string): string {
  return value.includes("  ") || value.trim() !== value ? value.trim().replace(/ +/g, " ") : value;
}

/** Returns sorted names, with `host`. */
function withHost(names: string[]): string[] {
  const after = names.findIndex((name) => name > "host");
  names.splice(after < 0 ? names.length : after, 0, "host");
  return names;
}

/** Sorts names; most requests are already sorted. */
function inOrder(names: string[]): string[] {
  return names.every((name, i) => i === 0 || names[i - 1]! <= name) ? names : names.sort();
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

// Percent-encoding for signatures: all bytes but the unreserved ones of RFC 3986.

const PLAIN_PATH = /^[A-Za-z0-9\-_.~/]*$/;
const KEPT_BY_NODE = /[!'()*]/g;

/** Encodes one name or value. The text must be well-formed Unicode. */
export function encodeComponent(text: string): string {
  return encodeURIComponent(text).replace(KEPT_BY_NODE, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Encodes a key as the path of a request: keeps slashes, also doubled and leading ones. */
export function encodeKey(key: string): string {
  return PLAIN_PATH.test(key) ? key : encodeComponent(key).replaceAll("%2F", "/");
}

/** Returns a query in the one form that is both sent and signed: encoded, sorted by name, `name=` without a value. */
export function canonicalQuery(pairs: Iterable<readonly [string, string]>): string {
  const encoded = Array.from(pairs, ([name, value]) => [encodeComponent(name), encodeComponent(value)] as const);
  encoded.sort(([a, x], [b, y]) => order(a, b) || order(x, y));
  return encoded.map((pair) => pair.join("=")).join("&");
}

/** Compares by code units, which for encoded text are its bytes; not by locale. */
function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

// AWS Signature Version 4 in the query, https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html

/**
 * Returns path and query of a presigned request, which signs the host and `headers` (lower-case names). `now`:
 * milliseconds; `expiresIn`: seconds.
 */
export function presign(
  signer: SigV4,
  request: Signable,
  extra: Iterable<readonly [string, string]>,
  keys: AccessKeys,
  now: number,
  expiresIn: number,
  headers: Readonly<Record<string, string>> = {},
): string {
  const day = signer.today(keys, now);
  const { lines, names } = signedHeaders(request.host, headers);
  const pairs = [
    ...extra,
    ["X-Amz-Algorithm", ALGORITHM],
    ["X-Amz-Credential", day.credential],
    ["X-Amz-Date", signer.date],
    ["X-Amz-Expires", String(expiresIn)],
    ["X-Amz-SignedHeaders", names],
  ] as [string, string][];
  if (keys.sessionToken) pairs.push(["X-Amz-Security-Token", keys.sessionToken]);
  const query = canonicalQuery(pairs);
  const text = canonical(request, query, lines, names, UNSIGNED_PAYLOAD);
  return `${request.path}?${query}&X-Amz-Signature=${signer.signature(text, day)}`;
}

/** Returns the canonical lines of host and headers, and their names. */
export function signedHeaders(host: string, headers: Readonly<Record<string, string>>) {
  const all = Object.entries({ ...headers, host }).sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = all.map(([name, value]) => `${name}:${trimmed(value)}\n`).join("");
  return { lines, names: all.map(([name]) => name).join(";") };
}

/**
 * Returns the signed fields of an upload by a form.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-UsingHTTPPOST.html
 */
export function presignPost(
  signer: SigV4,
  { conditions, expires }: { conditions: readonly unknown[]; expires: Date },
  keys: AccessKeys,
  now: number,
): Record<string, string> {
  const day = signer.today(keys, now);
  const fields: Record<string, string> = {
    "x-amz-algorithm": ALGORITHM,
    "x-amz-credential": day.credential,
    "x-amz-date": signer.date,
    ...(keys.sessionToken && { "x-amz-security-token": keys.sessionToken }),
  };
  const own = Object.entries(fields).map(([name, value]) => ({ [name]: value }));
  const policy = { expiration: expires.toISOString(), conditions: [...conditions, ...own] };
  const text = Buffer.from(JSON.stringify(policy)).toString("base64");
  const signature = createHmac("sha256", day.key).update(text).digest("hex");
  return { ...fields, policy: text, "x-amz-signature": signature };
}
