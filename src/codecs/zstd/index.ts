import { promisify } from "node:util";
import * as zlib from "node:zlib";
import type { ByteStream } from "../../streams.js";
import { convertErrors, Engine, type ZlibStream } from "../engine.js";
import { type Block, blocks, inOrder, parallelism } from "../parallel.js";
import type { CompressedSource } from "../stream.js";
import { blockHeader, type FrameHeader, nextFrame } from "./frame.js";

export async function* encode(bytes: ByteStream, level: number): ByteStream {
  const zstd = nodeZstd();
  if (zstd) yield* encodeNatively(zstd, bytes, level);
  else yield* (await import("./fallback-encode.js")).encode(bytes, level);
}

export async function* decode(source: CompressedSource): ByteStream {
  const zstd = nodeZstd();
  if (zstd) yield* decodeNatively(zstd, source);
  else yield* (await import("./fallback-decode.js")).decode(source);
}

/** Bytes of a frame when encoding: what one thread compresses at a time. */
const FRAME = 4 * 1024 * 1024;
/** Output buffer of zlib: twice the decoding speed of its default, measured. */
const CHUNK = 128 * 1024;

/** The part of node:zlib that came with Node 22.15 and 23.8. */
export interface NodeZstd {
  createZstdDecompress(options: object): ZlibStream;
  zstdCompress(data: Uint8Array, options: object, done: (error: Error | null, result: Uint8Array) => void): void;
  constants: Record<"ZSTD_c_compressionLevel" | "ZSTD_c_checksumFlag" | "ZSTD_d_windowLogMax", number>;
}

/** Node's own zstd, where there is one. */
function nodeZstd(): NodeZstd | undefined {
  const all = zlib as unknown as Partial<NodeZstd>;
  return all.createZstdDecompress && all.zstdCompress ? (all as NodeZstd) : undefined;
}

/**
 * Frames of 4 MiB of content with a checksum each, compressed on several threads. Not zstd's own threads: with
 * `ZSTD_c_nbWorkers` the `zstdCompress` of Node 22.23 and 24.21 gives no bytes at all.
 */
async function* encodeNatively(zstd: NodeZstd, bytes: ByteStream, level: number): ByteStream {
  const compress = promisify<Uint8Array, object, Uint8Array>(zstd.zstdCompress);
  const { ZSTD_c_compressionLevel, ZSTD_c_checksumFlag } = zstd.constants;
  const options = { chunkSize: CHUNK, params: { [ZSTD_c_compressionLevel]: level, [ZSTD_c_checksumFlag]: 1 } };
  yield* inOrder(blocks(bytes, FRAME), parallelism(), ({ data }: Block) => compress(data, options));
}

/** Frames one after the other, skippable ones dropped, of which there may be no others; nothing at all is no file. */
async function* decodeNatively(zstd: NodeZstd, source: CompressedSource): ByteStream {
  let header = await nextFrame(source);
  if (!header && source.offset === 0) throw source.truncated();
  for (; header; header = await nextFrame(source)) yield* content(zstd, source, header);
}

/** Node's decoder ends at the first frame's end and does not tell where that is, so the frame's own structure does. */
async function* content(zstd: NodeZstd, source: CompressedSource, header: FrameHeader): ByteStream {
  const params = { [zstd.constants.ZSTD_d_windowLogMax]: 27 };
  const engine = new Engine(zstd.createZstdDecompress({ chunkSize: CHUNK, params }));
  try {
    for await (const piece of pieces(source, header)) yield* convertErrors(source, engine.feed(piece));
    yield* convertErrors(source, engine.finish());
  } finally {
    engine.destroy();
  }
}

/** The bytes of a frame, whole blocks at a time. */
async function* pieces(source: CompressedSource, header: FrameHeader): ByteStream {
  yield source.buffered.subarray(0, header.length);
  source.skip(header.length);
  for (let last = false; !last; ) {
    if (!(await source.has(3))) throw source.truncated();
    const bytes = source.buffered;
    let at = 0;
    while (!last && at + 3 <= bytes.byteLength) {
      const block = blockHeader(source, bytes, at);
      const end = at + 3 + block.stored;
      if (end > bytes.byteLength) {
        if (at === 0 && !(await source.has(end))) throw source.truncated();
        break;
      }
      at = end;
      last = block.last;
    }
    if (at > 0) yield bytes.subarray(0, at);
    source.skip(at);
  }
  if (header.checksum) yield await source.take(4);
}
