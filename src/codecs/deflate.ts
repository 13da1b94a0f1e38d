import { promisify } from "node:util";
import { constants, crc32, createInflateRaw, deflateRaw } from "node:zlib";
import type { Bytes } from "../fs/driver.js";
import { Engine, told } from "./engine.js";
import { type Block, blocks, inOrder, width } from "./parallel.js";
import type { Source } from "./source.js";

/** Bytes that one thread compresses at a time. */
const BLOCK = 1024 * 1024;
/** How far back deflate can refer (RFC 1951). */
const WINDOW = 32 * 1024;
/** Output buffer of zlib: 2.3 times the decoding speed of its default of 16 KiB, measured. */
const CHUNK = 256 * 1024;

const compress = promisify<Uint8Array, object, Uint8Array>(deflateRaw);

/** CRC-32 and length of the bytes that passed. */
export class Tally {
  crc = 0;
  size = 0;

  add(data: Uint8Array): void {
    this.crc = crc32(data, this.crc);
    this.size += data.byteLength;
  }
}

/**
 * One raw deflate stream, its blocks compressed on several threads. Each block but the last ends with a sync flush and
 * each but the first starts with the 32 KiB before it as dictionary, so that joined they are one valid stream. The
 * output depends on content and level only.
 */
export async function* deflate(bytes: Bytes, level: number, tally: Tally): Bytes {
  let dictionary: Uint8Array | undefined;
  yield* inOrder(blocks(bytes, BLOCK), width(), ({ data, last }: Block) => {
    tally.add(data);
    const finishFlush = last ? constants.Z_FINISH : constants.Z_SYNC_FLUSH;
    const options = { level, finishFlush, chunkSize: CHUNK, ...(dictionary && { dictionary }) };
    dictionary = data.subarray(-WINDOW);
    return compress(data, options);
  });
}

/** Decodes one raw deflate stream and leaves `source` right behind it. */
export async function* inflate(source: Source, tally: Tally): Bytes {
  const engine = new Engine(createInflateRaw({ chunkSize: CHUNK }));
  try {
    for (let ended = false; !ended; ) {
      const chunk = await source.peek();
      if (!chunk) throw source.truncated();
      const before = engine.taken;
      const start = source.offset - before;
      for await (const data of told(source, engine.feed(chunk), () => start + engine.taken)) {
        tally.add(data);
        yield data;
      }
      const taken = engine.taken - before;
      source.skip(taken);
      ended = taken < chunk.byteLength;
    }
  } finally {
    engine.destroy();
  }
}
