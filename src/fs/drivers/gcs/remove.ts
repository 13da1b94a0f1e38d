import { randomUUID } from "node:crypto";
import { byteBudget } from "../../budget.js";
import { type DeleteFailure, type Doomed, PartialDelete } from "../../driver.js";
import { HttpError } from "../../http.js";
import { explain, passes } from "./dialect.js";
import { generationOf } from "./objects.js";
import type { Api } from "./server.js";

/** Calls in one batch at most. https://cloud.google.com/storage/docs/batch */
const BATCH = 100;

/** Batches in flight. */
const PARALLEL = 8;

/** Deletes all of them; those that fail are named, each with its own error. */
export async function deleteObjects(
  api: Api,
  objects: readonly Doomed[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const lanes = byteBudget(PARALLEL, Number.POSITIVE_INFINITY);
  const failures: DeleteFailure[] = [];
  const tasks = batches(objects).map(async (batch) => {
    const leave = await lanes.take(1, signal);
    failures.push(...(await deleteBatch(api, batch, signal).finally(leave)));
  });
  const failed = (await Promise.allSettled(tasks)).find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
  if (failures.length > 0) throw new PartialDelete(failures);
}

function batches(objects: readonly Doomed[]): Doomed[][] {
  const count = Math.ceil(objects.length / BATCH);
  return Array.from({ length: count }, (_, i) => objects.slice(i * BATCH, (i + 1) * BATCH));
}

/** What became of one call in a batch: it worked, it is to be made again on its own, or it failed for good. */
type Verdict = "gone" | "again" | HttpError;

async function deleteBatch(
  api: Api,
  batch: readonly Doomed[],
  signal: AbortSignal | undefined,
): Promise<DeleteFailure[]> {
  const verdicts = batch.length === 1 ? (["again"] as const) : await sendBatch(api, batch, signal);
  const failures = await Promise.all(
    batch.map(async (doomed, i) => {
      const verdict = verdicts[i] ?? "again";
      const error = verdict === "again" ? await deleteOne(api, doomed, signal) : verdict;
      return error === "gone" ? undefined : { key: doomed.key, error };
    }),
  );
  return failures.filter((one) => one !== undefined);
}

async function deleteOne(api: Api, doomed: Doomed, signal: AbortSignal | undefined): Promise<unknown> {
  try {
    const query = { generation: generationOf(doomed.version) };
    await api.text({ method: "DELETE", path: api.objects(doomed.key), query, signal, accept: [404] });
    return "gone";
  } catch (error) {
    signal?.throwIfAborted();
    return error;
  }
}

async function sendBatch(
  api: Api,
  batch: readonly Doomed[],
  signal: AbortSignal | undefined,
): Promise<(Verdict | undefined)[]> {
  const boundary = randomUUID();
  const { text } = await api.text({
    method: "POST",
    path: api.batches(),
    headers: { "content-type": `multipart/mixed; boundary=${boundary}` },
    body: Buffer.from(`${batch.map((doomed, i) => call(api, boundary, doomed, i)).join("")}--${boundary}--\r\n`),
    signal,
  });
  const answers = new Map(text.split(/^--/m).map(answerIn));
  return batch.map((_, i) => answers.get(i));
}

function call(api: Api, boundary: string, { key, version }: Doomed, index: number): string {
  const query = version === undefined ? "" : `?generation=${generationOf(version)}`;
  const payer = api.place.payer === undefined ? "" : `x-goog-user-project: ${api.place.payer}\r\n`;
  return (
    `--${boundary}\r\ncontent-type: application/http\r\ncontent-id: <${index}>\r\n\r\n` +
    `DELETE ${api.objects(key)}${query} HTTP/1.1\r\n${payer}\r\n\r\n`
  );
}

/** Which call a part of the answer belongs to, and what became of it; the call is -1 where it belongs to none. */
function answerIn(part: string): [index: number, verdict: Verdict] {
  const index = Number(/^content-id:.*?(\d+)>?\s*$/im.exec(part)?.[1] ?? -1);
  const status = Number(/^HTTP\/1\.\d (\d{3})/m.exec(part)?.[1] ?? 0);
  if ((status >= 200 && status < 300) || status === 404) return [index, "gone"];
  const { code, detail = "" } = explain({}, part.slice(part.indexOf("{"), part.lastIndexOf("}") + 1));
  const error = new HttpError("answer", "DELETE", status, code, detail);
  // Inside a batch nothing is tried again by itself.
  return [index, status === 0 || status === 429 || status >= 500 || passes(error) ? "again" : error];
}
