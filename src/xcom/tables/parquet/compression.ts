/** Decompression of Parquet's pages, by what Node has; Snappy is the reader's own. */
import * as zlib from "node:zlib";
import type { CompressionCodec, Compressors, FileMetaData } from "hyparquet";
import { failure } from "../../../errors.js";

type Inflate = (data: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;

/** Node has it from 22.15 on. */
const zstd = (zlib as { zstdDecompressSync?: Inflate }).zstdDecompressSync;

const KNOWN: Compressors = {
  GZIP: limited(zlib.gunzipSync),
  BROTLI: limited(zlib.brotliDecompressSync),
  ...(zstd && { ZSTD: limited(zstd) }),
};

/** Unsupported, with the mend, when the file has pages that cannot be read here. */
export function decompressors({ row_groups }: FileMetaData): Compressors {
  for (const { columns } of row_groups) {
    for (const { meta_data } of columns) if (meta_data) check(meta_data.codec);
  }
  return KNOWN;
}

function check(codec: CompressionCodec): void {
  if (codec === "UNCOMPRESSED" || codec === "SNAPPY" || KNOWN[codec]) return;
  const known = ["snappy", ...Object.keys(KNOWN).map((name) => name.toLowerCase())].join(", ");
  const zstdHint = codec === "ZSTD" ? " (zstd needs Node 22.15)" : "";
  throw failure("Unsupported", `parquet: pages compressed by ${codec}${zstdHint}; write it with one of ${known}`);
}

/** No page becomes larger than its header says. */
function limited(inflate: Inflate): (data: Uint8Array, length: number) => Uint8Array {
  return (data, length) => inflate(data, { maxOutputLength: Math.max(length, 1) });
}
