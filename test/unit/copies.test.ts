/** Two copies of the library in one process understand each other's values. */
import { describe, expect, test, vi } from "vitest";
import { type Copy, crossings, valuesOf } from "../support/crossings.js";

async function loaded(): Promise<Copy> {
  vi.resetModules();
  return {
    main: await import("../../src/index.js"),
    core: await import("../../src/core.js"),
    driver: await import("../../src/driver.js"),
    xcom: await import("../../src/xcom.js"),
    codecs: await import("../../src/codecs/formats.js"),
    tables: await import("../../src/xcom/tables/index.js"),
  };
}

const [first, second] = [await loaded(), await loaded()];

test("the copies are two", () => {
  expect(first.main.StoragePath).not.toBe(second.main.StoragePath);
});
describe("what another copy made", () => {
  test.each(Object.entries(crossings(first, second)))("%s", (_, cross) => cross());
});

/** Classes whose instances are called, never asked for their class. */
const CALLED = new Set([
  "Storage",
  "Objects",
  "XCom",
  "CachedAccessToken",
  "CachedCredentials",
  "LinkedAbortController",
  "Listing",
]);
/** Classes of errors that only the copy that made them sees: a driver gets them from the client that it opened. */
const INSIDE = new Set(["HttpError", "IncompleteBodyError", "NewestFirst"]);

test("every public class has a brand", () => {
  const exported = Object.assign({}, first.main, first.core, first.driver, first.xcom) as Record<string, unknown>;
  const classes = Object.entries(exported).filter(([, value]) => /^class\b/.test(String(value)));
  const missing = classes.filter(([name, value]) => {
    const { prototype } = value as { prototype: object };
    const branded = Symbol.for("stowage.class") in prototype || Symbol.for("stowage.StorageError") in prototype;
    return !branded && !CALLED.has(name) && !INSIDE.has(name);
  });
  expect(missing.map(([name]) => name)).toEqual([]);
  const values = classes.filter(([name]) => name in first.xcom && !/^X?Com|^XCom/.test(name)).map(([name]) => name);
  expect(Object.keys(valuesOf(first))).toEqual(expect.arrayContaining(values));
});
