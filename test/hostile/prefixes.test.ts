/** Small data, so that every single place to cut it is tried: an end that is missing whole looks most like an end. */
import { expect, test } from "vitest";
import { codecs } from "../../src/codecs/index.js";
import { collect, single } from "../../src/streams.js";

const CONTENT = Buffer.from("every byte counts, the last one above all");
/** Snappy's frames have no end mark. */
const ENDED = codecs.names.filter((name) => name !== "snappy");

test.each(ENDED)("Z03 no beginning of %s is taken for the whole", async (name) => {
  const codec = codecs.get(name);
  const data = await collect(codec.encode(single(CONTENT)));
  expect(Buffer.from(await collect(codec.decode(single(data))))).toEqual(CONTENT);
  for (let length = 1; length < data.byteLength; length++) {
    const cut = collect(codec.decode(single(data.subarray(0, length))));
    await expect(cut, `${length} of ${data.byteLength} bytes`).rejects.toMatchObject({ code: "Corrupt" });
  }
});
