/** Assertions and data for the cases. Assertions come from node:assert, so that no test framework is needed. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type ErrorCode, isStorageError } from "../errors.js";
import type { Bytes } from "../fs/driver.js";

export const MIB = 2 ** 20;

/** `work` on each, sixteen at a time. */
export async function pooled<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = items.values();
  const lane = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: 16 }, lane));
}

/** Rejects with a StorageError of this code, which says where. */
export async function refused(work: Promise<unknown>, code: ErrorCode | readonly ErrorCode[], why = ""): Promise<void> {
  const codes = typeof code === "string" ? [code] : code;
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error !== undefined, `${why} ${codes} expected, it succeeded`);
  assert.ok(isStorageError(error), `${why} ${codes} expected, not ${String(error)}`);
  assert.ok(codes.includes(error.code), `${why} ${codes} expected, not ${error.message}`);
}

/** Rejects with this very reason. */
export async function rejectsWith(work: Promise<unknown>, reason: unknown): Promise<void> {
  const outcome = await work.then(
    () => "it succeeded",
    (error: unknown) => error,
  );
  assert.strictEqual(outcome, reason);
}

/** Fails with lengths and digests, not with megabytes. */
export function same(actual: Uint8Array, expected: string | Uint8Array, why = ""): void {
  const wanted = typeof expected === "string" ? Buffer.from(expected) : expected;
  if (Buffer.compare(actual, wanted) === 0) return;
  assert.fail(`${why}: ${summary(actual)} instead of ${summary(wanted)}`);
}

function summary(data: Uint8Array): string {
  if (data.byteLength <= 40) return JSON.stringify(Buffer.from(data).toString("latin1"));
  return `${data.byteLength} bytes (sha256 ${createHash("sha256").update(data).digest("hex").slice(0, 12)})`;
}

/** `size` bytes that look random and are the same every time. */
export function noise(size: number, seed = 1): Uint8Array {
  const data = new Uint8Array(size);
  let state = seed;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    data[i] = state >>> 24;
  }
  return data;
}

/** The data as a stream of chunks of `size` bytes; the producer uses one buffer for all of them. */
export async function* stream(data: Uint8Array, size = 64 * 1024): Bytes {
  const shared = new Uint8Array(size);
  for (let at = 0; at < data.byteLength; at += size) {
    const chunk = data.subarray(at, at + size);
    shared.set(chunk);
    yield shared.subarray(0, chunk.byteLength);
  }
}

/** The data, then an error. */
export async function* broken(data: Uint8Array, error: unknown): Bytes {
  yield* stream(data);
  throw error;
}

export async function gather(bytes: Bytes): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A promise and what settles it. */
export function gate(): { opened: Promise<void>; open(): void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
