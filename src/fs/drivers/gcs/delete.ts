import {
  batchDelete,
  type DeleteOutcome,
  type DeleteTarget,
  type MixedResponse,
  readMultipartMixed,
  writeMultipartMixed,
} from "../../driver/batch-delete.js";
import { HttpError, responseError, unexpectedResponse } from "../../http/errors.js";
import { jsonIn } from "../../http/json.js";
import type { Server } from "./client.js";
import { explain, passes } from "./errors.js";
import { generationOf } from "./object.js";

/** The maximum number of calls in a batch. https://cloud.google.com/storage/docs/batch */
const BATCH = 100;

/** Deletes all objects. Throws an error that names those that failed, each with its own error. */
export function deleteObjects(
  api: Server,
  objects: readonly DeleteTarget[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const one = (object: DeleteTarget) => deleteOne(api, object, signal);
  return batchDelete(
    { size: BATCH, deleteOne: one, deleteMany: (batch) => deleteBatch(api, batch, signal) },
    objects,
    signal,
  );
}

/** Emulators answer 200, with an empty body too. */
const DELETED: readonly number[] = [204, 200, 404];

/** Deletes an object; succeeds if it is missing. */
export async function deleteOne(api: Server, object: DeleteTarget, signal: AbortSignal | undefined): Promise<void> {
  const { key } = object;
  const query = queryOf(object);
  const { status, text } = await api.text({
    method: "DELETE",
    path: api.objects(key),
    query,
    signal,
    statuses: DELETED,
  });
  // A page, with 200 or 404, is that of a proxy.
  if (status === 204 || text.trim() === "" || jsonIn(text) !== undefined) return;
  throw unexpectedResponse("DELETE", status, "the answer to the delete is neither empty nor JSON");
}

async function deleteBatch(
  api: Server,
  batch: readonly DeleteTarget[],
  signal: AbortSignal | undefined,
): Promise<DeleteOutcome[]> {
  const calls = batch.map((object) => call(api, object));
  const { boundary, body } = writeMultipartMixed(calls, (index) => `<${index}>`);
  const headers = { "content-type": `multipart/mixed; boundary=${boundary}` };
  if (!api.hasBatches) return [];
  try {
    const { text } = await api.text({ method: "POST", path: api.batches(), headers, body, signal });
    const answers = readMultipartMixed(text);
    return batch.map((_, i) => verdictOf(answers.get(i)));
  } catch (error) {
    if (!(error instanceof HttpError) || !BATCHLESS.has(error.status)) throw error;
    api.hasBatches = false;
    return [];
  }
}

/** The statuses of servers that imitate Google's without batches; there each object is deleted on its own. */
const BATCHLESS: ReadonlySet<number> = new Set([404, 405, 501]);

function queryOf({ version, ifMatch }: DeleteTarget) {
  return { generation: generationOf(version), ifGenerationMatch: generationOf(ifMatch) };
}

function call(api: Server, object: DeleteTarget): string {
  const { payer } = api.place;
  const conditions = Object.entries(queryOf(object)).filter(([, value]) => value !== undefined);
  const query = conditions.map(([name, value], i) => `${i === 0 ? "?" : "&"}${name}=${value}`).join("");
  const head = payer === undefined ? "" : `x-goog-user-project: ${payer}\r\n`;
  return `DELETE ${api.objects(object.key)}${query} HTTP/1.1\r\n${head}\r\n`;
}

/** Converts the response to a call; the transport does not retry calls inside a batch. */
function verdictOf(answer: MixedResponse | undefined): DeleteOutcome {
  if (!answer || answer.status === 429 || answer.status >= 500) return "again";
  const { status, text } = answer;
  if (status === 204 || status === 200 || status === 404) return "gone";
  const error = responseError("DELETE", status, explain({}, text), undefined);
  return passes(error) ? "again" : error;
}
