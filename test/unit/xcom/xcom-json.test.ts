/** JSON as Python writes and reads it; a real Python answers. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { airflowEncoding, Float, jsonEncoding } from "../../../src/xcom/encoding/airflow.js";
import { parseJson, readJson } from "../../../src/xcom/encoding/json-read.js";
import { jsonBytes, jsonText, measure, pythonText } from "../../../src/xcom/encoding/json-write.js";

/** Answers `[length of json.dumps, json.dumps]` of each line, floats and ints kept apart. */
const PYTHON = `
import json, sys
for line in sys.stdin:
    text = json.dumps(json.loads(line))
    print(json.dumps([len(text.encode()), text]), flush=True)
`;

let python: ReturnType<typeof spawn>;
const answers: ((line: string) => void)[] = [];

beforeAll(async () => {
  python = spawn("python3", ["-c", PYTHON], { stdio: ["pipe", "pipe", "inherit"] });
  await new Promise<void>((resolve, reject) => {
    python.once("spawn", resolve);
    python.once("error", (cause) => reject(new Error("these tests need python3 on PATH", { cause })));
  });
  createInterface(python.stdout!).on("line", (line) => answers.shift()?.(line));
});
afterAll(() => {
  python.stdin?.end();
});

async function dumps(json: string): Promise<{ length: number; text: string }> {
  const answered = new Promise<string>((resolve) => answers.push(resolve));
  python.stdin?.write(`${json}\n`);
  const [length, text] = JSON.parse(await answered) as [number, string];
  return { length, text };
}

const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(0, -0, 1e15, 1e16, 1e17, 1e20, 1e21, 1e22, 1e-4, 1e-5, 1e-6, 1e-7, 5e-324, 2 ** 53, -(2 ** 53), 0.1),
  fc.integer({ min: -320, max: 308 }).map((power) => Number(`1e${power}`)),
);
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string(),
  fc.string({ unit: fc.constantFrom("\ud800", "\udc00", '"', "\\", "\u007f", "\b", "\v", "é", "\u2028", "a") }),
);
const value = fc.letrec((tie) => ({
  any: fc.oneof({ maxDepth: 4 }, fc.constant(null), fc.boolean(), number, fc.bigInt(), text, tie("list"), tie("dict")),
  list: fc.array(tie("any"), { maxLength: 6 }),
  dict: fc.dictionary(text, tie("any"), { maxKeys: 6 }),
})).any;

/** As a reader gives it: a small bigint is a number, -0 as a whole number does not exist. */
function asRead(given: unknown): unknown {
  if (typeof given === "bigint") return Number.isSafeInteger(Number(given)) ? Number(given) : given;
  if (Array.isArray(given)) return given.map(asRead);
  if (typeof given !== "object" || given === null) return given;
  const read: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(given))
    Object.defineProperty(read, key, { value: asRead(inner), enumerable: true, writable: true, configurable: true });
  return read;
}

async function* chopped(data: Uint8Array, size: number) {
  for (let at = 0; at < data.byteLength; at += size) yield data.subarray(at, at + size);
}

