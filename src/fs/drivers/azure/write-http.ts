import type { IncomingHttpHeaders } from "node:http";
import type { Receipt, WriteOptions } from "../../driver.js";
import { type HttpHead, strange } from "../../http.js";
import { parsed } from "../../xml-rows.js";
import { one } from "./dialect.js";
import { META, NONCE, receiptOf, wireMetadata } from "./objects.js";
import type { Server } from "./server.js";
import type { Committed, Found, WriteRoute } from "./write.js";

type Signal = AbortSignal | undefined;

export class HttpWrite implements WriteRoute {
  readonly #headers: Readonly<Record<string, string | undefined>>;

  constructor(
    readonly server: Server,
    readonly key: string,
    options: WriteOptions,
  ) {
    this.#headers = describing(server, options);
  }

  async put(data: Uint8Array, nonce: string | undefined, signal: Signal): Promise<Receipt> {
    const headers = { ...this.#headers, "x-ms-blob-type": "BlockBlob", [META + NONCE]: nonce };
    return stored(await this.server.text({ method: "PUT", key: this.key, headers, body: data, signal }));
  }

  async stage(id: string, data: Uint8Array, signal: Signal): Promise<void> {
    const { server, key } = this;
    const headers = { "x-ms-encryption-scope": server.encryptionScope };
    await server.text({ method: "PUT", key, query: { comp: "block", blockid: id }, headers, body: data, signal });
  }

  async commit(ids: readonly string[], signal: Signal): Promise<Receipt> {
    const rows = ids.map((id) => `<Latest>${id}</Latest>`).join("");
    const body = Buffer.from(`<?xml version="1.0" encoding="utf-8"?><BlockList>${rows}</BlockList>`);
    const ask = { method: "PUT", key: this.key, query: { comp: "blocklist" }, headers: this.#headers } as const;
    return stored(await this.server.text({ ...ask, body, signal }));
  }

  async look(signal: Signal): Promise<Found> {
    const { headers } = await this.server.text({ method: "HEAD", key: this.key, signal, tries: 3 });
    const found = { nonce: one(headers[META + NONCE]), md5: one(headers["content-md5"]) };
    return { receipt: receiptOf(headers), ...found, ...timesIn(headers) };
  }

  async committed(signal: Signal): Promise<Committed> {
    const query = { comp: "blocklist", blocklisttype: "committed" };
    const { text, headers } = await this.server.text({ method: "GET", key: this.key, query, signal, tries: 3 });
    const blocks = parsed(text, "BlockList", { "CommittedBlocks/Block": ({ Name = "" }) => Name });
    return { ids: blocks.rows, receipt: receiptOf(headers), ...timesIn(headers) };
  }
}

function timesIn(headers: IncomingHttpHeaders): Pick<Found, "made" | "seen"> {
  const { "last-modified": made, date: seen } = headers;
  return made === undefined || seen === undefined ? {} : { made: new Date(made), seen: new Date(seen) };
}

function stored({ status, headers }: HttpHead): Receipt {
  if (headers.etag) return receiptOf(headers);
  throw strange("PUT", status, "the answer to the write has no ETag");
}

function describing({ encryptionScope }: Server, { contentType, metadata, ifAbsent, ifMatch }: WriteOptions) {
  const named = Object.entries(wireMetadata(metadata)).map(([name, value]) => [META + name, value]);
  return {
    ...Object.fromEntries(named),
    "x-ms-blob-content-type": contentType,
    "x-ms-encryption-scope": encryptionScope,
    "if-none-match": ifAbsent ? "*" : undefined,
    "if-match": ifMatch,
  };
}
