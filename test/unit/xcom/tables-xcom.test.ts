/** Tables through the XCom backend: objects whose extension tells the format, everything else as JSON. */
import { describe, expect, test } from "vitest";
import { openStorage, XComObjectStorageBackend, type XComObjectStorageBackendOptions } from "../../../src/index.js";
import { tables } from "../../../src/xcom/tables/index.js";
import { all } from "../../support/all.js";
import { FORMATS } from "../../support/tables.js";

const OWNER = { dagId: "d", runId: "r", taskId: "t" };
const ROWS = [
  { id: 1, name: 'a "b", c\nd', score: 0.5 },
  { id: 2, name: "", score: null },
];
const SCHEMA = { id: "int", name: "string", score: "float" } as const;

function backend(options: Partial<XComObjectStorageBackendOptions> = {}) {
  const storage = openStorage();
  return new XComObjectStorageBackend({ storage, path: "memory://bucket/base", threshold: 1_000_000, ...options });
}

describe.each(FORMATS)("a table as %s", (format) => {
  test.each([
    [null, ""],
    ["gzip", ".gz"],
    ["zstd", ".zst"],
  ] as const)(
    "with compression %s becomes an object, whatever its size, and comes back",
    async (compression, codec) => {
      const xcom = backend({ serializers: [tables({ format, schema: SCHEMA })], compression });
      const row = await xcom.storeValue(OWNER, "return_value", ROWS);
      expect(row).toMatch(new RegExp(`^memory://bucket/base/.*\\.${format}${codec.replace(".", "\\.")}$`));
      expect(await xcom.loadValue(row, { owner: OWNER })).toEqual(ROWS);
      expect(await xcom.purge(row, { owner: OWNER })).toBe(true);
    },
  );
  test("leaves every other value as JSON", async () => {
    const xcom = backend({ serializers: [tables({ format })], threshold: 0 });
    for (const value of [[1, 2], { a: 1 }, [], "text"]) {
      const row = await xcom.storeValue(OWNER, "return_value", value);
      expect(row).toMatch(/\.json$/);
      expect(await xcom.loadValue(row)).toEqual(value);
    }
  });
  test("a table that cannot be written leaves no object", async () => {
    const xcom = backend({ serializers: [tables({ format, schema: { id: "int" } })] });
    await expect(xcom.storeValue(OWNER, "return_value", [{ id: 1 }, { id: "x" }])).rejects.toMatchObject({
      code: "InvalidArgument",
    });
    const left = await all(xcom.storage.list("memory://bucket/base", { recursive: true }));
    expect(left).toEqual([]);
  });
});

test("of several formats the first one writes, and all are read", async () => {
  const storage = openStorage();
  const both = [tables({ format: "parquet" }), tables({ format: "csv", schema: SCHEMA })];
  const old = await backend({ storage, serializers: both.slice(1) }).storeValue(OWNER, "old", ROWS);
  const xcom = backend({ storage, serializers: both });
  const row = await xcom.storeValue(OWNER, "new", ROWS);
  expect([old, row]).toEqual([expect.stringMatching(/\.csv$/), expect.stringMatching(/\.parquet$/)]);
  expect(await xcom.loadValue(old)).toEqual(ROWS);
  expect(await xcom.loadValue(row)).toEqual(ROWS);
});

test("a nested value goes past csv to the next serializer, then to JSON", async () => {
  const nested = [{ a: { b: 1 } }];
  const csv = tables({ format: "csv" });
  expect(await backend({ serializers: [csv, tables({ format: "jsonl" })] }).storeValue(OWNER, "k", nested)).toMatch(
    /\.jsonl$/,
  );
  expect(await backend({ serializers: [csv], threshold: 0 }).storeValue(OWNER, "k", nested)).toMatch(/\.json$/);
});
