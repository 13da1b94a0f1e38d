import type { IncomingHttpHeaders } from "node:http";
import type { CopyOptions } from "../../driver.js";
import { strange } from "../../http.js";
import type { CopyRoute, Progress } from "./copy.js";
import { one } from "./dialect.js";
import { receiptOf } from "./objects.js";
import type { Server } from "./server.js";

/** Tries of what only tidies up. */
const TIDY = { signal: undefined, tries: 2 };

export class HttpCopy implements CopyRoute {
  constructor(
    readonly server: Server,
    readonly from: { bucket: string; key: string },
    readonly key: string,
  ) {}

  async begin({ ifAbsent, ifMatch, signal }: CopyOptions): Promise<Progress> {
    const { server, from, key } = this;
    const headers = {
      "x-ms-copy-source": server.address(from.key, from.bucket),
      "x-ms-source-if-match": ifMatch,
      "x-ms-encryption-scope": server.encryptionScope,
      "if-none-match": ifAbsent ? "*" : undefined,
    };
    const answer = await server.text({ method: "PUT", key, headers, signal, statuses: [202] });
    const begun = progressIn(answer.headers);
    if (begun.status !== undefined && begun.receipt.etag) return begun;
    throw strange("PUT", answer.status, "the answer to the copy has no status of it, or no ETag");
  }

  async look(signal: AbortSignal | undefined): Promise<Progress> {
    return progressIn((await this.server.text({ method: "HEAD", key: this.key, signal })).headers);
  }

  async stop(copyid: string): Promise<void> {
    const headers = { "x-ms-copy-action": "abort" };
    await this.server.text({
      method: "PUT",
      key: this.key,
      query: { comp: "copy", copyid },
      headers,
      ...TIDY,
      statuses: [204],
    });
  }

  async drop(etag: string): Promise<void> {
    await this.server.text({ method: "DELETE", key: this.key, headers: { "if-match": etag }, ...TIDY });
  }
}

function progressIn(headers: IncomingHttpHeaders): Progress {
  return {
    id: one(headers["x-ms-copy-id"]),
    status: one(headers["x-ms-copy-status"]),
    description: one(headers["x-ms-copy-status-description"]),
    receipt: receiptOf(headers),
  };
}
