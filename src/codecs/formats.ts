/**
 * The eight codecs, each loaded on first use. Marked as pure, so that bundlers can drop unused ones.
 *
 * @packageDocumentation
 */
import type { Codec } from "./codec.js";
import { codecOf } from "./codec-of.js";

export type { Codec, CodecName, DecodeOptions, EncodeOptions } from "./codec.js";

export const zip: Codec = /* @__PURE__ */ codecOf({
  name: "zip",
  levels: { min: 0, max: 9, default: 6 },
  encoder: () => import("./zip/write.js"),
  decoder: () => import("./zip/read.js"),
});

export const gzip: Codec = /* @__PURE__ */ codecOf({
  name: "gzip",
  levels: { min: 0, max: 9, default: 6 },
  encoder: () => import("./deflate.js"),
  decoder: () => import("./deflate.js"),
});

export const bz2: Codec = /* @__PURE__ */ codecOf({
  name: "bz2",
  levels: { min: 1, max: 9, default: 9 },
  encoder: () => import("./bz2/encode.js"),
  decoder: () => import("./bz2/decode.js"),
});

/** Returns one format under either of its two names. */
function xzOf(name: "xz" | "lzma"): Codec {
  return codecOf({
    name,
    levels: { min: 0, max: 9, default: 6 },
    encoder: () => import("./xz/encode.js"),
    decoder: () => import("./xz/decode.js"),
  });
}

export const xz: Codec = /* @__PURE__ */ xzOf("xz");

export const lzma: Codec = /* @__PURE__ */ xzOf("lzma");

export const zstd: Codec = /* @__PURE__ */ codecOf({
  name: "zstd",
  levels: { min: 1, max: 22, default: 3 },
  encoder: () => import("./zstd/index.js"),
  decoder: () => import("./zstd/index.js"),
});

export const lz4: Codec = /* @__PURE__ */ codecOf({
  name: "lz4",
  encoder: () => import("./lz4.js"),
  decoder: () => import("./lz4.js"),
});

export const snappy: Codec = /* @__PURE__ */ codecOf({
  name: "snappy",
  encoder: () => import("./snappy.js"),
  decoder: () => import("./snappy.js"),
});
