/** What the TypeScript encoder makes of blocks with few sequences, where the tables are smallest. */
import { expect, test } from "vitest";
import { encode } from "../../../src/codecs/zstd/fallback-encode.js";
import { collect, single } from "../../../src/streams.js";
import { decodeZstdInTypeScript, random } from "../../support/codecs.js";

/** So many repeats of different lengths at different distances, with literals of different lengths between them. */
function repeats(count: number, seed: number): Buffer {
  const next = random(seed);
  const bytes = Array.from({ length: 300 }, () => Math.floor(next() * 256));
  for (let at = 0; at < count; at++) {
    const from = Math.floor(next() * (bytes.length - 100));
    bytes.push(...bytes.slice(from, from + 5 + Math.floor(next() * 90)));
    for (let left = next() * 12; left > 0; left--) bytes.push(Math.floor(next() * 256));
  }
  return Buffer.from(bytes);
}

test("zstd: blocks of 1 to 300 sequences come back", async () => {
  for (let count = 1; count <= 300; count++) {
    const data = repeats(count, count);
    const back = await decodeZstdInTypeScript(await collect(encode(single(data), 3)));
    expect([count, back.equals(data)]).toEqual([count, true]);
  }
});
