/** Files of pyarrow, polars and DuckDB: every type is read as what it is, or refused as Unsupported, never raw or Corrupt. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { collect, single } from "../../../src/streams.js";
import { DataFrame, DateTime, Decimal, PlainDate, Timedelta } from "../../../src/xcom/encoding/types.js";
import {
  dataFrameRows,
  decodeRows,
  encodeRows,
  type TableFormat,
  type TableSchema,
} from "../../../src/xcom/tables/index.js";
import { all } from "../../support/all.js";

/** Written by test/vectors/tables.py. */
const FILES: Record<string, string> = JSON.parse(
  readFileSync(new URL("../../vectors/tables.json", import.meta.url), "utf8"),
);

const bytesOf = (name: string) => Buffer.from(FILES[name]!, "base64");
const read = (name: string, schema?: TableSchema) =>
  all(decodeRows(single(bytesOf(name)), { format: name.split(".").at(-1) as TableFormat, schema }));
const column = async (name: string, key: string) => (await read(name)).map((row) => row[key]);

describe("Arrow", () => {
  test("text keeps its byte order mark, in every type of text", async () => {
    const first = "\ufeffx";
    expect((await read("bom.arrow"))[0]).toEqual({ a: first, b: first, c: first, d: first, e: [first] });
  });
  test("text that is not UTF-8 is Corrupt", async () => {
    await expect(read("bad.arrow")).rejects.toMatchObject({ code: "Corrupt" });
  });
  test("fields of a struct are data, whatever their names", async () => {
    const [first, second] = await read("names.arrow");
    const names = ["constructor", "toString", "toJSON", "valueOf", "__proto__", "hasOwnProperty"];
    expect(Object.entries(first!.s as object)).toEqual(names.map((name, at) => [name, at]));
    expect(Object.entries(second!.s as object)).toEqual(names.map((name) => [name, null]));
    expect(first!.l).toEqual([{ constructor: 1 }]);
    expect(await column("slice.arrow", "t")).toEqual(["b"]);
  });
  test("nanoseconds are rounded down to the microsecond, also before 1970", async () => {
    for (const key of ["t", "d"]) {
      const moments = (await column("nanos.arrow", key)) as DateTime[];
      expect(moments.map((at) => at.microseconds)).toEqual([-1n, 1n, -2n]);
    }
  });
  test("lists with 64-bit offsets, small and large decimals, times and durations are read", async () => {
    expect(await read("largelist.arrow")).toEqual([{ a: [1] }, { a: [2] }]);
    expect(await column("polars.arrow", "l")).toEqual([[1], [2, 3]]);
    expect(await read("dec256.arrow")).toEqual([{ m: new Decimal("1.50"), n: new Decimal("1.50") }]);
    expect((await read("time.arrow"))[0]).toEqual({ a: "00:00:00.001", d: new Timedelta(1.5) });
  });
  test("a column without a name is written with its empty name, and read", async () => {
    expect(await read("noname.arrow")).toEqual([{ "": 1 }]);
    const written = await collect(encodeRows([{ "": 7 }], { format: "arrow" }));
    const { tableFromIPC } = await import("apache-arrow");
    expect(tableFromIPC(written).schema.fields[0]!.name).toBe("");
    expect(await all(decodeRows(single(written), { format: "arrow" }))).toEqual([{ "": 7 }]);
  });
  test.each([
    "far.arrow",
    "int64dict.arrow",
    "ree.arrow",
    "listview.arrow",
    "lz4.arrow",
    "map.arrow",
    "union.arrow",
    "interval.arrow",
  ])("%s is Unsupported", async (name) => {
    await expect(read(name)).rejects.toMatchObject({ code: "Unsupported" });
  });
});

describe("Parquet", () => {
  test("times are text, with the unit of their column", async () => {
    expect((await read("time.parquet"))[0]).toEqual({
      a: "00:00:00.001",
      b: "00:00:00.000001",
      c: "00:00:00.000000001",
    });
    expect((await column("time.parquet", "c"))[2]).toBe("23:59:59.999999999");
  });
  test.each([
    ["s", 1500],
    ["ms", 1.5],
    ["us", 0.0015],
    ["ns", 0.0000015],
  ])("durations in %s are Timedeltas", async (unit, seconds) => {
    const [first, second] = await column(`dur_${unit}.parquet`, "d");
    expect([first, second]).toEqual([new Timedelta(seconds), null]);
  });
  test("nanoseconds are rounded down to the microsecond, also before 1970", async () => {
    const moments = (await column("nano.parquet", "t")) as DateTime[];
    expect(moments.map((at) => at.microseconds)).toEqual([-1n, 1n, -2n]);
  });
  test("UUIDs, half floats, bytes, large text, enums and moments with an offset are what they are", async () => {
    expect(await read("lt.parquet")).toEqual([{ u: "30303030-3030-3030-3030-303030303030", h: 1.5 }]);
    expect(await read("bin.parquet")).toEqual([{ b: Uint8Array.of(255), f: Uint8Array.from([97, 98]), ls: "x" }]);
    expect((await read("duck.parquet"))[0]).toMatchObject({ a: 1, t: "01:02:03", e: "e" });
    expect(await read("duck.csv", { z: "timestamp", n: "int" })).toEqual([{ z: new DateTime(1577836800), n: 1 }]);
  });
  test.each(["duck_i.parquet", "nested.parquet", "lz4.parquet", "year0.parquet"])("%s is Unsupported", async (name) => {
    await expect(read(name)).rejects.toMatchObject({ code: "Unsupported" });
  });
});

describe("a DataFrame", () => {
  test("has the rows that its file has, read as any other", async () => {
    for (const name of ["bin.parquet", "time.parquet", "nano.parquet"])
      expect(await dataFrameRows(new DataFrame(bytesOf(name)))).toEqual(await read(name));
  });
  test("that is damaged is Corrupt", async () => {
    const file = bytesOf("bin.parquet");
    for (const damaged of [file.subarray(0, 20), Buffer.alloc(0), file.subarray(0, -1)])
      await expect(dataFrameRows(new DataFrame(damaged))).rejects.toMatchObject({ code: "Corrupt" });
    await expect((async () => dataFrameRows({} as never))()).rejects.toMatchObject({ code: "InvalidArgument" });
  });
});

describe("a schema as pairs or Map", () => {
  const pairs = [
    ["2026", "int"],
    ["name", "string"],
    ["2025", "date"],
  ] as const;
  const rows = [{ name: "a", 2025: new PlainDate("2026-01-02"), 2026: 1 }];
  test.each<[string, TableSchema]>([
    ["pairs", pairs],
    ["a Map", new Map(pairs)],
  ])("keeps the order of names that are integers: %s", async (_, schema) => {
    const csv = await collect(encodeRows(rows, { format: "csv", schema }));
    expect(Buffer.from(csv).toString()).toBe("2026,name,2025\r\n1,a,2026-01-02\r\n");
    for (const format of ["csv", "jsonl", "parquet", "arrow"] as const) {
      const file = await collect(encodeRows(rows, { format, schema }));
      expect(await all(decodeRows(single(file), { format, schema }))).toEqual(rows);
    }
  });
  test("is refused if it is none, or names a column twice", () => {
    const wrong = [
      [
        ["a", "int"],
        ["a", "int"],
      ],
      [["a"]],
      ["a"],
      [[1, "int"]],
      new Map(),
      null,
      "a",
    ];
    for (const schema of wrong)
      expect(() => encodeRows(rows, { format: "csv", schema: schema as never })).toThrow(/InvalidArgument/);
  });
});
