/** CRC-32C (Castagnoli), reflected; RFC 3720, appendix B.4. */
const POLYNOMIAL = 0x82f63b78;
/** Eight tables, so that eight bytes are taken at a time ("slicing by 8"). */
const TABLES = tables();

function tables(): Int32Array {
  const table = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
    table[byte] = crc;
  }
  for (let at = 256; at < table.length; at++) {
    const before = table[at - 256]!;
    table[at] = (before >>> 8) ^ table[before & 255]!;
  }
  return table;
}

/** Unsigned. */
export function crc32c(data: Uint8Array): number {
  const t = TABLES;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const whole = data.byteLength & -8;
  let crc = -1;
  let at = 0;
  for (; at < whole; at += 8) {
    const low = crc ^ view.getInt32(at, true);
    const high = view.getInt32(at + 4, true);
    crc =
      t[1792 + (low & 255)]! ^
      t[1536 + ((low >>> 8) & 255)]! ^
      t[1280 + ((low >>> 16) & 255)]! ^
      t[1024 + (low >>> 24)]! ^
      t[768 + (high & 255)]! ^
      t[512 + ((high >>> 8) & 255)]! ^
      t[256 + ((high >>> 16) & 255)]! ^
      t[high >>> 24]!;
  }
  for (; at < data.byteLength; at++) crc = (crc >>> 8) ^ t[(crc ^ data[at]!) & 255]!;
  return ~crc >>> 0;
}

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
