import { describe, expect, it } from "vitest";
import type { CodecName } from "../../src/codecs/codec.js";
import { codecs } from "../../src/codecs/index.js";
import { chunked, encode } from "../support/codecs.js";

const SIZE = 8 * 1024 * 1024;
/** How much came out before the error, and its code. */
async function until(name: CodecName, data: Uint8Array, options: object): Promise<{ length: number; code: string }> {
  let length = 0;
  try {
    for await (const chunk of codecs.get(name).decode(chunked(data, 512), options)) length += chunk.byteLength;
    return { length, code: "" };
  } catch (error) {
    return { length, code: (error as { code: string }).code };
  }
}

describe.each(codecs.names)("Z06 limits of %s", (name) => {
  it("stops with TooLarge before more than the limit comes out", async () => {
    const data = await encode(name, Buffer.alloc(SIZE));
    for (const limit of [0, 1000, Math.floor(SIZE / 2), SIZE - 1]) {
      const { length, code } = await until(name, data, { maxDecodedBytes: limit });
      expect(code).toBe("TooLarge");
      expect(length).toBeLessThanOrEqual(limit + 65_536);
    }
  });

  it("reads what is exactly as long as the limit", async () => {
    const data = await encode(name, Buffer.alloc(SIZE));
    expect(await until(name, data, { maxDecodedBytes: SIZE })).toEqual({ length: SIZE, code: "" });
  });

  it("stops with TooLarge when too much comes out of each byte", async () => {
    const data = await encode(name, Buffer.alloc(SIZE));
    const ratio = SIZE / data.byteLength;
    expect(await until(name, data, { maxRatio: ratio / 2 })).toMatchObject({ code: "TooLarge" });
    expect(await until(name, data, { maxRatio: 3000 * ratio })).toEqual({ length: SIZE, code: "" });
  });
});
