import { crcOf } from "./format.js";

/** What bzip2 leaves free at the end of a block. */
const SPARE = 19;
const UNIT = 100_000;
/** A run of four is followed by how often its byte comes again, up to this. */
const MOST_MORE = 251;

/** Fills a block with content, runs of four and more folded. */
export class BlockBuilder {
  readonly #bytes: Uint8Array;
  #filled = 0;
  #run = 0;
  #last = -1;
  #crc = -1;

  constructor(level: number) {
    this.#bytes = new Uint8Array(level * UNIT - SPARE);
  }

  /** Checksum of the content. */
  get crc(): number {
    return ~this.#crc;
  }

  /** Takes content in from `from` on. Where it stopped: at the end, or before because the block is full. */
  add(data: Uint8Array, from: number): number {
    const bytes = this.#bytes;
    const limit = bytes.byteLength - 1;
    let [filled, run, last, at] = [this.#filled, this.#run, this.#last, from];
    for (; at < data.byteLength; at++) {
      const byte = data[at]!;
      if (byte === last && run < 4 + MOST_MORE) {
        if (run < 4) {
          // A fourth byte brings a fifth, the count.
          if (filled >= limit) break;
          bytes[filled++] = byte;
          if (run === 3) bytes[filled++] = 0;
        } else {
          bytes[filled - 1] = run - 3;
        }
        run++;
      } else {
        if (filled >= limit) break;
        bytes[filled++] = byte;
        last = byte;
        run = 1;
      }
    }
    this.#crc = crcOf(data.subarray(from, at), this.#crc);
    this.#filled = filled;
    this.#run = run;
    this.#last = last;
    return at;
  }

  /** The block so far. */
  get block(): Uint8Array {
    return this.#bytes.subarray(0, this.#filled);
  }

  reset(): void {
    this.#filled = 0;
    this.#run = 0;
    this.#last = -1;
    this.#crc = -1;
  }
}
