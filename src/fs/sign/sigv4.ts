/** AWS Signature Version 4, https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html */
import { createHmac, hash } from "node:crypto";
import { canonicalQuery } from "./encode.js";

const ALGORITHM = "AWS4-HMAC-SHA256";

/** The hash that stands for a body that is not signed. */
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
  /** The canonical query by `canonicalQuery`, without `?`. */
  query: string;
}

export interface SignableRequest extends Signable {
  /** All are signed. Lower-case names, ASCII values, without `host`. */
  headers: Readonly<Record<string, string>>;
  /** SHA-256 of the body in hex, or {@link UNSIGNED_PAYLOAD}. */
  payload: string;
}

/** A signer of one region and service. Derives its signing key once a day and per secret. */
export class SigV4 {
  readonly #region: string;
  readonly #service: string;
  #second = Number.NaN;
  #stamp = "";
  #keyOf = "";
  #key: Buffer = Buffer.alloc(0);

  constructor(region: string, service: string) {
    this.#region = region;
    this.#service = service;
  }

  /** The headers to send: those of the request, the date, the session token and the signature. `now`: milliseconds. */
  sign(request: SignableRequest, keys: AccessKeys, now: number): Record<string, string> {
    const date = this.#date(now);
    const headers: Record<string, string> = { ...request.headers, "x-amz-date": date };
    // S3 alone also wants the hash as a header.
    if (this.#service === "s3") headers["x-amz-content-sha256"] = request.payload;
    if (keys.sessionToken) headers["x-amz-security-token"] = keys.sessionToken;
    const names = ["host", ...Object.keys(headers)].sort();
    let lines = "";
    for (const name of names) lines += `${name}:${trimmed(name === "host" ? request.host : headers[name]!)}\n`;
    const signed = names.join(";");
    const signature = this.#signature(canonical(request, request.query, lines, signed, request.payload), keys, date);
    const scope = this.#scope(date);
    headers.authorization = `${ALGORITHM} Credential=${keys.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`;
    return headers;
  }

  /** Path and query of a presigned request, which signs the host only. `expiresIn`: seconds. */
  presign(
    request: Signable,
    extra: Iterable<readonly [string, string]>,
    keys: AccessKeys,
    now: number,
    expiresIn: number,
  ) {
    const date = this.#date(now);
    const pairs = [
      ...extra,
      ["X-Amz-Algorithm", ALGORITHM],
      ["X-Amz-Credential", `${keys.accessKeyId}/${this.#scope(date)}`],
      ["X-Amz-Date", date],
      ["X-Amz-Expires", String(expiresIn)],
      ["X-Amz-SignedHeaders", "host"],
    ] as [string, string][];
    if (keys.sessionToken) pairs.push(["X-Amz-Security-Token", keys.sessionToken]);
    const query = canonicalQuery(pairs);
    const text = canonical(request, query, `host:${request.host}\n`, "host", UNSIGNED_PAYLOAD);
    return `${request.path}?${query}&X-Amz-Signature=${this.#signature(text, keys, date)}`;
  }

  #signature(canonicalRequest: string, keys: AccessKeys, date: string): string {
    const text = `${ALGORITHM}\n${date}\n${this.#scope(date)}\n${hash("sha256", canonicalRequest)}`;
    return createHmac("sha256", this.#signingKey(keys, date.slice(0, 8)))
      .update(text)
      .digest("hex");
  }

  #scope(date: string): string {
    return `${date.slice(0, 8)}/${this.#region}/${this.#service}/aws4_request`;
  }

  #signingKey({ secretAccessKey }: AccessKeys, day: string): Buffer {
    const keyOf = `${day}${secretAccessKey}`;
    if (keyOf !== this.#keyOf) {
      const steps = [day, this.#region, this.#service, "aws4_request"];
      this.#key = steps.reduce(hmac, Buffer.from(`AWS4${secretAccessKey}`));
      this.#keyOf = keyOf;
    }
    return this.#key;
  }

  /** `20150830T123600Z`; the last one is kept, since many requests fall into one second. */
  #date(now: number): string {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#stamp = `${new Date(second * 1000).toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;
      this.#second = second;
    }
    return this.#stamp;
  }
}

function canonical({ method, path }: Signable, query: string, lines: string, signed: string, payload: string): string {
  return `${method}\n${path}\n${query}\n${lines}\n${signed}\n${payload}`;
}

/** Without spaces at the ends and with single ones inside, as the signature wants values. */
function trimmed(value: string): string {
  return value.includes("  ") || value.trim() !== value ? value.trim().replace(/ +/g, " ") : value;
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
