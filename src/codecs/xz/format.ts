import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { failure } from "../../errors.js";
import { Crc64 } from "../checksums/crc64.js";
import type { CompressedSource } from "../stream.js";

const LZMA2 = 0x21;
const FILTERS = 3;
const RESERVED = 0x3c;
const HAS_PACKED = 0x40;
const HAS_SIZE = 0x80;

export interface BlockHeader {
  /** Compressed bytes of the content, where it says so. */
  packed: number | undefined;
  size: number | undefined;
  dictionary: number;
}

/** Reads the header whose first byte is `sizeByte`. Filters before LZMA2 (for machine code) are Unsupported. */
export async function blockHeader(source: CompressedSource, sizeByte: number): Promise<BlockHeader> {
  const start = source.offset - 1;
  const rest = Buffer.from(await source.take(4 * sizeByte + 3));
  const header = Buffer.concat([Uint8Array.of(sizeByte), rest.subarray(0, -4)]);
  if (crc32(header) !== rest.readUInt32LE(rest.byteLength - 4)) {
    throw source.corrupt("a block header's CRC does not match", start);
  }
  const flags = header[1]!;
  if (flags & RESERVED) throw source.unsupported("an unknown flag in a block header");
  const fields = new Fields(source, header, start);
  const packed = flags & HAS_PACKED ? fields.number() : undefined;
  const size = flags & HAS_SIZE ? fields.number() : undefined;
  const filter = fields.number();
  if (filter !== LZMA2 || flags & FILTERS) throw source.unsupported(`filter ${filter}`);
  const [length, byte] = [fields.number(), fields.number()];
  if (length !== 1 || !fields.isPadding) throw source.corrupt("a damaged block header", start);
  return { packed, size, dictionary: dictionaryOf(source, byte, start) };
}

/** Two bits of mantissa and an exponent; 40 is all that 32 bits hold. */
function dictionaryOf(source: CompressedSource, byte: number, start: number): number {
  if (byte > 40) throw source.corrupt("a damaged block header", start);
  return checkDictionary(byte === 40 ? 2 ** 32 - 1 : (2 | (byte & 1)) * 2 ** ((byte >> 1) + 11));
}

class Fields {
  #at = 2;

  constructor(
    readonly source: CompressedSource,
    readonly bytes: Uint8Array,
    readonly start: number,
  ) {}

  number(): number {
    const read = vliAt(this.bytes, this.#at);
    if (!read) throw this.source.corrupt("a damaged block header", this.start);
    this.#at = read.at;
    return read.value;
  }

  /** Whether only zeros are left. */
  get isPadding(): boolean {
    return this.bytes.subarray(this.#at).every((byte) => byte === 0);
  }
}

/** Largest dictionary that is accepted: that of `xz -9`. */
const MOST_DICTIONARY = 64 * 1024 * 1024;

/** TooLarge for a dictionary above the limit. */
export function checkDictionary(size: number): number {
  if (size <= MOST_DICTIONARY) return size;
  throw failure("TooLarge", `xz: a dictionary of ${size} bytes, the limit is ${MOST_DICTIONARY}`);
}

/** Most bytes of a number. */
const MOST = 9;

/** Reads numbers of variable length, seven bits a byte, the lowest first. Keeps the CRC-32 of what it read. */
export class Vli {
  crc: number;
  readonly #source: CompressedSource;

  constructor(source: CompressedSource, crc: number) {
    this.#source = source;
    this.crc = crc;
  }

  async byte(): Promise<number> {
    const data = await this.#source.take(1);
    this.crc = crc32(data, this.crc);
    return data[0]!;
  }

  async next(): Promise<number> {
    let value = 0;
    for (let place = 0; place < MOST; place++) {
      const byte = await this.byte();
      value += (byte & 127) * 2 ** (7 * place);
      if (byte < 128) return value;
    }
    throw this.#source.corrupt("a damaged number");
  }
}

/** The number at `at` of `bytes`, and where it ends; undefined when it does not end in time. */
function vliAt(bytes: Uint8Array, at: number): { value: number; at: number } | undefined {
  let value = 0;
  for (let place = 0; place < MOST && at + place < bytes.byteLength; place++) {
    const byte = bytes[at + place]!;
    value += (byte & 127) * 2 ** (7 * place);
    if (byte < 128) return { value, at: at + place + 1 };
  }
  return undefined;
}

/** A checksum of a block's content. */
export interface Check {
  /** Bytes that it takes. */
  size: number;
  add(data: Uint8Array): void;
  digest(): Buffer;
}

/** The check of that id; undefined for one that the format has only reserved. */
export function checkOf(id: number): Check | undefined {
  if (id === 0) return { size: 0, add: () => {}, digest: () => Buffer.alloc(0) };
  if (id === 1) return crc32Check();
  if (id === 4) {
    const crc = new Crc64();
    return { size: 8, add: (data) => crc.add(data), digest: () => crc.digest() };
  }
  if (id !== 10) return undefined;
  const hash = createHash("sha256");
  return { size: 32, add: (data) => void hash.update(data), digest: () => hash.digest() };
}

function crc32Check(): Check {
  let crc = 0;
  return {
    size: 4,
    add(data) {
      crc = crc32(data, crc);
    },
    digest() {
      const sum = Buffer.alloc(4);
      sum.writeUInt32LE(crc, 0);
      return sum;
    },
  };
}

// Places of LZMA's probabilities in one array.
const STATES = 12;
export const IS_MATCH = 0;
export const IS_REP = IS_MATCH + (STATES << 4);
export const IS_REP0 = IS_REP + STATES;
export const IS_REP1 = IS_REP0 + STATES;
export const IS_REP2 = IS_REP1 + STATES;
export const IS_REP0_LONG = IS_REP2 + STATES;
export const SLOT = IS_REP0_LONG + (STATES << 4);
export const SPECIAL = SLOT + 4 * 64;
export const ALIGN = SPECIAL + 128;
export const LENGTH = ALIGN + 16;
export const REP_LENGTH = LENGTH + 2 + 2 * 128 + 256;
export const LITERAL = REP_LENGTH + 2 + 2 * 128 + 256;
/** Of a length: where its trees for 2 to 9 and for 10 to 17, one for each position, and for 18 to 273 begin. */
export const LOW = 2;
export const MIDDLE = 130;
export const HIGH = 258;
/** A probability of one half. */
export const HALF = 1024;

/** The state behind a literal. */
export function afterLiteral(state: number): number {
  return state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
}
