/** Tables as csv, jsonl, parquet and arrow: what goes in comes out, and what is no table is refused or told. */
import * as arrow from "apache-arrow";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ByteStream } from "../../../src/streams.js";
import { collect, single } from "../../../src/streams.js";
import { DateTime, PlainDate } from "../../../src/xcom/encoding/types.js";
import {
  decodeRows,
  encodeRows,
  type Row,
  type Rows,
  type Table,
  type TableFormat,
  type TableSchema,
  type TablesOptions,
  tables,
} from "../../../src/xcom/tables/index.js";
import { CELLS, COLUMNS, FORMATS } from "../../support/tables.js";

const TYPED = ["parquet", "arrow"] as const;

const encoded = (rows: Rows, format: TableFormat, schema?: TableSchema) =>
  collect(encodeRows(rows, { format, schema }));

async function decoded(data: Uint8Array, format: TableFormat, schema?: TableSchema, piece?: number): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of decodeRows(piece ? pieces(data, piece) : single(data), { format, schema })) rows.push(row);
  return rows;
}

async function* pieces(data: Uint8Array, size: number): ByteStream {
  for (let at = 0; at < data.byteLength; at += size) yield data.slice(at, at + size);
}

async function back(value: Table, options: TablesOptions): Promise<Table> {
  const serializer = tables(options);
  expect(serializer.test(value)).toBe(true);
  return serializer.decode(single(await collect(serializer.encode(value, {}))), {});
}

const text = (data: Uint8Array) => Buffer.from(data).toString("utf8");
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "fine",
    (error) => error.code ?? error,
  );
const messageOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "fine",
    (error: Error) => error.message,
  );

const SCHEMA: TableSchema = {
  id: "int",
  ...COLUMNS,
  more: "json",
};
const ROWS: Row[] = [
  {
    id: 1,
    ...CELLS,
    local: new DateTime(1767323045.000001, null),
    more: { a: [1, "x", null] },
  },
  {
    id: 2n ** 62n,
    name: "",
    score: Number.NaN,
    ok: false,
    day: new PlainDate("0001-01-01"),
    at: new DateTime(-0.5),
    local: new DateTime(-1, null),
    more: [],
  },
  { id: -5, name: "null", score: Number.NEGATIVE_INFINITY, ok: null, day: null, at: null, local: null, more: null },
  {
    id: null,
    name: null,
    score: null,
    ok: null,
    day: new PlainDate("9999-12-31"),
    at: null,
    local: null,
    more: "text",
  },
];

