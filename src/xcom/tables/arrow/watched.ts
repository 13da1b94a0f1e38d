/** The bytes that the Arrow library reads: it takes data that is cut off between two batches for whole. */
import type { Bytes } from "../../../fs/driver.js";
import { corrupt } from "./corrupt.js";
import { MessageCheck } from "./messages.js";

const STREAM_END = "ffffffff00000000";
const FILE_END = Buffer.from("ARROW1").toString("hex");

/** Looks at every message, and remembers the last bytes and why it failed itself. */
export class Watched implements Bytes {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #last: Buffer = Buffer.alloc(0);
  #ended = false;
  readonly #messages = new MessageCheck();
  /** How many bytes were pulled. */
  passed = 0;
  failed: { error: unknown } | undefined;

  constructor(bytes: Bytes) {
    this.#chunks = bytes[Symbol.asyncIterator]();
  }

  /** Leaving it early ends nothing: that is what `close` is for. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (let chunk = await this.#next(); chunk; chunk = await this.#next()) yield chunk;
  }

  /** Corrupt unless the marker of the end is the last of the data. */
  async checkEnd(): Promise<void> {
    while (await this.#next());
    const last = this.#last.toString("hex");
    if (last === STREAM_END || last.endsWith(FILE_END)) return;
    throw corrupt(`there is no mark of the end: it is cut off, or there is more, at byte ${this.passed}`);
  }

  async close(): Promise<void> {
    if (!this.#ended) await this.#chunks.return?.();
    this.#ended = true;
  }

  /** A copy, since the library keeps views of what it gets. */
  async #next(): Promise<Uint8Array | undefined> {
    if (this.#ended) return undefined;
    const { done, value } = await this.#pull();
    this.#ended = done === true;
    if (done) return undefined;
    this.#check(value);
    this.passed += value.byteLength;
    this.#last = Buffer.concat([this.#last, value.subarray(-8)]).subarray(-8);
    return new Uint8Array(value);
  }

  #check(chunk: Uint8Array): void {
    try {
      this.#messages.see(chunk);
    } catch (error) {
      this.failed = { error };
      throw error;
    }
  }

  async #pull(): Promise<IteratorResult<Uint8Array, unknown>> {
    try {
      return await this.#chunks.next();
    } catch (error) {
      this.#ended = true;
      this.failed = { error };
      throw error;
    }
  }
}
