import { createHash } from "node:crypto";
import { type DeleteFailure, type Doomed, PartialDelete } from "../../driver.js";
import { HttpError } from "../../http.js";
import { elements, escaped, fields, isWritable, parseRoot } from "../../xml.js";
import type { Bucket } from "./bucket.js";
import { versionQuery } from "./read.js";

/** Keys that one DeleteObjects takes. */
const BATCH = 1000;
/** How often keys that failed for a passing reason are sent in all. */
const ROUNDS = 3;
/** Single deletes in flight. */
const PARALLEL = 16;

type Signal = AbortSignal | undefined;

export async function remove(bucket: Bucket, objects: readonly Doomed[], signal: Signal): Promise<void> {
  const [only, ...more] = objects;
  if (only && more.length === 0) return removeOne(bucket, only, signal);
  const failures: DeleteFailure[] = [];
  const inXml = objects.filter(({ key }) => bucket.profile.bulkDelete && isWritable(key));
  for (let at = 0; at < inXml.length; at += BATCH) {
    failures.push(...(await removeBatch(bucket, inXml.slice(at, at + BATCH), signal)));
  }
  const others = objects.filter((object) => !inXml.includes(object));
  failures.push(...(await removeEach(bucket, others, signal)));
  if (failures.length > 0) throw new PartialDelete(failures);
}

async function removeOne({ client }: Bucket, { key, version }: Doomed, signal: Signal): Promise<void> {
  try {
    await client.send({ method: "DELETE", key, query: versionQuery(version), signal });
  } catch (error) {
    // AWS answers 204 for a missing key; other services say what they see.
    if (!(error instanceof HttpError && error.status === 404 && error.code !== "NoSuchBucket")) throw error;
  }
}

async function removeEach(bucket: Bucket, objects: readonly Doomed[], signal: Signal): Promise<DeleteFailure[]> {
  const failures: DeleteFailure[] = [];
  const rest = objects.values();
  async function lane(): Promise<void> {
    for (const object of rest) {
      await removeOne(bucket, object, signal).catch((error) => {
        signal?.throwIfAborted();
        failures.push({ key: object.key, error });
      });
    }
  }
  await Promise.all(Array.from({ length: Math.min(PARALLEL, objects.length) }, lane));
  return failures;
}

async function removeBatch(bucket: Bucket, objects: readonly Doomed[], signal: Signal): Promise<DeleteFailure[]> {
  let failed: Failed[] = [];
  let doomed = objects;
  for (let round = 1; doomed.length > 0; round++) {
    const now = await ask(bucket, doomed, signal);
    const again = round < ROUNDS ? now.filter(({ error }) => error.status >= 500) : [];
    failed = [...failed, ...now.filter((one) => !again.includes(one))];
    doomed = again.map(({ object }) => object);
  }
  return failed.map(({ object, error }) => ({ key: object.key, error }));
}

interface Failed {
  object: Doomed;
  error: HttpError;
}

async function ask({ client }: Bucket, objects: readonly Doomed[], signal: Signal): Promise<Failed[]> {
  const body = Buffer.from(`<Delete><Quiet>true</Quiet>${objects.map(row).join("")}</Delete>`);
  // Content-MD5 is the one checksum that every service takes here, where one is required.
  const headers = { "content-md5": createHash("md5").update(body).digest("base64"), "content-type": "application/xml" };
  const { text } = await client.text({ method: "POST", key: "", query: "delete=", headers, body, signal });
  const failed: Failed[] = [];
  for (const element of elements(parseRoot(text, "DeleteResult"))) {
    const failure = element.name === "Error" ? failedRow(fields(element)) : undefined;
    if (failure) failed.push(failure);
  }
  return failed;
}

function row({ key, version }: Doomed): string {
  const which = version === undefined ? "" : `<VersionId>${escaped(version)}</VersionId>`;
  return `<Object><Key>${escaped(key)}</Key>${which}</Object>`;
}

const MISSING: ReadonlySet<string> = new Set(["NoSuchKey", "NoSuchVersion"]);
const STATUS: ReadonlyMap<string, number> = new Map([
  ["AccessDenied", 403],
  ["InternalError", 500],
  ["ServiceUnavailable", 503],
  ["SlowDown", 503],
]);

function failedRow({
  Key = "",
  VersionId,
  Code = "",
  Message = "",
}: Record<string, string | undefined>): Failed | undefined {
  if (MISSING.has(Code)) return undefined;
  const error = new HttpError("answer", "POST", STATUS.get(Code) ?? 400, Code, Message.slice(0, 300));
  return { object: VersionId ? { key: Key, version: VersionId } : { key: Key }, error };
}
