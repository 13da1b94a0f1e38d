import { type DeleteFailure, type Doomed, PartialDelete } from "../../driver.js";
import { HttpError } from "../../http.js";
import { type Batch, readBatch, writeBatch } from "../../mixed.js";
import { explain } from "./dialect.js";
import { given, type Server, withQuery } from "./server.js";

/** Calls in one batch. https://learn.microsoft.com/rest/api/storageservices/blob-batch */
const BATCH = 256;

type Signal = AbortSignal | undefined;

/** Deletes all of them; those that fail are named, each with its own error. */
export async function deleteObjects(server: Server, objects: readonly Doomed[], signal: Signal): Promise<void> {
  const [only, ...more] = objects;
  if (only && more.length === 0) return deleteOne(server, only, signal);
  const failures: DeleteFailure[] = [];
  for (let at = 0; at < objects.length; at += BATCH) {
    failures.push(...(await deleteBatch(server, objects.slice(at, at + BATCH), signal)));
  }
  if (failures.length > 0) throw new PartialDelete(failures);
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

async function deleteBatch(server: Server, objects: readonly Doomed[], signal: Signal): Promise<DeleteFailure[]> {
  const batch = writeBatch(await Promise.all(objects.map((doomed) => call(server, doomed))));
  const answers = await send(server, batch, signal);
  const failures = objects.map(async (doomed, i) => {
    const answer = answers.get(i);
    const error = answer && answer.status < 500 ? refusalIn(answer) : await retried(server, doomed, signal);
    return error === undefined ? undefined : { key: doomed.key, error };
  });
  return (await Promise.all(failures)).filter((one) => one !== undefined);
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

async function send(server: Server, { boundary, body }: Batch, signal: Signal) {
  const headers = { "content-type": `multipart/mixed; boundary=${boundary}` };
  const query = { restype: "container", comp: "batch" };
  return readBatch((await server.text({ method: "POST", key: "", query, headers, body, signal })).text);
}

function refusalIn({ status, headers, text }: { status: number; headers: Record<string, string>; text: string }) {
  const { code, detail = "" } = explain(status, headers, text);
  const error = new HttpError("answer", "DELETE", status, code, detail.slice(0, 300));
  return status < 300 || isMissing(error) ? undefined : error;
}

/** Inside a batch nothing is tried again by itself. */
async function retried(server: Server, doomed: Doomed, signal: Signal): Promise<unknown> {
  try {
    await deleteOne(server, doomed, signal);
    return undefined;
  } catch (error) {
    signal?.throwIfAborted();
    return error;
  }
}
