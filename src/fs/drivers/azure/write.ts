import { createHash, randomBytes, randomUUID } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Receipt, WriteOptions } from "../../driver.js";
import type { Part, Session, Target } from "../../parts.js";
import { elements, fields } from "../../xml.js";
import { documentIn } from "./dialect.js";
import { afterLoss } from "./lost.js";
import { metadataHeaders, NONCE, receiptOf } from "./objects.js";
import type { Server } from "./server.js";

const MIB = 2 ** 20;

/** https://learn.microsoft.com/azure/storage/blobs/scalability-targets */
const LIMITS = {
  single: 8 * MIB,
  part: 8 * MIB,
  largest: 4000 * MIB,
  count: 50_000,
  multiple: 1,
  parallel: 4,
  uniform: false,
};

export class Upload implements Target<string> {
  readonly limits = LIMITS;
  readonly conditional: boolean;

  constructor(
    readonly server: Server,
    readonly key: string,
    readonly options: WriteOptions,
  ) {
    this.conditional = options.ifAbsent || options.ifMatch !== undefined;
  }

  async whole(data: Uint8Array, _size: number, signal: AbortSignal | undefined): Promise<Receipt> {
    const { server, key, conditional } = this;
    const nonce = conditional ? randomUUID() : undefined;
    const headers = { ...describing(server, this.options), "x-ms-blob-type": "BlockBlob", [NONCE]: nonce };
    try {
      return receiptOf((await server.text({ method: "PUT", key, headers, body: data, signal })).headers);
    } catch (error) {
      return afterLoss(error, conditional, async () => {
        const { headers: found } = await server.text({ method: "HEAD", key, signal, tries: 3 });
        return (nonce ? found[NONCE] === nonce : isOf(data, found)) ? receiptOf(found) : undefined;
      });
    }
  }

  async begin(): Promise<Session<string>> {
    return new Blocks(this);
  }
}

/** The service keeps the MD5 of what came in one request. */
function isOf(data: Uint8Array, found: IncomingHttpHeaders): boolean {
  return found["content-md5"] === createHash("md5").update(data).digest("base64");
}

/** Blocks are invisible until their list is committed, and expire after a week. The nonce keeps two writers' apart. */
class Blocks implements Session<string> {
  readonly #nonce = randomBytes(12).toString("hex");

  constructor(readonly upload: Upload) {}

  async part({ index, data }: Part, signal: AbortSignal): Promise<string> {
    const { server, key } = this.upload;
    const id = Buffer.from(`${this.#nonce}${String(index).padStart(6, "0")}`).toString("base64");
    const headers = { "x-ms-encryption-scope": server.encryptionScope };
    await server.text({ method: "PUT", key, query: { comp: "block", blockid: id }, headers, body: data, signal });
    return id;
  }

  async commit(ids: readonly string[], _size: number, signal: AbortSignal): Promise<Receipt> {
    const { server, key, options, conditional } = this.upload;
    const rows = ids.map((id) => `<Latest>${id}</Latest>`).join("");
    const body = Buffer.from(`<?xml version="1.0" encoding="utf-8"?><BlockList>${rows}</BlockList>`);
    const headers = describing(server, options);
    const query = { comp: "blocklist" };
    try {
      return receiptOf((await server.text({ method: "PUT", key, query, headers, body, signal })).headers);
    } catch (error) {
      return afterLoss(error, conditional, () => this.#look(ids, signal));
    }
  }

  /** Nothing to do: blocks without a list are no object, and cannot be deleted. */
  async abort(): Promise<void> {}

  async #look(ids: readonly string[], signal: AbortSignal): Promise<Receipt | undefined> {
    const { server, key } = this.upload;
    const query = { comp: "blocklist", blocklisttype: "committed" };
    const { text, headers } = await server.text({ method: "GET", key, query, signal, tries: 3 });
    const found: string[] = [];
    for (const list of elements(documentIn(text, "BlockList"))) {
      for (const block of elements(list)) found.push(fields(block).Name ?? "");
    }
    return found.length === ids.length && found.every((id, i) => id === ids[i]) ? receiptOf(headers) : undefined;
  }
}

function describing({ encryptionScope }: Server, { contentType, metadata, ifAbsent, ifMatch }: WriteOptions) {
  return {
    ...metadataHeaders(metadata),
    "x-ms-blob-content-type": contentType,
    "x-ms-encryption-scope": encryptionScope,
    "if-none-match": ifAbsent ? "*" : undefined,
    "if-match": ifMatch,
  };
}
