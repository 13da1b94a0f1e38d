import { failure } from "../errors.js";
import type { Codec, CodecName } from "./codec.js";
import { codecOf, type Format } from "./format.js";
import * as gzip from "./gzip.js";
import * as xz from "./xz/index.js";
import { decode as unzip } from "./zip/read.js";
import { encode as zip } from "./zip/write.js";
import * as zstd from "./zstd/index.js";

const DEFLATE_LEVELS = { min: 0, max: 9, default: 6 };

const FORMATS: readonly Format[] = [
  { name: "zip", suffixes: [".zip"], levels: DEFLATE_LEVELS, encode: zip, decode: unzip },
  { name: "gzip", suffixes: [".gz"], levels: DEFLATE_LEVELS, encode: gzip.encode, decode: gzip.decode },
  {
    name: "bz2",
    suffixes: [".bz2"],
    levels: { min: 1, max: 9, default: 9 },
    async *encode(bytes, level) {
      yield* (await import("./bz2/encode.js")).encode(bytes, level);
    },
    async *decode(source) {
      yield* (await import("./bz2/decode.js")).decode(source);
    },
  },
  { name: "xz", suffixes: [".xz"], levels: { min: 0, max: 9, default: 6 }, ...xz },
  { name: "lzma", suffixes: [".lzma"], levels: { min: 0, max: 9, default: 6 }, ...xz },
  {
    name: "zstd",
    suffixes: [".zst"],
    levels: { min: 1, max: 22, default: 3 },
    encode: zstd.encode,
    decode: zstd.decode,
  },
  {
    name: "lz4",
    suffixes: [".lz4"],
    async *encode(bytes) {
      yield* (await import("./lz4/encode.js")).encode(bytes);
    },
    async *decode(source) {
      yield* (await import("./lz4/decode.js")).decode(source);
    },
  },
  {
    name: "snappy",
    suffixes: [],
    async *encode(bytes) {
      yield* (await import("./snappy/encode.js")).encode(bytes);
    },
    async *decode(source) {
      yield* (await import("./snappy/decode.js")).decode(source);
    },
  },
];

const BY_NAME: ReadonlyMap<string, Codec> = new Map(FORMATS.map((format) => [format.name, codecOf(format)]));

/** Look-up of the codecs by name and by suffix. */
export const codecs = {
  /** All names, as fsspec spells them. */
  names: [...BY_NAME.keys()] as readonly CodecName[],

  /** The codec of that name. InvalidArgument, listing the names, when there is none. */
  get(name: string): Codec {
    const codec = BY_NAME.get(name);
    if (!codec) throw failure("InvalidArgument", `codec ${JSON.stringify(name)}: there is ${codecs.names.join(", ")}`);
    return codec;
  },

  /** The codec that the last suffix stands for, whatever its case; undefined when it stands for none. */
  forSuffix(path: string | { readonly name: string }): Codec | undefined {
    const suffix = suffixOf(typeof path === "string" ? path : path.name);
    return [...BY_NAME.values()].find((codec) => codec.suffixes.includes(suffix));
  },
};

/** The last suffix with its dot, lower-case; dots that begin the name begin none, as in Python's `splitext`. */
function suffixOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1).replace(/^\.+/, "");
  const dot = name.lastIndexOf(".");
  return dot < 0 ? "" : name.slice(dot).toLowerCase();
}
