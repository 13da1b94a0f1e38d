/** The messages of an Arrow IPC stream, each looked at before the library gets it. */
import { isStorageError } from "../../../errors.js";
import { MAX_METADATA } from "../limits.js";
import { reasonOf } from "../reason.js";
import { corrupt } from "./corrupt.js";
import { bodyLength } from "./metadata.js";

const CONTINUATION = 0xffffffff;

/** Takes the bytes as they come, in any pieces. Corrupt, with its byte, at the first message that cannot be. */
export class MessageCheck {
  #held: Buffer = Buffer.alloc(0);
  /** Bytes of a body that are still to come. */
  #skip = 0;
  #at = 0;
  #off = false;

  see(chunk: Uint8Array): void {
    let from = 0;
    while (!this.#off && from < chunk.byteLength)
      from += this.#skip > 0 ? this.#pass(chunk, from) : this.#take(chunk, from);
  }

  #pass(chunk: Uint8Array, from: number): number {
    const step = Math.min(this.#skip, chunk.byteLength - from);
    this.#skip -= step;
    this.#at += step;
    return step;
  }

  /** Gathers as much as the head, then the metadata, of a message needs. */
  #take(chunk: Uint8Array, from: number): number {
    const wanted = this.#wanted();
    const step = Math.min(wanted - this.#held.byteLength, chunk.byteLength - from);
    this.#held = Buffer.concat([this.#held, chunk.subarray(from, from + step)]);
    if (this.#held.byteLength === wanted) this.#whole();
    return step;
  }

  #wanted(): number {
    return this.#held.byteLength < 8 ? 8 : 8 + this.#held.readUInt32LE(4);
  }

  #whole(): void {
    const head = this.#held.readUInt32LE(0);
    const length = this.#held.readUInt32LE(4);
    // Before Arrow 0.15 there was no continuation mark; such streams, and files, are the library's alone.
    if (head !== CONTINUATION || length === 0) this.#off = true;
    else if (length > MAX_METADATA) throw corrupt(`a message is too long, at byte ${this.#at}`);
    else if (this.#held.byteLength > 8) this.#checked(this.#held.subarray(8));
  }

  #checked(metadata: Uint8Array): void {
    try {
      this.#skip = bodyLength(metadata);
    } catch (cause) {
      throw isStorageError(cause) ? cause : corrupt(`a message, at byte ${this.#at}: ${reasonOf(cause)}`, cause);
    }
    this.#at += this.#held.byteLength;
    this.#held = Buffer.alloc(0);
  }
}
