/** Integers of an object come back as they were written, whichever of the parsers reads it. */
import { expect, test } from "vitest";
import { single } from "../../../src/streams.js";
import { airflowEncoding, jsonEncoding } from "../../../src/xcom/encoding/airflow.js";
import { readJson } from "../../../src/xcom/encoding/json-read.js";

const LARGEST = BigInt(Number.MAX_SAFE_INTEGER);
const INTEGERS = [LARGEST, LARGEST + 1n, LARGEST + 2n, -LARGEST, -LARGEST - 2n, 10n ** 16n + 1n, 2n ** 64n];
/** Beyond what is read in one go. */
const LONG = " ".repeat(600 * 1024);

const read = (text: string, encoding: typeof jsonEncoding) => readJson(single(Buffer.from(text)), encoding);

test.each(INTEGERS)("X11 %s is a number where a number holds it exactly, else a bigint", async (integer) => {
  const expected = Number.isSafeInteger(Number(integer)) ? Number(integer) : integer;
  for (const encoding of [jsonEncoding, airflowEncoding]) {
    for (const [text, value] of [
      [`${integer}`, expected] as const,
      [`{"a": [${integer}]}`, { a: [expected] }] as const,
    ]) {
      expect(await read(text, encoding)).toEqual(value);
      expect(await read(text + LONG, encoding)).toEqual(value);
    }
  }
});
