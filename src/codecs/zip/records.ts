import type { CompressedSource } from "../stream.js";

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

/** A member as it was read: its CRC-32 and sizes are those of the bytes that came. */
export type Member = Header;

interface Totals {
  members: number;
  size: number;
  start: number;
}

/** Reads the central directory to the end of the archive. Corrupt when it tells another story than the members did. */
export async function verifyDirectory(source: CompressedSource, first: Member, members: number): Promise<void> {
  const start = source.offset;
  let entries = 0;
  let signature = await nextSignature(source);
  for (; signature === CENTRAL; signature = await nextSignature(source)) {
    const entry = await centralHeader(source);
    if (entries === 0) compare(source, entry, first);
    entries++;
  }
  const totals = { members, size: source.offset - start - 4, start };
  if (entries !== members) throw source.corrupt(`${members} members, but ${entries} in the directory`);
  await verifyEnd(source, signature, totals);
  if (await source.has(1)) throw source.corrupt("data after the end");
}

async function nextSignature(source: CompressedSource): Promise<number> {
  return Buffer.from(await source.take(4)).readUInt32LE(0);
}

async function centralHeader(source: CompressedSource): Promise<Header> {
  const record = Buffer.from(await source.take(42));
  const name = Buffer.from(await source.take(record.readUInt16LE(24)));
  const extra = Buffer.from(await source.take(record.readUInt16LE(26)));
  await source.pass(record.readUInt16LE(28));
  const header = {
    flags: record.readUInt16LE(4),
    method: record.readUInt16LE(6),
    crc: record.readUInt32LE(12),
    packed: record.readUInt32LE(16),
    size: record.readUInt32LE(20),
    name,
    offset: record.readUInt32LE(38),
  };
  return widen(header, extra);
}

/** Python reads the member that the directory lists first; here it is the one that comes first. */
function compare(source: CompressedSource, entry: Header, first: Member): void {
  if (entry.offset !== first.offset) throw source.unsupported("the first member of the directory is not the first one");
  const same =
    entry.name.equals(first.name) &&
    entry.method === first.method &&
    entry.crc === first.crc &&
    entry.packed === first.packed &&
    entry.size === first.size;
  if (!same) throw source.corrupt("the directory does not match the member");
}

async function verifyEnd(source: CompressedSource, signature: number, expected: Totals): Promise<void> {
  const wide = signature === END64 ? await end64(source, expected) : undefined;
  const last = wide ? await nextSignature(source) : signature;
  if (last !== END) throw source.corrupt("no end of the directory", source.offset - 4);
  const record = Buffer.from(await source.take(18));
  const pick = (short: number, full: number, long: number | undefined) =>
    short === full && long !== undefined ? long : short;
  const said = {
    members: pick(record.readUInt16LE(6), FULL16, wide?.members),
    size: pick(record.readUInt32LE(8), FULL, wide?.size),
    start: pick(record.readUInt32LE(12), FULL, wide?.start),
  };
  agree(source, said, expected);
  await source.pass(record.readUInt16LE(16));
}

async function end64(source: CompressedSource, expected: Totals): Promise<Totals> {
  const record = Buffer.from(await source.take(52));
  await source.pass(Math.max(0, long(record, 0) - 44));
  const said = { members: long(record, 28), size: long(record, 36), start: long(record, 44) };
  agree(source, said, expected);
  if ((await nextSignature(source)) !== LOCATOR64) throw source.corrupt("no Zip64 locator", source.offset - 4);
  const locator = Buffer.from(await source.take(16));
  if (long(locator, 4) !== expected.start + expected.size) throw source.corrupt("a wrong Zip64 locator");
  return said;
}

function agree(source: CompressedSource, said: Totals, expected: Totals): void {
  const same = said.members === expected.members && said.size === expected.size && said.start === expected.start;
  if (!same) throw source.corrupt("the end record does not match the directory");
}
