/** Deletes many objects, in batches that the provider answers call by call. */

import { randomUUID } from "node:crypto";
import { memoryLimiter } from "../../concurrency.js";
import { BatchDeleteError, type ConditionalIdentifier, type DeleteFailure, type ObjectIdentifier } from "./driver.js";

/** An object to delete, in one state or in any. */
export type DeleteTarget = ObjectIdentifier & Partial<ConditionalIdentifier>;

/** The outcome of one call in a batch: it succeeded, must be repeated on its own, or failed for good. */
export type DeleteOutcome = "gone" | "again" | Error;

export interface BatchDelete {
  /** The maximum number of objects in a batch. */
  readonly size: number;
  /** Succeeds for a missing object. */
  deleteOne(object: DeleteTarget, signal: AbortSignal | undefined): Promise<void>;
  /** Returns outcomes by index; a call without one is repeated. */
  deleteMany(
    objects: readonly DeleteTarget[],
    signal: AbortSignal | undefined,
  ): Promise<readonly (DeleteOutcome | undefined)[]>;
}

/** Batches in flight. */
const PARALLEL = 8;

/** Deletes all objects. Throws a {@link BatchDeleteError} that names those that failed, each with its own error. */
export async function batchDelete(
  bulk: BatchDelete,
  objects: readonly DeleteTarget[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const [only, ...more] = objects;
  if (only && more.length === 0) return bulk.deleteOne(only, signal);
  const slots = memoryLimiter(PARALLEL, Number.POSITIVE_INFINITY);
  const failures: DeleteFailure[] = [];
  const tasks = batches(objects, bulk.size).map(async (batch) => {
    const leave = await slots.acquire(1, signal);
    failures.push(...(await deleteBatch(bulk, batch, signal).finally(leave)));
  });
  const failed = (await Promise.allSettled(tasks)).find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
  if (failures.length > 0) throw new BatchDeleteError(failures);
}

function batches(objects: readonly DeleteTarget[], size: number): DeleteTarget[][] {
  const count = Math.ceil(objects.length / size);
  return Array.from({ length: count }, (_, i) => objects.slice(i * size, (i + 1) * size));
}

async function deleteBatch(
  bulk: BatchDelete,
  batch: readonly DeleteTarget[],
  signal: AbortSignal | undefined,
): Promise<DeleteFailure[]> {
  const verdicts = batch.length === 1 ? [] : await bulk.deleteMany(batch, signal);
  const failures = await Promise.all(
    batch.map(async (object, i) => {
      const verdict = verdicts[i] ?? "again";
      const error = verdict === "again" ? await retryAlone(bulk, object, signal) : verdict;
      return error === "gone" ? undefined : { key: object.key, error };
    }),
  );
  return failures.filter((failure) => failure !== undefined);
}

async function retryAlone(bulk: BatchDelete, object: DeleteTarget, signal: AbortSignal | undefined): Promise<unknown> {
  try {
    await bulk.deleteOne(object, signal);
    return "gone";
  } catch (error) {
    signal?.throwIfAborted();
    return error;
  }
}

// Batches of calls as `multipart/mixed`, RFC 2046, the way Azure and Google accept them.

export interface MultipartMixed {
  boundary: string;
  body: Uint8Array;
}

/** `calls`: whole requests, from the request line to the empty line; `idOf` formats their numbers. */
export function writeMultipartMixed(
  calls: readonly string[],
  idOf: (index: number) => string = String,
): MultipartMixed {
  const boundary = `batch_${randomUUID()}`;
  const parts = calls.map(
    (call, i) =>
      `--${boundary}\r\ncontent-type: application/http\r\ncontent-transfer-encoding: binary\r\ncontent-id: ${idOf(i)}\r\n\r\n${call}\r\n`,
  );
  return { boundary, body: Buffer.from(`${parts.join("")}--${boundary}--\r\n`) };
}

export interface MixedResponse {
  status: number;
  /** Lower-case names. */
  headers: Record<string, string>;
  text: string;
}

/** Returns the responses by the number of their call, without calls that got none. */
export function readMultipartMixed(text: string): Map<number, MixedResponse> {
  const answers = new Map<number, MixedResponse>();
  const boundary = /^--\S+/m.exec(text)?.[0];
  for (const part of boundary === undefined ? [] : text.split(boundary)) {
    const index = /^content-id:.*?(\d+)>?\s*$/im.exec(part)?.[1];
    const start = part.search(/^HTTP\/1\.\d /m);
    if (index !== undefined && start >= 0) answers.set(Number(index), answerIn(part.slice(start)));
  }
  return answers;
}

function answerIn(text: string): MixedResponse {
  const [head = "", ...rest] = text.split(/\r?\n\r?\n/);
  const [line = "", ...lines] = head.split(/\r?\n/);
  const headers: Record<string, string> = Object.create(null);
  for (const header of lines) {
    const colon = header.indexOf(":");
    headers[header.slice(0, colon).toLowerCase()] = header.slice(colon + 1).trim();
  }
  return { status: Number(line.split(" ")[1]), headers, text: rest.join("\n\n").trimEnd() };
}
