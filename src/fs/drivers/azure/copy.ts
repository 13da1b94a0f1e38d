import { setTimeout as sleep } from "node:timers/promises";
import { failure } from "../../../errors.js";
import type { CopyOptions, Receipt } from "../../driver.js";
import { one } from "./dialect.js";
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
    "if-none-match": ifAbsent ? "*" : undefined,
  };
  let answer = await server.text({ method: "PUT", key: to, headers, signal });
  const id = one(answer.headers["x-ms-copy-id"]);
  const receipt = receiptOf(answer.headers);
  try {
    while (one(answer.headers["x-ms-copy-status"]) === "pending") {
      await sleep(POLL, undefined, signal ? { signal } : {});
      answer = await server.text({ method: "HEAD", key: to, signal });
    }
  } catch (error) {
    await abandon(server, to, id);
    throw error;
  }
  if (one(answer.headers["x-ms-copy-status"]) === "success") return { ...receipt, ...receiptOf(answer.headers) };
  throw failure(
    "Unavailable",
    `the service gave up the copy: ${one(answer.headers["x-ms-copy-status-description"]) ?? "no reason given"}`,
  );
}

async function abandon(server: Server, key: string, copyid: string | undefined): Promise<void> {
  const ask = {
    method: "PUT",
    key,
    query: { comp: "copy", copyid },
    headers: { "x-ms-copy-action": "abort" },
  } as const;
  await server.text({ ...ask, signal: undefined, tries: 2 }).catch(() => {});
}
