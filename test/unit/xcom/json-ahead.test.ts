import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { airflowEncoding } from "../../../src/xcom/encoding/airflow.js";
import { decodePieces, readAhead } from "../../../src/xcom/encoding/json-ahead.js";
import { JsonParser } from "../../../src/xcom/encoding/json-parse.js";
import { readJson } from "../../../src/xcom/encoding/json-read.js";

const many = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));

/** Reads the text in pieces of this many characters, with or without reading ahead. */
function read(text: string, size: number, ahead = true): unknown {
  const parser = new JsonParser(airflowEncoding, ahead ? readAhead(airflowEncoding) : undefined);
  for (let at = 0; at < text.length; at += size) parser.push(text.slice(at, at + size));
  return parser.end();
}

/** Asserts that reading ahead gives what reading token by token gives, for pieces of each of these sizes. */
function expectSame(text: string, sizes = [5000, 40_000, 106_496, text.length]): void {
  for (const size of sizes) expect(read(text, size)).toStrictEqual(read(text, size, false));
}

async function* chopped(data: Uint8Array, size: number) {
  for (let at = 0; at < data.byteLength; at += size) yield data.subarray(at, at + size);
}

/** What our parser reads and the built-in one does not, or reads otherwise, beside JSON. */
const special = fc.constantFrom(
  "12345678901234567890",
  "-9007199254740993",
  "NaN",
  "-Infinity",
  "1e+22",
  "1.0",
  '"1,2],[3"',
  '"},{\\"id\\":"',
  '{"__classname__":"builtins.tuple","__version__":1,"__data__":[1,2]}',
  '{"__classname__":"my.Class","__version__":1,"__data__":{"a":[1.0,2]}}',
  '{"__proto__":{"a":1},"id":1}',
);
const entry = fc.oneof(
  { weight: 4, arbitrary: fc.constant('{"id":1,"tags":["a","b"],"of":{"x":1.5}}') },
  fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value)),
  special,
);
const separator = fc.constantFrom(",", ", ", ",\n  ", " , ");

