import type { StorageError } from "../../errors.js";
import type { ByteStream } from "../../streams.js";
import { inflate, Tally } from "../deflate.js";
import type { CompressedSource } from "../stream.js";
import {
  DEFLATED,
  DESCRIPTOR,
  ENCRYPTED,
  FULL,
  HAS_DESCRIPTOR,
  type Header,
  LOCAL,
  long,
  type Member,
  STORED,
  verifyDirectory,
  widen,
} from "./records.js";

const SIGNATURE = Buffer.from("PK\x07\x08", "latin1");
/** The longest data descriptor: signature, CRC-32 and two 64-bit sizes. */
const LONGEST = 24;
/** The descriptor and the signature of the record that follows. */
const LONGEST_END = LONGEST + 4;
/** Bytes that are searched for the first member. */
const PRELUDE = 64 * 1024;

/**
 * The first member, read in one pass; what follows is read too, so that a success means that the whole archive is there
 * and that the central directory agrees.
 */
export async function* decode(source: CompressedSource): ByteStream {
  if (!(await isNext(source, LOCAL))) throw await notFirst(source);
  const header = await localHeader(source);
  const first = yield* content(source, header);
  let members = 1;
  while (await isNext(source, LOCAL)) {
    await drop(source, await localHeader(source));
    members++;
  }
  await verifyDirectory(source, first, members);
}

/** Programs that extract themselves are archives too: other readers find the members from the end. */
async function notFirst(source: CompressedSource): Promise<StorageError> {
  await source.has(PRELUDE);
  const at = Buffer.from(source.buffered).indexOf("PK\x03\x04", 0, "latin1");
  if (at < 0) return source.corrupt("no zip member");
  return source.unsupported(`${at} bytes before the first member`);
}

async function isNext(source: CompressedSource, signature: number): Promise<boolean> {
  if (!(await source.has(4))) throw source.truncated();
  return Buffer.from(source.buffered.subarray(0, 4)).readUInt32LE(0) === signature;
}

async function localHeader(source: CompressedSource): Promise<Header> {
  const offset = source.offset;
  const record = Buffer.from(await source.take(30));
  const name = Buffer.from(await source.take(record.readUInt16LE(26)));
  const extra = Buffer.from(await source.take(record.readUInt16LE(28)));
  const header = {
    flags: record.readUInt16LE(6),
    method: record.readUInt16LE(8),
    crc: record.readUInt32LE(14),
    packed: record.readUInt32LE(18),
    size: record.readUInt32LE(22),
    name,
    offset,
  };
  return { ...widen(header, extra), offset };
}

/** Whether the header says how long the member is. Where a descriptor follows, sizes of 0 or 2^32 - 1 say nothing. */
function isSized(header: Header): boolean {
  if (!(header.flags & HAS_DESCRIPTOR)) return true;
  return header.packed > 0 && header.packed !== FULL;
}

async function drop(source: CompressedSource, header: Header): Promise<void> {
  if (isSized(header)) {
    await source.pass(header.packed);
    if (header.flags & HAS_DESCRIPTOR) await source.pass(await anyDescriptor(source, header));
    return;
  }
  for await (const _ of content(source, header));
}

/** A descriptor of a member that was not decoded: its CRC-32 is not known, its sizes are. */
async function anyDescriptor(source: CompressedSource, header: Header): Promise<number> {
  if (!(await source.has(8))) throw source.truncated();
  const record = Buffer.from(source.buffered.subarray(0, 8));
  const crc = record.readUInt32LE(record.readUInt32LE(0) === DESCRIPTOR ? 4 : 0);
  return descriptorLength(source, { ...header, crc });
}

async function* content(source: CompressedSource, header: Header): AsyncGenerator<Uint8Array, Member> {
  if (header.flags & ENCRYPTED) throw source.unsupported("the member is encrypted");
  const tally = new Tally();
  const start = source.offset;
  yield* body(source, header, tally);
  const member = { ...header, crc: tally.crc, size: tally.size, packed: source.offset - start };
  if (header.flags & HAS_DESCRIPTOR) source.skip(await descriptorLength(source, member));
  else compare(source, header, member);
  return member;
}

