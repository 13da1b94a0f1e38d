/** The only push-to-pull bridge. Everything else pulls. */
import { invalid } from "../errors.js";
import type { ByteStream } from "../streams.js";
import type { WriteResult } from "./driver/driver.js";

/** Starts a write that pulls `body`; rejects if nothing was stored. */
type Start = (body: ByteStream) => Promise<WriteResult>;

interface Waiting {
  resolve(): void;
  reject(reason: unknown): void;
}

/**
 * A push-style writer, also a web `WritableStream` for `pipeTo`.
 *
 * Nothing is stored unless `close()` resolves: not after `abort()`, after leaving an `await using` block without
 * `close()`, or after dropping the writer.
 */
export class StorageWritable extends WritableStream<Uint8Array | string> implements AsyncDisposable {
  readonly #bridge: Bridge;
  #closed: Promise<WriteResult> | undefined;

  constructor(start: Start) {
    const bridge = new Bridge(start);
    super({
      write: (chunk) => bridge.push(typeof chunk === "string" ? Buffer.from(chunk, "utf8") : chunk),
      close: async () => void (await bridge.finish()),
      abort: (reason) => bridge.fail(reason),
    });
    this.#bridge = bridge;
  }

  /** Passes on one chunk; resolves when the provider wants more. */
  async write(chunk: Uint8Array | string): Promise<void> {
    if (this.#closed) throw invalid("the writer is closed");
    const writer = this.getWriter();
    try {
      await writer.write(chunk);
    } finally {
      writer.releaseLock();
    }
  }

  /** Stores the written data. A second call returns the same result. */
  override close(): Promise<void> & Promise<WriteResult> {
    this.#closed ??= super.close().then(() => this.#bridge.finish());
    return this.#closed as Promise<void> & Promise<WriteResult>;
  }

  /** Discards the written data. Fails after a successful `close`: the object stays. */
  override async abort(reason: unknown = invalid("the writer was aborted")): Promise<void> {
    if (this.#closed) throw invalid("the writer is closed");
    await super.abort(reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closed) await this.abort(invalid("the writer was left without close()"));
  }
}

/** Holds at most one chunk: `push` resolves when the consumer asks for the next. */
class Bridge {
  readonly #done: Promise<WriteResult>;
  #reader: (() => void) | undefined;
  #writer: Waiting | undefined;
  #chunk: Uint8Array | undefined;
  #ended = false;
  #failure: { reason: unknown } | undefined;

  constructor(start: Start) {
    this.#done = start(this.#body());
    // A write that fails early must wake a waiting producer; racing `#done` in every push would pile up reactions.
    this.#done.catch((reason) => {
      this.#failure ??= { reason };
      this.#writer?.reject(reason);
    });
  }

  async push(chunk: Uint8Array): Promise<void> {
    if (this.#failure) throw this.#failure.reason;
    if (chunk.byteLength === 0) return;
    const taken = new Promise<void>((resolve, reject) => {
      this.#writer = { resolve, reject };
    });
    this.#chunk = chunk;
    this.#wake();
    await taken;
  }

  finish(): Promise<WriteResult> {
    this.#ended = true;
    this.#wake();
    return this.#done;
  }

  async fail(reason: unknown): Promise<void> {
    this.#failure ??= { reason };
    this.#wake();
    await this.#done.catch(() => {});
  }

  #wake(): void {
    this.#reader?.();
    this.#reader = undefined;
  }

  async *#body(): ByteStream {
    for (;;) {
      if (this.#failure) throw this.#failure.reason;
      const chunk = this.#chunk;
      if (chunk) {
        this.#chunk = undefined;
        yield chunk;
        this.#writer?.resolve();
      } else if (this.#ended) return;
      else await this.#pushed();
    }
  }

  #pushed(): Promise<void> {
    return new Promise((resolve) => {
      this.#reader = resolve;
    });
  }
}
