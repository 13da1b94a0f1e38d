/** Which objects a text names, whatever stands around them: what is overlooked is swept. */
import { expect, test } from "vitest";
import { StoragePath } from "../../../src/path.js";
import { PathNames } from "../../../src/xcom/operations/path-names.js";

const FILES = new PathNames(StoragePath.parse("file:///srv/x"), [], {});
const below = (text: string) => new Set(FILES.below(text));

test.each([
  ["a path", "file:///srv/x/d/r 1/t/k.json", "d/r 1/t/k.json"],
  ["a short path", "file:/srv/x/d/k.json", "d/k.json"],
  ["in prose", "see file:///srv/x/d/k.json there", "d/k.json"],
  ["at the end of a sentence", "It is at file:///srv/x/d/k.json.", "d/k.json"],
  ["before a number", "file:///srv/x/d/k.json,5", "d/k.json"],
  ["with a space, in prose", "see file:///srv/x/d/r 1/k.json there", "d/r 1/k.json"],
  ["with commas, quotes and brackets, in a list", `x, file:///srv/x/d/f(1, "a")/k.json, y`, 'd/f(1, "a")/k.json'],
  ["as JSON of a JSON text", JSON.stringify(JSON.stringify("file:///srv/x/d/r 1/é.json")), "d/r 1/é.json"],
  ["in JSON, with escapes", String.raw`{"path":"file:\/\/\/srv\/x\/d\/r \u0031\/k.json"}`, "d/r 1/k.json"],
  ["as a key of JSON", '{"file:///srv/x/d/k.json": 1}', "d/k.json"],
  ["quoted, in CSV", '1,"file:///srv/x/d/r, 1/k.json",2', "d/r, 1/k.json"],
  ["short, in prose", "see file:/srv/x/d/k.json there", "d/k.json"],
  ["behind another path", "file:///srv/x/a.json file:///srv/x/b.json", "b.json"],
  ["with a URL in an id", "file:///srv/x/d/run http://a/b/k.json", "d/run"],
  ["after a tab", "1\tfile:///srv/x/d/k.json\t2", "d/k.json"],
])("%s", (_, text, key) => expect(below(text)).toContain(key));

test("both of two paths with spaces", () => {
  const keys = below("file:///srv/x/a 1/k.json, file:///srv/x/b 2/k.json");
  expect(keys).toContain("a 1/k.json");
  expect(keys).toContain("b 2/k.json");
});

test.each(["file:///srv/xy/d/k.json", "file:///srv/other", "a text", "12:/30", "s3://srv/x/d/k.json", "{", '"'])(
  "nothing in %s",
  (text) => expect(FILES.below(text)).toEqual([]),
);

test("a connection, a scheme and the host of an account are no difference", () => {
  const names = new PathNames(StoragePath.parse("s3://lake@bucket/x"), ["abfs://other@container/y"], {
    "old://": "s3://lake@bucket/x/o",
  });
  for (const text of ["s3a://bucket/x/k", "s3://other@bucket/x/k", "see s3://bucket/x/k"])
    expect(names.below(text)).toContain("k");
  expect(names.below("abfss://container@account.dfs.core.windows.net/y/k")).toEqual(["k"]);
  expect(names.below("old://k")).toEqual(["o/k"]);
});

test("a text of many words costs about as much as one of few", () => {
  const words = "word ".repeat(200_000);
  const paths = "file:///srv/x/k ".repeat(20_000);
  expect(below(`file:///srv/x/k ${words}`)).toContain("k");
  expect(below(`${words}${paths}`)).toContain("k");
}, 5000);

const UUID = "0198a2b4-6c1d-4e3f-8a5b-9c0d1e2f3a4b";

test.each(["run a:", "run, d:", "run http://x/y", "größe", 'a "b"', "it's"])(
  "ids as in %s, whatever the text is an export of",
  (id) => {
    const [path, key] = [`file:///srv/x/${id}/t/${UUID}.gz`, `${id}/t/${UUID}.gz`];
    const ascii = (text: string) =>
      text.replace(/[^\0-\x7f]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
    const json = ascii(JSON.stringify(path));
    for (const text of [
      path,
      json,
      `1,"${json.replaceAll('"', '""')}",x`,
      `1,${json.replaceAll("\\", "\\\\")}`,
      ascii(JSON.stringify({ value: json })),
      `INSERT INTO xcom VALUES ('${json.replaceAll("'", "''")}');`,
    ])
      expect(below(text), text).toContain(key);
  },
);

test.each(["**%**", "see %…", "%?versionId=1", "%#x", "%->done", "%/", "«%»", "_%_", "%。", "%&amp;", "%:"])(
  "a name with a UUID, in %s",
  (around) => {
    for (const key of [`d/r/t/${UUID}`, `d/r/t/${UUID}.zst`, `d/r/t/ti-${UUID}/return_value.json.gz`])
      expect(below(around.replace("%", `file:///srv/x/${key}`))).toContain(key);
  },
);

test.each(["path=%", "«%", "a=1&path=%", "→%"])("a name with a UUID at the end of %s", (around) => {
  for (const key of [`d/r/t/${UUID}`, `d/r/t/${UUID}.zst`, `d/r/t/ti-${UUID}/return_value.json`])
    expect(below(around.replace("%", `file:///srv/x/${key}`))).toContain(key);
});

test("two names with nothing but a letter of no alphabet between them", () => {
  const keys = below(`file:///srv/x/d/r/a/${UUID}→file:///srv/x/d/r/b/${UUID}`);
  for (const key of [`d/r/a/${UUID}`, `d/r/b/${UUID}`]) expect(keys).toContain(key);
});

test("most references have one end", () => {
  for (const key of [`d/r/t/${UUID}`, `d/r/t/${UUID}.gz`, `d/r/t/ti-${UUID}/return_value.json.zst`])
    expect(FILES.below(`file:///srv/x/${key}`)).toEqual([key]);
});

test("spellings of one place of files", () => {
  for (const path of ["file:///srv//x/d/k", "file:///srv/./x/d/k", "file:////srv/x//d/./k"])
    expect(below(path)).toContain("d/k");
});
