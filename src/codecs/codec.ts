import type { Bytes } from "../fs/driver.js";

/** The names of fsspec. */
export type CodecName = "zip" | "gzip" | "bz2" | "xz" | "lzma" | "zstd" | "lz4" | "snappy";

/** The suffixes of all codecs: with the dot, lower-case, the one that is written first. */
export const SUFFIXES = {
  zip: [".zip"],
  gzip: [".gz"],
  bz2: [".bz2"],
  xz: [".xz"],
  lzma: [".lzma"],
  zstd: [".zst"],
  lz4: [".lz4"],
  snappy: [],
} as const satisfies Record<CodecName, readonly string[]>;

export interface EncodeOptions {
  /** The format's own scale; the codec's default when left out. InvalidArgument when the format has none or it is out of range. */
  level?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface DecodeOptions {
  /** Decoded bytes after which decoding fails with TooLarge. No limit when left out. */
  maxDecodedBytes?: number | undefined;
  /** Decoded bytes per compressed byte after which decoding fails with TooLarge. No limit when left out. */
  maxRatio?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Two functions from bytes to bytes, a name and its suffixes. */
export interface Codec {
  readonly name: CodecName;
  /** With the dot, lower-case, the one that is written first; empty when no suffix infers this codec. */
  readonly suffixes: readonly string[];
  /** InvalidArgument at the call for a level that the format does not have. */
  encode(bytes: Bytes, options?: EncodeOptions): Bytes;
  /** Fails with Corrupt, naming the compressed offset, on anything but whole and valid data. */
  decode(bytes: Bytes, options?: DecodeOptions): Bytes;
}
