/** Python's values as small classes. */
import { describe, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import { StoragePath } from "../../../src/path.js";
import {
  airflowEncoding,
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
import { parseJson, reviveTree } from "../../../src/xcom/encoding/json-read.js";
import { jsonText } from "../../../src/xcom/encoding/json-write.js";
import { OWNER, world } from "../../support/xcom-world.js";

const write = (value: unknown) => jsonText(value, objectForm(value), airflowEncoding);
const row = (value: unknown) => jsonText(value, "row", airflowEncoding);
const read = (text: string) => parseJson(text, airflowEncoding);
const envelope = (classname: string, version: number, data: unknown) =>
  JSON.stringify({ __classname__: classname, __version__: version, __data__: data });
const UTC =
  '{"__classname__":"builtins.tuple","__version__":1,"__data__":["UTC","pendulum.tz.timezone.FixedTimezone",1,true]}';

describe("each kind is written as Airflow writes it, and read back as itself", () => {
  test.each([
    [Tuple.of<unknown>(1, "a"), envelope("builtins.tuple", 1, [1, "a"])],
    [new Set([1, 2]), envelope("builtins.set", 1, [1, 2])],
    [new FrozenSet([1]), envelope("builtins.frozenset", 1, [1])],
    [
      new Set([Tuple.of(1)]),
      `{"__classname__":"builtins.set","__version__":1,"__data__":[${envelope("builtins.tuple", 1, [1])}]}`,
    ],
    [new PlainDate("2026-01-02"), envelope("datetime.date", 2, "2026-01-02")],
    [new PlainDate("2026-01-02", "pendulum.date.Date"), envelope("pendulum.date.Date", 2, "2026-01-02")],
    [new Timedelta(90), '{"__classname__":"datetime.timedelta","__version__":2,"__data__":90.0}'],
    [new Timedelta(-0.5), envelope("datetime.timedelta", 2, -0.5)],
    [new TimeZone("Europe/Paris"), envelope("zoneinfo.ZoneInfo", 1, "Europe/Paris")],
    [new TimeZone(3600, "pendulum.tz.timezone.FixedTimezone"), envelope("pendulum.tz.timezone.FixedTimezone", 1, 3600)],
    [
      new Uuid("00000000-0000-0000-0000-000000000005"),
      envelope("uuid.UUID", 1, "00000000-0000-0000-0000-000000000005"),
    ],
    [new Decimal("3"), envelope("decimal.Decimal", 1, 3)],
    [new Decimal("1.1"), envelope("decimal.Decimal", 1, 1.1)],
    [new Decimal("1.10"), envelope("decimal.Decimal", 1, "1.10")],
    [new Decimal("100.0"), '{"__classname__":"decimal.Decimal","__version__":1,"__data__":100.0}'],
    [new Decimal("1E+3"), envelope("decimal.Decimal", 1, "1E+3")],
    [
      new Decimal("0.1000000000000000055511151231257827"),
      envelope("decimal.Decimal", 1, "0.1000000000000000055511151231257827"),
    ],
    [
      new Decimal(`1${"0".repeat(30)}`),
      `{"__classname__":"decimal.Decimal","__version__":1,"__data__":1${"0".repeat(30)}}`,
    ],
    [
      new DateTime(1767323045.678901),
      `{"__classname__":"datetime.datetime","__version__":2,"__data__":{"timestamp":1767323045.678901,"tz":${UTC}}}`,
    ],
    [
      new DateTime(0, null),
      '{"__classname__":"datetime.datetime","__version__":2,"__data__":{"timestamp":0.0,"tz":null}}',
    ],
    [
      StoragePath.parse("s3://conn@bucket/a/b"),
      envelope("airflow.sdk.io.path.ObjectStoragePath", 1, {
        path: "s3://conn@bucket/a/b",
        conn_id: "conn",
        kwargs: {},
      }),
    ],
    [new Envelope("my.Thing", 3, { a: [1, "b"] }), envelope("my.Thing", 3, { a: [1, "b"] })],
  ])("%s", (value, text) => {
    expect(write(value)).toBe(text);
    expect(read(text)).toStrictEqual(value);
    expect(Object.getPrototypeOf(read(text))).toBe(Object.getPrototypeOf(value));
  });

  test("a Date is a datetime in UTC, and is read as a Date", () => {
    const date = new Date("2026-01-02T03:04:05.678Z");
    expect(write(date)).toContain(`"timestamp":1767323045.678,"tz":${UTC}`);
    const back = read(write(date)) as DateTime;
    expect(back).toBeInstanceOf(Date);
    expect(back.toISOString()).toBe(date.toISOString());
    expect(back.zone).toBe("UTC");
  });

  test("a DateTime whose time was set is written with the new time", () => {
    const date = new DateTime(1.000001, "Europe/Paris", "zoneinfo.ZoneInfo");
    expect(write(date)).toContain('"timestamp":1.000001,');
    date.setTime(5000);
    expect(write(date)).toContain('"timestamp":5.0,');
    expect(write(date)).toContain("Europe/Paris");
  });

  test("what a Tuple's methods make is an array", () => {
    expect(Tuple.of(1, 2).map((n) => n + 1)).toEqual([2, 3]);
    expect(Tuple.of(1, 2).map(String)).not.toBeInstanceOf(Tuple);
  });

  test("Python writes a tuple inside an object as an array, and so is it written here", () => {
    expect(write([Tuple.of(1)])).toBe("[[1]]");
    expect(row([Tuple.of(1)])).toBe(`[${envelope("builtins.tuple", 1, [1])}]`);
    expect(write(Tuple.of(Tuple.of(1)))).toBe(
      `{"__classname__":"builtins.tuple","__version__":1,"__data__":[${envelope("builtins.tuple", 1, [1])}]}`,
    );
  });

  test("in a row, which cannot tell 90.0 from 90, whole seconds and decimals are texts, which Airflow 3.3 reads", () => {
    expect(row(new Timedelta(90))).toBe(envelope("datetime.timedelta", 2, "90.0"));
    expect(row(new Timedelta(0.5))).toBe(envelope("datetime.timedelta", 2, 0.5));
    expect(row(new Decimal("100.0"))).toBe(envelope("decimal.Decimal", 1, "100.0"));
    expect(row(new Decimal("NaN"))).toBe(envelope("decimal.Decimal", 1, "NaN"));
    for (const value of [new Timedelta(90), new Decimal("100.0")]) expect(read(row(value))).toStrictEqual(value);
  });

  test("a Float is a float in Python", () => {
    expect(write([new Float(1), new Float(Number.NaN), 1])).toBe("[1.0,NaN,1]");
  });
});

describe("Temporal, of the runtime or of a polyfill", () => {
  const temporal = (kind: string, fields: object) =>
    Object.assign(Object.create({ [Symbol.toStringTag]: `Temporal.${kind}`, toJSON: () => "no" }), fields);
  test("Instant, ZonedDateTime, PlainDate and Duration are written as their counterparts", () => {
    const epochNanoseconds = 1767323045678901234n;
    expect(write(temporal("Instant", { epochNanoseconds }))).toBe(write(new DateTime(1767323045.678901)));
    const zoned = (timeZoneId: string) => write(temporal("ZonedDateTime", { epochNanoseconds, timeZoneId }));
    expect(zoned("UTC")).toBe(write(new DateTime(1767323045.678901)));
    expect(zoned("Europe/Paris")).toBe(write(new DateTime(1767323045.678901, "Europe/Paris", "zoneinfo.ZoneInfo")));
    expect(zoned("-05:30")).toBe(write(new DateTime(1767323045.678901, -19800)));
    expect(write(temporal("PlainDate", { toString: () => "2026-01-02" }))).toBe(write(new PlainDate("2026-01-02")));
    expect(write(temporal("Duration", { total: () => 90 }))).toBe(write(new Timedelta(90)));
  });
  test("what Airflow has no counterpart for is refused, not turned into text", () => {
    expect(() => write([temporal("PlainTime", {})])).toThrow(/value\[0\]: a Temporal\.PlainTime/);
  });
});

describe("classes that are not known", () => {
  test("come back as data and are written again as they were, whole floats, big integers and inner kinds included", () => {
    const text =
      '{"__classname__":"my.Model","__version__":7,"__data__":{"a":1.0,"b":[2.0,3,-0.0,1e+22],"n":9007199254740993,"t":' +
      '{"__classname__":"builtins.tuple","__version__":1,"__data__":[4.0]},"d":{"__classname__":"datetime.timedelta",' +
      '"__version__":2,"__data__":90.0},"m":{"__classname__":"my.Inner","__version__":0,"__data__":5.0}}}';
    const back = read(text) as Envelope;
    expect(back).toBeInstanceOf(Envelope);
    expect(back.classname).toBe("my.Model");
    expect(write(back)).toBe(text);
    expect(write({ deep: [back] })).toBe(`{"deep":[${text}]}`);
  });

  test("also when a known class has a newer version than is known", () => {
    const text = envelope("builtins.set", 2, { items: [1] });
    expect(read(text)).toStrictEqual(new Envelope("builtins.set", 2, { items: [1] }));
    expect(write(read(text))).toBe(text);
  });

  test("hostile names are data: nothing is imported, called or inherited", () => {
    for (const name of ["os.system", "constructor", "__proto__", "toString", "node:fs", "globalThis.process.exit"]) {
      const back = read(envelope(name, 1, { __proto__x: 1 })) as Envelope;
      expect(back).toBeInstanceOf(Envelope);
      expect(back.classname).toBe(name);
    }
    const polluting =
      '{"__classname__":"my.X","__version__":1,"__data__":{"__proto__":{"polluted":true},"constructor":1}}';
    const { data } = read(polluting) as { data: Record<string, unknown> };
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(data.polluted).toBeUndefined();
    expect(write(read(polluting))).toBe(polluting);
  });

  test("an envelope with data of another form is Corrupt", () => {
    for (const [name, data] of [
      ["builtins.set", 1],
      ["datetime.timedelta", "abc"],
      ["uuid.UUID", 5],
      ["decimal.Decimal", []],
      ["numpy.int64", "1"],
      ["pandas.DataFrame", "xyz"],
      ["airflow.sdk.io.path.ObjectStoragePath", "s3://b/k"],
    ] as const) {
      expect(() => read(envelope(name, 1, data))).toThrow(/Corrupt/);
    }
  });

  test("a path with options, or of a scheme that is not ours, stays an Envelope", () => {
    const name = "airflow.sdk.io.path.ObjectStoragePath";
    for (const data of [
      { path: "s3://b/k", conn_id: null, kwargs: { a: 1 } },
      { path: "hdfs://h/k", conn_id: null, kwargs: {} },
    ]) {
      expect(read(envelope(name, 1, data))).toStrictEqual(new Envelope(name, 1, data));
    }
    expect(read(envelope(name, 1, { path: "s3://b/k", conn_id: "c", kwargs: {} }))).toStrictEqual(
      StoragePath.parse("s3://c@b/k"),
    );
  });
});

test("the older form is read", () => {
  expect(read('{"__type":"tuple","__var":[1]}')).toStrictEqual(Tuple.of(1));
  expect(read('{"__type":"dict","__var":{"a":1}}')).toEqual({ a: 1 });
  expect(read('{"__type":"datetime","__var":5.5}')).toStrictEqual(new DateTime(5.5));
  expect(read('{"__type":"timedelta","__var":5.0}')).toStrictEqual(new Timedelta(5));
  expect(read('{"__type":"mine","__var":1}')).toEqual({ __type: "mine", __var: 1 });
});

test("keys that are Airflow's own are refused at every depth, and the place is named", () => {
  for (const reserved of [{ __classname__: "x" }, { __id__: 1 }, { __type: "set", __var: [1] }]) {
    expect(() => write({ a: [reserved] })).toThrow(/InvalidArgument \(value\.a\[0\]: the key/);
  }
  expect(write({ __data__: 1, __type: 2 })).toBe('{"__data__":1,"__type":2}');
});

test("a row that has nothing to revive comes back as the very same value", () => {
  const plain = { a: [1, { b: null }], c: "x" };
  expect(reviveTree(plain, airflowEncoding)).toBe(plain);
  const mixed = { a: plain, t: { __classname__: "builtins.tuple", __version__: 1, __data__: [1] } };
  const read = reviveTree(mixed, airflowEncoding) as typeof mixed;
  expect(read.a).toBe(plain);
  expect(read.t).toStrictEqual(Tuple.of(1));
  expect(mixed.t).not.toBeInstanceOf(Tuple);
});

describe("through the backend", () => {
  const value = { at: new Date(5000), ids: new Set([1, 2]), cost: new Decimal("1.10"), spans: [new Timedelta(90)] };

  test.each([-1, 0])("with the threshold %i", async (threshold) => {
    const { storage } = world();
    const backend = new XComObjectStorageBackend({ storage, path: "memory://b/x", threshold });
    const stored = await backend.storeValue(OWNER, "k", value);
    const through = JSON.parse(JSON.stringify(stored));
    expect(await backend.loadValue(through)).toEqual({ ...value, at: new DateTime(5) });
  });

  test("a Decimal of many digits fits into a row, as text", async () => {
    const { storage } = world();
    const backend = new XComObjectStorageBackend({ storage, path: "memory://b/x" });
    for (const value of [new Decimal("1".repeat(40)), new Decimal("NaN"), new Decimal("1e+22")]) {
      const stored = await backend.storeValue(OWNER, "k", [value]);
      expect(await backend.loadValue(JSON.parse(JSON.stringify(stored)))).toEqual([value]);
    }
  });

  test("with the encoding json nothing is an envelope, on neither side", async () => {
    const { storage } = world();
    for (const threshold of [-1, 0]) {
      const backend = new XComObjectStorageBackend({ storage, path: "memory://b/x", threshold, encoding: "json" });
      const given = { at: new Date(5000), e: { __classname__: "builtins.set", __version__: 1, __data__: [1] } };
      const stored = await backend.storeValue(OWNER, "k", given);
      expect(await backend.loadValue(stored)).toEqual(JSON.parse(JSON.stringify(given)));
      await expect(backend.storeValue(OWNER, "k", new Set())).rejects.toThrow(/class Set is not JSON/);
    }
  });
});
