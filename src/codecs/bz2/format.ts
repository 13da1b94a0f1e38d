/** What begins a block and a stream's end: the digits of pi and of its square root, 24 bits at a time. */
export const BLOCK_MAGIC = [0x314159, 0x265359] as const;
export const END_MAGIC = [0x177245, 0x385090] as const;
/** Steps of a loop of the encoder between two looks at the clock. */
export const STRETCH = 25_000;
/** Symbols that are coded with one choice of table. */
export const GROUP = 50;
export const RUN_A = 0;
export const RUN_B = 1;

/** CRC-32 with the most significant bit first. */
const TABLE = table();

function table(): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0);
    return crc;
  });
}

/** `crc` begins as -1 and is inverted at the end. */
export function crcOf(data: Uint8Array, crc: number): number {
  const t = TABLE;
  let sum = crc;
  for (let at = 0; at < data.byteLength; at++) sum = (sum << 8) ^ t[(sum >>> 24) ^ data[at]!]!;
  return sum;
}

/** The checksum of a stream after one more block. */
export function combined(sum: number, blockCrc: number): number {
  return ((sum << 1) | (sum >>> 31)) ^ blockCrc;
}
