/** What real Airflow wrote for each kind of value, read and written again. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isStorageError } from "../../src/errors.js";
import { airflowEncoding, DataFrame, Envelope, objectForm } from "../../src/xcom/encoding/airflow.js";
import { parseJson, reviveTree } from "../../src/xcom/encoding/json-read.js";
import { jsonText, pythonText } from "../../src/xcom/encoding/json-write.js";
import { dataFrameRows } from "../../src/xcom/tables/index.js";

interface Value {
  name: string;
  objectText: string | { error: string };
  inlineText: string | { error: string };
}
interface DecodeOnly {
  text: string;
  objectDecode: string | { error: string; message: string };
}
const FILES = ["serde", "serde_numpy2_pandas2", "serde_numpy2_pandas3"];
const load = (name: string) =>
  JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), "utf8")) as {
    values: Value[];
    decodeOnly: DecodeOnly[];
  };

const read = (text: string) => parseJson(text, airflowEncoding);
const ours = (text: string) => pythonText(read(text), objectForm(read(text)), airflowEncoding);
const ourRow = (text: string) => pythonText(read(text), "row", airflowEncoding);

/** Why the text is another when it is written again. */
const DIFFERENCES: Record<string, string> = {
  "1.0": "a whole float is a number, which is written as an int unless it is a Float",
  "dup str keys": "of a key that comes twice the last value counts",
  "datetime offset": "Python lost the zone: the moment is read, and written in UTC",
  "reserved nested": "a key that is Airflow's own is refused at every depth",
  "old style dict": "the older form is read, the newer written",
};
const differs = ({ name }: Value) =>
  DIFFERENCES[name] ?? (/np\./.test(name) ? "a numpy scalar is its number" : undefined);

/** A row cannot tell 90.0 from 90, so that what Airflow 3.3 wants as a float is a text, which it reads too. */
const rowText = (text: string) =>
  text
    .replace(/("datetime\.timedelta", "__version__": 2, "__data__": )(-?\d+\.0)/g, '$1"$2"')
    .replace(/("decimal\.Decimal", "__version__": 1, "__data__": )(-?\d+\.0|NaN|[\d.]+e\+\d+)/g, '$1"$2"');

describe.each(FILES)("%s.json", (file) => {
  const { values, decodeOnly } = load(file);
  const objects = values.filter((one) => typeof one.objectText === "string");
  const rows = values.filter((one) => typeof one.inlineText === "string");

  test.each(objects.filter((one) => !differs(one)).map((one) => [one.name, one.objectText as string]))(
    "an object with %s is written again byte for byte",
    (_, text) => expect(ours(text)).toBe(text),
  );

  test.each(rows.filter((one) => !differs(one)).map((one) => [one.name, one.inlineText as string]))(
    "a row with %s is written again byte for byte",
    (_, text) => expect(ourRow(text)).toBe(rowText(text)),
  );

  test.each(objects.filter((one) => differs(one)).map((one) => [`${differs(one)}: ${one.name}`, one] as const))(
    "difference: %s",
    (_, { name, objectText }) => {
      const text = objectText as string;
      if (name === "reserved nested") expect(() => ours(text)).toThrow(/Airflow's own/);
      else expect(read(ours(text))).toEqual(read(text));
    },
  );

  test("a row, which has gone through other JSON, is read like an object", () => {
    for (const { name, inlineText } of rows) {
      if (/NaN|Infinity|\d{16}/.test(inlineText as string) || differs({ name } as Value)) continue;
      const row = JSON.parse(inlineText as string);
      const again = JSON.parse(jsonText(reviveTree(row, airflowEncoding), "row", airflowEncoding));
      expect(again).toEqual(JSON.parse(rowText(inlineText as string)));
    }
  });

  /** Python refuses what is not allowed, not there or too new; here it is data, and nothing is imported. */
  const becomesData = /os\.system|airflow\.(sdk\.Variable|does)|serde_types/;

  test.each(decodeOnly.map((one) => [one.text, one.objectDecode] as const))("reading %s", (text, decoded) => {
    const failed = typeof decoded === "object";
    if (!failed && text.includes("serde_types")) expect(read(text)).toBeInstanceOf(Envelope);
    else if (!failed) expect(() => read(text)).not.toThrow();
    else if (becomesData.test(text)) expect(read(text)).toBeInstanceOf(Envelope);
    // Airflow 3.4 reads it as well.
    else if (text.includes("timedelta")) expect(read(text)).toMatchObject({ seconds: 5 });
    else expect(codeOf(() => read(text))).toBe("Corrupt");
  });

  test("the rows of a DataFrame are read from its Parquet file", async () => {
    for (const { name, objectText } of objects.filter((one) => one.name.startsWith("pd.DataFrame"))) {
      const frame = read(objectText as string) as DataFrame;
      expect(frame).toBeInstanceOf(DataFrame);
      const wanted = name.endsWith("empty")
        ? []
        : [
            { a: 1, b: "x" },
            { a: 2, b: null },
          ];
      expect((await dataFrameRows(frame)).map(({ a, b }) => ({ a, b }))).toEqual(wanted);
      expect(ours(ours(objectText as string))).toBe(objectText);
      expect(new DataFrame(frame.parquet, frame.classname).hex).toBe(frame.hex);
    }
  });
});

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
  } catch (error) {
    return isStorageError(error) ? error.code : String(error);
  }
  return undefined;
}
