/** Pages of a listing are in order and behind the start, in whatever order the server sends their rows. */
import { describe, expect, test } from "vitest";
import type { DriverListEntry } from "../../../../src/fs/driver/driver.js";
import { Listing } from "../../../../src/fs/driver/listing.js";

const rowsOf = (keys: string[]) =>
  keys.map((key): DriverListEntry => ({ key, type: "file", size: 1, modified: new Date(0), version: key }));
const asked = { delimiter: undefined, startAfter: undefined, versions: true };
const keysOf = (rows: readonly DriverListEntry[]) => rows.map(({ key }) => key);

describe("a page", () => {
  test.each([
    ["in order", ["a", "b", "c"]],
    ["whose first row comes last", ["c", "a", "b"]],
    ["whose last row comes first", ["b", "c", "a"]],
    ["whose order is that of UTF-16", ["a", "\u{10000}", "\uffff"]],
  ])("%s comes in the order of UTF-8", (_, keys) => {
    const given = rowsOf(keys);
    const expected = keys.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
    expect(keysOf(new Listing("", asked).page(given))).toEqual(expected);
    expect(keysOf(given)).toEqual(keys);
  });

  test("keeps the order of the versions of a key", () => {
    const rows = rowsOf(["b", "a", "a"]).map((row, i) => ({ ...row, version: String(i) }));
    expect(new Listing("", asked).page(rows).map(({ version }) => version)).toEqual(["1", "2", "0"]);
  });

  test.each([
    ["b", ["c", "d"]],
    ["0", ["a", "b", "c", "d"]],
    ["d", []],
  ])("has the keys after %s alone, wherever it begins", (startAfter, expected) => {
    for (const keys of [
      ["a", "b", "c", "d"],
      ["d", "a", "c", "b"],
    ])
      expect(keysOf(new Listing("", { ...asked, startAfter }).page(rowsOf(keys)))).toEqual(expected);
  });

  test("of a service without order has them as well", () => {
    const listing = new Listing("", { ...asked, startAfter: "b" }, false);
    expect(keysOf(listing.page(rowsOf(["d", "a", "c", "b"])))).toEqual(["d", "c"]);
  });
});
