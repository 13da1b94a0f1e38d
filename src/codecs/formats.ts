/** The eight codecs, each loaded when it is first used. Marked as pure, so that bundlers can leave out what nobody names. */
import type { Codec } from "./codec.js";
import { codecOf } from "./format.js";

export const zip: Codec = /* @__PURE__ */ codecOf({
  name: "zip",
  levels: { min: 0, max: 9, default: 6 },
  async *encode(bytes, level) {
    yield* (await import("./zip/write.js")).encode(bytes, level);
  },
  async *decode(source) {
    yield* (await import("./zip/read.js")).decode(source);
  },
});

export const gzip: Codec = /* @__PURE__ */ codecOf({
  name: "gzip",
  levels: { min: 0, max: 9, default: 6 },
  async *encode(bytes, level) {
    yield* (await import("./gzip.js")).encode(bytes, level);
  },
  async *decode(source) {
    yield* (await import("./gzip.js")).decode(source);
  },
});

export const bz2: Codec = /* @__PURE__ */ codecOf({
  name: "bz2",
  levels: { min: 1, max: 9, default: 9 },
  async *encode(bytes, level) {
    yield* (await import("./bz2/encode.js")).encode(bytes, level);
  },
  async *decode(source) {
    yield* (await import("./bz2/decode.js")).decode(source);
  },
});

export const xz: Codec = /* @__PURE__ */ codecOf({
  name: "xz",
  levels: { min: 0, max: 9, default: 6 },
  async *encode(bytes, level) {
    yield* (await import("./xz/encode.js")).encode(bytes, level);
  },
  async *decode(source) {
    yield* (await import("./xz/decode.js")).decode(source);
  },
});

export const lzma: Codec = /* @__PURE__ */ codecOf({
  name: "lzma",
  levels: { min: 0, max: 9, default: 6 },
  async *encode(bytes, level) {
    yield* (await import("./xz/encode.js")).encode(bytes, level);
  },
  async *decode(source) {
    yield* (await import("./xz/decode.js")).decode(source);
  },
});

export const zstd: Codec = /* @__PURE__ */ codecOf({
  name: "zstd",
  levels: { min: 1, max: 22, default: 3 },
  async *encode(bytes, level) {
    yield* (await import("./zstd/index.js")).encode(bytes, level);
  },
  async *decode(source) {
    yield* (await import("./zstd/index.js")).decode(source);
  },
});

export const lz4: Codec = /* @__PURE__ */ codecOf({
  name: "lz4",
  async *encode(bytes) {
    yield* (await import("./lz4/encode.js")).encode(bytes);
  },
  async *decode(source) {
    yield* (await import("./lz4/decode.js")).decode(source);
  },
});

export const snappy: Codec = /* @__PURE__ */ codecOf({
  name: "snappy",
  async *encode(bytes) {
    yield* (await import("./snappy/encode.js")).encode(bytes);
  },
  async *decode(source) {
    yield* (await import("./snappy/decode.js")).decode(source);
  },
});
