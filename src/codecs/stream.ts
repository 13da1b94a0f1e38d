import { setImmediate } from "node:timers/promises";
import { failure, type StorageError } from "../errors.js";
import type { ByteStream } from "../streams.js";
import type { CodecName } from "./codec.js";

const NOTHING = new Uint8Array(0);

/** Compressed bytes, pulled as far as a decoder asks. It knows how far it is, so that errors can say where. */
export class Source {
  readonly #name: CodecName;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = NOTHING;
  #at = 0;
  #passed = 0;
  #ended = false;

  constructor(name: CodecName, bytes: ByteStream) {
    this.#name = name;
    this.#chunks = bytes[Symbol.asyncIterator]();
  }

  /** How many compressed bytes have been consumed. */
  get offset(): number {
    return this.#passed + this.#at;
  }

  /** How many compressed bytes have been pulled: those consumed and those buffered. */
  get pulled(): number {
    return this.#passed + this.#chunk.byteLength;
  }

  /** What is pulled and not yet consumed. Valid until the next `has`, `peek` or `take`. */
  get buffered(): Uint8Array {
    return this.#at === 0 ? this.#chunk : this.#chunk.subarray(this.#at);
  }

  /** Whether `count` bytes are left, all of them in `buffered` then. */
  async has(count: number): Promise<boolean> {
    if (this.#chunk.byteLength - this.#at >= count) return true;
    // Copies, because a producer may reuse its buffer once it is asked for the next one.
    const parts: Uint8Array[] = [new Uint8Array(this.buffered)];
    let length = parts[0]!.byteLength;
    while (length < count) {
      const chunk = await this.#pull();
      if (!chunk) break;
      length += chunk.byteLength;
      parts.push(length < count ? new Uint8Array(chunk) : chunk);
    }
    this.#replace(parts, length);
    return length >= count;
  }

  /** The buffered bytes, at least one; undefined at the end. Consumes nothing. */
  async peek(): Promise<Uint8Array | undefined> {
    return (await this.has(1)) ? this.buffered : undefined;
  }

  /** Exactly `count` bytes, consumed. Valid until the next `has`, `peek` or `take`. Corrupt when there are fewer. */
  async take(count: number): Promise<Uint8Array> {
    if (!(await this.has(count))) throw this.truncated();
    const from = this.#at;
    this.#at += count;
    return this.#chunk.subarray(from, this.#at);
  }

  /** Consumes `count` buffered bytes. */
  skip(count: number): void {
    this.#at += count;
  }

  /** Consumes `count` bytes, buffered or not. Corrupt when there are fewer. */
  async pass(count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      const chunk = await this.peek();
      if (!chunk) throw this.truncated();
      const step = Math.min(left, chunk.byteLength);
      this.skip(step);
      left -= step;
    }
  }

  corrupt(what: string, offset = this.offset): StorageError {
    return failure("Corrupt", `${this.#name}: ${what} at compressed byte ${offset}`);
  }

  /** The input ended too early. */
  truncated(): StorageError {
    return this.corrupt("the data is cut off", this.pulled);
  }

  unsupported(what: string): StorageError {
    return failure("Unsupported", `${this.#name}: ${what}`);
  }

  /** Ends the source of the bytes. */
  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#chunks.return?.();
  }

  async #pull(): Promise<Uint8Array | undefined> {
    if (this.#ended) return undefined;
    const { done, value } = await this.#chunks.next();
    if (!done) return value;
    this.#ended = true;
    return undefined;
  }

  #replace(parts: Uint8Array[], length: number): void {
    this.#passed += this.#at;
    this.#at = 0;
    const full = parts.filter((part) => part.byteLength > 0);
    this.#chunk = full.length <= 1 ? (full[0] ?? NOTHING) : Buffer.concat(full, length);
  }
}

/** How long, in milliseconds, work may hold the event loop at a stretch. */
const STRETCH = 5;

/** Lets the event loop turn during long work. */
export class Pace {
  #since = performance.now();

  /** Resolves after a turn of the event loop when this work has held it for long, else at once. */
  async rest(): Promise<void> {
    if (performance.now() - this.#since < STRETCH) return;
    await setImmediate();
    this.#since = performance.now();
  }
}
