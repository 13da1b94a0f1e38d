import type { GetObjectCommandOutput, HeadObjectCommandOutput } from "@aws-sdk/client-s3";
import { failure } from "../../../../errors.js";
import { orAbort } from "../../../bytes.js";
import type { Bytes, Info, ReadOptions, Receipt, StatOptions } from "../../../driver.js";
import { BodyCut, HttpError } from "../../../http.js";
import { decodeValue } from "../metadata.js";
import { calling, isChecksumMismatch, type Sdk } from "./client.js";

type Described = HeadObjectCommandOutput | GetObjectCommandOutput;

function infoOf(key: string, size: number, head: Described): Info {
  const info: Info = { key, size, modified: head.LastModified ?? new Date(0), etag: head.ETag ?? "" };
  if (head.VersionId !== undefined) info.version = head.VersionId;
  if (head.ContentType !== undefined) info.contentType = head.ContentType;
  const metadata = Object.entries(head.Metadata ?? {}).map(([name, value]) => [name, decodeValue(value)]);
  if (metadata.length > 0) info.metadata = Object.fromEntries(metadata);
  return info;
}

export function receiptOf({ ETag, VersionId }: { ETag?: string | undefined; VersionId?: string | undefined }): Receipt {
  return { ...(ETag === undefined ? {} : { etag: ETag }), ...(VersionId === undefined ? {} : { version: VersionId }) };
}

export async function stat(
  { client, library, bucket }: Sdk,
  key: string,
  { version, signal, ifMatch }: StatOptions & { ifMatch?: string | undefined },
): Promise<Info> {
  const command = new library.HeadObjectCommand({ Bucket: bucket, Key: key, VersionId: version, IfMatch: ifMatch });
  const head = await calling("HeadObject", signal, (options) => client.send(command, options));
  return infoOf(key, head.ContentLength ?? 0, head);
}

export async function read(sdk: Sdk, key: string, options: ReadOptions): Promise<{ info: Info; body: Bytes }> {
  try {
    return await get(sdk, key, options);
  } catch (error) {
    if (!(error instanceof HttpError) || error.status !== 416) throw error;
    // The range starts past the end, or the object is empty, where every range is refused.
    return { info: await stat(sdk, key, options), body: nothing() };
  }
}

async function* nothing(): Bytes {}

async function get({ client, library, bucket }: Sdk, key: string, options: ReadOptions) {
  const { start, end, ifMatch, version, signal } = options;
  const whole = start === 0 && end === undefined;
  const Range = whole ? undefined : `bytes=${start}-${end === undefined ? "" : end - 1}`;
  const input = { Bucket: bucket, Key: key, VersionId: version, IfMatch: ifMatch, Range };
  const got = await calling("GetObject", signal, (o) => client.send(new library.GetObjectCommand(input), o));
  const length = got.ContentLength ?? 0;
  const from = got.Body as unknown as Bytes & { destroy(): void };
  if (!whole && got.ContentRange === undefined) {
    from.destroy();
    throw failure("Unsupported", "the server ignores Range");
  }
  const size = whole ? length : Number(got.ContentRange?.split("/")[1]);
  return { info: infoOf(key, size, got), body: body(from, length, signal) };
}

/** Milliseconds without a byte after which a body counts as stalled; the client itself waits for ever. */
const IDLE = 10_000;

/** The client's stream with the failures that a resumed read knows. */
async function* body(from: Bytes & { destroy(): void }, expected: number, signal: AbortSignal | undefined): Bytes {
  const chunks = from[Symbol.asyncIterator]();
  let received = 0;
  try {
    for (;;) {
      const { done, value } = await orAbort(patiently(chunks.next(), received, expected), signal);
      if (done) break;
      received += value.byteLength;
      yield value;
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (isChecksumMismatch(error)) throw failure("Corrupt", "the bytes do not have the stored checksum");
    throw error instanceof BodyCut ? error : new BodyCut("reset", received, expected);
  } finally {
    from.destroy();
  }
  if (received < expected) throw new BodyCut("short", received, expected);
}

async function patiently<T>(next: Promise<T>, received: number, expected: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const stalled = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new BodyCut("stalled", received, expected)), IDLE);
  });
  try {
    return await Promise.race([next, stalled]);
  } finally {
    clearTimeout(timer);
  }
}
