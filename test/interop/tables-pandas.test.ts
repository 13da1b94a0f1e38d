/** pandas reads the tables that are written here, and the reverse: asked in Python. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collect, single } from "../../src/streams.js";
import { DateTime, Decimal, PlainDate } from "../../src/xcom/encoding/types.js";
import { decodeRows, encodeRows, type Row, type TableFormat, type TableSchema } from "../../src/xcom/tables/index.js";
import { describePandas } from "../support/pandas.js";
import { CELLS, COLUMNS, FORMATS } from "../support/tables.js";

/** How Python reads a file as a DataFrame of Arrow's types, which keep nulls, NaN and integers apart. */
const READ: Record<TableFormat, string> = {
  csv: `df = pa.csv.read_csv(file, parse_options=pa.csv.ParseOptions(newlines_in_values=True), convert_options=pa.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""], column_types={"big": pa.int64()})).to_pandas(types_mapper=pd.ArrowDtype)`,
  jsonl: `df = pd.read_json(file, lines=True, dtype=False, convert_dates=False)`,
  parquet: `df = pd.read_parquet(file, dtype_backend="pyarrow")`,
  arrow: `df = pa.ipc.open_stream(file).read_all().to_pandas(types_mapper=pd.ArrowDtype)`,
};

/** Plain pandas, as most programs call it. */
const PLAIN: Record<TableFormat, string> = {
  csv: "df = pd.read_csv(file)",
  jsonl: "df = pd.read_json(file, lines=True, precise_float=True)",
  parquet: "df = pd.read_parquet(file)",
  arrow: "df = pa.ipc.open_stream(file).read_all().to_pandas()",
};

const ROWS: Row[] = [
  {
    big: 2n ** 62n,
    ...CELLS,
    local: new DateTime(1767323045.5, null),
  },
  { big: -1, name: "", score: Number.NaN, ok: false, day: new PlainDate("1969-07-20"), at: new DateTime(-0.5) },
  { big: null, name: null, score: Number.POSITIVE_INFINITY },
  { big: 3, name: "null", score: null, ok: null, day: null, at: null, local: null },
];
const SCHEMA: TableSchema = {
  big: "int",
  ...COLUMNS,
};

