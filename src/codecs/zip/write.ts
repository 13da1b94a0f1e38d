import type { ByteStream } from "../../streams.js";
import { deflate, Tally } from "../deflate.js";
import {
  CENTRAL,
  DEFLATED,
  DESCRIPTOR,
  END,
  END64,
  FULL,
  FULL16,
  HAS_DESCRIPTOR,
  LOCAL,
  LOCATOR64,
  zip64Extra,
} from "./records.js";

/** What fsspec names its only member. */
const NAME = Buffer.from("file");
/** 1980-01-01 00:00, the first that the format can tell, so that equal content gives equal bytes. */
const DATE = 0x21;
const UNIX = 3 << 8;
/** A regular file of its owner: the mode that Python's zipfile gives. */
const MODE = 0o600 << 16;
const PLAIN = 20;
const ZIP64 = 45;

/** A number in 32 bits, or the mark that says that Zip64 has it. */
const short = (number: number) => Math.min(number, FULL);

interface Member {
  crc: number;
  packed: number;
  size: number;
}

/**
 * An archive with one deflated member named `file`. Its length is unknown when it begins, so sizes follow in a data
 * descriptor, with 64-bit numbers if and only if one of them needs Zip64, and in the central directory.
 */
export async function* encode(bytes: ByteStream, level: number): ByteStream {
  const tally = new Tally();
  const local = localHeader();
  yield local;
  let packed = 0;
  for await (const chunk of deflate(bytes, level, tally)) {
    packed += chunk.byteLength;
    yield chunk;
  }
  const member = { crc: tally.crc, packed, size: tally.size };
  const after = descriptor(member);
  yield Buffer.concat([after, ending(member, local.byteLength + packed + after.byteLength)]);
}

/** What follows the member: the central directory, which begins `start` bytes into the archive, and its end record. */
export function ending(member: Member, start: number): Buffer {
  const directory = centralHeader(member);
  return Buffer.concat([directory, endRecords(start, directory.byteLength)]);
}

function isLarge(member: Member): boolean {
  return member.packed >= FULL || member.size >= FULL;
}

function localHeader(): Buffer {
  const header = Buffer.alloc(30);
  header.writeUInt32LE(LOCAL, 0);
  header.writeUInt16LE(PLAIN, 4);
  header.writeUInt16LE(HAS_DESCRIPTOR, 6);
  header.writeUInt16LE(DEFLATED, 8);
  header.writeUInt16LE(DATE, 12);
  header.writeUInt16LE(NAME.byteLength, 26);
  return Buffer.concat([header, NAME]);
}

/** The data descriptor of a member. */
export function descriptor(member: Member): Buffer {
  const large = isLarge(member);
  const record = Buffer.alloc(large ? 24 : 16);
  record.writeUInt32LE(DESCRIPTOR, 0);
  record.writeUInt32LE(member.crc, 4);
  if (large) {
    record.writeBigUInt64LE(BigInt(member.packed), 8);
    record.writeBigUInt64LE(BigInt(member.size), 16);
  } else {
    record.writeUInt32LE(member.packed, 8);
    record.writeUInt32LE(member.size, 12);
  }
  return record;
}

function centralHeader(member: Member): Buffer {
  const wide = [member.size, member.packed].filter((number) => number >= FULL);
  const extra = wide.length > 0 ? zip64Extra(...wide) : Buffer.alloc(0);
  const version = isLarge(member) ? ZIP64 : PLAIN;
  const header = Buffer.alloc(46);
  header.writeUInt32LE(CENTRAL, 0);
  header.writeUInt16LE(version | UNIX, 4);
  header.writeUInt16LE(version, 6);
  header.writeUInt16LE(HAS_DESCRIPTOR, 8);
  header.writeUInt16LE(DEFLATED, 10);
  header.writeUInt16LE(DATE, 14);
  header.writeUInt32LE(member.crc, 16);
  header.writeUInt32LE(short(member.packed), 20);
  header.writeUInt32LE(short(member.size), 24);
  header.writeUInt16LE(NAME.byteLength, 28);
  header.writeUInt16LE(extra.byteLength, 30);
  header.writeUInt32LE(MODE, 38);
  return Buffer.concat([header, NAME, extra]);
}

function endRecords(start: number, size: number): Buffer {
  const end = Buffer.alloc(22);
  const large = start >= FULL;
  end.writeUInt32LE(END, 0);
  end.writeUInt16LE(large ? FULL16 : 1, 8);
  end.writeUInt16LE(large ? FULL16 : 1, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(short(start), 16);
  return large ? Buffer.concat([end64(start, size), end]) : end;
}

function end64(start: number, size: number): Buffer {
  const records = Buffer.alloc(56 + 20);
  records.writeUInt32LE(END64, 0);
  records.writeBigUInt64LE(44n, 4);
  records.writeUInt16LE(ZIP64 | UNIX, 12);
  records.writeUInt16LE(ZIP64, 14);
  records.writeBigUInt64LE(1n, 24);
  records.writeBigUInt64LE(1n, 32);
  records.writeBigUInt64LE(BigInt(size), 40);
  records.writeBigUInt64LE(BigInt(start), 48);
  records.writeUInt32LE(LOCATOR64, 56);
  records.writeBigUInt64LE(BigInt(start + size), 64);
  records.writeUInt32LE(1, 72);
  return records;
}
