import type { GetObjectCommandOutput, HeadObjectCommandOutput } from "@aws-sdk/client-s3";
import { failure } from "../../../../errors.js";
import { single } from "../../../bytes.js";
import { clientBody } from "../../../client-body.js";
import type { Bytes, Info, ReadOptions, Receipt, StatOptions } from "../../../driver.js";
import { extentOf, rangeHeader, sizeIn } from "../../../extent.js";
import { HttpError } from "../../../http.js";
import { decodeWords } from "../../../words.js";
import { md5In, versionIn } from "../info.js";
import { NONCE } from "../metadata.js";
import type { Profile } from "../profile.js";
import { calling, isChecksumMismatch, type Sdk } from "./client.js";

type Described = HeadObjectCommandOutput | GetObjectCommandOutput;

function infoOf(key: string, size: number, head: Described, { md5Etags }: Profile): Info {
  const info: Info = { key, size, modified: head.LastModified ?? new Date(0), etag: head.ETag ?? "" };
  const version = versionIn(head.VersionId);
  if (version !== undefined) info.version = version;
  const opaque = head.ServerSideEncryption?.startsWith("aws:kms") || head.SSECustomerAlgorithm !== undefined;
  const md5 = md5Etags && !opaque ? md5In(info.etag) : undefined;
  if (md5 !== undefined) info.md5 = md5;
  if (head.ContentType !== undefined) info.contentType = head.ContentType;
  const own = Object.entries(head.Metadata ?? {}).filter(([name]) => name !== NONCE);
  const metadata = own.map(([name, value]) => [name, decodeWords(value)]);
  if (metadata.length > 0) info.metadata = Object.fromEntries(metadata);
  return info;
}

export function receiptOf({ ETag, VersionId }: { ETag?: string | undefined; VersionId?: string | undefined }): Receipt {
  const version = versionIn(VersionId);
  return { ...(ETag === undefined ? {} : { etag: ETag }), ...(version === undefined ? {} : { version }) };
}

export async function stat(
  { client, library, bucket, profile }: Sdk,
  key: string,
  { version, signal, ifMatch }: StatOptions & { ifMatch?: string | undefined },
): Promise<Info> {
  const command = new library.HeadObjectCommand({ Bucket: bucket, Key: key, VersionId: version, IfMatch: ifMatch });
  const head = await calling("HeadObject", signal, (options) => client.send(command, options));
  return infoOf(key, sizeIn(head.ContentLength), head, profile);
}

export async function read(sdk: Sdk, key: string, options: ReadOptions): Promise<{ info: Info; body: Bytes }> {
  try {
    return await get(sdk, key, options);
  } catch (error) {
    if (!(error instanceof HttpError) || error.status !== 416) throw error;
    // The range starts past the end, or the object is empty, where every range is refused.
    return { info: await stat(sdk, key, options), body: single(new Uint8Array(0)) };
  }
}

async function get({ client, library, bucket, profile }: Sdk, key: string, options: ReadOptions) {
  const { start, end, ifMatch, version, signal } = options;
  const whole = start === 0 && end === undefined;
  const Range = rangeHeader(start, end);
  const input = { Bucket: bucket, Key: key, VersionId: version, IfMatch: ifMatch, Range };
  const got = await calling("GetObject", signal, (o) => client.send(new library.GetObjectCommand(input), o));
  const stream = got.Body as unknown as Bytes & { destroy(): void };
  try {
    const { size, length } = extentOf(answerOf(got), whole ? undefined : { start, end });
    return { info: infoOf(key, size, got, profile), body: clientBody(stream, { expected: length, signal, failureOf }) };
  } catch (error) {
    stream.destroy();
    throw error;
  }
}

function answerOf({ ContentLength, ContentRange, $metadata: { httpStatusCode = 200 } }: GetObjectCommandOutput) {
  const range = ContentRange === undefined ? {} : { "content-range": ContentRange };
  return { status: httpStatusCode, headers: { "content-length": String(ContentLength), ...range } };
}

function failureOf(error: unknown): Error | undefined {
  if (!isChecksumMismatch(error)) return undefined;
  return failure("Corrupt", "the bytes do not have the stored checksum");
}
