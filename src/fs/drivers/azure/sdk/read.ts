import type { BlobDownloadResponseParsed, BlobGetPropertiesResponse } from "@azure/storage-blob";
import { single } from "../../../bytes.js";
import { clientBody } from "../../../client-body.js";
import type { Bytes, Info, ReadOptions, StatOptions } from "../../../driver.js";
import { extentOf, sizeIn } from "../../../extent.js";
import { HttpError } from "../../../http.js";
import { infoOf, type Told } from "../objects.js";
import { calling, objectOf, type Sdk } from "./client.js";

export async function statObject(
  sdk: Sdk,
  key: string,
  { version, signal, ifMatch }: StatOptions & { ifMatch?: string | undefined },
): Promise<Info> {
  const object = objectOf(sdk, key, version);
  const found = await calling("HEAD", signal, (cancel) => object.getProperties({ ...cancel, ...matching(ifMatch) }));
  return infoOf(key, sizeIn(found.contentLength), toldBy(found));
}

export async function readObject(sdk: Sdk, key: string, options: ReadOptions): Promise<{ info: Info; body: Bytes }> {
  try {
    return await download(sdk, key, options);
  } catch (error) {
    if (!(error instanceof HttpError) || error.status !== 416) throw error;
    // The range starts past the end, or the object is empty, where every range is refused.
    return { info: await statObject(sdk, key, options), body: single(new Uint8Array(0)) };
  }
}

async function download(sdk: Sdk, key: string, options: ReadOptions): Promise<{ info: Info; body: Bytes }> {
  const { start, end, ifMatch, version, signal } = options;
  const object = objectOf(sdk, key, version);
  const count = end === undefined ? undefined : end - start;
  const got = await calling("GET", signal, (cancel) =>
    object.download(start, count, { ...cancel, ...matching(ifMatch) }),
  );
  const stream = got.readableStreamBody as unknown as Bytes & { destroy(): unknown };
  try {
    const range = start === 0 && end === undefined ? undefined : { start, end };
    const { size, length } = extentOf(answerOf(got), range);
    return { info: infoOf(key, size, toldBy(got)), body: clientBody(stream, { expected: length, signal }) };
  } catch (error) {
    stream.destroy();
    throw error;
  }
}

function answerOf({ contentLength, contentRange, _response: { status } }: BlobDownloadResponseParsed) {
  return {
    status,
    headers: {
      "content-length": String(contentLength),
      ...(contentRange !== undefined && { "content-range": contentRange }),
    },
  };
}

function matching(ifMatch: string | undefined): { conditions?: { ifMatch: string } } {
  return ifMatch === undefined ? {} : { conditions: { ifMatch } };
}

function toldBy(found: BlobGetPropertiesResponse | BlobDownloadResponseParsed): Told {
  // With a range, the plain one is of the range.
  const md5 = "contentRange" in found && found.contentRange ? found.blobContentMD5 : found.contentMD5;
  return {
    modified: found.lastModified,
    etag: found.etag,
    version: found.versionId,
    contentType: found.contentType,
    md5: md5 && Buffer.from(md5).toString("base64"),
    metadata: Object.entries(found.metadata ?? {}),
  };
}
