import type { Transform } from "node:stream";
import type { CompressedSource } from "./stream.js";

/** A transform of node:zlib, or a compatible one. */
export type ZlibStream = Transform & { readonly bytesWritten: number };

/** Feeds and drains a zlib stream step by step, so that the consumer sets the pace. */
export class Engine {
  readonly #stream: ZlibStream;
  #error: unknown;
  #wake = () => {};

  constructor(stream: ZlibStream) {
    this.#stream = stream;
    stream.on("readable", () => this.#wake());
    stream.on("error", (error) => {
      this.#error ??= error;
      this.#wake();
    });
  }

  /** The number of fed bytes consumed so far. If it is below the number fed, the compressed stream has ended. */
  get taken(): number {
    return this.#stream.bytesWritten;
  }

  /** Feeds `chunk` and yields the output until the chunk is used up. `chunk` must not change meanwhile. */
  feed(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
    return this.#drain((done) => this.#stream.write(chunk, done));
  }

  /** Ends the input and yields the rest. */
  finish(): AsyncGenerator<Uint8Array> {
    return this.#drain((done) => this.#stream.end(done));
  }

  /** Frees the native memory. */
  destroy(): void {
    this.#stream.destroy();
  }

  async *#drain(start: (done: () => void) => void): AsyncGenerator<Uint8Array> {
    let busy = true;
    start(() => {
      busy = false;
      this.#wake();
    });
    for (;;) {
      if (this.#error !== undefined) throw this.#error;
      const out: Uint8Array | null = this.#stream.read();
      if (out) yield out;
      else if (!busy) return;
      else await this.#woken();
    }
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/**
 * Yields the output of an engine that decodes `source`; its errors become Corrupt, at `offset` if that is more precise.
 */
export async function* convertErrors(
  source: CompressedSource,
  output: AsyncGenerator<Uint8Array>,
  offset: () => number = () => source.offset,
): AsyncGenerator<Uint8Array> {
  try {
    yield* output;
  } catch (error) {
    throw source.corrupt(error instanceof Error ? error.message : String(error), offset());
  }
}
