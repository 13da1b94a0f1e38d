import { deleteAll, type Verdict } from "../../bulk.js";
import type { Doomed } from "../../driver.js";
import { HttpError, refusal } from "../../http.js";
import { type BatchAnswer, readBatch, writeBatch } from "../../mixed.js";
import { explain } from "./dialect.js";
import { given, type Server, withQuery } from "./server.js";

/** Calls in one batch. https://learn.microsoft.com/rest/api/storageservices/blob-batch */
const BATCH = 256;

type Signal = AbortSignal | undefined;

/** Deletes all of them; those that fail are named, each with its own error. */
export function deleteObjects(server: Server, objects: readonly Doomed[], signal: Signal): Promise<void> {
  const one = (object: Doomed) => deleteOne(server, object, signal);
  return deleteAll({ size: BATCH, one, many: (batch) => deleteBatch(server, batch, signal) }, objects, signal);
}

async function deleteOne(server: Server, { key, version }: Doomed, signal: Signal): Promise<void> {
  try {
    await server.text({ method: "DELETE", key, query: { versionid: version }, signal });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof HttpError && error.status === 404 && error.code !== "ContainerNotFound";
}

async function deleteBatch(server: Server, objects: readonly Doomed[], signal: Signal) {
  const { boundary, body } = writeBatch(await Promise.all(objects.map((object) => call(server, object))));
  const headers = { "content-type": `multipart/mixed; boundary=${boundary}` };
  const query = { restype: "container", comp: "batch" };
  const { text } = await server.text({ method: "POST", key: "", query, headers, body, signal });
  const answers = readBatch(text);
  return objects.map((_, i) => verdictOf(answers.get(i)));
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

/** Inside a batch nothing is tried again by itself. */
function verdictOf(answer: BatchAnswer | undefined): Verdict {
  if (!answer || answer.status === 429 || answer.status >= 500) return "again";
  if (answer.status < 300) return "gone";
  const { status, headers, text } = answer;
  const error = refusal("DELETE", status, explain(status, headers, text), undefined);
  return isMissing(error) ? "gone" : error;
}
