/** Moments to the millisecond and the microsecond, through JSON and through tables. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { airflowEncoding, DateTime } from "../../../src/xcom/encoding/airflow.js";
import { parseJson } from "../../../src/xcom/encoding/json-read.js";
import { jsonText } from "../../../src/xcom/encoding/json-write.js";
import { decodeRows, encodeRows, type TableFormat } from "../../../src/xcom/tables/index.js";
import { all } from "../../support/all.js";

const FIRST = Date.parse("0001-01-01T00:00:00.000Z");
const LAST = Date.parse("9999-12-31T23:59:59.999Z");
const millis = fc.integer({ min: FIRST, max: LAST });

/** Where float seconds times 1,000 fall below the millisecond that was meant. */
const WINDOWS = ["2004-01-10", "2004-11-02", "2038-06-01", "1960-01-01", "1989-12-31", "1970-01-01"];

function reread(date: Date): DateTime {
  return parseJson(jsonText(date, "object", airflowEncoding), airflowEncoding) as DateTime;
}

describe("a Date that is stored and loaded", () => {
  test.each(WINDOWS)("on %s has its millisecond", (day) => {
    const start = Date.parse(`${day}T00:00:00Z`);
    for (let offset = 0; offset < 20_000; offset++) {
      if (reread(new Date(start + offset)).getTime() !== start + offset) expect(start + offset).toBe("lost");
    }
  });
  test("has it whenever it is", () => {
    fc.assert(fc.property(millis, (at) => reread(new Date(at)).getTime() === at));
  });
  test("is written to Python as the float that is next to it", () => {
    expect(jsonText(new Date(1001), "object", airflowEncoding)).toContain('"timestamp":1.001');
  });
});

test("a DateTime of microseconds keeps them, before 1970 too, and gives them up when its time is set", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: BigInt(FIRST) * 1000n, max: BigInt(LAST) * 1000n }), (micros) => {
      const date = new DateTime(micros);
      expect(date.microseconds).toBe(micros);
      expect(BigInt(date.getTime())).toBe((micros - (((micros % 1000n) + 1000n) % 1000n)) / 1000n);
    }),
  );
  const date = new DateTime(1_001n);
  date.setTime(5);
  expect(date.microseconds).toBe(5_000n);
});

test("float seconds keep the microsecond from 1698 to 2242", () => {
  const furthest = 2 ** 33 * 1e6 - 1;
  fc.assert(
    fc.property(fc.integer({ min: -furthest, max: furthest }), (micros) => {
      expect(new DateTime(micros / 1e6).microseconds).toBe(BigInt(micros));
    }),
    { examples: [[4_404_719_480_490_380], [-4_327_376_919_923_116], [0], [-1]] },
  );
});

describe.each<TableFormat>(["csv", "jsonl", "parquet", "arrow"])("a timestamp in %s", (format) => {
  const schema = { at: "timestamp" } as const;
  test("has its millisecond whenever it is", async () => {
    const dates = [FIRST, LAST, -1, 0, 1001, ...fc.sample(millis, 300)].map((at) => ({ at: new Date(at) }));
    const rows = await all(decodeRows(encodeRows(dates, { format, schema }), { format, schema }));
    expect(rows.map(({ at }) => (at as Date).getTime())).toEqual(dates.map(({ at }) => at.getTime()));
  });
  test("has its microsecond from 1900 to 2100", async () => {
    const at = fc.bigInt({ min: -2_208_988_800_000_000n, max: 4_102_444_800_000_000n });
    const dates = fc.sample(at, 300).map((micros) => ({ at: new DateTime(micros) }));
    const rows = await all(decodeRows(encodeRows(dates, { format, schema }), { format, schema }));
    expect(rows.map(({ at }) => (at as DateTime).microseconds)).toEqual(dates.map(({ at }) => at.microseconds));
  });
});
