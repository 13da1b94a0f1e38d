/** Uploads blobs. */

import { createHash, randomBytes, randomUUID } from "node:crypto";
import { type ObservedObject, reconcileAmbiguousWrite, timesIn } from "../../driver/ambiguous-write.js";
import { headerValue } from "../../driver/content.js";
import type { DriverWriteOptions, WriteResult } from "../../driver/driver.js";
import type { MultipartUpload, Part, UploadTarget } from "../../driver/upload.js";
import { unexpectedResponse } from "../../http/errors.js";
import type { HttpHead } from "../../http/types.js";
import { readXml } from "../../http/xml.js";
import type { Server } from "./client.js";
import { META, metadataHeaders, NONCE, placeHeaders, propertyHeaders, writeResultOf } from "./object.js";

const MIB = 2 ** 20;

/** https://learn.microsoft.com/azure/storage/blobs/scalability-targets */
const LIMITS = {
  maxSinglePut: 8 * MIB,
  partSize: 8 * MIB,
  maxPartSize: 4000 * MIB,
  maxParts: 50_000,
  partAlignment: 1,
  concurrency: 8,
  uniformParts: false,
};

interface ObservedUpload extends ObservedObject {
  nonce: string | undefined;
  /** Of the data, in base64; the service keeps it for single-request uploads. */
  md5: string | undefined;
}

interface Committed extends ObservedObject {
  ids: readonly string[];
}

export class Upload implements UploadTarget<string> {
  readonly limits = LIMITS;

  constructor(
    readonly route: WriteRequests,
    readonly conditions: Pick<DriverWriteOptions, "ifAbsent" | "ifMatch">,
  ) {}

  async putObject(data: Uint8Array, _size: number, signal: AbortSignal | undefined): Promise<WriteResult> {
    const { route } = this;
    const { ifAbsent, ifMatch } = this.conditions;
    const nonce = ifAbsent || ifMatch !== undefined ? randomUUID() : undefined;
    const since = performance.now();
    try {
      return await route.put(data, nonce, signal);
    } catch (error) {
      const isOurs = (found: ObservedUpload) => (nonce ? found.nonce === nonce : found.md5 === md5(data));
      return reconcileAmbiguousWrite(error, { since, ifAbsent, ifMatch, isOurs }, () => route.look(signal));
    }
  }

  async createUpload(): Promise<MultipartUpload<string>> {
    return new Blocks(this);
  }
}

function md5(data: Uint8Array): string {
  return createHash("md5").update(data).digest("base64");
}

/**
 * Blocks are invisible until their list is committed, and expire after a week. The nonce separates those of two
 * writers.
 */
class Blocks implements MultipartUpload<string> {
  readonly #nonce = randomBytes(12).toString("hex");

  constructor(readonly upload: Upload) {}

  async uploadPart({ index, data }: Part, signal: AbortSignal): Promise<string> {
    const id = Buffer.from(`${this.#nonce}${String(index).padStart(6, "0")}`).toString("base64");
    await this.upload.route.stage(id, data, signal);
    return id;
  }

  async complete(ids: readonly string[], _size: number, signal: AbortSignal): Promise<WriteResult> {
    const { route, conditions } = this.upload;
    const since = performance.now();
    try {
      return await route.commit(ids, signal);
    } catch (error) {
      const { ifAbsent, ifMatch } = conditions;
      const isOurs = (found: Committed) => String(found.ids) === String(ids);
      return reconcileAmbiguousWrite(error, { since, ifAbsent, ifMatch, isOurs }, () =>
        route.listCommittedBlocks(signal),
      );
    }
  }

  /** Does nothing: blocks without a list are no object, and cannot be deleted. */
  async abort(): Promise<void> {}
}

/** The requests that write one key, with its conditions and headers. */
export class WriteRequests {
  readonly #headers: Readonly<Record<string, string | undefined>>;

  constructor(
    readonly server: Server,
    readonly key: string,
    options: DriverWriteOptions,
  ) {
    this.#headers = writeHeaders(server, options);
  }

  /** Writes the whole object, with a nonce in its metadata if given. */
  async put(data: Uint8Array, nonce: string | undefined, signal: AbortSignal | undefined): Promise<WriteResult> {
    const own = { "x-ms-blob-type": "BlockBlob", [META + NONCE]: nonce };
    // The one that the service compares with the bytes.
    const headers = { ...this.#headers, ...own, "content-md5": this.#headers["x-ms-blob-content-md5"] };
    return toWriteResult(await this.server.text({ method: "PUT", key: this.key, headers, body: data, signal }));
  }

  async stage(id: string, data: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    const { server, key } = this;
    const headers = server.encryption.create;
    await server.text({ method: "PUT", key, query: { comp: "block", blockid: id }, headers, body: data, signal });
  }

  async commit(ids: readonly string[], signal: AbortSignal | undefined): Promise<WriteResult> {
    const rows = ids.map((id) => `<Latest>${id}</Latest>`).join("");
    const body = Buffer.from(`<?xml version="1.0" encoding="utf-8"?><BlockList>${rows}</BlockList>`);
    const ask = { method: "PUT", key: this.key, query: { comp: "blocklist" }, headers: this.#headers } as const;
    return toWriteResult(await this.server.text({ ...ask, body, signal }));
  }

  /** Returns the current object. */
  async look(signal: AbortSignal | undefined): Promise<ObservedUpload> {
    const { use } = this.server.encryption;
    const { headers } = await this.server.text({ method: "HEAD", key: this.key, headers: use, signal, maxAttempts: 3 });
    const found = { nonce: headerValue(headers[META + NONCE]), md5: headerValue(headers["content-md5"]) };
    return { result: writeResultOf(headers), ...found, ...timesIn(headers) };
  }

  /** Returns the ids of the current blocks. */
  async listCommittedBlocks(signal: AbortSignal | undefined): Promise<Committed> {
    const query = { comp: "blocklist", blocklisttype: "committed" };
    const { text, headers } = await this.server.text({ method: "GET", key: this.key, query, signal, maxAttempts: 3 });
    const blocks = readXml(text, "BlockList", { "CommittedBlocks/Block": ({ Name = "" }) => Name });
    return { ids: blocks.rows, result: writeResultOf(headers), ...timesIn(headers) };
  }
}

function toWriteResult({ status, headers }: HttpHead): WriteResult {
  if (headers.etag) return writeResultOf(headers);
  throw unexpectedResponse("PUT", status, "the answer to the write has no ETag");
}

function writeHeaders({ encryption }: Server, options: DriverWriteOptions) {
  const { metadata, ifAbsent, ifMatch, checksum } = options;
  return {
    ...metadataHeaders(metadata),
    ...propertyHeaders(options),
    ...placeHeaders(options),
    ...encryption.create,
    // Stored with the object; of a body in parts the service only stores it.
    "x-ms-blob-content-md5": checksum?.value.toString("base64"),
    "if-none-match": ifAbsent ? "*" : undefined,
    "if-match": ifMatch,
  };
}
