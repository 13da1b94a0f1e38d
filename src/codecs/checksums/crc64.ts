/** CRC-64 of ECMA-182, reflected, as xz uses it: polynomial 0xC96C5795D7870F42, in two halves. */
const LOW = new Int32Array(256);
const HIGH = new Int32Array(256);

for (let byte = 0; byte < 256; byte++) {
  let low = byte;
  let high = 0;
  for (let bit = 0; bit < 8; bit++) {
    const odd = low & 1;
    low = (low >>> 1) | (high << 31);
    high >>>= 1;
    if (odd) {
      low ^= 0xd7870f42;
      high ^= 0xc96c5795;
    }
  }
  LOW[byte] = low;
  HIGH[byte] = high;
}

/** The checksum of bytes that come in pieces. */
export class Crc64 {
  #low = -1;
  #high = -1;

  add(data: Uint8Array): void {
    const lows = LOW;
    const highs = HIGH;
    let low = this.#low;
    let high = this.#high;
    for (let at = 0; at < data.byteLength; at++) {
      const index = (low ^ data[at]!) & 255;
      low = ((low >>> 8) | (high << 24)) ^ lows[index]!;
      high = (high >>> 8) ^ highs[index]!;
    }
    this.#low = low;
    this.#high = high;
  }

  /** Eight bytes, little-endian. */
  digest(): Buffer {
    const sum = Buffer.alloc(8);
    sum.writeInt32LE(~this.#low, 0);
    sum.writeInt32LE(~this.#high, 4);
    return sum;
  }
}
