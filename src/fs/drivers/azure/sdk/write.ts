import type { BlockBlobClient } from "@azure/storage-blob";
import type { Receipt, WriteOptions } from "../../../driver.js";
import { strange } from "../../../http.js";
import { NONCE, receipt, wireMetadata } from "../objects.js";
import type { Committed, Found, WriteRoute } from "../write.js";
import { calling, objectOf, type Sdk } from "./client.js";

type Signal = AbortSignal | undefined;

export class SdkWrite implements WriteRoute {
  readonly #object: BlockBlobClient;
  readonly #scope: { encryptionScope?: string };
  readonly #describing;

  constructor({ encryptionScope, ...sdk }: Sdk, key: string, options: WriteOptions) {
    this.#object = objectOf({ ...sdk, encryptionScope }, key);
    this.#scope = encryptionScope === undefined ? {} : { encryptionScope };
    this.#describing = describing(options);
  }

  async put(data: Uint8Array, nonce: string | undefined, signal: Signal): Promise<Receipt> {
    const { metadata, ...rest } = this.#describing;
    const marked = { ...rest, ...this.#scope, metadata: { ...metadata, ...(nonce && { [NONCE]: nonce }) } };
    const done = await calling("PUT", signal, (cancel) =>
      this.#object.upload(buffer(data), data.byteLength, { ...marked, ...cancel }),
    );
    return stored(done);
  }

  async stage(id: string, data: Uint8Array, signal: Signal): Promise<void> {
    await calling("PUT", signal, (cancel) =>
      this.#object.stageBlock(id, buffer(data), data.byteLength, { ...this.#scope, ...cancel }),
    );
  }

  async commit(ids: readonly string[], signal: Signal): Promise<Receipt> {
    const done = await calling("PUT", signal, (cancel) =>
      this.#object.commitBlockList([...ids], { ...this.#describing, ...this.#scope, ...cancel }),
    );
    return stored(done);
  }

  async look(signal: Signal): Promise<Found> {
    const found = await calling("HEAD", signal, (cancel) => this.#object.getProperties(cancel));
    const { etag, versionId, metadata = {}, contentMD5, lastModified: made, date: seen } = found;
    const md5 = contentMD5 && Buffer.from(contentMD5).toString("base64");
    return { receipt: receipt(etag, versionId), nonce: metadata[NONCE], md5, made, seen };
  }

  async committed(signal: Signal): Promise<Committed> {
    const found = await calling("GET", signal, (cancel) => this.#object.getBlockList("committed", cancel));
    return {
      ids: (found.committedBlocks ?? []).map(({ name }) => name),
      receipt: receipt(found.etag, undefined),
      made: found.lastModified,
      seen: found.date,
    };
  }
}

/** The client itself demands the status; it knows of no field that an answer must have. */
function stored({ etag, versionId }: { etag?: string | undefined; versionId?: string | undefined }): Receipt {
  if (etag) return receipt(etag, versionId);
  throw strange("PUT", 201, "the answer to the write has no ETag");
}

/** The client signs the length of buffers only. */
function buffer(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function describing({ contentType, metadata, ifAbsent, ifMatch }: WriteOptions) {
  return {
    metadata: wireMetadata(metadata),
    conditions: { ...(ifAbsent && { ifNoneMatch: "*" }), ...(ifMatch !== undefined && { ifMatch }) },
    blobHTTPHeaders: contentType === undefined ? {} : { blobContentType: contentType },
  };
}
