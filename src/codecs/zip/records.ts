// The records of a zip archive (PKWARE APPNOTE 6.3.10). All numbers are little-endian.
export const LOCAL = 0x04034b50;
export const DESCRIPTOR = 0x08074b50;
export const CENTRAL = 0x02014b50;
export const END = 0x06054b50;
export const END64 = 0x06064b50;
export const LOCATOR64 = 0x07064b50;

export const STORED = 0;
export const DEFLATED = 8;
export const ENCRYPTED = 1;
export const HAS_DESCRIPTOR = 8;
/** In a 32-bit field: the number is in a Zip64 record. */
export const FULL = 0xffff_ffff;
export const FULL16 = 0xffff;

const ZIP64_EXTRA = 1;

/** What a local or central header says of a member. */
export interface Header {
  flags: number;
  method: number;
  crc: number;
  /** Compressed bytes. */
  packed: number;
  size: number;
  name: Buffer;
  /** Where the local header begins; known to the central directory only. */
  offset: number;
}

/** A 64-bit number. Beyond 2^53 it is inexact, which no length that was counted can equal. */
export function long(record: Buffer, at: number): number {
  return Number(record.readBigUInt64LE(at));
}

/** Takes from the Zip64 extra field, in its fixed order, the numbers that did not fit into 32 bits. */
export function widen(header: Header, extra: Buffer): Header {
  const field = zip64Field(extra);
  let at = 0;
  const next = (short: number) => {
    if (short !== FULL || at + 8 > field.byteLength) return short;
    at += 8;
    return long(field, at - 8);
  };
  const size = next(header.size);
  const packed = next(header.packed);
  return { ...header, size, packed, offset: next(header.offset) };
}

function zip64Field(extra: Buffer): Buffer {
  for (let at = 0; at + 4 <= extra.byteLength; ) {
    const length = extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === ZIP64_EXTRA) return extra.subarray(at + 4, at + 4 + length);
    at += 4 + length;
  }
  return extra.subarray(0, 0);
}

/** The Zip64 extra field that holds these numbers. */
export function zip64Extra(...numbers: number[]): Buffer {
  const field = Buffer.alloc(4 + 8 * numbers.length);
  field.writeUInt16LE(ZIP64_EXTRA, 0);
  field.writeUInt16LE(8 * numbers.length, 2);
  for (const [index, number] of numbers.entries()) field.writeBigUInt64LE(BigInt(number), 4 + 8 * index);
  return field;
}
