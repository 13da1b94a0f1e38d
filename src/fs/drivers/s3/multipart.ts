/** The requests of a multipart upload, which parts and copies have in common. */
import { createHash } from "node:crypto";
import type { Receipt } from "../../driver.js";
import type { HttpHead, HttpText } from "../../http.js";
import { canonicalQuery } from "../../sign.js";
import { fields } from "../../xml.js";
import type { Bucket } from "./bucket.js";
import { CHECKSUM } from "./checksum.js";
import { isOpaque, receiptOf } from "./info.js";
import { afterLoss, type Seen } from "./lost.js";

/** Milliseconds that the server may be silent while it puts an object together or copies one. */
export const PATIENCE = 5 * 60_000;

/** A part that the server has. */
export interface PartDone {
  number: number;
  etag: string;
  checksum?: string | undefined;
}

export interface Conditions {
  ifAbsent: boolean;
  ifMatch: string | undefined;
}

export function conditionHeaders({ ifAbsent, ifMatch }: Conditions): Record<string, string> {
  if (ifAbsent) return { "if-none-match": "*" };
  return ifMatch === undefined ? {} : { "if-match": ifMatch };
}

export function isConditional({ ifAbsent, ifMatch }: Conditions): boolean {
  return ifAbsent || ifMatch !== undefined;
}

export class Multipart {
  private constructor(
    readonly bucket: Bucket,
    readonly key: string,
    readonly id: string,
  ) {}

  static async begin(
    bucket: Bucket,
    key: string,
    headers: Record<string, string>,
    signal?: AbortSignal,
  ): Promise<Multipart> {
    const ask = { method: "POST", key, query: "uploads=", headers, body: Buffer.alloc(0), signal } as const;
    const { text } = await bucket.client.text(ask);
    return new Multipart(bucket, key, fields(text, "InitiateMultipartUploadResult").UploadId ?? "");
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
    const answer = await client.send({
      method: "PUT",
      key: this.key,
      query: this.query(number),
      headers,
      body,
      signal,
    });
    return { number, etag: answer.headers.etag ?? "", checksum };
  }

  async commit(parts: readonly PartDone[], conditions: Conditions, signal: AbortSignal | undefined): Promise<Receipt> {
    const { bucket, key } = this;
    const body = Buffer.from(`<CompleteMultipartUpload>${parts.map(row).join("")}</CompleteMultipartUpload>`);
    const headers = { ...bucket.encryption.use, ...conditionHeaders(conditions), "content-type": "application/xml" };
    const query = canonicalQuery([["uploadId", this.id]]);
    try {
      return committed(await bucket.client.text({ method: "POST", key, query, headers, body, signal, idle: PATIENCE }));
    } catch (error) {
      const attempt = { etag: etagOf(parts), conditional: isConditional(conditions) };
      return afterLoss(error, attempt, () => look(bucket, key, signal));
    }
  }

  async abort(): Promise<void> {
    const query = canonicalQuery([["uploadId", this.id]]);
    await this.bucket.client.send({ method: "DELETE", key: this.key, query, signal: undefined });
  }
}

function committed({ text, headers }: HttpText & HttpHead): Receipt {
  return receiptOf(headers, fields(text, "CompleteMultipartUploadResult").ETag);
}

/** What is at `key` now. */
export async function look(
  { client, encryption }: Bucket,
  key: string,
  signal: AbortSignal | undefined,
): Promise<Seen> {
  const { headers } = await client.send({ method: "HEAD", key, headers: encryption.use, signal, tries: 3 });
  return { receipt: receiptOf(headers), opaque: isOpaque(headers) || Object.keys(encryption.use).length > 0 };
}

function row({ number, etag, checksum }: PartDone): string {
  const sum = checksum === undefined ? "" : `<ChecksumCRC32>${checksum}</ChecksumCRC32>`;
  return `<Part><PartNumber>${number}</PartNumber><ETag>${etag.replaceAll('"', "&#34;")}</ETag>${sum}</Part>`;
}

/** The etag of the object that the parts make: the MD5 of their MD5s, where their etags are such. */
export function etagOf(parts: readonly PartDone[]): string {
  const md5 = createHash("md5");
  for (const { etag } of parts) md5.update(etag.replaceAll('"', ""), "hex");
  return `"${md5.digest("hex")}-${parts.length}"`;
}
