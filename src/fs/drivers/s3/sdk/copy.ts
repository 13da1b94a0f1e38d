import type { HeadObjectCommandOutput } from "@aws-sdk/client-s3";
import type { Receipt } from "../../../driver.js";
import { sizeIn } from "../../../extent.js";
import { encodeKey } from "../../../sign.js";
import type { Conditions } from "../conditions.js";
import type { CopyRoute, Looked, PartCopies, Source } from "../copy.js";
import { NONCE } from "../metadata.js";
import { calling, type Sdk } from "./client.js";
import { putObject, SdkSession, stored } from "./write.js";

type Signal = AbortSignal | undefined;

export class SdkCopy implements CopyRoute {
  constructor(
    readonly from: Source,
    readonly sdk: Sdk,
    readonly key: string,
  ) {}

  get profile() {
    return this.sdk.profile;
  }

  async whole(ifMatch: string | undefined, signal: Signal): Promise<Receipt> {
    const { client, library, bucket } = this.sdk;
    const command = new library.CopyObjectCommand({ Bucket: bucket, Key: this.key, ...this.#source(ifMatch) });
    const done = await calling("CopyObject", signal, (o) => client.send(command, o));
    return stored({ ...done, ETag: done.CopyObjectResult?.ETag });
  }

  async look(ifMatch: string | undefined, signal: Signal): Promise<Looked> {
    const { client, library } = this.sdk;
    const { bucket, key } = this.from;
    const command = new library.HeadObjectCommand({ Bucket: bucket, Key: key, IfMatch: ifMatch });
    const head = await calling("HeadObject", signal, (options) => client.send(command, options));
    return {
      size: sizeIn(head.ContentLength),
      empty: (conditions, stop) => putObject(this.sdk, this.key, described(head), conditions, new Uint8Array(0), stop),
      begin: (conditions) => this.#begin(head, conditions),
    };
  }

  #source(ifMatch: string | undefined) {
    const { bucket, key } = this.from;
    const CopySource = `${encodeKey(bucket)}/${encodeKey(key)}`;
    return { CopySource, ...(ifMatch === undefined ? {} : { CopySourceIfMatch: ifMatch }) };
  }

  async #begin(head: HeadObjectCommandOutput, conditions: Conditions): Promise<PartCopies> {
    const upload = await SdkSession.begin(this.sdk, this.key, described(head), conditions);
    const source = this.#source(head.ETag);
    return {
      part: (number, range, stop) => upload.copy(number, source, range, stop),
      commit: (parts, stop) => upload.commit(parts, 0, stop),
      abort: () => upload.abort(),
    };
  }
}

/** What CopyObject takes over by itself. */
function described(head: HeadObjectCommandOutput) {
  const { ContentType, CacheControl, ContentDisposition, ContentEncoding, ContentLanguage } = head;
  const { [NONCE]: _, ...Metadata } = head.Metadata ?? {};
  return { ContentType, CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, Metadata };
}
