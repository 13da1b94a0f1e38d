import type { Bytes } from "./driver.js";

const NOTHING = new Uint8Array(0);

/** Pulls a body into buffers of any size. A pull that waits rejects when `signal` aborts, however stuck the body is. */
export class Source {
  readonly #iterator: AsyncIterator<Uint8Array>;
  /** Ends a pull that waits. */
  readonly signal: AbortSignal;
  /** What is left of the last chunk. The producer may reuse its memory once the next is asked for. */
  #rest: Uint8Array = NOTHING;
  #ended = false;
  #interrupt: ((reason: unknown) => void) | undefined;

  constructor(body: Bytes, signal: AbortSignal) {
    this.#iterator = body[Symbol.asyncIterator]();
    this.signal = signal;
    signal.addEventListener("abort", () => this.#interrupt?.(signal.reason), { once: true });
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Whether there is another byte; waits for it. */
  async more(): Promise<boolean> {
    while (this.#rest.byteLength === 0 && !this.#ended) {
      const { done, value } = await this.#next();
      if (done) this.#ended = true;
      else this.#rest = value;
    }
    return this.#rest.byteLength > 0;
  }

  /** The first chunk itself, when it alone has all `size` bytes. */
  async entire(size: number): Promise<Uint8Array | undefined> {
    await this.more();
    if (this.#rest.byteLength !== size) return undefined;
    const data = this.#rest;
    this.#rest = NOTHING;
    return data;
  }

  /** The part of `into` that was filled; less than all of it only at the end of the body. */
  async fill(into: Uint8Array): Promise<Uint8Array> {
    let at = 0;
    while (at < into.byteLength && (await this.more())) {
      const taken = this.#rest.subarray(0, into.byteLength - at);
      into.set(taken, at);
      at += taken.byteLength;
      this.#rest = this.#rest.subarray(taken.byteLength);
    }
    return into.subarray(0, at);
  }

  /** Tells the body to stop. A body that is stuck in a pull may never answer, so nobody waits for it then. */
  async close(): Promise<void> {
    if (this.#ended) return;
    const left = this.#iterator.return?.().catch(() => {});
    if (!this.#interrupt) await left;
  }

  #next(): Promise<IteratorResult<Uint8Array>> {
    this.signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      this.#interrupt = reject;
      this.#iterator.next().then(
        (result) => {
          this.#interrupt = undefined;
          resolve(result);
        },
        (error) => {
          this.#interrupt = undefined;
          this.#ended = true;
          reject(error);
        },
      );
    });
  }
}
