import { failure, invalid, suggestion } from "../errors.js";
import type { ByteStream } from "../streams.js";

/** fsspec's names of the codecs. */
export type CodecName = "zip" | "gzip" | "bz2" | "xz" | "lzma" | "zstd" | "lz4" | "snappy";

/** The suffixes of all codecs: with the dot, lower-case, the default first. */
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
  /**
   * The level on the format's own scale; defaults to the codec's. InvalidArgument if the format has none or it is out
   * of range.
   */
  level?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface DecodeOptions {
  /** Maximum decoded bytes; decoding more fails with TooLarge. Unlimited by default. */
  maxDecodedBytes?: number | undefined;
  /** Maximum decoded bytes per compressed byte; a higher ratio fails with TooLarge. Unlimited by default. */
  maxRatio?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Two functions from bytes to bytes, a name and its suffixes. */
export interface Codec {
  readonly name: CodecName;
  /** With the dot, lower-case, the default first; empty if no suffix infers this codec. */
  readonly suffixes: readonly string[];
  /** Compresses bytes. Throws InvalidArgument immediately for a level that the format does not have. */
  encode(bytes: ByteStream, options?: EncodeOptions): ByteStream;
  /** Decompresses bytes. Fails with Corrupt, naming the compressed offset, unless the data is complete and valid. */
  decode(bytes: ByteStream, options?: DecodeOptions): ByteStream;
}

/** Finds codecs by name and by suffix. */
export interface Codecs {
  /** All names, in fsspec's spelling. */
  readonly names: readonly CodecName[];
  /** Returns the codec of that name. Throws InvalidArgument, listing the names, if there is none. */
  get(name: string): Codec;
  /**
   * Returns the codec of the last suffix, ignoring case; undefined if there is none. Throws Unsupported for a codec
   * that is not included: its compressed bytes must not pass as content.
   */
  forSuffix(path: string | { readonly name: string }): Codec | undefined;
}

/** Returns a look-up of only these codecs. */
export function codecsOf(list: readonly Codec[]): Codecs {
  const byName: ReadonlyMap<string, Codec> = new Map(list.map((codec) => [codec.name, codec]));
  const names = list.map(({ name }) => name);
  const get = (name: string) => {
    const codec = byName.get(name);
    if (!codec) {
      const near = suggestion(String(name), names);
      throw invalid(`unknown codec ${JSON.stringify(name)}${near} (expected one of ${names.join(", ") || "none"})`);
    }
    return codec;
  };
  return {
    names,
    get,
    forSuffix(path) {
      const name = nameFor(suffixOf(typeof path === "string" ? path : path.name));
      if (name === undefined || byName.has(name)) return name && byName.get(name);
      throw failure("Unsupported", `the suffix stands for ${name}, and there is ${names.join(", ") || "no codec"}`);
    },
  };
}

function nameFor(suffix: string): CodecName | undefined {
  const all = Object.entries(SUFFIXES) as [CodecName, readonly string[]][];
  return all.find(([, suffixes]) => suffixes.includes(suffix))?.[0];
}

/** Returns the last suffix with its dot, lower-case; leading dots start no suffix, as in Python's `splitext`. */
function suffixOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1).replace(/^\.+/, "");
  const dot = name.lastIndexOf(".");
  return dot < 0 ? "" : name.slice(dot).toLowerCase();
}
