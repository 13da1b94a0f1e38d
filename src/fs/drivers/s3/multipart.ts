/** The requests of a multipart upload, which parts and copies have in common. */
import { createHash } from "node:crypto";
import { failure } from "../../../errors.js";
import type { Receipt } from "../../driver.js";
import { type HttpHead, type HttpText, strange } from "../../http.js";
import { afterLoss } from "../../lost.js";
import { canonicalQuery } from "../../sign.js";
import { escaped, fields } from "../../xml.js";
import type { Bucket } from "./bucket.js";
import { CHECKSUM } from "./checksum.js";
import { attemptOf, type Conditions, conditionHeaders, type Marked } from "./conditions.js";
import { isOpaque, receiptOf } from "./info.js";
import { NONCE_HEADER, nonceIn } from "./metadata.js";

/** Milliseconds that the server may be silent while it puts an object together or copies one. */
export const PATIENCE = 5 * 60_000;

/** A part that the server has. */
export interface PartDone {
  number: number;
  etag: string;
  checksum?: string | undefined;
}

/** What an upload is begun with besides its headers. */
export interface Begin {
  conditions: Conditions;
  /** That of `nonceFor(conditions)`. */
  nonce: string | undefined;
}

export class Multipart {
  private constructor(
    readonly bucket: Bucket,
    readonly key: string,
    readonly id: string,
    readonly begun: Begin,
  ) {}

  static async begin(
    bucket: Bucket,
    key: string,
    described: Readonly<Record<string, string>>,
    begun: Begin,
    signal?: AbortSignal,
  ): Promise<Multipart> {
    const headers = begun.nonce === undefined ? described : { ...described, [NONCE_HEADER]: begun.nonce };
    const ask = { method: "POST", key, query: "uploads=", headers, body: Buffer.alloc(0), signal } as const;
    const { text } = await bucket.client.text(ask);
    const upload = (id: string | undefined) => new Multipart(bucket, key, uploadIdOf(id), begun);
    try {
      return upload(fields(text).UploadId);
    } catch (error) {
      // What the server has begun is not left behind where its odd answer names it.
      const id = /<UploadId>([^<>&\s]+)<\/UploadId>/.exec(text)?.[1];
      if (id !== undefined)
        await upload(id)
          .abort()
          .catch(() => {});
      throw error;
    }
  }

  query(number: number): string {
    return canonicalQuery([
      ["partNumber", String(number)],
      ["uploadId", this.id],
    ]);
  }

  async put(number: number, body: Uint8Array, checksum: string | undefined, signal: AbortSignal): Promise<PartDone> {
    const { client, encryption } = this.bucket;
    const headers = checksum === undefined ? encryption.use : { ...encryption.use, [CHECKSUM]: checksum };
    const query = this.query(number);
    const answer = await client.send({ method: "PUT", key: this.key, query, headers, body, signal });
    return { number, etag: partEtag(answer.headers.etag), checksum };
  }

  async commit(parts: readonly PartDone[], signal: AbortSignal | undefined): Promise<Receipt> {
    const { bucket, key } = this;
    const { conditions, nonce } = this.begun;
    const body = Buffer.from(`<CompleteMultipartUpload>${parts.map(row).join("")}</CompleteMultipartUpload>`);
    const headers = { ...bucket.encryption.use, ...conditionHeaders(conditions), "content-type": "application/xml" };
    const query = canonicalQuery([["uploadId", this.id]]);
    const since = performance.now();
    try {
      return committed(await bucket.client.text({ method: "POST", key, query, headers, body, signal, idle: PATIENCE }));
    } catch (error) {
      const attempt = attemptOf(conditions, nonce, since, () => etagOf(parts));
      return afterLoss(error, attempt, () => look(bucket, key, signal));
    }
  }

  async abort(): Promise<void> {
    const query = canonicalQuery([["uploadId", this.id]]);
    await this.bucket.client.send({ method: "DELETE", key: this.key, query, signal: undefined });
  }
}

function committed({ text, status, headers }: HttpText & HttpHead): Receipt {
  const { ETag } = fields(text);
  if (!ETag) throw strange("POST", status, "the answer to the commit of an upload has no ETag");
  return receiptOf(headers, ETag);
}

/** The id of an upload that has begun. An empty one must go out with nothing: its abort deletes the object. */
export function uploadIdOf(id: string | undefined): string {
  if (id) return id;
  throw failure(
    "Unsupported",
    "the server began an upload in parts without an UploadId, so it cannot be aborted either",
  );
}

export function partEtag(etag: string | undefined): string {
  if (etag) return etag;
  throw failure("Unsupported", "the server took a part of an upload without saying its ETag");
}

/** What is at `key` now. */
export async function look(
  { client, encryption }: Bucket,
  key: string,
  signal: AbortSignal | undefined,
): Promise<Marked> {
  const { headers } = await client.send({ method: "HEAD", key, headers: encryption.use, signal, tries: 3 });
  const opaque = isOpaque(headers) || Object.keys(encryption.use).length > 0;
  const times = { made: dateOf(headers["last-modified"]), seen: dateOf(headers.date) };
  return { receipt: receiptOf(headers), nonce: nonceIn(headers), opaque, ...times };
}

function dateOf(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text);
}

function row({ number, etag, checksum }: PartDone): string {
  const sum = checksum === undefined ? "" : `<ChecksumCRC32>${checksum}</ChecksumCRC32>`;
  return `<Part><PartNumber>${number}</PartNumber><ETag>${escaped(etag)}</ETag>${sum}</Part>`;
}

/** The etag of the object that the parts make: the MD5 of their MD5s. Undefined where their etags are no such. */
export function etagOf(parts: readonly PartDone[]): string | undefined {
  const md5 = createHash("md5");
  for (const { etag } of parts) {
    const sum = /^"?([0-9a-f]{32})"?$/i.exec(etag)?.[1];
    if (sum === undefined) return undefined;
    md5.update(sum, "hex");
  }
  return `"${md5.digest("hex")}-${parts.length}"`;
}
