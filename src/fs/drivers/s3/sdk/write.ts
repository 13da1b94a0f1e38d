import type { Receipt, WriteOptions } from "../../../driver.js";
import { strange } from "../../../http.js";
import { afterLoss } from "../../../lost.js";
import type { Part, Session, Target } from "../../../parts.js";
import { encodeWords } from "../../../words.js";
import { attemptOf, type Conditions, type Marked, nonceFor } from "../conditions.js";
import { NONCE } from "../metadata.js";
import { type Begin, etagOf, type PartDone, partEtag, uploadIdOf } from "../multipart.js";
import { checkCommitConditions, etagOfWhole, limitsOf } from "../write.js";
import { calling, type Sdk } from "./client.js";
import { receiptOf } from "./read.js";

export function conditionInput({ ifAbsent, ifMatch }: Conditions): { IfNoneMatch?: string; IfMatch?: string } {
  if (ifAbsent) return { IfNoneMatch: "*" };
  return ifMatch === undefined ? {} : { IfMatch: ifMatch };
}

/** What is at `key` now. */
export async function look(
  { client, library, bucket }: Sdk,
  key: string,
  signal: AbortSignal | undefined,
): Promise<Marked> {
  const command = new library.HeadObjectCommand({ Bucket: bucket, Key: key });
  const head = await calling("HeadObject", signal, (options) => client.send(command, options));
  const opaque = head.ServerSideEncryption?.startsWith("aws:kms") === true || head.SSECustomerAlgorithm !== undefined;
  return { receipt: receiptOf(head), nonce: head.Metadata?.[NONCE], opaque };
}

/** What the client answered to a write, if it names an object. */
export function stored(found: { $metadata: { httpStatusCode?: number | undefined }; ETag?: string | undefined }) {
  const { httpStatusCode: status = 200 } = found.$metadata;
  if (status === 200 && found.ETag) return receiptOf(found);
  throw strange("PUT", status, "the answer to the write has no ETag, or another status than 200");
}

/** PutObject; a lost answer is settled. */
export async function putObject(
  sdk: Sdk,
  key: string,
  described: { Metadata?: Record<string, string> | undefined },
  conditions: Conditions,
  data: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Receipt> {
  const nonce = nonceFor(conditions);
  const place = { Bucket: sdk.bucket, Key: key, Body: data };
  const input = { ...place, ...marked(described, nonce), ...conditionInput(conditions) };
  const command = new sdk.library.PutObjectCommand(input);
  const since = performance.now();
  try {
    return stored(await calling("PutObject", signal, (o) => sdk.client.send(command, o)));
  } catch (error) {
    const attempt = attemptOf(conditions, nonce, since, () => etagOfWhole(data));
    return afterLoss(error, attempt, () => look(sdk, key, signal));
  }
}

function marked(described: { Metadata?: Record<string, string> | undefined }, nonce: string | undefined) {
  return nonce === undefined ? described : { ...described, Metadata: { ...described.Metadata, [NONCE]: nonce } };
}

function describing({ contentType, metadata }: WriteOptions) {
  const values = Object.entries(metadata ?? {}).map(([name, value]) => [name, encodeWords(value)]);
  return {
    ContentType: contentType,
    ...(metadata && { Metadata: Object.fromEntries(values) as Record<string, string> }),
  };
}

export class SdkTarget implements Target<PartDone> {
  readonly limits;

  constructor(
    readonly sdk: Sdk,
    readonly key: string,
    readonly options: WriteOptions,
  ) {
    this.limits = limitsOf(sdk.profile);
  }

  async whole(data: Uint8Array, _size: number, signal: AbortSignal | undefined): Promise<Receipt> {
    return putObject(this.sdk, this.key, describing(this.options), this.options, data, signal);
  }

  async begin(): Promise<SdkSession> {
    checkCommitConditions(this.sdk.profile, this.options);
    return SdkSession.begin(this.sdk, this.key, describing(this.options), this.options);
  }
}

/** An upload in parts; the client's own setting decides about checksums. */
export class SdkSession implements Session<PartDone> {
  private constructor(
    readonly sdk: Sdk,
    readonly upload: { Bucket: string; Key: string; UploadId: string },
    readonly begun: Begin,
  ) {}

  static async begin(
    sdk: Sdk,
    key: string,
    described: { Metadata?: Record<string, string> | undefined },
    conditions: Conditions,
  ): Promise<SdkSession> {
    const place = { Bucket: sdk.bucket, Key: key };
    const nonce = nonceFor(conditions);
    const command = new sdk.library.CreateMultipartUploadCommand({ ...place, ...marked(described, nonce) });
    const { UploadId } = await calling("CreateMultipartUpload", undefined, (o) => sdk.client.send(command, o));
    return new SdkSession(sdk, { ...place, UploadId: uploadIdOf(UploadId) }, { conditions, nonce });
  }

  async part({ index, data }: Part, signal: AbortSignal): Promise<PartDone> {
    const number = index + 1;
    const command = new this.sdk.library.UploadPartCommand({ ...this.upload, PartNumber: number, Body: data });
    const done = await calling("UploadPart", signal, (options) => this.sdk.client.send(command, options));
    return { number, etag: partEtag(done.ETag), checksum: done.ChecksumCRC32 };
  }

  async copy(
    number: number,
    source: { CopySource: string; CopySourceIfMatch?: string },
    range: string,
    signal: AbortSignal,
  ) {
    const input = { ...this.upload, ...source, PartNumber: number, CopySourceRange: range };
    const command = new this.sdk.library.UploadPartCopyCommand(input);
    const { CopyPartResult } = await calling("UploadPartCopy", signal, (options) =>
      this.sdk.client.send(command, options),
    );
    return { number, etag: partEtag(CopyPartResult?.ETag) };
  }

  async commit(parts: readonly PartDone[], _size: number, signal: AbortSignal | undefined): Promise<Receipt> {
    const { sdk, upload } = this;
    const { conditions, nonce } = this.begun;
    const Parts = parts.map(({ number, etag, checksum }) => ({
      PartNumber: number,
      ETag: etag,
      ChecksumCRC32: checksum,
    }));
    const input = { ...upload, MultipartUpload: { Parts }, ...conditionInput(conditions) };
    const command = new sdk.library.CompleteMultipartUploadCommand(input);
    const since = performance.now();
    try {
      return stored(await calling("CompleteMultipartUpload", signal, (o) => sdk.client.send(command, o)));
    } catch (error) {
      const attempt = attemptOf(conditions, nonce, since, () => etagOf(parts));
      return afterLoss(error, attempt, () => look(sdk, upload.Key, signal));
    }
  }

  async abort(): Promise<void> {
    const command = new this.sdk.library.AbortMultipartUploadCommand(this.upload);
    await calling("AbortMultipartUpload", undefined, (options) => this.sdk.client.send(command, options));
  }
}
