import { randomUUID } from "node:crypto";
import { failure, isStorageError } from "../../../errors.js";
import type { Receipt, WriteOptions } from "../../driver.js";
import { HttpError } from "../../http.js";
import type { Limits, Session, Target } from "../../parts.js";
import { allowed } from "./key.js";
import { generationOf, NONCE, parsedReceipt, type Resource, storedReceipt } from "./objects.js";
import { Resumable } from "./resumable.js";
import type { Api } from "./server.js";

const MIB = 2 ** 20;

/** Chunks of one upload come one after the other, so they are larger than the parts of other providers. 5 TiB in all. */
const LIMITS: Limits = {
  single: 8 * MIB,
  part: 16 * MIB,
  largest: 16 * MIB,
  count: 327_680,
  multiple: 256 * 1024,
  parallel: 1,
  uniform: true,
};

/** Where one write goes. */
export class Upload implements Target<void> {
  readonly limits = LIMITS;
  readonly #api: Api;
  readonly #key: string;
  readonly #query: Record<string, string | undefined>;
  readonly #resource: Partial<Resource>;
  readonly #nonce: string | undefined;

  constructor(api: Api, key: string, { ifAbsent, ifMatch, contentType, metadata }: WriteOptions) {
    this.#api = api;
    this.#key = allowed(key);
    this.#nonce = ifAbsent || ifMatch !== undefined ? randomUUID() : undefined;
    const all = { ...metadata, ...(this.#nonce && { [NONCE]: this.#nonce }) };
    this.#resource = {
      name: key,
      ...(contentType !== undefined && { contentType }),
      ...(Object.keys(all).length > 0 && { metadata: all }),
    };
    const ifGenerationMatch = ifAbsent ? "0" : generationOf(ifMatch);
    this.#query = { ifGenerationMatch, kmsKeyName: api.place.kmsKeyName, fields: "generation" };
  }

  async whole(data: Uint8Array, _size: number, signal: AbortSignal | undefined): Promise<Receipt> {
    const boundary = randomUUID();
    try {
      const { text } = await this.#api.text({
        method: "POST",
        path: this.#api.uploads(),
        query: { uploadType: "multipart", ...this.#query },
        headers: { "content-type": `multipart/related; boundary=${boundary}` },
        body: related(boundary, this.#resource, data),
        signal,
      });
      return parsedReceipt(text);
    } catch (error) {
      return this.#settled(error, signal);
    }
  }

  async begin(): Promise<Session<void>> {
    const { headers } = await this.#api.text({
      method: "POST",
      path: this.#api.uploads(),
      query: { uploadType: "resumable", ...this.#query },
      headers: { "content-type": "application/json; charset=UTF-8" },
      body: Buffer.from(JSON.stringify(this.#resource)),
      signal: undefined,
    });
    if (!headers.location) throw failure("Unavailable", "the server began an upload without saying where");
    return new Resumable(this.#api, headers.location);
  }

  /** A condition that fails after a lost answer may have been broken by our own first try. */
  async #settled(error: unknown, signal: AbortSignal | undefined): Promise<Receipt> {
    if (this.#nonce === undefined || !isUnsure(error)) throw error;
    const found = await this.#look(error, signal);
    if (found?.metadata?.[NONCE] !== this.#nonce) throw error;
    return storedReceipt(found);
  }

  async #look(cause: unknown, signal: AbortSignal | undefined): Promise<Partial<Resource> | undefined> {
    try {
      const query = { fields: "generation,metadata" };
      return await this.#api.json<Resource>({ method: "GET", path: this.#api.objects(this.#key), query, signal });
    } catch (error) {
      if (error instanceof HttpError && error.status === 404) return undefined;
      throw failure("CommitUnknown", "the answer was lost, and the object cannot be looked at", { cause });
    }
  }
}

function isUnsure(error: unknown): boolean {
  return isStorageError(error, "CommitUnknown") || (error instanceof HttpError && error.unsure);
}

/** https://cloud.google.com/storage/docs/uploading-objects#uploading-an-object: the resource, then the data. */
function related(boundary: string, resource: Partial<Resource>, data: Uint8Array): Uint8Array[] {
  const type = resource.contentType ?? "application/octet-stream";
  const head = `--${boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n${JSON.stringify(resource)}\r\n`;
  return [
    Buffer.from(`${head}--${boundary}\r\ncontent-type: ${type}\r\n\r\n`),
    data,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ];
}