await describePandas("pandas", (pandas) => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "stowage-pandas-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Writes rows to a file and runs Python with the DataFrame `df` of it. */
  async function ask(
    rows: Row[],
    format: TableFormat,
    code: string,
    schema?: TableSchema,
    read = READ,
  ): Promise<never> {
    const file = join(folder, `asked.${format}`);
    await writeFile(file, await collect(encodeRows(rows, { format, schema })));
    return pandas().run(`file = path\n${read[format]}\n${code}`, { path: file });
  }

  /** The rows of the file that Python writes to `path`. */
  async function told(code: string, format: TableFormat, schema?: TableSchema): Promise<Row[]> {
    const file = join(folder, `told.${format}`);
    await pandas().run(code, { path: file });
    const rows: Row[] = [];
    for await (const row of decodeRows(single(await readFile(file)), { format, schema })) rows.push(row);
    return rows;
  }

  describe.each(FORMATS)("reads our %s", (format) => {
    test("with unicode, quotes, line breaks and empty strings apart from nulls", { timeout: 120_000 }, async () => {
      const code = "result = [None if v is None or v is pd.NA or v != v else v for v in df['name'].tolist()]";
      expect(await ask(ROWS, format, code, SCHEMA)).toEqual(ROWS.map(({ name }) => name));
    });
    test("with big integers exact and nulls apart", async () => {
      const code = "result = [None if v is pd.NA or v is None or v != v else str(int(v)) for v in df['big'].tolist()]";
      const rows = format === "jsonl" ? ROWS.slice(0, 2) : ROWS;
      const expected = rows.map(({ big }) => (big === null ? null : String(big)));
      expect(await ask(rows, format, code, SCHEMA)).toEqual(expected);
    });
    test("with NaN, infinities and nulls", async () => {
      const code = "result = [None if v is pd.NA or v is None else str(v) for v in df['score'].tolist()]";
      const answer = (await ask(ROWS, format, code, SCHEMA)) as unknown[];
      // pandas has one missing value for null and NaN, unless it keeps Arrow's columns.
      const missing = format === "jsonl" ? "nan" : null;
      expect(answer).toEqual(["0.1", "nan", "inf", missing]);
    });
    test("with moments in their zone, dates and booleans", async () => {
      const code = `
at = pd.to_datetime(df["at"], utc=True, format="ISO8601" if df["at"].dtype == object or str(df["at"].dtype) in ("str", "string") else None)
local = pd.to_datetime(df["local"])
day = pd.to_datetime(df["day"])
result = [at[0].isoformat(), at[1].isoformat(), local[0].isoformat(), str(day[0])[:10], str(day[1])[:10], bool(pd.isna(day[3])), bool(df["ok"][0]), bool(df["ok"][1])]`;
      expect(await ask(ROWS, format, code, SCHEMA)).toEqual([
        "2026-01-02T03:04:05.123456+00:00",
        "1969-12-31T23:59:59.500000+00:00",
        "2026-01-02T03:04:05.500000",
        "2026-01-02",
        "1969-07-20",
        true,
        true,
        false,
      ]);
    });
    test("without a schema, by the call that everybody makes", async () => {
      const rows = [
        { id: 1, s: "x,y", v: 0.5 },
        { id: 2, s: "é", v: 2 },
      ];
      const code =
        "result = [list(df.columns), df['id'].tolist(), df['s'].tolist(), df['v'].tolist(), str(df['id'].dtype), str(df['v'].dtype)]";
      expect(await ask(rows, format, code, undefined, PLAIN)).toEqual([
        ["id", "s", "v"],
        [1, 2],
        ["x,y", "é"],
        [0.5, 2],
        "int64",
        "float64",
      ]);
    });
    test("when it is empty, with its columns, which jsonl has not", async () => {
      const columns = format === "jsonl" ? [] : ["big", "name"];
      const code = "result = [len(df), list(df.columns)]";
      expect(await ask([], format, code, { big: "int", name: "string" })).toEqual([0, columns]);
    });
  });

  /** One DataFrame with all that differs between Python and JavaScript. */
  const FRAME = `
df = pd.DataFrame({
  "i": pd.array([1, None, 2**62], dtype="Int64"),
  "f": [0.1, float("nan"), float("-inf")],
  "s": ['q"uo\\r\\nte, 雪', "", None],
  "b": pd.array([True, None, False], dtype="boolean"),
  "day": pd.array([datetime.date(2026, 1, 2), None, datetime.date(1, 1, 1)], dtype=pd.ArrowDtype(pa.date32())),
  "at": pd.to_datetime(["2026-01-02T03:04:05.123456+01:00", None, "1969-12-31T23:59:59.5+01:00"], format="ISO8601").tz_convert("Europe/Berlin").as_unit("us"),
  "local": pd.to_datetime(["2026-01-02T03:04:05.5", None, "1960-01-01"], format="ISO8601").as_unit("us"),
})
`;
  const MOMENTS = {
    at: [Date.UTC(2026, 0, 2, 2, 4, 5) / 1000 + 0.123456, null, -3600.5],
    local: [Date.UTC(2026, 0, 2, 3, 4, 5, 500) / 1000, null, Date.UTC(1960, 0, 1) / 1000],
  };
  const timestamps = (rows: Row[], name: string) =>
    rows.map((row) => (row[name] as DateTime | null)?.timestamp ?? null);

  describe("writes", () => {
    test.each([
      ["parquet", "df.to_parquet(path)"],
      ["parquet", "df.to_parquet(path, compression='gzip', row_group_size=2)"],
      ["parquet", "df.to_parquet(path, compression='brotli')"],
      ["parquet", "df.to_parquet(path, compression=None, engine='pyarrow', use_dictionary=False)"],
      ["arrow", "t = pa.Table.from_pandas(df)\nwith pa.ipc.new_stream(path, t.schema) as w: w.write_table(t)"],
      ["arrow", "df.to_feather(path, compression='uncompressed')"],
    ] as const)("%s that we read, zones included: %s", async (format, code) => {
      const rows = await told(`${FRAME}\n${code}`, format);
      expect(rows.map(({ i }) => i)).toEqual([1, null, 2n ** 62n]);
      expect(rows.map(({ f }) => f)).toEqual([0.1, expect.toBeOneOf([Number.NaN, null]), Number.NEGATIVE_INFINITY]);
      expect(rows.map(({ s }) => s)).toEqual(['q"uo\r\nte, 雪', "", null]);
      expect(rows.map(({ b }) => b)).toEqual([true, null, false]);
      expect(rows.map(({ day }) => day)).toEqual([new PlainDate("2026-01-02"), null, new PlainDate("0001-01-01")]);
      expect(timestamps(rows, "at")).toEqual(MOMENTS.at);
      expect((rows[0]!.at as DateTime).zone).toBe("Europe/Berlin");
      expect(timestamps(rows, "local")).toEqual(MOMENTS.local);
      expect((rows[0]!.local as DateTime).zone).toBeNull();
    });
    test("csv that we read by a schema; its nulls and empty strings are one", async () => {
      const schema = { i: "int", f: "float", b: "boolean", day: "date", at: "timestamp", local: "datetime" } as const;
      const rows = await told(`${FRAME}\ndf.to_csv(path, index=False)`, "csv", schema);
      expect(rows.map(({ i }) => i)).toEqual([1, null, 2n ** 62n]);
      expect(rows.map(({ f }) => f)).toEqual([0.1, null, Number.NEGATIVE_INFINITY]);
      expect(rows.map(({ s }) => s)).toEqual(['q"uo\r\nte, 雪', null, null]);
      expect(rows.map(({ b }) => b)).toEqual([true, null, false]);
      expect(rows[2]!.day).toEqual(new PlainDate("0001-01-01"));
      expect(timestamps(rows, "at")).toEqual(MOMENTS.at);
      expect(timestamps(rows, "local")).toEqual(MOMENTS.local);
    });
    test("csv by pyarrow, whose empty strings and nulls stay apart", async () => {
      const code = `pa.csv.write_csv(pa.table({"a": ["", None, "x"], "b": [1, 2, 3]}), path)`;
      expect(await told(code, "csv", { b: "int" })).toEqual([
        { a: "", b: 1 },
        { a: null, b: 2 },
        { a: "x", b: 3 },
      ]);
    });
    test("jsonl that we read by a schema", async () => {
      const code = `${FRAME}\ndf[["i", "s", "at"]].to_json(path, orient="records", lines=True, date_format="iso", date_unit="us")`;
      const rows = await told(code, "jsonl", { i: "int", at: "timestamp" });
      expect(rows.map(({ i, s }) => [i, s])).toEqual([
        [1, 'q"uo\r\nte, 雪'],
        [null, ""],
        [2n ** 62n, null],
      ]);
      expect(timestamps(rows, "at")).toEqual(MOMENTS.at);
    });
    test.each(["parquet", "arrow"] as const)("%s with decimals, bytes, categories and lists", async (format) => {
      const frame = `
t = pa.table({
  "d": pa.array([decimal.Decimal("-12345678901234567890.12"), None]),
  "n": pa.array([decimal.Decimal("0.05"), decimal.Decimal("-1.00")], pa.decimal128(5, 2)),
  "b": [b"\\x00\\xff", None], "c": pa.array(["x", "x"]).dictionary_encode(), "l": [[1, None], []], "o": [{"a": 1, "t": "x"}, None],
  "u": pa.array([2**64 - 1, 1], pa.uint64()), "f": pa.array([1.5, None], pa.float32()), "e": pa.nulls(2), "i": pa.array([1, -1], pa.int8()),
})
`;
      const write =
        format === "parquet"
          ? "pa.parquet.write_table(t, path)"
          : "with pa.ipc.new_stream(path, t.schema) as w: w.write_table(t)";
      const [one, two] = await told(frame + write, format);
      expect({ ...one, b: [...(one!.b as Uint8Array)] }).toEqual({
        d: new Decimal("-12345678901234567890.12"),
        n: new Decimal("0.05"),
        b: [0, 255],
        c: "x",
        l: [1, null],
        o: { a: 1, t: "x" },
        u: 2n ** 64n - 1n,
        f: 1.5,
        e: null,
        i: 1,
      });
      expect(two).toMatchObject({ d: null, n: new Decimal("-1.00"), b: null, l: [], o: null, u: 1, f: null, i: -1 });
    });
    test("compressed Feather is Unsupported, with the fix", async () => {
      await expect(told(`${FRAME}\ndf.to_feather(path, compression='lz4')`, "arrow")).rejects.toMatchObject({
        code: "Unsupported",
        message: expect.stringContaining("without compression"),
      });
    });
    test("a Parquet of LZ4 pages is Unsupported, with the codecs that are known", async () => {
      await expect(told(`${FRAME}\ndf.to_parquet(path, compression='lz4')`, "parquet")).rejects.toMatchObject({
        code: "Unsupported",
        message: expect.stringContaining("gzip"),
      });
    });
  });

  test.each(FORMATS)("has all of 1,000,000 rows of our %s, in their order", { timeout: 240_000 }, async (format) => {
    const file = join(folder, `million.${format}`);
    function* rows(): Generator<Row> {
      for (let i = 0; i < 1_000_000; i++) yield { i, s: i % 10 === 0 ? null : `n°${i}`, f: i / 7 };
    }
    const schema = { i: "int", s: "string", f: "float" } as const;
    await writeFile(file, encodeRows(rows(), { format, schema }));
    const code = `file = path
${PLAIN[format]}
s = df["s"]
result = [len(df), bool((df["i"] == np.arange(1000000)).all()), int(s.isna().sum()), s.iloc[999999], bool((df["f"] == df["i"] / 7).all())]`;
    expect(await pandas().run(code, { path: file })).toEqual([1_000_000, true, 100_000, "n°999999", true]);
  });
  test.each(FORMATS)(
    "writes 1,000,000 rows of %s that we read in their order",
    { timeout: 240_000 },
    async (format) => {
      const file = join(folder, `theirs.${format}`);
      const write = {
        csv: "df.to_csv(path, index=False)",
        jsonl: "df.to_json(path, orient='records', lines=True)",
        parquet: "df.to_parquet(path)",
        arrow: "t = pa.Table.from_pandas(df)\nwith pa.ipc.new_stream(path, t.schema) as w: w.write_table(t)",
      };
      const frame = `i = np.arange(1000000)\ndf = pd.DataFrame({"i": i, "s": "n°" + pd.Series(i).astype(str)})\n`;
      await pandas().run(frame + write[format], { path: file });
      let at = 0;
      for await (const { i, s } of decodeRows(single(await readFile(file)), { format, schema: { i: "int" } })) {
        if (i !== at || s !== `n°${at}`) expect([at, i, s]).toEqual([at, at, `n°${at}`]);
        at++;
      }
      expect(at).toBe(1_000_000);
    },
  );
});
