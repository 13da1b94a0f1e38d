/** V4 signed URLs of Google Cloud Storage. https://cloud.google.com/storage/docs/authentication/canonical-requests */
import { createHash } from "node:crypto";
import { canonicalQuery, encodeKey } from "./sigv4.js";

const ALGORITHM = "GOOG4-RSA-SHA256";

export interface GcsSignRequest {
  method: "GET" | "PUT";
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
  /** Returns the RSA-SHA256 signature of the text by the account's key. */
  sign(text: string): Promise<Uint8Array>;
}

/** Returns a URL that lets any holder send this one request until it expires. */
export async function signGcs(request: GcsSignRequest): Promise<string> {
  const { method, endpoint, bucket, key, email, payer } = request;
  const date = new Date(request.now).toISOString().replace(/[-:]|\.\d{3}/g, "");
  const scope = `${date.slice(0, 8)}/auto/storage/goog4_request`;
  const path = `${endpoint.base}/${bucket}/${encodeKey(key)}`;
  const query = canonicalQuery([
    ["X-Goog-Algorithm", ALGORITHM],
    ["X-Goog-Credential", `${email}/${scope}`],
    ["X-Goog-Date", date],
    ["X-Goog-Expires", String(request.expiresIn)],
    ["X-Goog-SignedHeaders", "host"],
    ...(payer === undefined ? [] : [["userProject", payer] as const]),
  ]);
  const canonical = [method, path, query, `host:${endpoint.host}`, "", "host", "UNSIGNED-PAYLOAD"].join("\n");
  const digest = createHash("sha256").update(canonical, "utf8").digest("hex");
  const signature = await request.sign([ALGORITHM, date, scope, digest].join("\n"));
  const hex = Buffer.from(signature).toString("hex");
  return `${endpoint.protocol}//${endpoint.host}${path}?${query}&X-Goog-Signature=${hex}`;
}
