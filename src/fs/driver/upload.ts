/** The only upload engine: sends a body atomically, in one request or in parallel parts, in bounded memory. */

import type { MemoryLimiter } from "../../concurrency.js";
import { LinkedAbortController, memoryLimiter } from "../../concurrency.js";
import type { ByteStream } from "../../streams.js";
import { InMemory, orAbort } from "../../streams.js";
import type { WriteResult } from "./driver.js";
import type { UploadLimits } from "./part-reader.js";
import { BufferedReader, type Part, type ReadPart, readParts } from "./part-reader.js";

export type { Part, UploadLimits } from "./part-reader.js";

/** The destination of one body: one key with its conditions and headers. */
export interface UploadTarget<P> {
  readonly limits: UploadLimits;
  /** Sends the whole body, at most `limits.maxSinglePut` bytes, in one request. */
  putObject(data: Uint8Array, size: number, signal: AbortSignal | undefined): Promise<WriteResult>;
  /**
   * Must not be aborted: cancelling could leak an upload whose id we never see. The engine aborts the session once
   * created.
   */
  createUpload(): Promise<MultipartUpload<P>>;
}

/** An upload in parts that stays invisible until `complete`. */
export interface MultipartUpload<P> {
  /** Called for `limits.concurrency` parts at once; with 1, strictly in order. */
  uploadPart(part: Part, signal: AbortSignal): Promise<P>;
  /** `parts` in body order. Settles a lost response itself, else fails with CommitUnknown. */
  complete(parts: readonly P[], size: number, signal: AbortSignal): Promise<WriteResult>;
  /** Called once, after every part has settled, unless `complete` has resolved. The engine ignores its failure. */
  abort(): Promise<void>;
}

export interface UploadOptions {
  limiter: MemoryLimiter;
  /** Exact length in bytes, if known. */
  size: number | undefined;
  signal: AbortSignal | undefined;
  onProgress: ((bytes: number) => void) | undefined;
}

/** Milliseconds that a failed upload waits for its own cleanup. */
const CLEANUP_TIMEOUT_MS = 5_000;

/**
 * Sends `body` to `target`. Bodies up to `limits.maxSinglePut` bytes take one request (of unknown size: up to one part,
 * if that is less). The first error wins, cancels the other parts and aborts the session; an abort of `signal` rejects
 * with its reason. Sends a chunk that is the whole body of known `size` without a copy; copies all others.
 */
export function upload<P>(body: ByteStream, target: UploadTarget<P>, options: UploadOptions): Promise<WriteResult> {
  const { size } = options;
  const ready = body instanceof InMemory && body.data.byteLength === size && size <= target.limits.maxSinglePut;
  return ready ? putWhole(body.data, target, options) : uploadParts(body, target, options);
}

/** Most objects are small and in memory: they skip the machinery of parts, which costs as much as a request. */
async function putWhole<P>(data: Uint8Array, target: UploadTarget<P>, options: UploadOptions): Promise<WriteResult> {
  const { signal, onProgress } = options;
  signal?.throwIfAborted();
  const result = await orAbort(target.putObject(data, data.byteLength, signal), signal);
  onProgress?.(data.byteLength);
  return result;
}

async function uploadParts<P>(body: ByteStream, target: UploadTarget<P>, options: UploadOptions): Promise<WriteResult> {
  const stop = new LinkedAbortController(options.signal);
  const source = new BufferedReader(body, stop.signal);
  const transfer = new Transfer(target, stop, options.onProgress);
  try {
    return await run(source, transfer, options);
  } catch (error) {
    stop.abort(error);
    await withTimeout(CLEANUP_TIMEOUT_MS, Promise.all([source.close(), transfer.undo()]));
    throw stop.signal.reason;
  } finally {
    stop.dispose();
  }
}

async function run<P>(source: BufferedReader, transfer: Transfer<P>, options: UploadOptions): Promise<WriteResult> {
  const { limits } = transfer;
  for await (const piece of readParts(source, limits, options.limiter, options.size)) {
    if (piece.index === 0 && piece.last && piece.size <= limits.maxSinglePut) return transfer.whole(piece);
    await transfer.send(piece);
  }
  return transfer.commit();
}

/** The requests of one upload. */
class Transfer<P> {
  readonly limits: UploadLimits;
  readonly signal: AbortSignal;
  readonly #slots: MemoryLimiter;
  readonly #parts: P[] = [];
  readonly #running = new Set<Promise<unknown>>();
  #begun: Promise<MultipartUpload<P>> | undefined;
  #size = 0;
  #accepted = 0;

  constructor(
    readonly target: UploadTarget<P>,
    readonly stop: LinkedAbortController,
    readonly onProgress: ((bytes: number) => void) | undefined,
  ) {
    this.limits = target.limits;
    this.signal = stop.signal;
    this.#slots = memoryLimiter(target.limits.concurrency, Number.POSITIVE_INFINITY);
  }

  async whole({ data, size, release }: ReadPart): Promise<WriteResult> {
    try {
      const result = await orAbort(this.target.putObject(data, size, this.signal), this.signal);
      this.#accept(size);
      return result;
    } finally {
      release();
    }
  }

  /** Resolves once another part may be sent and this one is in flight. */
  async send(piece: ReadPart): Promise<void> {
    const leave = await this.#slots.acquire(1, this.signal).catch((error) => {
      piece.release();
      throw error;
    });
    this.#begun ??= this.target.createUpload();
    this.#size += piece.size;
    const task: Promise<unknown> = this.#part(piece, leave).then(() => this.#running.delete(task));
    this.#running.add(task);
  }

  async commit(): Promise<WriteResult> {
    await Promise.all(this.#running);
    this.signal.throwIfAborted();
    const session = await this.#begun!;
    return session.complete(this.#parts, this.#size, this.signal);
  }

  /** Leaves nothing at the provider. Ignores its own failure, since the caller gets the original one. */
  async undo(): Promise<void> {
    await Promise.all(this.#running);
    try {
      await (await this.#begun)?.abort();
    } catch {}
  }

  /** Waits for the session itself, so that the body is read while the upload begins. */
  async #part(piece: ReadPart, leave: () => void): Promise<void> {
    const { release, ...part } = piece;
    try {
      const session = await orAbort(this.#begun!, this.signal);
      this.#parts[part.index] = await session.uploadPart(part, this.signal);
      this.#accept(part.size);
    } catch (error) {
      this.stop.abort(error);
    } finally {
      release();
      leave();
    }
  }

  #accept(bytes: number): void {
    this.#accepted += bytes;
    this.onProgress?.(this.#accepted);
  }
}

async function withTimeout(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    work,
    new Promise((resolve) => {
      timer = setTimeout(resolve, milliseconds);
    }),
  ]);
  clearTimeout(timer);
}
