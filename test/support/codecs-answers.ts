import type { CodecName } from "../../src/codecs/codec.js";

type Answer = "x" | "xx" | "" | "Corrupt";
export interface Row {
  twice: Answer;
  empty: Answer;
  zeros: Answer;
  garbage: Answer;
}
const OTHERS: Row = { twice: "xx", empty: "Corrupt", zeros: "Corrupt", garbage: "Corrupt" };

/** What each format answers; the table in docs/codecs.md is checked against it. */
export const ANSWERS: Record<CodecName, Row> = {
  zip: { ...OTHERS, twice: "Corrupt" },
  gzip: { ...OTHERS, empty: "", zeros: "x" },
  bz2: OTHERS,
  xz: { ...OTHERS, zeros: "x" },
  lzma: { ...OTHERS, zeros: "x" },
  zstd: OTHERS,
  lz4: OTHERS,
  snappy: { ...OTHERS, empty: "" },
};
