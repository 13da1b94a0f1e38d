/** Pages that wait as bytes: the same entries as before, in a fraction of the memory. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DriverListEntry } from "../../../src/fs/driver/driver.js";
import { PackedPage } from "../../../src/fs/packed-page.js";
import { heapOf } from "../../support/heap.js";

const MODIFIED = new Date("2026-01-02T03:04:05.678Z");
const FILE: DriverListEntry = { key: "a", type: "file", size: 1, modified: MODIFIED };

const file = fc.record(
  {
    key: fc.string({ unit: "binary", maxLength: 40 }).filter((key) => key.isWellFormed()),
    type: fc.constant("file" as const),
    size: fc.maxSafeNat(),
    modified: fc.date({ noInvalidDate: true }),
    etag: fc.string({ maxLength: 40 }),
    storageClass: fc.constantFrom("STANDARD", "GLACIER", ""),
  },
  { requiredKeys: ["key", "type", "size", "modified"], noNullPrototype: true },
);

describe("a packed page", () => {
  test("has the same entries", () => {
    fc.assert(
      fc.property(fc.array(file), (page) => {
        expect(PackedPage.of(page)?.entries()).toEqual(page);
      }),
    );
  });

  test.each<[string, DriverListEntry]>([
    ["a directory", { key: "a/", type: "directory" }],
    ["a version", { ...FILE, version: "1", latest: true, deleted: false }],
    ["another field", { ...FILE, own: 1 } as DriverListEntry],
    ["no size", { key: "a", type: "file", modified: MODIFIED }],
    ["no time", { key: "a", type: "file", size: 1 }],
    ["a lone surrogate", { ...FILE, key: "a\ud800" }],
  ])("is not made of %s", (_, entry) => expect(PackedPage.of([FILE, entry])).toBeUndefined());

  test("is not made of more storage classes than a byte numbers", () => {
    const page = (classes: number) => Array.from({ length: classes }, (_, i) => ({ ...FILE, storageClass: `${i}` }));
    expect(PackedPage.of(page(256))?.entries()).toEqual(page(256));
    expect(PackedPage.of(page(257))).toBeUndefined();
  });

  test("takes little of V8's heap", async () => {
    const page = () => Array.from({ length: 1000 }, (_, i) => ({ ...FILE, key: `part-${i}`, etag: `"${i}"` }));
    PackedPage.of(page());
    const { value, bytes } = await heapOf(async () => Array.from({ length: 30 }, () => PackedPage.of(page())));
    expect(value).not.toContain(undefined);
    expect(bytes / 30).toBeLessThan(2_000);
  });
});
