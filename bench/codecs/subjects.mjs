/**
 * What is compared. Each subject gives, for one codec, `encode` and `decode`, which take all the bytes and return how many
 * bytes come out; `prepare` turns the content into what `decode` reads, where that is not the codec's own file.
 */
import { Readable } from "node:stream";
import zlib from "node:zlib";
import { codecs } from "../../dist/codecs/index.js";
import { chunked } from "./data.mjs";

const CHUNK = 256 * 1024;
const BLOCK = 65_536;

async function length(bytes) {
  let sum = 0;
  for await (const chunk of bytes) sum += chunk.byteLength;
  return sum;
}

export async function collect(bytes) {
  const parts = [];
  for await (const chunk of bytes) parts.push(chunk);
  return Buffer.concat(parts);
}

const through = (make) => (data) => length(Readable.from(chunked(data)).pipe(make()));

const ours = (name) => ({
  encode: (data) => length(codecs.get(name).encode(chunked(data))),
  decode: (data) => length(codecs.get(name).decode(chunked(data))),
});

/** An old-style stream: it has events only. */
function drained(stream, data) {
  return new Promise((resolve, reject) => {
    let sum = 0;
    stream.on("data", (chunk) => {
      sum += chunk.length;
    });
    stream.on("end", () => resolve(sum));
    stream.on("error", reject);
    Readable.from(chunked(data)).pipe(stream);
  });
}

/** Blocks of 64 KiB, without a frame. */
function blocks(compress, expand) {
  const cut = (data) =>
    Array.from({ length: Math.ceil(data.byteLength / BLOCK) }, (_, at) => data.subarray(at * BLOCK, (at + 1) * BLOCK));
  const sum = (sizes) => sizes.reduce((a, b) => a + b, 0);
  return {
    prepare: (data) => cut(data).map((block) => Uint8Array.from(compress(block))),
    encode: (data) => sum(cut(data).map((block) => compress(block).byteLength)),
    decode: (packed) => sum(packed.map((block) => expand(block).byteLength)),
  };
}

const zstd = () => {
  if (!zlib.createZstdCompress) throw new Error("this Node has no zstd");
  const params = { [zlib.constants.ZSTD_c_checksumFlag]: 1 };
  return {
    encode: through(() => zlib.createZstdCompress({ chunkSize: CHUNK / 2, params })),
    decode: through(() => zlib.createZstdDecompress({ chunkSize: CHUNK / 2 })),
  };
};

async function snappyBlocks() {
  const { compress, expand } = await import("../../dist/codecs/snappy.js");
  const table = new Uint16Array(1 << 14);
  return blocks(
    (block) => compress(block, table),
    (block) => expand(block, BLOCK),
  );
}

async function fflate(kind) {
  const f = await import("fflate");
  if (kind === "gzip")
    return { encode: (data) => f.gzipSync(data).length, decode: (data) => f.gunzipSync(data).length };
  return { encode: (data) => f.zipSync({ file: data }).length, decode: (data) => f.unzipSync(data).file.length };
}

async function zstdCodec() {
  const { ZstdCodec } = (await import("zstd-codec")).default;
  const codec = await new Promise((resolve) => ZstdCodec.run(resolve));
  return { encode: (data) => new codec.Simple().compress(data, 3).length };
}

async function fzstd() {
  const { Decompress } = await import("fzstd");
  return {
    async decode(data) {
      let sum = 0;
      const stream = new Decompress((chunk) => {
        sum += chunk.length;
      });
      for await (const chunk of chunked(data)) stream.push(new Uint8Array(chunk));
      return sum;
    },
  };
}

async function lzmaNative() {
  const { default: lzma } = await import("lzma-native");
  return {
    encode: (data) => drained(lzma.createStream("easyEncoder", { preset: 6 }), data),
    decode: (data) => drained(lzma.createStream("autoDecoder"), data),
  };
}

const xz = {
  stowage: () => ours("xz"),
  "xz-decompress": async () => {
    const { XzReadableStream } = (await import("xz-decompress")).default;
    return { decode: (data) => length(new XzReadableStream(new Blob([data]).stream())) };
  },
  "lzma-native": lzmaNative,
};

/** By codec and name; each is made when it is measured. */
export const SUBJECTS = {
  gzip: {
    stowage: () => ours("gzip"),
    "node:zlib": () => ({
      encode: through(() => zlib.createGzip({ chunkSize: CHUNK })),
      decode: through(() => zlib.createGunzip({ chunkSize: CHUNK })),
    }),
    fflate: () => fflate("gzip"),
  },
  zip: {
    stowage: () => ours("zip"),
    "node:zlib (raw deflate)": () => ({
      prepare: (data) => zlib.deflateRawSync(data),
      encode: through(() => zlib.createDeflateRaw({ chunkSize: CHUNK })),
      decode: through(() => zlib.createInflateRaw({ chunkSize: CHUNK })),
    }),
    fflate: () => fflate("zip"),
  },
  bz2: {
    stowage: () => ours("bz2"),
    "unbzip2-stream": async () => {
      const { default: make } = await import("unbzip2-stream");
      return { decode: (data) => drained(make(), data) };
    },
  },
  xz,
  lzma: { ...xz, stowage: () => ours("lzma") },
  zstd: {
    stowage: () => ours("zstd"),
    "node:zlib": zstd,
    "zstd-codec": zstdCodec,
    fzstd,
  },
  lz4: {
    stowage: () => ours("lz4"),
    lz4js: async () => {
      const { default: lz4 } = await import("lz4js");
      return { encode: (data) => lz4.compress(data).length, decode: (data) => lz4.decompress(data).length };
    },
  },
  snappy: {
    stowage: () => ours("snappy"),
    "stowage (blocks)": snappyBlocks,
    "snappyjs (blocks)": async () => {
      const { default: snappy } = await import("snappyjs");
      return blocks(snappy.compress, snappy.uncompress);
    },
  },
};

/** The command-line tools: arguments that encode and decode standard input. */
export const TOOLS = {
  gzip: { encode: "gzip -c", decode: "gzip -dc" },
  zip: { encode: "zip -q -", decode: "funzip" },
  bz2: { encode: "bzip2 -c", decode: "bzip2 -dc" },
  xz: { encode: "xz -c", decode: "xz -dc" },
  lzma: { encode: "xz -c", decode: "xz -dc" },
  zstd: { encode: "zstd -cq", decode: "zstd -dcq" },
  lz4: { encode: "lz4 -c", decode: "lz4 -dc" },
};
