/** Bytes before and behind a bit stream that reads may touch. */
export const MARGIN = 32;

/**
 * A stretch of bits that is read from its end to its beginning. `at` counts bits from the start of the view; what goes
 * below `start` is found out by comparing the two, after at most 200 bits.
 */
export class BackwardBits {
  readonly view: DataView;
  readonly start: number;
  at: number;

  /** The bits of the bytes `from` to `to`; the highest set bit of the last byte only marks the end. */
  constructor(bytes: Uint8Array, from: number, to: number) {
    const last = to > from ? bytes[to - 1]! : 0;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.start = 8 * from;
    // Without a mark it is below its start from the beginning.
    this.at = last === 0 ? this.start - 1 : 8 * (to - 1) + 31 - Math.clz32(last);
  }

  /** Reads up to 25 bits. */
  read(count: number): number {
    this.at -= count;
    return (this.view.getUint32(this.at >>> 3, true) >>> (this.at & 7)) & ((1 << count) - 1);
  }
}
