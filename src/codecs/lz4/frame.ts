// The frame format, version 1.6.3 (github.com/lz4/lz4, doc/lz4_Frame_format.md). All numbers are little-endian.
export const MAGIC = 0x184d2204;
export const SKIPPABLE = 0x184d2a50;
/** Set in the size of a block that is not compressed. */
export const RAW = 0x8000_0000;
/** How far back a match can refer. */
export const REACH = 65_535;

export const VERSION = 0x40;
export const INDEPENDENT = 0x20;
export const BLOCK_CHECKSUM = 0x10;
export const CONTENT_SIZE = 0x08;
export const CONTENT_CHECKSUM = 0x04;
export const DICTIONARY = 0x01;

/** Largest block by its code in the header. */
export const BLOCK_SIZES: ReadonlyMap<number, number> = new Map([
  [4, 65_536],
  [5, 262_144],
  [6, 1_048_576],
  [7, 4_194_304],
]);
