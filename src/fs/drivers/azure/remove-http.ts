import type { BulkDelete, Verdict } from "../../bulk.js";
import type { Doomed } from "../../driver.js";
import { readBatch, writeBatch } from "../../mixed.js";
import { explain } from "./dialect.js";
import { BATCH, isMissing, verdictOf } from "./remove.js";
import { given, type Server, withQuery } from "./server.js";

type Signal = AbortSignal | undefined;

export class HttpDelete implements BulkDelete {
  readonly size = BATCH;

  constructor(readonly server: Server) {}

  async one({ key, version }: Doomed, signal: Signal): Promise<void> {
    try {
      await this.server.text({ method: "DELETE", key, query: { versionid: version }, signal });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  async many(objects: readonly Doomed[], signal: Signal): Promise<(Verdict | undefined)[]> {
    const { boundary, body } = writeBatch(await Promise.all(objects.map((object) => call(this.server, object))));
    const headers = { "content-type": `multipart/mixed; boundary=${boundary}` };
    const query = { restype: "container", comp: "batch" };
    const { text } = await this.server.text({ method: "POST", key: "", query, headers, body, signal });
    const answers = readBatch(text);
    return objects.map((_, i) => {
      const answer = answers.get(i);
      return answer && verdictOf(answer.status, explain(answer.status, answer.headers, answer.text));
    });
  }
}

/** One call inside the batch is signed for itself, with the date alone: the version is that of the batch. */
async function call(server: Server, { key, version }: Doomed): Promise<string> {
  const path = server.path(key);
  const query: [string, string][] = version === undefined ? [] : [["versionid", version]];
  const headers = { "x-ms-date": new Date(server.now()).toUTCString() };
  const authorization = await server.access.authorize({ method: "DELETE", path, query, headers, length: 0 });
  const lines = Object.entries(given({ ...headers, authorization, "content-length": "0" }));
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `DELETE ${withQuery(path, query, server.access.query)} HTTP/1.1\r\n${head}\r\n`;
}
