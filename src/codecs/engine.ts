import type { Transform } from "node:stream";
import type { Source } from "./stream.js";

/** A transform of node:zlib, or one that behaves like it. */
export type ZlibStream = Transform & { readonly bytesWritten: number };

/** A zlib stream that is fed and drained step by step, so that the consumer sets the pace. */
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

  /** How many of the bytes fed so far have been consumed. Fewer than were fed: the compressed stream has ended. */
  get taken(): number {
    return this.#stream.bytesWritten;
  }

  /** Takes `chunk` in and yields what comes out until it is used up. `chunk` must not change meanwhile. */
  feed(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
    return this.#drain((done) => this.#stream.write(chunk, done));
  }

  /** Says that no more comes in and yields the rest. */
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

/** The output of an engine that decodes `source`; its errors as Corrupt, at `offset` when it is known better. */
export async function* convertErrors(
  source: Source,
  output: AsyncGenerator<Uint8Array>,
  offset: () => number = () => source.offset,
): AsyncGenerator<Uint8Array> {
  try {
    yield* output;
  } catch (error) {
    throw source.corrupt(error instanceof Error ? error.message : String(error), offset());
  }
}
