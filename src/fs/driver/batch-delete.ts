/** Deletes of many objects, in batches that the provider answers call by call. */

import { randomUUID } from "node:crypto";
import { byteBudget } from "../../concurrency.js";
import { type DeleteFailure, type Doomed, PartialDelete } from "./driver.js";

type Signal = AbortSignal | undefined;

/** What became of one call in a batch: it worked, it is to be made again on its own, or it failed for good. */
export type Verdict = "gone" | "again" | Error;

export interface BulkDelete {
  /** Objects in one batch at most. */
  readonly size: number;
  /** A missing object is success. */
  one(object: Doomed, signal: Signal): Promise<void>;
  /** By the place of the object in the batch; one without a verdict is made again. */
  many(objects: readonly Doomed[], signal: Signal): Promise<readonly (Verdict | undefined)[]>;
}

/** Batches in flight. */
const PARALLEL = 8;

/** Deletes all of them; those that fail are named in a {@link PartialDelete}, each with its own error. */
export async function deleteAll(bulk: BulkDelete, objects: readonly Doomed[], signal: Signal): Promise<void> {
  const [only, ...more] = objects;
  if (only && more.length === 0) return bulk.one(only, signal);
  const lanes = byteBudget(PARALLEL, Number.POSITIVE_INFINITY);
  const failures: DeleteFailure[] = [];
  const tasks = batches(objects, bulk.size).map(async (batch) => {
    const leave = await lanes.take(1, signal);
    failures.push(...(await deleteBatch(bulk, batch, signal).finally(leave)));
  });
  const failed = (await Promise.allSettled(tasks)).find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
  if (failures.length > 0) throw new PartialDelete(failures);
}

function batches(objects: readonly Doomed[], size: number): Doomed[][] {
  const count = Math.ceil(objects.length / size);
  return Array.from({ length: count }, (_, i) => objects.slice(i * size, (i + 1) * size));
}

async function deleteBatch(bulk: BulkDelete, batch: readonly Doomed[], signal: Signal): Promise<DeleteFailure[]> {
  const verdicts = batch.length === 1 ? [] : await bulk.many(batch, signal);
  const failures = await Promise.all(
    batch.map(async (object, i) => {
      const verdict = verdicts[i] ?? "again";
      const error = verdict === "again" ? await again(bulk, object, signal) : verdict;
      return error === "gone" ? undefined : { key: object.key, error };
    }),
  );
  return failures.filter((failure) => failure !== undefined);
}

async function again(bulk: BulkDelete, object: Doomed, signal: Signal): Promise<unknown> {
  try {
    await bulk.one(object, signal);
    return "gone";
  } catch (error) {
    signal?.throwIfAborted();
    return error;
  }
}

// Batches of calls as `multipart/mixed`, RFC 2046, the way Azure and Google take them.

export interface Batch {
  boundary: string;
  body: Uint8Array;
}

/** `calls`: whole requests, from the request line to the empty line; `idOf` spells their numbers. */
export function writeBatch(calls: readonly string[], idOf: (index: number) => string = String): Batch {
  const boundary = `batch_${randomUUID()}`;
  const parts = calls.map(
    (call, i) =>
      `--${boundary}\r\ncontent-type: application/http\r\ncontent-transfer-encoding: binary\r\ncontent-id: ${idOf(i)}\r\n\r\n${call}\r\n`,
  );
  return { boundary, body: Buffer.from(`${parts.join("")}--${boundary}--\r\n`) };
}

export interface BatchAnswer {
  status: number;
  /** Lower-case names. */
  headers: Record<string, string>;
  text: string;
}

/** The answers by the number of their call; a call that got none is missing. */
export function readBatch(text: string): Map<number, BatchAnswer> {
  const answers = new Map<number, BatchAnswer>();
  const boundary = /^--\S+/m.exec(text)?.[0];
  for (const part of boundary === undefined ? [] : text.split(boundary)) {
    const index = /^content-id:.*?(\d+)>?\s*$/im.exec(part)?.[1];
    const start = part.search(/^HTTP\/1\.\d /m);
    if (index !== undefined && start >= 0) answers.set(Number(index), answerIn(part.slice(start)));
  }
  return answers;
}

function answerIn(text: string): BatchAnswer {
  const [head = "", ...rest] = text.split(/\r?\n\r?\n/);
  const [line = "", ...lines] = head.split(/\r?\n/);
  const headers: Record<string, string> = Object.create(null);
  for (const header of lines) {
    const colon = header.indexOf(":");
    headers[header.slice(0, colon).toLowerCase()] = header.slice(colon + 1).trim();
  }
  return { status: Number(line.split(" ")[1]), headers, text: rest.join("\n\n").trimEnd() };
}
