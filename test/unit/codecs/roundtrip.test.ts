import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codecs } from "../../../src/codecs/index.js";
import { decode, encode, noise, records } from "../../support/codecs.js";

/** Content with matches near and far, long runs and noise, so that every branch of a compressor is taken. */
const content = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc
        .tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.nat(400))
        .map(([unit, times]) => repeated(unit, times)),
      fc.nat(255).map((byte) => new Uint8Array(byte * 20).fill(byte)),
    ),
    { maxLength: 30 },
  )
  .map((parts) => Buffer.concat([...parts, ...parts.slice(0, 3)]));

function repeated(unit: Uint8Array, times: number): Uint8Array {
  return Buffer.concat(Array.from({ length: times }, () => unit));
}

const sizes = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 6 });

describe.each(codecs.names)("%s, there and back", (name) => {
  it("Z01 keeps any content, however it is cut into chunks", async () => {
    await fc.assert(
      fc.asyncProperty(content, sizes, sizes, async (data, into, from) => {
        const encoded = await encode(name, data, {}, ...into);
        expect((await decode(name, encoded, {}, ...from)).equals(data)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it("Z01 keeps content around the sizes of blocks", async () => {
    for (const size of [0, 1, 2, 65535, 65536, 65537, 131073, 1048575, 1048576, 1048577, 3 * 1048576]) {
      const data = records(size);
      expect((await decode(name, await encode(name, data))).equals(data)).toBe(true);
    }
  });

  it("Z01 keeps noise and zeros, and zeros become small", async () => {
    const random = noise(1_200_000);
    const coded = await encode(name, random);
    expect(coded.byteLength).toBeLessThan(random.byteLength * 1.02 + 200);
    expect((await decode(name, coded)).equals(random)).toBe(true);
    const zeros = Buffer.alloc(3_000_000);
    const small = await encode(name, zeros);
    expect(small.byteLength).toBeLessThan(300_000);
    expect((await decode(name, small)).equals(zeros)).toBe(true);
  });

  it("gives the same bytes for the same content, however it is cut into chunks", async () => {
    const data = records(1_300_000);
    const once = await encode(name, data);
    expect(Buffer.from(await encode(name, data, {}, 70_001, 13)).equals(once)).toBe(true);
  });
});
