import type { IncomingHttpHeaders } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { failure } from "../../../errors.js";
import type { CopyOptions, Receipt } from "../../driver.js";
import { HttpError } from "../../http.js";
import { one } from "./dialect.js";
import { unknown } from "./lost.js";
import { receiptOf } from "./objects.js";
import type { Server } from "./server.js";

/** Milliseconds between looks at a copy that takes longer. */
const POLL = 250;

/** Copies inside the account, whose service does it by itself and mostly at once. */
export async function copyObject(
  server: Server,
  from: { bucket: string; key: string },
  to: string,
  { ifAbsent, ifMatch, signal }: CopyOptions,
): Promise<Receipt> {
  const headers = {
    "x-ms-copy-source": server.address(from.key, from.bucket),
    "x-ms-source-if-match": ifMatch,
    "x-ms-encryption-scope": server.encryptionScope,
    "if-none-match": ifAbsent ? "*" : undefined,
  };
  try {
    const answer = await server.text({ method: "PUT", key: to, headers, signal });
    return await settled(server, to, answer.headers, signal);
  } catch (error) {
    // The object that is in the way may be our own, from a try whose answer was lost.
    throw ifAbsent && error instanceof HttpError && error.unsure && error.status === 409 ? unknown(error) : error;
  }
}

async function settled(
  server: Server,
  key: string,
  begun: IncomingHttpHeaders,
  signal: AbortSignal | undefined,
): Promise<Receipt> {
  const id = one(begun["x-ms-copy-id"]);
  let headers = begun;
  try {
    while (statusOf(headers) === "pending") {
      await sleep(POLL, undefined, signal ? { signal } : {}).catch(() => signal?.throwIfAborted());
      ({ headers } = await server.text({ method: "HEAD", key, signal }));
      if (one(headers["x-ms-copy-id"]) !== id) throw failure("Unavailable", "another write has replaced the copy");
    }
  } catch (error) {
    await abandon(server, key, id);
    throw error;
  }
  if (statusOf(headers) === "success") return receiptOf(headers);
  throw failure("Unavailable", `the service gave up the copy: ${one(headers["x-ms-copy-status-description"]) ?? ""}`);
}

function statusOf(headers: IncomingHttpHeaders): string | undefined {
  return one(headers["x-ms-copy-status"]);
}

/** Stops what nobody waits for any more, and deletes the empty object that the service leaves in its place. */
async function abandon(server: Server, key: string, copyid: string | undefined): Promise<void> {
  const call = { key, signal: undefined, tries: 2 };
  const abort = { "x-ms-copy-action": "abort" };
  try {
    await server.text({ ...call, method: "PUT", query: { comp: "copy", copyid }, headers: abort });
    const { headers } = await server.text({ ...call, method: "HEAD" });
    if (one(headers["x-ms-copy-id"]) !== copyid) return;
    await server.text({ ...call, method: "DELETE", headers: { "if-match": headers.etag } });
  } catch {}
}