describe("reading ahead", () => {
  test("gives the same value as token by token: lists of anything, in pieces of any size", () => {
    const list = fc.array(entry, { minLength: 10, maxLength: 60 });
    fc.assert(
      fc.property(list, list, separator, fc.integer({ min: 20, max: 4000 }), (first, second, comma, size) => {
        const object = second.map((text, i) => `"k${i % 40}":${text}`).join(comma);
        const text = `{"a":[${first.join(comma)}],"o":{${object}},"b":[[${second.join(comma)}],[${first.join(comma)}]]}`;
        expectSame(text, [size, text.length]);
      }),
      { numRuns: 200 },
    );
  });

  test("gives the same value as token by token: large values of each shape", () => {
    const record = (i: number) => ({ id: i, name: `n"${i}\\é`, rate: i / 7, tags: ["a", null, true], of: [{ x: i }] });
    const tree = (i: number) => ({
      id: i,
      kids: [
        { id: 1, kids: [] },
        { id: 2, kids: [{ id: i, kids: [] }] },
      ],
    });
    const mixed = (i: number) => [i, `text ${i},[`, { [`k${i % 7}`]: i }, [[i], "a"], null][i % 5];
    const shapes: unknown[] = [
      many(3000, record),
      many(3000, tree),
      many(5000, mixed),
      many(20, (i) => many(2000, (j) => Math.sin(i * j))),
      many(10, (i) => ({ id: i, body: many(1000, (j) => ({ x: j, y: `${i}` })) })),
      Object.fromEntries(many(3000, (i) => [`key ${i}`, record(i)])),
      Object.fromEntries(many(6, (i) => [`column ${i}`, many(9000, (j) => i + j / 7)])),
      many(9000, (i) => `line ${i}: "]}", [`),
      many(30_000, (i) => i),
    ];
    for (const value of shapes) {
      expectSame(JSON.stringify({ rows: value, end: 1 }));
      expectSame(JSON.stringify(value, undefined, 1), [106_496]);
    }
  });

  test("an integer that a number does not hold, NaN and an envelope are read as ever, wherever they are", () => {
    const rows = many(3000, (i) => `{"id":${i},"rate":1e+22}`);
    for (const odd of ["9007199254740993", "NaN", '{"__classname__":"builtins.set","__version__":1,"__data__":[1]}'])
      for (const at of [0, 5, 1500, 2999]) expectSame(`{"rows":[${rows.with(at, odd).join(",")}]}`, [30_000, 200_000]);
  });

  test("floats in the data of an unknown class stay floats, also if its name came long before", () => {
    const filler = many(3000, (i) => `"k${i}":"${"x".repeat(20)}"`).join(",");
    const text = `{"__classname__":"my.Class",${filler},"__data__":{"a":[1.0,2]},${filler.replaceAll('"k', '"l')}}`;
    expectSame(`[${text.replace("my.Class", "other")},${text}]`, [20_000, 106_496]);
  });

  test("nesting of more than 1,000 is TooLarge where many entries are read at once", () => {
    const deep = (levels: number) => `[${"0,".repeat(20)}${"[".repeat(levels)}${"]".repeat(levels)},0,0]`;
    expect(() => read(deep(1000), 100_000)).toThrow(/TooLarge/);
    expectSame(deep(999));
  });

  test("invalid text is Corrupt where many entries are read at once", () => {
    const rows = many(3000, (i) => `{"id":${i}}`);
    for (const odd of ["", "{", "]", "1]", "[1,2", "01", '"a', "{}{}", "1],[1"])
      expect(() => read(`{"rows":[${rows.with(1500, odd).join(",")}]}`, 30_000)).toThrow(/Corrupt/);
  });

  test("text in which every guess is wrong is parsed a few times at most", () => {
    const hostile = [
      `[${'{"a":1},'.repeat(1000)}{"b":[${'{"a":1},'.repeat(30_000)}1]}]`,
      `[${"[[1],[2]],".repeat(9)}${"[],1,[2],1,".repeat(30_000)}1]`,
      `[${many(10_000, (i) => `{"k${i}":{"x":1},"y":[{"k${i + 1}":1}]}`).join()}]`,
      `${"[".repeat(300)}${"1,".repeat(100_000)}1${"]".repeat(300)}`,
      `[${`${"[".repeat(200)}${"1,".repeat(9000)}1${"]".repeat(200)},`.repeat(20)}1]`,
    ];
    const parse = vi.spyOn(JSON, "parse");
    try {
      for (const text of hostile) {
        parse.mockClear();
        read(text, 106_496);
        const parsed = parse.mock.calls.reduce((sum, [piece]) => sum + piece.length, 0);
        expect(parsed).toBeLessThan(3 * text.length + 700_000);
      }
    } finally {
      parse.mockRestore();
    }
  });
});

describe("decoding ASCII as it is", () => {
  const PIECE = 104 * 1024;
  const decode = async (data: Uint8Array) => {
    let text = "";
    for await (const piece of decodePieces(chopped(data, 50_000))) text += piece;
    return text;
  };

  test("gives the text of any bytes: characters across pieces, and marks that are none", async () => {
    const ascii = "x".repeat(PIECE);
    for (const cut of [1, 2, 3, 4])
      for (const odd of ["é", "東", "😀", "\ufeff"]) {
        const text = `${ascii.slice(cut)}${odd}${ascii}${ascii}${odd}${ascii}`;
        expect(await decode(Buffer.from(text))).toBe(text);
        expect(await decode(Buffer.from(`\ufeff${text}`))).toBe(text);
      }
  });

  test("bytes that are no Unicode are Corrupt: a character that is cut off before a piece of ASCII", async () => {
    const data = Buffer.alloc(3 * PIECE, "x");
    data[PIECE - 1] = 0xc3;
    await expect(decode(data)).rejects.toMatchObject({ code: "Corrupt" });
    await expect(decode(Buffer.concat([Buffer.alloc(PIECE, "x"), Buffer.of(0xc3)]))).rejects.toMatchObject({
      code: "Corrupt",
    });
  });

  test("a whole document is the same with and without", async () => {
    const rows = many(20_000, (id) => ({ id, name: `row ${id}`, city: id % 5000 ? "Bonn" : "Köln 東京" }));
    const data = Buffer.from(JSON.stringify({ rows }));
    const fast = await readJson(chopped(data, 65_536), airflowEncoding, undefined, { text: decodePieces, readAhead });
    expect(fast).toStrictEqual({ rows });
  });
});
