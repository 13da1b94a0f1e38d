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

/** Unsigned. `before`: the checksum of the bytes before these. */
export function crc32c(data: Uint8Array, before = 0): number {
  const t = TABLES;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const whole = data.byteLength & -8;
  let crc = ~before;
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
