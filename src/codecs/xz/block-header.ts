import { crc32 } from "node:zlib";
import type { Source } from "../source.js";
import { checkDictionary } from "./sizes.js";
import { vliAt } from "./vli.js";

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
export async function blockHeader(source: Source, sizeByte: number): Promise<BlockHeader> {
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
function dictionaryOf(source: Source, byte: number, start: number): number {
  if (byte > 40) throw source.corrupt("a damaged block header", start);
  return checkDictionary(byte === 40 ? 2 ** 32 - 1 : (2 | (byte & 1)) * 2 ** ((byte >> 1) + 11));
}

class Fields {
  #at = 2;

  constructor(
    readonly source: Source,
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
