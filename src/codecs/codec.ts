import { failure, invalid } from "../errors.js";
import type { ByteStream } from "../streams.js";

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
  encode(bytes: ByteStream, options?: EncodeOptions): ByteStream;
  /** Fails with Corrupt, naming the compressed offset, on anything but whole and valid data. */
  decode(bytes: ByteStream, options?: DecodeOptions): ByteStream;
}

/** Look-up of codecs by name and by suffix. */
export interface Codecs {
  /** All names, as fsspec spells them. */
  readonly names: readonly CodecName[];
  /** The codec of that name. InvalidArgument, listing the names, when there is none. */
  get(name: string): Codec;
  /**
   * The codec that the last suffix stands for, whatever its case; undefined when it stands for none. Unsupported for a
   * codec that was left out: its bytes are not content.
   */
  forSuffix(path: string | { readonly name: string }): Codec | undefined;
}

/** These codecs and no other. */
export function codecsOf(list: readonly Codec[]): Codecs {
  const byName: ReadonlyMap<string, Codec> = new Map(list.map((codec) => [codec.name, codec]));
  const names = list.map(({ name }) => name);
  const get = (name: string) => {
    const codec = byName.get(name);
    if (!codec) throw invalid(`codec ${JSON.stringify(name)}: there is ${names.join(", ") || "none"}`);
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

/** The last suffix with its dot, lower-case; dots that begin the name begin none, as in Python's `splitext`. */
function suffixOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1).replace(/^\.+/, "");
  const dot = name.lastIndexOf(".");
  return dot < 0 ? "" : name.slice(dot).toLowerCase();
}
