// The .xz file format, version 1.2.1 (tukaani.org/xz/xz-file-format.txt).
import { createHash, type Hash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { Bytes } from "../../fs/driver.js";
import type { Source } from "../source.js";
import { decodeAlone } from "./alone.js";
import { type BlockHeader, blockHeader } from "./block-header.js";
import { type Check, checkOf } from "./checks.js";
import { decodeLzma2 } from "./lzma2.js";
import { Vli } from "./vli.js";

const MAGIC = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]);
const FOOTER_MAGIC = Buffer.from("YZ");

/** Streams with padding between them, at least one; or one stream of the legacy .lzma format. */
export async function* decode(source: Source): Bytes {
  const first = await source.peek();
  if (!first) throw source.truncated();
  if (first[0] !== MAGIC[0]) {
    yield* decodeAlone(source);
    return;
  }
  do {
    yield* stream(source);
    await padding(source);
  } while (await source.has(1));
}

/** Zeros, four at a time. */
async function padding(source: Source): Promise<void> {
  while ((await source.has(4)) && source.buffered.subarray(0, 4).every((byte) => byte === 0)) source.skip(4);
}

async function* stream(source: Source): Bytes {
  const flags = await streamHeader(source);
  const records = new Records();
  for (;;) {
    const start = source.offset;
    const size = (await source.take(1))[0]!;
    if (size === 0) {
      await index(source, start, records);
      await footer(source, flags, source.offset - start);
      return;
    }
    const header = await blockHeader(source, size);
    const check = checkOf(flags[1]!)!;
    const content = yield* block(source, header, check);
    records.add(source.offset - start - content.padding, content.size);
  }
}

async function streamHeader(source: Source): Promise<Buffer> {
  const start = source.offset;
  const header = Buffer.from(await source.take(12));
  if (!header.subarray(0, 6).equals(MAGIC)) throw source.corrupt("no xz header", start);
  const flags = header.subarray(6, 8);
  if (crc32(flags) !== header.readUInt32LE(8)) throw source.corrupt("the header's CRC does not match", start);
  if (flags[0] !== 0 || flags[1]! > 15 || !checkOf(flags[1]!))
    throw source.unsupported(`check ${flags.toString("hex")}`);
  return flags;
}

/** One block's content. Returns its length and the padding behind it. */
async function* block(
  source: Source,
  header: BlockHeader,
  check: Check,
): AsyncGenerator<Uint8Array, { size: number; padding: number }> {
  const start = source.offset;
  let size = 0;
  for await (const data of decodeLzma2(source, header.dictionary)) {
    check.add(data);
    size += data.byteLength;
    yield data;
  }
  const packed = source.offset - start;
  if ((header.packed ?? packed) !== packed || (header.size ?? size) !== size) {
    throw source.corrupt("a block's length does not match");
  }
  const padding = -packed & 3;
  const zeros = await source.take(padding);
  if (zeros.some((byte) => byte !== 0)) throw source.corrupt("a block's padding is not zero");
  const at = source.offset;
  if (!check.digest().equals(await source.take(check.size))) throw source.corrupt("a block's check does not match", at);
  return { size, padding };
}

/** The sizes of blocks, as a hash: their number knows no bound. */
class Records {
  count = 0;
  readonly #hash: Hash = createHash("sha256");

  add(unpadded: number, size: number): void {
    this.count++;
    this.#hash.update(`${unpadded},${size};`);
  }

  equals(other: Records): boolean {
    return this.count === other.count && this.#hash.digest().equals(other.#hash.digest());
  }
}

/** The list of all blocks, behind its zero byte. */
async function index(source: Source, start: number, expected: Records): Promise<void> {
  const numbers = new Vli(source, crc32(Buffer.alloc(1)));
  const count = await numbers.next();
  const found = new Records();
  if (count !== expected.count) throw source.corrupt("the index does not match", start);
  while (found.count < count) found.add(await numbers.next(), await numbers.next());
  while ((source.offset - start) & 3) if ((await numbers.byte()) !== 0) throw source.corrupt("a damaged index");
  if (!expected.equals(found)) throw source.corrupt("the index does not match", start);
  const sum = Buffer.from(await source.take(4)).readUInt32LE(0);
  if (sum !== numbers.crc) throw source.corrupt("the index's CRC does not match", source.offset - 4);
}

async function footer(source: Source, flags: Buffer, indexSize: number): Promise<void> {
  const start = source.offset;
  const footer = Buffer.from(await source.take(12));
  const sound =
    footer.readUInt32LE(0) === crc32(footer.subarray(4, 10)) &&
    (footer.readUInt32LE(4) + 1) * 4 === indexSize &&
    footer.subarray(8, 10).equals(flags) &&
    footer.subarray(10).equals(FOOTER_MAGIC);
  if (!sound) throw source.corrupt("a damaged footer", start);
}
