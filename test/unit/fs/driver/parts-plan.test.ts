import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { partSizes, type UploadLimits } from "../../../../src/fs/driver/part-reader.js";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TIB = 2 ** 40;
const S3: UploadLimits = {
  maxSinglePut: 8 * MIB,
  partSize: 8 * MIB,
  maxPartSize: 5 * GIB,
  maxParts: 10_000,
  partAlignment: 1,
  concurrency: 4,
  uniformParts: false,
};

/** Size of the last regular part and how many parts `size` bytes take, walking the plan. */
function walk(limits: UploadLimits, size: number, known: boolean): { largest: number; count: number } {
  const cut = partSizes(limits, known ? size : undefined);
  let left = size;
  let count = 0;
  let largest = 0;
  while (left > 0) {
    largest = cut(count++);
    left -= largest;
  }
  return { largest, count };
}

describe("part sizes of a known size", () => {
  test.each([
    [50 * GIB, 8, 6400],
    [100 * GIB, 11, 9310],
    [500 * GIB, 52, 9847],
    [TIB, 105, 9987],
    [5 * TIB, 525, 9987],
    [10_000 * 5 * GIB, 5120, 10_000],
  ])("%d bytes go in parts of %d MiB", (size, mib, count) => {
    expect(walk(S3, size, true)).toEqual({ largest: mib * MIB, count });
  });

  test("W24 one byte more than 10,000 parts of 5 GiB is TooLarge before anything is sent", () => {
    expect(() => partSizes(S3, 10_000 * 5 * GIB + 1)).toThrow(/TooLarge.*53687091200000/);
  });

  test("from 1 byte to 48.8 TiB: at most 10,000 parts, each of 5 MiB to 5 GiB, together the size", () => {
    const exponent = fc.double({ min: 0, max: Math.log2(10_000 * 5 * GIB), noNaN: true });
    fc.assert(
      fc.property(exponent, fc.constantFrom(1, 256 * 1024), (log, partAlignment) => {
        const size = Math.min(10_000 * 5 * GIB, Math.ceil(2 ** log));
        const part = partSizes({ ...S3, partAlignment }, size)(0);
        expect(part % partAlignment).toBe(0);
        expect(part).toBeGreaterThanOrEqual(5 * MIB);
        expect(part).toBeLessThanOrEqual(5 * GIB);
        expect(Math.ceil(size / part)).toBeLessThanOrEqual(10_000);
        const smaller = part - Math.max(MIB, partAlignment);
        if (smaller >= S3.partSize) expect(smaller * 10_000).toBeLessThan(size);
      }),
    );
  });
});

describe("part sizes of an unknown size", () => {
  test.each([
    [50 * GIB, 32, 2850],
    [100 * GIB, 64, 3725],
    [500 * GIB, 459, 5498],
    [TIB, 703, 6422],
    [5 * TIB, 1644, 9997],
  ])("%d bytes end in parts of about %d MiB after %d parts", (size, mib, count) => {
    const seen = walk(S3, size, false);
    expect(Math.round(seen.largest / MIB)).toBeGreaterThanOrEqual(mib - 1);
    expect(Math.round(seen.largest / MIB)).toBeLessThanOrEqual(mib + 1);
    expect(Math.abs(seen.count - count)).toBeLessThanOrEqual(2);
  });

  test("at least 5 TiB fits, sizes never shrink, and every part keeps the multiple", () => {
    for (const partAlignment of [1, 256 * 1024]) {
      const cut = partSizes({ ...S3, partAlignment }, undefined);
      let total = 0;
      for (let index = 0; index < 10_000; index++) {
        expect(cut(index) % partAlignment).toBe(0);
        if (index > 0) expect(cut(index)).toBeGreaterThanOrEqual(cut(index - 1));
        total += cut(index);
      }
      expect(total).toBeGreaterThanOrEqual(5 * TIB);
      expect(() => cut(10_000)).toThrow(new RegExp(`TooLarge.*${total} bytes`));
    }
  });

  test("no part is larger than the provider takes", () => {
    const cut = partSizes({ ...S3, maxPartSize: 100 * MIB }, undefined);
    expect(cut(9_999)).toBe(100 * MIB);
  });

  test("R2: all parts have one size, and one byte past the last is TooLarge", () => {
    const cut = partSizes({ ...S3, uniformParts: true }, undefined);
    expect(new Set([0, 999, 1000, 4000, 9_999].map(cut))).toEqual(new Set([8 * MIB]));
    expect(() => cut(10_000)).toThrow(/TooLarge/);
  });
});
