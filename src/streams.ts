/** All stream plumbing, on {@link ByteStream}, without events or pipes. */
import { Readable } from "node:stream";
import { types } from "node:util";
import { failure, invalid, type StorageError } from "./errors.js";

/** A stream of byte chunks. Node streams, web streams, arrays and generators already have this type. */
export type ByteStream = AsyncIterable<Uint8Array>;

/** A body to write: text (as UTF-8), binary data, or a stream of chunks of unknown length. */
export type Body =
  | string
  | ArrayBuffer
  | ArrayBufferView
  | Blob
  | AsyncIterable<Uint8Array | string>
  | Iterable<Uint8Array | string>;

/** Returns the whole body if it is in memory already, else undefined. Views keep their offset and length. */
export function whole(body: Body): Uint8Array | undefined {
  if (typeof body === "string") return Buffer.from(body, "utf8");
  try {
    if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
    if (body instanceof ArrayBuffer) return new Uint8Array(body);
  } catch (cause) {
    throw invalid("the ArrayBuffer of the body is detached: it was transferred to a worker or elsewhere", { cause });
  }
  return undefined;
}

/**
 * Throws InvalidArgument for a stream that was already read, even in part, or that another reader holds: its rest,
 * often nothing, would replace the object. A generator does not show this, so `seen` holds those written before.
 */
export function checkUnread(body: Body, seen: WeakSet<object>): void {
  if (typeof body !== "object" || body === null) return;
  if (Readable.isDisturbed(body as never)) throw invalid(`the body was already read, ${ONCE}`);
  if ("locked" in body && body.locked === true) throw invalid(`another reader has locked the body, ${ONCE}`);
  if (!types.isGeneratorObject(body)) return;
  if (seen.has(body)) throw invalid(`the body is a generator that was written before, ${ONCE}`);
  seen.add(body);
}

const ONCE = "and a stream can be read once: make a new one for each write";

/** Returns any body as bytes. A chunk of the wrong type fails with InvalidArgument when it arrives. */
export function toByteStream(body: Body): ByteStream {
  const data = whole(body);
  if (data) return single(data);
  if (body instanceof Blob) return chunks(body.stream() as unknown as AsyncIterable<Uint8Array>);
  if (typeof body === "object" && body !== null && (Symbol.asyncIterator in body || Symbol.iterator in body)) {
    return chunks(body as AsyncIterable<Uint8Array | string>);
  }
  throw invalid("a body is text, binary data, a Blob, or an iterable of chunks");
}

/** Bytes that are completely in memory, so that no reader waits for them. */
export class InMemory implements ByteStream {
  constructor(
    readonly data: Uint8Array,
    readonly signal?: AbortSignal | undefined,
  ) {}

  /** Yields one chunk, or none if there are no bytes. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    this.signal?.throwIfAborted();
    if (this.data.byteLength > 0) yield this.data;
    this.signal?.throwIfAborted();
  }
}

/** Returns UTF-8 as text, its byte order mark included. Throws Corrupt for other bytes. */
export function decodeUtf8(data: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch (cause) {
    throw failure("Corrupt", "the object is not UTF-8 text", { cause });
  }
}

/** Returns a stream of one chunk, or of none if `data` is empty. */
export function single(data: Uint8Array): InMemory {
  return new InMemory(data);
}

async function* chunks(source: AsyncIterable<unknown> | Iterable<unknown>): ByteStream {
  for await (const chunk of source) {
    const data = typeof chunk === "string" || ArrayBuffer.isView(chunk) ? whole(chunk) : undefined;
    if (!data) throw invalid(`a body yields ${typeof chunk}; it must yield Uint8Array or text`);
    if (data.byteLength > 0) yield data;
  }
}

/** Returns `promise`, or rejects with `signal.reason` if `signal` aborts first. Leaves no listener behind. */
export function orAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** Yields the same bytes; when `signal` aborts, a pending `next` rejects at once and the source is closed. */
export function abortable(bytes: ByteStream, signal: AbortSignal | undefined): ByteStream {
  if (!signal) return bytes;
  if (bytes instanceof InMemory) return new InMemory(bytes.data, signal);
  return {
    [Symbol.asyncIterator]() {
      const source = bytes[Symbol.asyncIterator]();
      // A source that is stuck may never answer `return`, so do not wait for it.
      const leave = () => void source.return?.().catch(() => {});
      return {
        async next() {
          try {
            return await orAbort(source.next(), signal);
          } catch (error) {
            if (signal.aborted) leave();
            throw error;
          }
        },
        async return() {
          if (signal.aborted) leave();
          else await source.return?.();
          return { done: true as const, value: undefined };
        },
      };
    },
  };
}

/**
 * Iterates over `chunks`. If the reader leaves before it has asked for the first one, where a generator would run no
 * `finally`, `close` closes the response behind them.
 */
export class Delivery implements AsyncIterator<Uint8Array> {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #close: () => Promise<unknown>;
  #begun = false;

  constructor(chunks: ByteStream, close: () => Promise<unknown>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#close = close;
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    this.#begun = true;
    return this.#chunks.next();
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    if (!this.#begun) await this.#close();
    await this.#chunks.return?.();
    return { done: true, value: undefined };
  }
}

/** Yields the same bytes; calls `see` with the length of each chunk before yielding it. */
export async function* counted(bytes: ByteStream, see: (length: number) => void): ByteStream {
  for await (const chunk of bytes) {
    see(chunk.byteLength);
    yield chunk;
  }
}

/** Returns the error for a body of `found` bytes that should have `size`. */
export function wrongSize(size: number, found: number | "more"): StorageError {
  return invalid(`size says ${size} bytes, the body has ${found}`);
}

/** Yields the same bytes; throws InvalidArgument as soon as they exceed `size`, or at the end if they are fewer. */
export async function* exactly(bytes: ByteStream, size: number): ByteStream {
  let seen = 0;
  for await (const chunk of bytes) {
    seen += chunk.byteLength;
    if (seen > size) throw wrongSize(size, "more");
    yield chunk;
  }
  if (seen < size) throw wrongSize(size, seen);
}

/** Returns all bytes in one array. With `size`, one preallocated buffer; with `max`, throws TooLarge above it. */
export async function collect(
  bytes: ByteStream,
  { size, max = Number.POSITIVE_INFINITY }: { size?: number; max?: number } = {},
): Promise<Uint8Array> {
  if (size !== undefined && size > max) throw failure("TooLarge", `${size} bytes, the limit is ${max}`);
  return size === undefined ? gather(bytes, max) : fill(bytes, size);
}

async function gather(bytes: ByteStream, max: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of bytes) {
    length += chunk.byteLength;
    if (length > max) throw failure("TooLarge", `more than ${max} bytes`);
    parts.push(chunk);
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts, length);
}

async function fill(bytes: ByteStream, size: number): Promise<Uint8Array> {
  // allocUnsafeSlow: not from the shared pool, so that the caller owns the whole ArrayBuffer.
  const into = Buffer.allocUnsafeSlow(size);
  let at = 0;
  for await (const chunk of bytes) {
    if (at + chunk.byteLength > size) throw failure("Corrupt", `more than the promised ${size} bytes came`);
    into.set(chunk, at);
    at += chunk.byteLength;
  }
  if (at < size) throw failure("Corrupt", `${at} of the promised ${size} bytes came`);
  return into;
}

/** Returns the bytes as a web stream, pulled chunk by chunk; cancelling it closes the source. */
export function toReadableStream(bytes: ByteStream): ReadableStream<Uint8Array> {
  const source = bytes[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await source.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await source.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}
