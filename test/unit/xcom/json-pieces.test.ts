import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { collect } from "../../../src/streams.js";
import { airflowEncoding, jsonEncoding } from "../../../src/xcom/encoding/airflow.js";
import { WHOLE } from "../../../src/xcom/encoding/encoding.js";
import { planPieces } from "../../../src/xcom/encoding/json-pieces.js";
import { jsonText, measure } from "../../../src/xcom/encoding/json-write.js";
import { Float, Tuple } from "../../../src/xcom/encoding/types.js";

const plan = (value: unknown, encoding = airflowEncoding) => planPieces(value, encoding, undefined);

/** Asserts that the pieces have the text and the length of the walk. */
async function expectSame(value: unknown): Promise<void> {
  const planned = await plan(value);
  const { length, plain, beyondJson } = await measure(value, "object", airflowEncoding);
  expect(planned).toMatchObject({ length, plain, beyondJson });
  expect(Buffer.from(await collect(planned!.bytes!())).toString()).toBe(jsonText(value, "object", airflowEncoding));
}

const many = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));

describe("the pieces of a plain value", () => {
  test("have the bytes and the length of the walk: any JSON", async () => {
    // Without -0, whole floats and reserved keys, which are not plain.
    const plainOnly = fc
      .jsonValue({ maxDepth: 6, noUnicodeString: false })
      .map((value): unknown => JSON.parse(JSON.stringify(value).replaceAll("__", "_")))
      .filter((value) => typeof value === "object" && value !== null && !/e[+-]?\d|\d{16}/.test(JSON.stringify(value)));
    await fc.assert(
      fc.asyncProperty(plainOnly, (value) => expectSame(value)),
      { numRuns: 300 },
    );
  });

  test("have the bytes and the length of the walk: more than a piece, in each shape", async () => {
    const record = (i: number) => ({
      id: i,
      name: `n"${i}\\é`,
      rate: i / 7,
      tiny: 1e-5 * (i + 0.5),
      tags: ["a", null, true],
    });
    await expectSame(many(20_000, record));
    await expectSame(Object.fromEntries(many(20_000, (i) => [`key ${i}`, record(i)])));
    await expectSame({
      a: many(9000, (i) => i),
      b: [],
      c: many(5, () => many(5000, String)),
      d: {},
      e: "x".repeat(200_000),
    });
    await expectSame([[many(3, () => many(5000, (i) => [i, [i]]))], many(4001, () => ""), []]);
    await expectSame(many(300, () => "long ".repeat(4000)));
    await expectSame({
      "\ud800": ["\udfff lone", "東京".repeat(3000)],
      1: many(5000, (i) => -i - 1),
      ["__proto__"]: 1,
    });
  });

  test("are refused to what JSON.stringify writes otherwise or not at all, wherever it is", async () => {
    const specials = [new Date(0), 1n, Number.NaN, -0, 1e300, undefined, () => 1, new Map(), Tuple.of(1), new Float(1)];
    for (const special of [...specials, { __classname__: "x" }, new (class A {})(), Symbol("s")]) {
      expect(await plan([special])).toBeUndefined();
      expect(await plan({ a: many(9000, (i) => i), b: [[{ c: special }]] })).toBeUndefined();
      expect(await plan([...many(9000, (i) => [i]), special])).toBeUndefined();
    }
    expect(await plan({ __classname__: 1 }, jsonEncoding)).toBeDefined();
    expect(await plan("text")).toBeUndefined();
  });

  test("a value nested deeper than 400, or that contains itself, is left to the walk", async () => {
    const nested = (levels: number) => many(levels - 1, String).reduce<unknown[]>((inner) => [inner], []);
    await expectSame(nested(400));
    expect(await plan(nested(401))).toBeUndefined();
    const cycle: unknown[] = many(5000, String);
    cycle.push(cycle);
    expect(await plan(cycle)).toBeUndefined();
  });

  test("a value that is nothing but large containers costs no more than a few times its size", async () => {
    let visits = 0;
    const item = {
      get x() {
        visits++;
        return 1;
      },
    };
    const chain = () =>
      many(300, String).reduce<unknown>(
        (inner) => [inner],
        many(5000, () => item),
      );
    await plan(many(40, chain));
    expect(visits).toBeLessThan(40 * 5000 * 10);
  });

  test("keys, prototypes and lengths are those of each record, whatever the one before it was", async () => {
    const records = (odd: object) => [...many(5000, (i) => ({ id: i, rate: i / 7 })), odd, { id: 1, rate: 2 }];
    const bare = Object.assign(Object.create(null), { id: 1, rate: null });
    for (const odd of [{ rate: 1, id: 2 }, { id: 1 }, { id: 1, rate: 2, more: 3 }, {}, bare, { id: 1, name: "é" }])
      await expectSame(records(odd));
    expect(await plan(records({ id: 1, __classname__: 2 }))).toBeUndefined();
    expect(await plan(records({ __type: 1, __var: 2 }))).toBeUndefined();
    expect(await plan(records(Object.create({ id: 1, rate: 2 })))).toBeUndefined();
    const sparse: unknown[] = many(5000, String);
    sparse[6000] = 1;
    expect(await plan([sparse])).toBeUndefined();
  });

  test("a property that every object inherits leaves the value to the walk", async () => {
    Object.assign(Object.prototype, { rate: 1 });
    try {
      expect(await plan([{ id: 1, rate: 2 }, { id: 1 }])).toBeUndefined();
    } finally {
      Reflect.deleteProperty(Object.prototype, "rate");
    }
  });

  test("entries of a large object keep their order and any key", async () => {
    const entries = many(9000, (i): [string, unknown] => [i % 2 ? `key ${i}` : `${9000 - i}`, { i }]);
    const large = Object.fromEntries(entries);
    Object.defineProperty(large, "__proto__", { value: 1, enumerable: true });
    await expectSame({ large });
  });

  test("a length is exact up to what it is compared with, and never above the exact one", async () => {
    const enough = 1024 * 1024;
    for (const count of [10, 4000, 12_000, 12_100, 12_200, 12_300, 12_400, 30_000]) {
      const value = many(count, (i) => ({ id: i, name: `Größe ${i}`, rate: i / 7, flat: [true, null, "x"] }));
      const exact = (await plan(value))!.length;
      const { length } = (await planPieces(value, airflowEncoding, undefined, enough))!;
      expect(Math.min(length, enough)).toBe(Math.min(exact, enough));
      expect(length).toBeLessThanOrEqual(exact);
      const { length: least } = (await planPieces(value, airflowEncoding, undefined, -1))!;
      expect(Math.min(least, WHOLE + 1)).toBe(Math.min(exact, WHOLE + 1));
    }
  });
});
