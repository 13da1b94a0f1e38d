import type { Codec } from "./codec.js";
import { type Codecs, codecsOf } from "./codec.js";
import { bz2, gzip, lz4, lzma, snappy, xz, zip, zstd } from "./formats.js";

/** All codecs. */
export const ALL: readonly Codec[] = [zip, gzip, bz2, xz, lzma, zstd, lz4, snappy];

/** Look-up of all codecs by name and by suffix. */
export const codecs: Codecs = /* @__PURE__ */ codecsOf(ALL);
