import {
  type BatchDelete,
  type DeleteOutcome,
  type DeleteTarget,
  readMultipartMixed,
  writeMultipartMixed,
} from "../../driver/batch-delete.js";
import { HttpError, responseError, unexpectedResponse } from "../../http/errors.js";
import type { Explanation } from "../../http/types.js";
import { omitUndefined, type Server, withQuery } from "./client.js";
import { explain } from "./errors.js";

export class BatchRequests implements BatchDelete {
  readonly size = BATCH;

  constructor(readonly server: Server) {}

  async deleteOne({ key, version, ifMatch }: DeleteTarget, signal: AbortSignal | undefined): Promise<void> {
    try {
      const headers = { "if-match": ifMatch };
      const ask = { method: "DELETE", key, query: { versionid: version }, headers, signal } as const;
      const { status, text } = await this.server.text(ask);
      if (text.trim() !== "") throw unexpectedResponse("DELETE", status, "the answer to the delete has a body");
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  async deleteMany(
    objects: readonly DeleteTarget[],
    signal: AbortSignal | undefined,
  ): Promise<(DeleteOutcome | undefined)[]> {
    const { boundary, body } = writeMultipartMixed(
      await Promise.all(objects.map((object) => call(this.server, object))),
    );
    const headers = { "content-type": `multipart/mixed; boundary=${boundary}` };
    const query = { restype: "container", comp: "batch" };
    const { text } = await this.server.text({ method: "POST", key: "", query, headers, body, signal });
    const answers = readMultipartMixed(text);
    return objects.map((_, i) => {
      const answer = answers.get(i);
      return answer && outcomeOf(answer.status, explain(answer.status, answer.headers, answer.text));
    });
  }
}

/** Formats one call of the batch, signed separately with the date alone: the version is that of the batch. */
async function call(server: Server, { key, version, ifMatch }: DeleteTarget): Promise<string> {
  const path = server.path(key);
  const query: [string, string][] = version === undefined ? [] : [["versionid", version]];
  const headers = omitUndefined({ "x-ms-date": new Date(server.now()).toUTCString(), "if-match": ifMatch });
  const { access } = server;
  const request = { method: "DELETE", path, query, headers, length: 0 };
  const authorization = await (access.authorizeInBatch?.(request) ?? access.authorize(request));
  const lines = Object.entries(omitUndefined({ ...headers, authorization, "content-length": "0" }));
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `DELETE ${withQuery(path, query, access.query)} HTTP/1.1\r\n${head}\r\n`;
}

/** Maximum number of calls in a batch. https://learn.microsoft.com/rest/api/storageservices/blob-batch */
const BATCH = 256;

/** A 404 without a code of the service is that of a proxy. */
const MISSING: ReadonlySet<string | undefined> = new Set(["BlobNotFound", "ResourceNotFound"]);

function isMissing(error: unknown): boolean {
  return error instanceof HttpError && error.status === 404 && MISSING.has(error.code);
}

/** Converts the response to a call; the transport does not retry calls inside a batch. */
function outcomeOf(status: number, explanation: Explanation): DeleteOutcome {
  if (status === 429 || status >= 500) return "again";
  if (status === 202) return "gone";
  const error = responseError("DELETE", status, explanation, undefined);
  return isMissing(error) ? "gone" : error;
}