describe.each(FORMATS)("%s", (format) => {
  test("keeps every kind of cell that its schema names, nulls apart from empty strings and NaN", async () => {
    expect(await decoded(await encoded(ROWS, format, SCHEMA), format, SCHEMA)).toEqual(ROWS);
  });
  test.each([1, 7, 4096])("reads data that comes in pieces of %i bytes", async (piece) => {
    expect(await decoded(await encoded(ROWS, format, SCHEMA), format, SCHEMA, piece)).toEqual(ROWS);
  });
  test("takes rows from an async iterable and hands them out one by one", async () => {
    async function* source() {
      yield* ROWS;
    }
    const rows: Row[] = [];
    for await (const row of decodeRows(encodeRows(source(), { format, schema: SCHEMA }), { format, schema: SCHEMA }))
      rows.push(row);
    expect(rows).toEqual(ROWS);
  });
  test("writes the same bytes each time", async () => {
    expect(await encoded(ROWS, format, SCHEMA)).toEqual(await encoded(ROWS, format, SCHEMA));
  });
  test("an empty table keeps its columns and comes back empty", async () => {
    expect(await back([], { format, schema: SCHEMA })).toEqual([]);
  });
  test("a column named __proto__ is data, and so are the names that every object inherits", async () => {
    const row = JSON.parse('{"__proto__":"a","constructor":"b","toString":"c","hasOwnProperty":null}');
    const [read, ...rest] = await decoded(await encoded([row], format), format);
    expect(Object.entries(read!)).toEqual(Object.entries(row));
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
    expect(rest).toEqual([]);
    expect(({} as { a?: unknown }).a).toBeUndefined();
  });
  test("a column that every object inherits and a row has not is null", async () => {
    const rows = await decoded(await encoded([{ constructor: "a" }, { other: "b" }], format), format);
    expect(Object.hasOwn(rows[1]!, "constructor") ? rows[1]!.constructor : null).toBe(null);
  });
  test("a cell of another type than the schema names is refused with its column and row", async () => {
    const rows = [{ a: 1 }, { a: "x" }];
    expect(await messageOf(encoded(rows, format, { a: "int" }))).toMatch(/InvalidArgument.*"a".*row 2.*int/);
  });
  test("a row with a column that the schema has not is refused", async () => {
    if (format === "jsonl") return;
    expect(await messageOf(encoded([{ a: 1 }, { a: 2, b: 3 }], format, { a: "int" }))).toMatch(/row 2.*"b".*schema/);
  });
  test("is Corrupt when it is empty, and when it is noise", async () => {
    const noise = Buffer.from('\u0000\u0001PAR1 not a table\n{\n"');
    expect(await codeOf(decoded(noise, format, { a: "int" }))).toBe("Corrupt");
    if (format !== "jsonl") expect(await codeOf(decoded(new Uint8Array(0), format))).toBe("Corrupt");
  });
  test("an abort rejects with its reason, on both ways", async () => {
    const reason = new Error("enough");
    const stop = AbortSignal.abort(reason);
    const data = await encoded(ROWS, format, SCHEMA);
    expect(await codeOf(collect(encodeRows(ROWS, { format, schema: SCHEMA, signal: stop })))).toBe(reason);
    expect(await codeOf(decodeRows(single(data), { format, signal: stop }).next())).toBe(reason);
  });
  test("an abort while it waits for bytes or rows rejects with its reason", async () => {
    const reason = new Error("enough");
    const stuck = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) };
    for (const start of [
      (signal: AbortSignal) => decodeRows(stuck, { format, signal }).next(),
      (signal: AbortSignal) => collect(encodeRows(stuck, { format, signal })),
    ]) {
      const stop = new AbortController();
      const result = codeOf(start(stop.signal));
      setTimeout(() => stop.abort(reason), 20);
      expect(await result).toBe(reason);
    }
  });
  test("an error of the source comes out as it is", async () => {
    const mine = new Error("mine");
    const failing = () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(mine) }) });
    expect(await codeOf(decodeRows(failing(), { format }).next())).toBe(mine);
    expect(await codeOf(collect(encodeRows(failing(), { format })))).toBe(mine);
  });
  test("leaving early closes the source", async () => {
    let closed = 0;
    async function* watched(data: Uint8Array): ByteStream {
      try {
        yield* pieces(data, 64);
      } finally {
        closed++;
      }
    }
    const many = Array.from({ length: 40_000 }, (_, i) => ({ i }));
    const data = await encoded(many, format);
    for await (const _ of decodeRows(watched(data), { format })) break;
    expect(closed).toBe(1);
  });
  test("more columns than a table may have are TooLarge", async () => {
    const wide = Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`c${i}`, i]));
    const result = encoded([wide], format).then((data) => decoded(data, format));
    expect(await codeOf(result)).toBe("TooLarge");
  });
});

describe.each(TYPED)("%s", (format) => {
  test("tells the types of its columns by all rows, missing cells being null", async () => {
    const rows = [{ a: 1 }, { b: "x", a: 2.5 }, {}];
    expect(await decoded(await encoded(rows, format), format)).toEqual([
      { a: 1, b: null },
      { a: 2.5, b: "x" },
      { a: null, b: null },
    ]);
  });
  test("keeps bytes, also those that are no text", async () => {
    const rows = [{ a: new Uint8Array([0, 255, 128]) }, { a: new Uint8Array(0) }, { a: null }];
    const read = await decoded(await encoded(rows, format), format);
    expect(read.map(({ a }) => a && [...(a as Uint8Array)])).toEqual([[0, 255, 128], [], null]);
  });
  test("refuses cells that do not agree on a type, and says what to do", async () => {
    expect(await messageOf(encoded([{ a: 1 }, { a: "x" }], format))).toMatch(/"a".*row 2.*string.*int.*schema/);
  });
  test("refuses an integer of more than 64 bits", async () => {
    expect(await messageOf(encoded([{ a: 2n ** 63n }], format))).toMatch(/InvalidArgument.*64 bits/);
    expect(await decoded(await encoded([{ a: -(2n ** 63n) }], format), format)).toEqual([{ a: -(2n ** 63n) }]);
  });
  test("refuses a float column that an integer would be rounded in", async () => {
    expect(await messageOf(encoded([{ a: 0.5 }, { a: 2n ** 60n + 1n }], format))).toMatch(/row 2/);
  });
  test("has batches of rows, and gives all of them back in their order", async () => {
    const rows = Array.from({ length: 40_000 }, (_, i) => ({ i, s: i % 7 ? `s${i}` : null }));
    expect(await decoded(await encoded(rows, format), format)).toEqual(rows);
  });
  test("cut anywhere it is Corrupt, never a short table", { timeout: 60_000 }, async () => {
    const data = await encoded(ROWS.slice(0, 2), format, SCHEMA);
    for (let at = 0; at < data.byteLength; at += 3) {
      expect([at, await codeOf(decoded(data.subarray(0, at), format))]).toEqual([at, "Corrupt"]);
    }
  });
  test("garbage behind the end is Corrupt", async () => {
    const data = await encoded([{ a: 1 }], format);
    expect(await codeOf(decoded(Buffer.concat([data, Buffer.from("more")]), format))).toBe("Corrupt");
  });
});

