import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeRfc2047, encodeRfc2047 } from "../../../../src/fs/driver/content.js";

describe("text in headers", () => {
  it("W20: comes back as it was, and is printable ASCII without white space at its ends on the way", () => {
    const text = fc.string({ unit: "binary", maxLength: 40 }).filter((value) => value.isWellFormed());
    const tricky = fc.constantFrom("=?UTF-8?B?w6k=?=", "=?x", " a", "a ", "", "a  b", "=?utf-8?q?a_b?= =?utf-8?q?c?=");
    fc.assert(
      fc.property(fc.oneof(text, tricky), (value) => {
        const sent = encodeRfc2047(value);
        expect(sent).toMatch(/^([!-~]([ -~]*[!-~])?)?$/);
        expect(decodeRfc2047(sent)).toBe(value);
      }),
      { numRuns: 1000 },
    );
  });

  it("is left as it is where it can travel so", () => {
    for (const plain of ["a", "two words", 'quo"ted', "a=b?c", "~!@#$%^&*()"]) expect(encodeRfc2047(plain)).toBe(plain);
  });

  it.each([
    ["=?UTF-8?Q?caf=C3=A9_au_lait?=", "café au lait"],
    ["=?utf-8?b?8J+YgA==?=", "😀"],
    ["=?ISO-8859-1?Q?a=E9?=", "aé"],
    ["=?UTF-8?B?w6k=?= =?UTF-8?B?w6k=?=", "éé"],
    ["before =?UTF-8?B?w6k=?= after", "before é after"],
    ["=?nonsense?B?w6k=?=", "=?nonsense?B?w6k=?="],
    ["=?UTF-8?X?abc?=", "=?UTF-8?X?abc?="],
    ["no word = ? at all", "no word = ? at all"],
  ])("%s, as other clients write it, means %s", (sent, meant) => expect(decodeRfc2047(sent)).toBe(meant));

  it("is read in linear time", () => {
    const begun = performance.now();
    for (const piece of ["=?", "=?a?b?", "?= ", "=?UTF-8?Q?=", "?=\t=?"]) decodeRfc2047(piece.repeat(20_000));
    expect(performance.now() - begun).toBeLessThan(2000);
  });
});