describe("against Python's json", () => {
  test("X01 the length, the text and what Python reads back are those of json.dumps, for any value", async () => {
    await fc.assert(
      fc.asyncProperty(value, async (given) => {
        const json = jsonText(given, "object", airflowEncoding);
        const { length, text: dumped } = await dumps(json);
        expect(await measure(given, "object", airflowEncoding)).toMatchObject({ length });
        expect(pythonText(given, "object", airflowEncoding)).toBe(dumped);
        expect(parseJson(dumped, airflowEncoding)).toStrictEqual(asRead(given));
        expect(parseJson(json, airflowEncoding)).toStrictEqual(asRead(given));
      }),
      { numRuns: 500 },
    );
  });

  test("a value that is called plain is written by JSON.stringify, in at most twice the length of Python's text", async () => {
    await fc.assert(
      fc.asyncProperty(value, async (given) => {
        const { plain, length } = await measure(given, "object", airflowEncoding);
        if (!plain) return;
        const stringified = JSON.stringify(given);
        expect(stringified).toBe(jsonText(given, "object", airflowEncoding));
        // Python turns to exponents earlier: 1e-05 is 0.00001 in JavaScript.
        expect(stringified.length).toBeLessThanOrEqual(2 * length);
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    [1e16, "1e+16"],
    [9999999999999998, "9999999999999998.0"],
    [2 ** 53, "9007199254740992.0"],
    [1e-7, "1e-07"],
    [-0, "-0.0"],
    [123456789012345680000, "1.2345678901234568e+20"],
    [new Float(3), "3.0"],
    [10n ** 30n, `1${"0".repeat(30)}`],
    ["\u007f\v", '"\\u007f\\u000b"'],
  ])("%s is written as Python writes it", async (given, text) => {
    expect(pythonText(given, "object", airflowEncoding)).toBe(text);
    expect((await dumps(text)).text).toBe(text);
  });
});

describe("reading", () => {
  test("any chopping of the bytes gives the same value", async () => {
    await fc.assert(
      fc.asyncProperty(value, fc.integer({ min: 1, max: 7 }), async (given, size) => {
        const padded = [given, "x".repeat(3), given];
        const data = Buffer.from(pythonText(padded, "object", airflowEncoding));
        expect(await readJson(chopped(data, size), airflowEncoding)).toStrictEqual(asRead(padded));
      }),
      { numRuns: 200 },
    );
  });

  test("a long document, read piece by piece, is the same as one read at once", async () => {
    const rows = Array.from({ length: 20_000 }, (_, id) => ({
      id,
      name: `é😀"\\${id}`,
      at: id / 7,
      none: null,
      ok: true,
    }));
    const long = { rows, text: '"\\\u0001é😀'.repeat(40_000), big: 2n ** 70n };
    const chunks: Uint8Array[] = [];
    for await (const chunk of jsonBytes(long, "object", airflowEncoding)) chunks.push(chunk);
    expect(Math.max(...chunks.map((chunk) => chunk.byteLength))).toBeLessThan(1024 * 1024);
    const data = Buffer.concat(chunks);
    expect(data.byteLength).toBeGreaterThan(1024 * 1024);
    for (const size of [4093, 65_536, data.byteLength]) {
      expect(await readJson(chopped(data, size), airflowEncoding)).toStrictEqual(long);
    }
  });

  test.each([
    ["utf-8 with mark", Buffer.from('\ufeff{"é":1}')],
    ["utf-16 with mark", Buffer.from('\ufeff{"é":1}', "utf16le")],
    ["utf-16", Buffer.from('{"é":1}', "utf16le")],
    ["utf-16 big-endian", Buffer.from('\ufeff{"é":1}', "utf16le").swap16()],
    ["utf-32", Buffer.concat([...'{"é":1}'].map((char) => Buffer.from(Uint32Array.of(char.codePointAt(0)!).buffer)))],
    [
      "utf-32 big-endian with mark",
      Buffer.concat(
        [...'\ufeff{"é":1}'].map((char) => Buffer.from(Uint32Array.of(char.codePointAt(0)!).buffer).swap32()),
      ),
    ],
  ])("%s, as Python detects it", async (_, data) => {
    for (const size of [1, 3, 100]) expect(await readJson(chopped(data, size), airflowEncoding)).toEqual({ é: 1 });
  });

  test.each([
    "",
    " ",
    "{",
    "[1,]",
    '{"a":1} x',
    '{"a" 1}',
    "nul",
    "tru",
    "+1",
    "01",
    "1.",
    ".5",
    "'a'",
    '"\u0001"',
    '"\\x"',
    '"abc',
    "[1 2]",
    "{,}",
    '{"a":}',
    "--1",
    "-",
    "NaNs",
    '{"a":1,}',
    "\u00a01",
    "1e",
    '"\\ud8"',
  ])("%j is Corrupt, in one piece and in many", async (text) => {
    const data = Buffer.from(text);
    for (const size of [1, 100]) {
      await expect(readJson(chopped(data, size), airflowEncoding)).rejects.toMatchObject({ code: "Corrupt" });
    }
  });

  test("bytes that are no Unicode are Corrupt", async () => {
    for (const data of [Buffer.from([0x22, 0xe9, 0x22]), Buffer.from([0x22, 0xc3])])
      await expect(readJson(chopped(data, 1), airflowEncoding)).rejects.toMatchObject({ code: "Corrupt" });
  });

  test("X11 __proto__ and constructor are data, whatever parser reads them", () => {
    for (const text of ['{"__proto__":{"a":1},"constructor":2}', '{"__proto__":{"a":1},"constructor":2,"n":NaN}']) {
      const read = parseJson(text, airflowEncoding) as Record<string, unknown>;
      expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
      expect(Object.hasOwn(read, "__proto__")).toBe(true);
      expect(jsonText(read, "object", airflowEncoding)).toBe(text);
    }
  });

  test("X11 a document that is nested too deep is TooLarge, whatever parser reads it", async () => {
    for (const item of ["", "NaN"]) {
      const text = "[".repeat(1001) + item + "]".repeat(1001);
      expect(() => parseJson(text, airflowEncoding)).toThrow(/TooLarge/);
      await expect(readJson(chopped(Buffer.from(text), 10), airflowEncoding)).rejects.toMatchObject({
        code: "TooLarge",
      });
      expect(parseJson(text.slice(1, -1), airflowEncoding)).toHaveLength(1);
    }
  });

  test("a number of more digits than Python reads is Corrupt", () => {
    expect(() => parseJson("1".repeat(4301), airflowEncoding)).toThrow(/Corrupt/);
    expect(parseJson("1".repeat(4300), airflowEncoding)).toBe(BigInt("1".repeat(4300)));
  });

  test("hostile text takes linear time", async () => {
    const started = performance.now();
    const hostile = [
      `"${"\\\\".repeat(500_000)}`,
      `"${'\\"'.repeat(500_000)}`,
      "1".repeat(1_000_000),
      `[${"[],".repeat(300_000)}`,
    ];
    for (const text of hostile) {
      await expect(readJson(chopped(Buffer.from(text), 4096), airflowEncoding)).rejects.toMatchObject({
        code: "Corrupt",
      });
    }
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe("writing", () => {
  const itself: unknown[] = [];
  itself.push(itself);
  class Own {
    readonly a = 1;
  }
  test.each([
    ["a function", { a: { b: [() => 1] } }, /value\.a\.b\[0\]: a function/],
    ["a symbol", [Symbol("s")], /value\[0\]: a symbol/],
    ["undefined", undefined, /value: undefined/],
    ["undefined in an array", { "a b": [1, undefined] }, /value\["a b"\]\[1\]: undefined/],
    ["a hole in an array", new Array(1), /value\[0\]: undefined/],
    ["a cycle", itself, /contains itself/],
    ["bytes", { a: Buffer.from("x") }, /value\.a: bytes are not JSON/],
    ["an object of a class", [new Own()], /value\[0\]: an object of class Own/],
    ["a Map with other keys", new Map([[1, 2]]), /all its keys are strings/],
    ["a promise", Promise.resolve(1), /class Promise/],
    ["a RegExp", /x/, /class RegExp/],
    ["an invalid Date", new Date(Number.NaN), /invalid Date/],
    [
      "a toJSON that gives itself",
      {
        a: new (class {
          toJSON() {
            return this;
          }
        })(),
      },
      /toJSON gives itself/,
    ],
  ])("X11 %s is refused, and the place is named", async (_, given, message) => {
    const refused = measure(given, "object", airflowEncoding);
    await expect(refused).rejects.toMatchObject({ code: "InvalidArgument", message: expect.stringMatching(message) });
  });

  test("a property that is undefined is left out, as by JSON.stringify", async () => {
    expect(jsonText({ a: undefined, b: 1, c: undefined, d: 2 }, "object", airflowEncoding)).toBe('{"b":1,"d":2}');
  });

  test("toJSON is heeded, and an error that it throws is the caller's own", async () => {
    class Money {
      toJSON() {
        return { cents: 5 };
      }
    }
    expect(jsonText([new Money()], "object", jsonEncoding)).toBe('[{"cents":5}]');
    expect(jsonText([new Money()], "object", airflowEncoding)).toBe('[{"cents":5}]');
    const own = new Error("mine");
    const angry = {
      a: new (class {
        toJSON() {
          throw own;
        }
      })(),
    };
    await expect(measure(angry, "object", airflowEncoding)).rejects.toBe(own);
  });

  test("a Map keeps the order of its keys", () => {
    expect(
      jsonText(
        new Map([
          ["b", 1],
          ["1", 2],
        ]),
        "object",
        airflowEncoding,
      ),
    ).toBe('{"b":1,"1":2}');
  });

  test("plain JSON has no NaN", () => {
    expect(() => jsonText([Number.NaN], "object", jsonEncoding)).toThrow(/value\[0\]: NaN is not JSON/);
    expect(jsonText([Number.NaN, -Infinity], "object", airflowEncoding)).toBe("[NaN,-Infinity]");
  });

  test("the event loop turns while a large value is measured and written", async () => {
    const rows = Array.from({ length: 150_000 }, (_, id) => ({ id, name: `row ${id}`, tags: ["a", "b"] }));
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await measure(rows, "object", airflowEncoding);
    for await (const chunk of jsonBytes(rows, "object", airflowEncoding)) expect(chunk.byteLength).toBeGreaterThan(0);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(5);
  });

  test("a signal stops measuring with its reason", async () => {
    const rows = Array.from({ length: 150_000 }, (_, id) => ({ id }));
    const stop = new AbortController();
    const measured = measure(rows, "object", airflowEncoding, stop.signal);
    stop.abort(new Error("enough"));
    await expect(measured).rejects.toThrow("enough");
  });
});