describe.each(TYPED)("%s", (format) => {
  test("damage is Corrupt or another value, never another error and never a hang", { timeout: 60_000 }, async () => {
    const data = await encoded(ROWS.slice(0, 3), format, SCHEMA);
    for (let at = 0; at < data.byteLength; at++) {
      const bad = new Uint8Array(data);
      bad[at]! ^= 0x55;
      const code = await codeOf(decoded(bad, format));
      expect([at, ["fine", "Corrupt", "TooLarge", "Unsupported"].includes(code) || code]).toEqual([at, true]);
    }
  });
});

describe("csv", () => {
  test("is RFC 4180: CRLF, a header, quotes doubled and only where they are needed", async () => {
    const rows = [
      { a: 'x"y', b: "p,q" },
      { a: "line\nbreak", b: "plain text" },
      { a: "", b: null },
    ];
    expect(text(await encoded(rows, "csv"))).toBe('a,b\r\n"x""y","p,q"\r\n"line\nbreak",plain text\r\n"",\r\n');
  });
  test("cells are text where no schema types them", async () => {
    expect(await decoded(Buffer.from("a,b\n1,true\n"), "csv")).toEqual([{ a: "1", b: "true" }]);
  });
  test("keeps integers of any size", async () => {
    const rows = [{ a: 10n ** 40n, b: 0 }];
    expect(await decoded(await encoded(rows, "csv"), "csv", { a: "int", b: "int" })).toEqual(rows);
  });
  test("takes LF, CRLF and a byte order mark", async () => {
    expect(await decoded(Buffer.from('\uFEFFa,b\r\n1,"2\r\n3"\n4,5\r\n'), "csv")).toEqual([
      { a: "1", b: "2\r\n3" },
      { a: "4", b: "5" },
    ]);
  });
  test.each([
    ['a,b\n1,"x\n', /never closed, at line 2, column 3/],
    ['a,b\n1,x"y\n', /quote inside a field without quotes, at line 2, column 4/],
    ['a,b\n"1\n2","x"y\n', /after a closing quote, at line 3, column 7/],
    ["a,b\n1\n", /1 fields where the header has 2, at line 2/],
    ["a,b\n1,2,3\n", /3 fields/],
    ["a,b\n1,2\r3,4\n", /carriage return.*line 2, column 4/],
    ["a,b\n1,2\n\n", /empty line, at line 3/],
    ["a,b\n1,2", /cut off.*line 2/],
    ["a,a\n1,2\n", /two columns are named "a"/],
    ["", /no header, at line 1/],
  ])("%j is Corrupt, with its place", async (data, message) => {
    expect(await messageOf(decoded(Buffer.from(data), "csv"))).toMatch(message);
    expect(await messageOf(decoded(Buffer.from(data), "csv", undefined, 1))).toMatch(message);
  });
  test("cut anywhere but between records it is Corrupt", async () => {
    const data = Buffer.from('a,b\r\n"x\r\ny",2\r\nz,""\r\n');
    const whole = [0, 5, 15, 21].map((end) => data.subarray(0, end).toString());
    for (let at = 1; at < data.length; at++) {
      const cut = data.subarray(0, at);
      const expected = whole.includes(cut.toString()) ? "fine" : "Corrupt";
      expect([at, await codeOf(decoded(cut, "csv"))]).toEqual([at, expected]);
    }
  });
  test.each([
    ["int", "1.5"],
    ["int", "x"],
    ["float", "1,5"],
    ["boolean", "yes"],
    ["date", "2026-02-30"],
    ["timestamp", "2026-01-02T03:04:05"],
    ["datetime", "2026-01-02T03:04:05Z"],
    ["json", "{"],
  ] as const)("a cell that is no %s is Corrupt: %s", async (type, cell) => {
    const data = Buffer.from(`a,b\n"${cell}",\n`);
    expect(await messageOf(decoded(data, "csv", { a: type }))).toMatch(/Corrupt.*"a".*line 2/);
  });
  test("a column of the schema that is not there is Corrupt", async () => {
    expect(await messageOf(decoded(Buffer.from("a\n1\n"), "csv", { b: "int" }))).toMatch(/no column "b"/);
  });
  test("bytes that are not UTF-8 are Corrupt", async () => {
    expect(await messageOf(decoded(Buffer.from([0x61, 0x0a, 0xff, 0x0a]), "csv"))).toMatch(/not UTF-8/);
  });
  test("a record without end is TooLarge, not held", async () => {
    async function* endless(): ByteStream {
      yield Buffer.from('a\n"');
      for (;;) yield Buffer.alloc(1024 * 1024, 0x78);
    }
    expect(await codeOf(decodeRows(endless(), { format: "csv" }).next())).toBe("TooLarge");
  });
  test("a null in a table of one column is refused, since readers skip empty lines", async () => {
    expect(await messageOf(encoded([{ a: "x" }, { a: null }], "csv"))).toMatch(/row 2.*one column/);
  });
  test("half of a surrogate pair is refused", async () => {
    expect(await messageOf(encoded([{ a: "\ud800" }], "csv"))).toMatch(/row 1.*surrogate/);
  });
  test("what it wrote it reads again, whatever the text", { timeout: 60_000 }, async () => {
    const cell = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('"', ",", "\r", "\n", "a", "\uFEFF") }));
    const table = fc.array(fc.record({ a: cell, b: fc.option(cell), "": cell }), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(table, fc.integer({ min: 1, max: 9 }), async (rows, piece) => {
        expect(await decoded(await encoded(rows, "csv"), "csv", undefined, piece)).toEqual(rows);
      }),
    );
  });
});

