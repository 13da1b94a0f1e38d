/** Values that Python could not load are refused before anything is stored, with the place in the value. */
import vm from "node:vm";
import { describe, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import { CLASS } from "../../../src/brand.js";
import { isStorageError } from "../../../src/errors.js";
import {
  airflowEncoding,
  DataFrame,
  DateTime,
  Decimal,
  Envelope,
  Float,
  FrozenSet,
  objectForm,
  PlainDate,
  Timedelta,
  TimeZone,
  Tuple,
  Uuid,
} from "../../../src/xcom/encoding/airflow.js";
import { parseJson } from "../../../src/xcom/encoding/json-read.js";
import { jsonText } from "../../../src/xcom/encoding/json-write.js";
import { OWNER, world } from "../../support/xcom-world.js";

const write = (value: unknown) => jsonText(value, objectForm(value), airflowEncoding);
const read = (text: string) => parseJson(text, airflowEncoding);
const nested = (levels: number) => {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = level % 2 ? [value] : { a: value };
  return value;
};
/** What another copy of the library, without these checks, could have made. */
const foreign = (name: string, fields: object) => Object.assign(Object.create({ [CLASS]: name }), fields) as object;

describe("a value class checks itself when it is made", () => {
  test.each<[string, () => unknown]>([
    ["PlainDate of month 13", () => new PlainDate("2026-13-45")],
    ["PlainDate of February 30", () => new PlainDate("2026-02-30")],
    ["PlainDate of year 0", () => new PlainDate("0000-01-01")],
    ["PlainDate of year 10000", () => new PlainDate("+010000-01-01")],
    ["PlainDate with a time", () => new PlainDate("2026-01-02T00:00")],
    ["Uuid", () => new Uuid("x")],
    ["Uuid without hyphens", () => new Uuid("7a39e1b20cdb4c109f0a3f1d6a7f7b11")],
    ["Timedelta of NaN", () => new Timedelta(Number.NaN)],
    ["Timedelta of more than Python has", () => new Timedelta(86_400e9)],
    ["Timedelta of text", () => new Timedelta("90" as never)],
    ["TimeZone", () => new TimeZone("Europe/Atlantis")],
    ["TimeZone in lower case", () => new TimeZone("us/eastern")],
    ["TimeZone in upper case", () => new TimeZone("EUROPE/PARIS")],
    ["TimeZone of a whole day", () => new TimeZone(86_400)],
    ["TimeZone of an offset as text", () => new TimeZone("+01:00")],
    ["Decimal with a comma", () => new Decimal("1,5")],
    ["Decimal of a number", () => new Decimal(1.5 as never)],
    ["Decimal of an object", () => new Decimal({} as never)],
    ["Decimal of 4,301 digits", () => new Decimal("1".repeat(4301))],
    ["DataFrame of half a byte", () => new DataFrame("504")],
    ["DataFrame of other text", () => new DataFrame("no hex")],
    ["DataFrame of an object", () => new DataFrame({} as never)],
    ["Envelope without a class", () => new Envelope("", 1, null)],
    ["Envelope of half a version", () => new Envelope("my.Thing", 1.5, null)],
    ["Float of text", () => new Float("1" as never)],
  ])("%s", (_, make) => {
    expect(make).toThrow(/InvalidArgument/);
  });

  test.each<[string, () => unknown]>([
    ["a leap day", () => new PlainDate("2024-02-29")],
    ["the first and last day", () => [new PlainDate("0001-01-01"), new PlainDate("9999-12-31")]],
    [
      "decimals",
      () => ["1", "-.5", "5.", "1E+3", "NaN", "sNaN1", "-Infinity", "1".repeat(4300)].map((t) => new Decimal(t)),
    ],
    [
      "zones",
      () => ["UTC", "GMT", "US/Eastern", "Asia/Calcutta", "Etc/GMT+5", -86_399].map((zone) => new TimeZone(zone)),
    ],
    ["spans", () => [0, -86_400 * 999_999_999].map((seconds) => new Timedelta(seconds))],
  ])("%s: valid", (_, make) => {
    expect(make).not.toThrow();
  });
});

describe("what Python cannot load is refused, and the place is named", () => {
  test.each<[string, unknown]>([
    ["a set with a list", new Set([[1]])],
    ["a set with an object", new Set([{ a: 1 }])],
    ["a set with a Map", new Set([new Map()])],
    ["a set with a set", new Set([new Set()])],
    ["a frozenset with a list", new FrozenSet([1, [2]])],
    ["a frozenset with a frozenset, which Airflow reads as a list", new FrozenSet([new FrozenSet([1])])],
    ["a set with a tuple with a list", new Set([Tuple.of<unknown>(1, [2])])],
    ["a set with a DataFrame", new Set([new DataFrame("00")])],
    ["a bigint of 4,301 digits", 10n ** 4300n],
    ["a negative bigint of 4,301 digits", -(10n ** 4300n)],
    ["a Date before the year 1", new Date("0000-12-31T23:59:59.999Z")],
    ["a Date after the year 9999", new Date("+010000-01-01T00:00:00Z")],
    ["a DateTime that is in the year 0 where it is", new DateTime(-62_135_596_800, "America/New_York")],
    ["a DateTime of an unknown zone", new DateTime(0, "Europe/Atlantis")],
    ["a DateTime of half a second east", new DateTime(0, 0.5)],
    ["a Map with a reserved key", new Map(Object.entries({ __classname__: "os.system", __version__: 1 }))],
    ["a Map with the older reserved keys", new Map(Object.entries({ __type: "set", __var: [1] }))],
    ["a PlainDate of another copy", foreign("PlainDate", { iso: "2026-13-45", classname: "datetime.date" })],
    ["a Uuid of another copy", foreign("Uuid", { text: "x" })],
    ["a Timedelta of another copy", foreign("Timedelta", { seconds: Number.NaN })],
    ["a TimeZone of another copy", foreign("TimeZone", { name: "x", classname: "zoneinfo.ZoneInfo" })],
    ["a Decimal of another copy", foreign("Decimal", { text: "1,5" })],
    ["an Envelope of another copy", foreign("Envelope", { classname: 1, version: 1, data: null })],
    ["a Proxy of a Date", new Proxy(new Date(), {})],
    ["a Proxy of a Map", new Proxy(new Map(), {})],
    ["a Proxy of a Set", new Proxy(new Set(), {})],
    [
      "a Proxy of a Decimal that lies",
      new Proxy(new Decimal("1"), { get: (of, key) => (key === "text" ? 1 : Reflect.get(of, key)) }),
    ],
  ])("%s", async (_, value) => {
    const { storage, calls } = world();
    for (const threshold of [-1, 0]) {
      const backend = new XComObjectStorageBackend({ storage, path: "memory://b/x", threshold });
      const refused = backend.storeValue(OWNER, "k", { a: [0, 1, 2, value] });
      await expect(refused).rejects.toMatchObject({
        code: "InvalidArgument",
        message: expect.stringContaining("value.a[3]: "),
      });
    }
    expect(calls).toEqual([]);
  });

  test("nesting above 400 levels, of which 400 are written and read", () => {
    expect(() => write(nested(401))).toThrow(/InvalidArgument \(value.*…: the value is nested more than 400 deep/);
    expect(read(write(nested(400)))).toEqual(nested(400));
  });

  test("integers of more than 4,300 digits; those of 4,300 are read, of either sign", () => {
    for (const value of [10n ** 4300n - 1n, 1n - 10n ** 4300n]) expect(read(write([value]))).toEqual([value]);
  });

  test("an element of a set is counted", () => {
    expect(() => write({ s: new Set([1, [2]]) })).toThrow("value.s: Python cannot hash element 1");
  });

  test("a getter that returns something else when the value is written", async () => {
    const { storage, calls } = world();
    const backend = new XComObjectStorageBackend({ storage, path: "memory://b/x", threshold: 0 });
    let reads = 0;
    const value = {
      get a() {
        return reads++ === 0 ? 1 : 1n;
      },
    };
    const error = await backend.storeValue(OWNER, "k", value).catch((reason: unknown) => reason);
    expect(isStorageError(error, "InvalidArgument")).toBe(true);
    expect(calls).toEqual([]);
  });
});

describe("what Python can hash is an element of a set", () => {
  test.each<[string, unknown]>([
    ["scalars", new Set<unknown>([1, "a", null, true, 1n, new Float(2)])],
    ["dates", new Set<unknown>([new Date(0), new DateTime(1n), new PlainDate("2026-01-02")])],
    ["tuples", new Set<unknown>([Tuple.of<unknown>(1, "a", Tuple.of(1))])],
    ["values", new FrozenSet<unknown>([new Decimal("1"), new Timedelta(1), new TimeZone("UTC")])],
  ])("%s", (_, value) => {
    expect(() => write({ value })).not.toThrow();
  });
});

test("dates, maps and sets of another realm are written as those of this one", () => {
  const other = vm.runInNewContext("({ d: new Date(1001), m: new Map([['a', 1]]), s: new Set([1]), l: [1], o: {} })");
  const own = { d: new Date(1001), m: new Map([["a", 1]]), s: new Set([1]), l: [1], o: {} };
  expect(write(other)).toBe(write(own));
  expect(() => write(vm.runInNewContext("new Uint8Array(1).buffer"))).toThrow(/bytes are not JSON/);
});

describe("a datetime or zone that is not known here stays as it is, and the rest is read", () => {
  test.each<[string, unknown]>([
    ["datetime.datetime", "2026-01-02T03:04:05"],
    ["datetime.datetime", null],
    ["datetime.datetime", { tz: null }],
    ["pendulum.datetime.DateTime", { timestamp: [], tz: null }],
    ["zoneinfo.ZoneInfo", "Factory"],
  ])("%s of %j", (classname, data) => {
    const text = JSON.stringify({ a: { __classname__: classname, __version__: 1, __data__: data }, b: 1 });
    expect(read(text)).toStrictEqual({ a: new Envelope(classname, 1, data), b: 1 });
    expect(write(read(text))).toBe(text);
  });
});
