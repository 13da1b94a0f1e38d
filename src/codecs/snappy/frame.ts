// The framing format (github.com/google/snappy, framing_format.txt).
import { crc32c } from "../checksums/crc32c.js";

export const COMPRESSED = 0x00;
export const UNCOMPRESSED = 0x01;
export const FIRST_SKIPPABLE = 0x80;
export const IDENTIFIER = 0xff;
export const MAGIC = Buffer.from("sNaPpY");
/** Most content of a chunk. */
export const BLOCK = 65_536;

/** CRC-32C of the content, rotated and offset so that a checksum of checksums stays sound. Unsigned. */
export function masked(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
