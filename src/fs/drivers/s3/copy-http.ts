import type { IncomingHttpHeaders } from "node:http";
import type { Receipt } from "../../driver.js";
import { sizeIn } from "../../extent.js";
import { strange } from "../../http.js";
import { encodeKey } from "../../sign.js";
import { fields } from "../../xml.js";
import type { Bucket } from "./bucket.js";
import { type Conditions, conditionHeaders, nonceFor } from "./conditions.js";
import type { CopyRoute, Looked, PartCopies, Source } from "./copy.js";
import { receiptOf } from "./info.js";
import { NONCE_HEADER } from "./metadata.js";
import { Multipart, PATIENCE, type PartDone, partEtag } from "./multipart.js";
import { putObject } from "./write.js";

type Headers = Record<string, string>;
type Signal = AbortSignal | undefined;

export class HttpCopy implements CopyRoute {
  constructor(
    readonly from: Source,
    readonly to: Bucket,
    readonly key: string,
  ) {}

  get profile() {
    return this.to.profile;
  }

  async whole(ifMatch: string | undefined, signal: Signal): Promise<Receipt> {
    const { to, key } = this;
    const headers = { ...to.encryption.create, ...this.source(ifMatch) };
    const answer = await to.client.text({ method: "PUT", key, headers, signal, idle: PATIENCE });
    const { ETag } = fields(answer.text);
    if (!ETag) throw strange("PUT", answer.status, "the answer to the copy has no ETag");
    return receiptOf(answer.headers, ETag);
  }

  async look(ifMatch: string | undefined, signal: Signal): Promise<Looked> {
    const { use } = this.to.encryption;
    const condition = ifMatch === undefined ? use : { ...use, "if-match": ifMatch };
    const ask = { method: "HEAD", ...this.from, headers: condition, signal } as const;
    const { headers } = await this.to.client.send(ask);
    const created = { ...this.to.encryption.create, ...described(headers) };
    return {
      size: sizeIn(headers["content-length"]),
      empty: (conditions, stop) => {
        const all = { ...created, ...conditionHeaders(conditions) };
        return putObject(this.to, this.key, all, conditions, new Uint8Array(0), stop);
      },
      begin: (conditions, stop) => this.#begin(created, this.source(headers.etag), conditions, stop),
    };
  }

  source(ifMatch: string | undefined): Headers {
    const { bucket, key } = this.from;
    const headers: Headers = { ...this.to.encryption.source };
    headers["x-amz-copy-source"] = `/${encodeKey(bucket)}/${encodeKey(key)}`;
    if (ifMatch !== undefined) headers["x-amz-copy-source-if-match"] = ifMatch;
    return headers;
  }

  async #begin(created: Headers, source: Headers, conditions: Conditions, signal: Signal): Promise<PartCopies> {
    const begun = { conditions, nonce: nonceFor(conditions) };
    const upload = await Multipart.begin(this.to, this.key, created, begun, signal);
    return {
      part: (number, range, stop) => copyPart(upload, number, { ...source, "x-amz-copy-source-range": range }, stop),
      commit: (parts, stop) => upload.commit(parts, stop),
      abort: () => upload.abort(),
    };
  }
}

async function copyPart(upload: Multipart, number: number, source: Headers, signal: AbortSignal): Promise<PartDone> {
  const { bucket, key } = upload;
  const headers = { ...bucket.encryption.use, ...source };
  const ask = { method: "PUT", key, query: upload.query(number), headers, signal, idle: PATIENCE } as const;
  const { text } = await bucket.client.text(ask);
  return { number, etag: partEtag(fields(text).ETag) };
}

const KEPT: ReadonlySet<string> = new Set([
  "content-type",
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "expires",
]);

/** What CopyObject takes over by itself. */
function described(headers: IncomingHttpHeaders): Headers {
  const kept: Headers = {};
  for (const name in headers) {
    if (KEPT.has(name) || (name.startsWith("x-amz-meta-") && name !== NONCE_HEADER)) kept[name] = String(headers[name]);
  }
  return kept;
}