function body(source: CompressedSource, header: Header, tally: Tally): ByteStream {
  if (header.method === DEFLATED) return inflate(source, tally);
  if (header.method !== STORED) throw source.unsupported(`compression method ${header.method}`);
  return isSized(header) ? stored(source, header.packed, tally) : scanned(source, tally);
}

function compare(source: CompressedSource, header: Header, member: Member): void {
  if (header.packed !== member.packed || header.size !== member.size) throw source.corrupt("the length does not match");
  if (header.crc !== member.crc) throw source.corrupt("the CRC-32 does not match");
}

async function* stored(source: CompressedSource, size: number, tally: Tally): ByteStream {
  for (let left = size; left > 0; ) {
    const chunk = await source.peek();
    if (!chunk) throw source.truncated();
    const data = chunk.subarray(0, left);
    tally.add(data);
    source.skip(data.byteLength);
    left -= data.byteLength;
    yield data;
  }
}

/**
 * A stored member of unknown length. Its content may hold signatures of its own (a zip in a zip), so a descriptor ends
 * it only when CRC-32 and sizes are those of everything before it and another record follows; the central directory
 * confirms it later.
 */
async function* scanned(source: CompressedSource, tally: Tally): ByteStream {
  for (;;) {
    const more = await source.has(LONGEST_END);
    const chunk = source.buffered;
    const { length, ended } = scan(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength), tally, more);
    if (length > 0) {
      source.skip(length);
      yield chunk.subarray(0, length);
    }
    if (ended) return;
    if (!more) throw source.truncated();
  }
}

/** How much of `chunk` is content, counted into `tally`, and whether its end was found. */
function scan(chunk: Buffer, tally: Tally, more: boolean): { length: number; ended: boolean } {
  let counted = 0;
  for (let from = 0; ; ) {
    const hit = chunk.indexOf(SIGNATURE, from);
    const next = hit < 0 ? Math.max(counted, chunk.byteLength - SIGNATURE.byteLength + 1) : hit;
    tally.add(chunk.subarray(counted, next));
    counted = next;
    if (hit < 0 || (more && hit > 0 && hit + LONGEST_END > chunk.byteLength)) return { length: next, ended: false };
    if (isEnd(chunk.subarray(hit), { crc: tally.crc, packed: tally.size, size: tally.size })) {
      return { length: hit, ended: true };
    }
    from = hit + 1;
  }
}

type Sums = Pick<Member, "crc" | "packed" | "size">;

/** Whether the descriptor of these sums is next, and a record after it: content can be bytes that look like one. */
function isEnd(chunk: Buffer, sums: Sums): boolean {
  const length = matching(chunk, sums);
  return length > 0 && /^PK[^\x07]/.test(chunk.toString("latin1", length, length + 3));
}

/** How long the descriptor that `source` is at is. Corrupt when it does not say `sums`. */
async function descriptorLength(source: CompressedSource, sums: Sums): Promise<number> {
  await source.has(LONGEST);
  const record = Buffer.from(source.buffered.subarray(0, LONGEST));
  const signed = matching(record, sums);
  if (signed > 0) return signed;
  const bare = matchingSums(record, sums);
  if (bare > 0) return bare;
  throw source.corrupt("the CRC-32 or the length does not match");
}

function matching(record: Buffer, sums: Sums): number {
  if (record.byteLength < 4 || record.readUInt32LE(0) !== DESCRIPTOR) return 0;
  const length = matchingSums(record.subarray(4), sums);
  return length > 0 ? length + 4 : 0;
}

/** The length of the CRC-32 and sizes that agree with `sums`, 64-bit or 32-bit; 0 when neither does. */
function matchingSums(record: Buffer, { crc, packed, size }: Sums): number {
  if (record.byteLength < 12 || record.readUInt32LE(0) !== crc) return 0;
  if (record.byteLength >= 20 && long(record, 4) === packed && long(record, 12) === size) return 20;
  return record.readUInt32LE(4) === packed && record.readUInt32LE(8) === size ? 12 : 0;
}
