import { describe, expect, it } from "vitest";
import { parseContentRange, rangeHeader } from "../../../../src/fs/driver/content.js";

const answer = (status: number, headers: Record<string, string>) => ({ status, headers });
const ranged = (text: string) => answer(206, { "content-range": text, "content-length": "999" });

describe("what an answer says of an object", () => {
  it("without a range: all of it", () => {
    expect(parseContentRange(answer(200, { "content-length": "0" }), undefined)).toEqual({ size: 0, length: 0 });
    expect(parseContentRange(answer(200, { "content-length": "7" }), undefined)).toEqual({ size: 7, length: 7 });
  });

  it.each([
    [2, 5, "bytes 2-4/10", { size: 10, length: 3 }],
    [2, 99, "bytes 2-9/10", { size: 10, length: 8 }],
    [9, undefined, "bytes 9-9/10", { size: 10, length: 1 }],
  ])("with the range from %s to %s: %s", (start, end, text, extent) => {
    expect(parseContentRange(ranged(text), { start, end })).toEqual(extent);
  });

  it.each([
    ["another start", ranged("bytes 3-4/10")],
    ["less than what was asked for", ranged("bytes 2-3/10")],
    ["more than what was asked for", ranged("bytes 2-9/10")],
    ["an unknown size", ranged("bytes 2-4/*")],
    ["another unit", ranged("lines 2-4/10")],
    ["no word of the range", answer(206, {})],
    ["F28 the whole object", answer(200, { "content-length": "10" })],
  ])("an answer with %s is Unsupported, not data", (_, given) => {
    expect(() => parseContentRange(given, { start: 2, end: 5 })).toThrow(/Unsupported/);
  });

  it("an answer that says no length is Unsupported", () => {
    expect(() => parseContentRange(answer(200, {}), undefined)).toThrow(/Unsupported/);
  });
});

it("the header of a range names the last byte, and is missing for the whole object", () => {
  expect(rangeHeader(0, undefined)).toBeUndefined();
  expect(rangeHeader(0, 1)).toBe("bytes=0-0");
  expect(rangeHeader(5, undefined)).toBe("bytes=5-");
  expect(rangeHeader(5, 9)).toBe("bytes=5-8");
});
