import { failure } from "../../errors.js";
import type { ByteStream } from "../../streams.js";
import { IncompleteBodyError } from "./errors.js";
import type { BodySink, BodySource } from "./transport.js";

/** Bytes buffered for a slow consumer before the socket is paused. */
const AHEAD = 256 * 1024;
/** A remainder up to this size is read and dropped, so that the connection can be reused; a larger one closes it. */
const DRAIN = 64 * 1024;

interface Waiter {
  give(result: IteratorResult<Uint8Array>): void;
  refuse(error: unknown): void;
}

/** What a body needs of its exchange. */
export interface BodyOwner {
  /** Starts the idle timeout, since the reader waits for bytes; `quiet` stops it. */
  waiting(): void;
  quiet(): void;
  /** The response is complete: the connection is free again. */
  done(): void;
  /** Closes the connection. */
  cut(): void;
}

/**
 * The bytes of a response, readable at most once. Chunks are the socket's own buffers, not copies. Small bodies arrive
 * unasked and never hold a connection; ending early drains a small remainder and cuts a large one. Fails with {@link
 * IncompleteBodyError} if fewer or more bytes arrive than promised, or with the reason of an abort.
 */
export class HttpBody implements ByteStream, AsyncIterator<Uint8Array>, BodySink {
  readonly #line: BodyOwner;
  readonly #from: BodySource;
  readonly #queue: Uint8Array[] = [];
  #queued = 0;
  #paused = false;
  #dropping = false;
  #ended = false;
  #error: unknown;
  #failed = false;
  #waiter: Waiter | undefined;
  #expected: number | undefined;
  /** Bytes received so far. */
  received = 0;

  constructor(from: BodySource, expected: number | undefined, line: BodyOwner) {
    this.#from = from;
    this.#expected = expected;
    this.#line = line;
  }

  /** The number of bytes that the response headers promise, if any. */
  get expected(): number | undefined {
    return this.#expected;
  }

  /** Sets the expected length of a body whose headers do not (chunked, but of a known object). */
  expect(length: number): void {
    this.#expected ??= length;
    if (this.received > this.#expected) this.#cut("long");
    else if (this.#ended && this.received < this.#expected) this.#cut("short");
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const chunk = this.#queue.shift();
    if (chunk) return Promise.resolve({ done: false, value: this.#take(chunk) });
    if (this.#failed) return Promise.reject(this.#error);
    if (this.#ended || this.#dropping) return Promise.resolve({ done: true, value: undefined });
    this.#line.waiting();
    return new Promise((give, refuse) => {
      this.#waiter = { give, refuse };
    });
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.discard();
    return { done: true, value: undefined };
  }

  /** Discards the rest. */
  discard(): void {
    this.#queue.length = 0;
    if (this.#ended || this.#failed) return;
    this.#dropping = true;
    if (this.#expected === undefined || this.#expected - this.received > DRAIN) this.#line.cut();
    else this.#drain();
  }

  /** Returns all of it as UTF-8; throws TooLarge above `max` bytes. */
  async text(max: number): Promise<string> {
    const { data, more } = await this.head(max);
    if (more) throw failure("TooLarge", `the answer has more than ${max} bytes`);
    return data.toString("utf8");
  }

  /** Returns the first `max` bytes, and whether there are more, which it discards. */
  async head(max: number): Promise<{ data: Buffer; more: boolean }> {
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of this) {
      parts.push(chunk);
      length += chunk.byteLength;
      if (length > max) return { data: Buffer.concat(parts).subarray(0, max), more: true };
    }
    return { data: Buffer.concat(parts, length), more: false };
  }

  /** Ends the body with `error`; an abort also drops what is queued. */
  fail(error: unknown, now = false): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#error = error;
    if (now) this.#queue.length = 0;
    this.#line.cut();
    this.#answer()?.refuse(error);
  }

  /** Handles a connection that dropped or stalled. Does not affect a complete body. */
  broken(kind: "reset" | "stalled"): void {
    if (!this.#ended) this.#cut(kind);
  }

  push(chunk: Uint8Array): void {
    if (this.#failed) return;
    this.received += chunk.byteLength;
    if (this.#expected !== undefined && this.received > this.#expected) this.#cut("long");
    else if (this.#waiter) this.#answer()?.give({ done: false, value: chunk });
    else if (!this.#dropping) this.#keep(chunk);
  }

  #keep(chunk: Uint8Array): void {
    this.#queue.push(chunk);
    this.#queued += chunk.byteLength;
    if (this.#queued > AHEAD) this.#pause();
  }

  #drain(): void {
    this.#line.waiting();
    this.#from.resume();
  }

  #pause(): void {
    this.#paused = true;
    this.#from.pause();
  }

  #take(chunk: Uint8Array): Uint8Array {
    this.#queued -= chunk.byteLength;
    if (this.#paused && this.#queued <= AHEAD / 2) {
      this.#paused = false;
      this.#from.resume();
    }
    return chunk;
  }

  end(): void {
    if (this.#expected !== undefined && this.received < this.#expected) this.#cut("short");
    if (this.#failed) return;
    this.#ended = true;
    this.#line.done();
    this.#answer()?.give({ done: true, value: undefined });
  }

  /** Returns the reader to answer now. */
  #answer(): Waiter | undefined {
    const waiter = this.#waiter;
    if (waiter) this.#line.quiet();
    this.#waiter = undefined;
    return waiter;
  }

  #cut(kind: IncompleteBodyError["kind"]): void {
    this.fail(new IncompleteBodyError(kind, this.received, this.#expected), kind === "long");
  }
}
