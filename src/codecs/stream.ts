import { setImmediate } from "node:timers/promises";
import { failure, type StorageError } from "../errors.js";
import type { ByteStream } from "../streams.js";
import type { CodecName } from "./codec.js";

const NOTHING = new Uint8Array(0);
/** Concatenated files end with an empty member each, as bgzip writes them, but have content between. */
const MAX_IDLE = 10_000;

/** Compressed bytes, pulled on the decoder's demand. Tracks the offset for error messages. */
export class CompressedSource {
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

  /** The number of members begun since the last decoded byte. */
  idle = 0;

  /**
   * Counts a member, stream or frame that begins. Throws Corrupt after {@link MAX_IDLE} without content: each costs as
   * much time as thousands of bytes, and no limit on the decoded length would ever notice them.
   */
  member(): void {
    if (++this.idle > MAX_IDLE) throw this.corrupt("too many empty members");
  }

  /** The number of compressed bytes consumed. */
  get offset(): number {
    return this.#passed + this.#at;
  }

  /** The number of compressed bytes pulled, both consumed and buffered. */
  get pulled(): number {
    return this.#passed + this.#chunk.byteLength;
  }

  /** The bytes pulled and not yet consumed. Valid until the next `has`, `peek` or `take`. */
  get buffered(): Uint8Array {
    return this.#at === 0 ? this.#chunk : this.#chunk.subarray(this.#at);
  }

  /** Returns whether `count` bytes are left; if so, all of them are in `buffered`. */
  async has(count: number): Promise<boolean> {
    if (this.#chunk.byteLength - this.#at >= count) return true;
    // Copies, because a producer may reuse its buffer for the next chunk.
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

  /** Returns the buffered bytes, at least one; undefined at the end. Consumes nothing. */
  async peek(): Promise<Uint8Array | undefined> {
    return (await this.has(1)) ? this.buffered : undefined;
  }

  /**
   * Consumes and returns exactly `count` bytes. Valid until the next `has`, `peek` or `take`. Throws Corrupt if there
   * are fewer.
   */
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

  /** Consumes `count` bytes, buffered or not. Throws Corrupt if there are fewer. */
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

  /** Returns the error for input that ended too early. */
  truncated(): StorageError {
    return this.corrupt("the data is cut off", this.pulled);
  }

  unsupported(what: string): StorageError {
    return failure("Unsupported", `${this.#name}: ${what}`);
  }

  /** Closes the source of the bytes. */
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

/** Maximum milliseconds for which work may block the event loop. */
const STRETCH = 5;

/** Yields to the event loop during long work. */
export class Pace {
  #since = performance.now();

  /** Resolves after a turn of the event loop if this work has blocked it for long, else immediately. */
  async rest(): Promise<void> {
    if (performance.now() - this.#since < STRETCH) return;
    await setImmediate();
    this.#since = performance.now();
  }
}