/** A PlainDate of another copy of the library, which did not check it. */
const dateOf = (iso: string) => Object.assign(Object.create(PlainDate.prototype), { iso }) as PlainDate;

describe.each(["csv", "jsonl"] as const)("%s", (format) => {
  test("refuses moments that text has no four-digit year for, invalid ones and days that there are not", async () => {
    for (const cell of [new Date(8.64e15), new Date(Number.NaN), dateOf("2026-02-30"), dateOf("soon")]) {
      expect(await messageOf(encoded([{ a: 1 }, { a: cell }], format))).toMatch(/InvalidArgument.*row 2/);
    }
  });
});

describe("jsonl", () => {
  test("has one object a line, with what only Python's JSON has", async () => {
    const rows = [{ a: Number.NaN, b: 2n ** 70n }, { a: [1], c: new DateTime(0.5) }, { d: 1e20 }];
    expect(text(await encoded(rows, "jsonl"))).toBe(
      '{"a":NaN,"b":1180591620717411303424}\n{"a":[1],"c":"1970-01-01T00:00:00.500Z"}\n{"d":1e+20}\n',
    );
  });
  test("keeps integers exact, and what is missing missing", async () => {
    const rows = [{ a: 2n ** 70n, b: { c: [null, 0.1, 1e20] } }, {}, { a: -0 }];
    expect(await decoded(await encoded(rows, "jsonl"), "jsonl")).toEqual(rows);
  });
  test.each([
    ['{"a":1}\n{"a":\n', /line 2/],
    ['{"a":1}\n[1]\n', /line 2: it is no JSON object/],
    ['{"a":1}\n\n', /line 2/],
    ['{"a":1}\n{"a":1}', /line 2.*cut off/],
    ["1\n", /line 1/],
  ])("%j is Corrupt, with its line", async (data, message) => {
    expect(await messageOf(decoded(Buffer.from(data), "jsonl"))).toMatch(message);
    expect(await codeOf(decoded(Buffer.from(data), "jsonl"))).toBe("Corrupt");
  });
  test.each([
    ["int", '"1"'],
    ["float", "true"],
    ["string", "1"],
    ["date", "1"],
    ["timestamp", '"x"'],
  ] as const)("a cell that is no %s is Corrupt: %s", async (type, cell) => {
    expect(await messageOf(decoded(Buffer.from(`{"a":${cell}}\n`), "jsonl", { a: type }))).toMatch(/Corrupt.*line 1/);
  });
  test("a line without end is TooLarge, not held", async () => {
    async function* endless(): ByteStream {
      for (;;) yield Buffer.alloc(1024 * 1024, 0x20);
    }
    expect(await codeOf(decodeRows(endless(), { format: "jsonl" }).next())).toBe("TooLarge");
  });
});

