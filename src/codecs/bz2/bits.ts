import type { Source } from "../source.js";

/** Bytes in view at a time; the position counts bits, so it must stay far below 2^31. */
const VIEW = 256 * 1024;
/** A read may touch four bytes behind its position. */
const MARGIN = 4;

/** Bits of a source, the most significant first. Reads are synchronous; `ensure` makes them safe. */
export class Bits {
  readonly #source: Source;
  view: DataView = new DataView(new ArrayBuffer(MARGIN));
  /** Next bit. */
  at = 0;
  /** Bytes that can be read without touching what lies behind the view. */
  #safe = 0;
  /** Bytes that there are. */
  #length = 0;

  constructor(source: Source) {
    this.#source = source;
  }

  /** Where it is, in compressed bytes. */
  get offset(): number {
    return this.#source.offset + (this.at >>> 3);
  }

  /** Whether so many bytes can be read at once without `ensure`. */
  has(bytes: number): boolean {
    return (this.at >>> 3) + bytes <= this.#safe;
  }

  /** Brings so many bytes into view, or all that are left. */
  async ensure(bytes: number): Promise<void> {
    if (this.has(bytes)) return;
    this.#source.skip(this.at >>> 3);
    this.at &= 7;
    await this.#source.has(bytes + MARGIN);
    const data = this.#source.buffered.subarray(0, VIEW);
    this.#length = data.byteLength;
    this.#safe = data.byteLength - MARGIN;
    if (data.byteLength >= bytes + MARGIN) {
      this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    } else {
      const padded = new Uint8Array(data.byteLength + bytes + 2 * MARGIN);
      padded.set(data);
      this.view = new DataView(padded.buffer);
    }
  }

  /** Reads up to 24 bits. */
  read(count: number): number {
    if ((this.at >>> 3) + MARGIN > this.view.byteLength) throw this.corrupt("a block's head does not end");
    const word = this.view.getInt32(this.at >>> 3) << (this.at & 7);
    this.at += count;
    return word >>> (32 - count);
  }

  /** Goes to the next byte boundary and gives the rest back to the source. */
  align(): void {
    this.at = (this.at + 7) & -8;
    this.check();
    this.#source.skip(this.at >>> 3);
    this.at = 0;
    this.#safe = 0;
    this.#length = 0;
  }

  /** Corrupt when more was read than there is. */
  check(): void {
    if (this.at > 8 * this.#length) throw this.#source.truncated();
  }

  corrupt(what: string, offset = this.offset): Error {
    return this.#source.corrupt(what, offset);
  }
}
