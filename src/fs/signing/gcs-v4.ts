/** V4 signed URLs of Google Cloud Storage. https://cloud.google.com/storage/docs/authentication/canonical-requests */
import { createHash } from "node:crypto";
import { canonicalQuery, encodeKey, signedHeaders } from "./sigv4.js";

const ALGORITHM = "GOOG4-RSA-SHA256";

export interface GcsSignRequest {
  method: "GET" | "PUT" | "HEAD" | "DELETE";
  /** `https://` or `http://`, the host with its port, and the path before the bucket. */
  endpoint: { protocol: string; host: string; base: string };
  bucket: string;
  key: string;
  /** Seconds. */
  expiresIn: number;
  /** Milliseconds since 1970. */
  now: number;
  /** The signing account. */
  email: string;
  /** The billed project, for requester pays. */
  payer: string | undefined;
  /** Signed too; lower-case names. */
  headers: Readonly<Record<string, string>>;
  /** Signed too. */
  more: readonly (readonly [string, string])[];
  /** Returns the RSA-SHA256 signature of the text by the account's key. */
  sign(text: string): Promise<Uint8Array>;
}

/** Returns a URL that lets any holder send this one request until it expires. */
export async function signGcs(request: GcsSignRequest): Promise<string> {
  const { method, endpoint, bucket, key, email, payer } = request;
  const { date, scope } = stamped(request.now);
  const { lines, names } = signedHeaders(endpoint.host, request.headers);
  const path = `${endpoint.base}/${bucket}/${encodeKey(key)}`;
  const query = canonicalQuery([
    ["X-Goog-Algorithm", ALGORITHM],
    ["X-Goog-Credential", `${email}/${scope}`],
    ["X-Goog-Date", date],
    ["X-Goog-Expires", String(request.expiresIn)],
    ["X-Goog-SignedHeaders", names],
    ...request.more,
    ...(payer === undefined ? [] : [["userProject", payer] as const]),
  ]);
  const canonical = [method, path, query, lines, names, "UNSIGNED-PAYLOAD"].join("\n");
  const digest = createHash("sha256").update(canonical, "utf8").digest("hex");
  const signature = await request.sign([ALGORITHM, date, scope, digest].join("\n"));
  const hex = Buffer.from(signature).toString("hex");
  return `${endpoint.protocol}//${endpoint.host}${path}?${query}&X-Goog-Signature=${hex}`;
}

function stamped(now: number): { date: string; scope: string } {
  const date = new Date(now).toISOString().replace(/[-:]|\.\d{3}/g, "");
  return { date, scope: `${date.slice(0, 8)}/auto/storage/goog4_request` };
}

export interface GcsPostRequest extends Pick<GcsSignRequest, "now" | "email" | "sign"> {
  conditions: readonly unknown[];
  expires: Date;
}

/**
 * Returns the signed fields of an upload by a form.
 * https://cloud.google.com/storage/docs/authentication/signatures#policy-document
 */
export async function signGcsPost(request: GcsPostRequest): Promise<Record<string, string>> {
  const { date, scope } = stamped(request.now);
  const fields = {
    "x-goog-algorithm": ALGORITHM,
    "x-goog-credential": `${request.email}/${scope}`,
    "x-goog-date": date,
  };
  const own = Object.entries(fields).map(([name, value]) => ({ [name]: value }));
  const policy = { expiration: request.expires.toISOString(), conditions: [...request.conditions, ...own] };
  // The service wants other characters than ASCII escaped.
  const json = JSON.stringify(policy).replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const text = Buffer.from(json).toString("base64");
  const signature = Buffer.from(await request.sign(text)).toString("hex");
  return { ...fields, policy: text, "x-goog-signature": signature };
}