describe("arrow", () => {
  const table = arrow.tableFromArrays({ a: Int32Array.of(1, 2), s: ["x", "y"] });

  test("a Table is stored as it is and read as rows, or as a Table when that is asked for", async () => {
    expect(await back(table, { format: "arrow" })).toEqual([
      { a: 1, s: "x" },
      { a: 2, s: "y" },
    ]);
    const read = (await back(table, { format: "arrow", as: "table" })) as arrow.Table;
    expect(read.schema.fields.map(({ type }) => String(type))).toEqual(
      table.schema.fields.map(({ type }) => String(type)),
    );
    expect(read.toArray().map((row) => row.toJSON())).toEqual(table.toArray().map((row) => row.toJSON()));
  });
  test.each(FORMATS)("a Table can be stored as %s", async (format) => {
    const schema = { a: "int", s: "string" } as const;
    expect(await back(table, { format, schema })).toEqual([
      { a: 1, s: "x" },
      { a: 2, s: "y" },
    ]);
  });
  test("keeps the zone that all moments of a column have", async () => {
    const rows = [{ a: new DateTime(1, "Europe/Berlin") }, { a: new DateTime(2, "Europe/Berlin") }];
    expect(await decoded(await encoded(rows, "arrow"), "arrow")).toEqual(rows);
  });
  test("a stream that ends between two batches is Corrupt: the library alone would take it for whole", async () => {
    const rows = Array.from({ length: 40_000 }, (_, i) => ({ i }));
    const ends: number[] = [];
    let length = 0;
    for await (const chunk of encodeRows(rows, { format: "arrow" })) {
      length += chunk.byteLength;
      ends.push(length);
    }
    const data = await encoded(rows, "arrow");
    for (const end of ends.slice(0, -1)) expect(await codeOf(decoded(data.subarray(0, end), "arrow"))).toBe("Corrupt");
  });
});

describe("which values are tables", () => {
  const is = (value: unknown, options: TablesOptions) => tables(options).test(value);

  test.each(FORMATS)("arrays of records of scalars are, for %s", (format) => {
    expect(is([{ a: 1, b: null, c: "x", d: true, e: 1n, f: new Date(0) }, {}], { format })).toBe(true);
  });
  test.each(FORMATS)("everything else is not, for %s", (format) => {
    const others = [[], [{}], [1], [[1]], [null], {}, { a: [1] }, "text", null, undefined, new Map(), [new Map()]];
    for (const value of others) expect([value, is(value, { format })]).toEqual([value, false]);
    expect(is([{ a: new Map() }], { format })).toBe(false);
  });
  test("nested cells make no table, except in jsonl and in columns of type json", () => {
    const nested = [{ a: { b: 1 } }];
    expect(is(nested, { format: "csv" })).toBe(false);
    expect(is(nested, { format: "parquet" })).toBe(false);
    expect(is(nested, { format: "jsonl" })).toBe(true);
    expect(is(nested, { format: "csv", schema: { a: "json" } })).toBe(true);
  });
  test("bytes make no table in text formats", () => {
    const rows = [{ a: new Uint8Array(1) }];
    expect(FORMATS.map((format) => is(rows, { format }))).toEqual([false, false, true, true]);
  });
  test("an empty array is one with a schema", () => {
    expect(is([], { format: "csv", schema: { a: "int" } })).toBe(true);
  });
});

describe("options", () => {
  test("a format that there is not is refused with those that there are", () => {
    expect(() => tables({ format: "xlsx" as never })).toThrow(/csv, jsonl, parquet, arrow/);
  });
  test("as: table is refused for other formats", () => {
    expect(() => tables({ format: "csv", as: "table" })).toThrow(/as: "table" goes with format: "arrow"/);
  });
  test("a schema without columns or of an unknown type is refused", () => {
    expect(() => tables({ format: "csv", schema: {} })).toThrow(/no column/);
    expect(() => tables({ format: "csv", schema: { a: "varchar" as never } })).toThrow(/"a".*string/);
  });
  test("rows of a stream that bring a new column after the first ones are refused", async () => {
    async function* rows() {
      for (let i = 0; i < 20_000; i++) yield { a: i };
      yield { a: 1, b: 2 };
    }
    expect(await messageOf(encoded(rows(), "csv"))).toMatch(/row 20001 has the column "b"/);
  });
});
