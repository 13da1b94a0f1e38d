import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isStorageError } from "../../../src/errors.js";
import type { DriverListEntry, DriverListOptions } from "../../../src/fs/driver/driver.js";
import { compileGlob, globKeys } from "../../../src/fs/glob/walk.js";
import { all } from "../../support/all.js";

/** Which of `keys` a pattern matches. */
function matching(pattern: string, keys: readonly string[]): string[] {
  const { matches } = compileGlob(pattern);
  return keys.filter((key) => matches(key));
}

const byUtf8 = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** A bucket that lists `keys` as S3 does, `size` entries a page, and notes the requests. */
function bucket(keys: readonly string[], size = 1000) {
  const requests: { prefix: string; delimiter: string | undefined; pages: number }[] = [];
  const sorted = [...keys].sort(byUtf8);
  async function* list(prefix: string, options: DriverListOptions): AsyncGenerator<DriverListEntry[]> {
    const { delimiter, startAfter = "", signal } = options;
    const request = { prefix, delimiter, pages: 0 };
    requests.push(request);
    const after = sorted.filter((key) => key.startsWith(prefix) && (startAfter === "" || byUtf8(key, startAfter) > 0));
    const named = new Map<string, DriverListEntry>();
    for (const key of after) {
      const slash = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
      const name = slash < 0 ? key : key.slice(0, slash + 1);
      named.set(name + (slash < 0), { key: name, type: slash < 0 ? "file" : "directory" });
    }
    const items = [...named.values()];
    for (let i = 0; i === 0 || i < items.length; i += size) {
      signal?.throwIfAborted();
      request.pages++;
      yield items.slice(i, i + size);
    }
  }
  return { list, requests };
}

async function globbed(keys: readonly string[], pattern: string, size?: number): Promise<string[]> {
  return (await all(globKeys(bucket(keys, size), pattern))).map(({ key }) => key);
}

/** Every object and directory of a bucket by its printed name; a directory ends with a slash. */
function everything(keys: readonly string[]): string[] {
  const all = new Set<string>();
  for (const key of keys) {
    for (let slash = key.indexOf("/"); slash >= 0; slash = key.indexOf("/", slash + 1))
      all.add(key.slice(0, slash + 1));
    all.add(key);
  }
  return [...all];
}

describe("L14 compileGlob", () => {
  it.each([
    ["a*c", ["ac", "abc", "a.c", "abbc"], ["a/c", "abcd", "xabc"]],
    ["*", ["a", ".hidden", "😀"], ["a/b"]],
    ["a?c", ["abc", "a😀c", "a.c"], ["ac", "abbc", "a/c"]],
    ["[a-c]", ["a", "b", "c"], ["d", "-", "ab"]],
    ["[!a-c]x", ["dx", ".x", "😀x"], ["ax", "/x", "x"]],
    ["[^a]", ["b"], ["a"]],
    ["[]a]", ["]", "a"], ["[", "b"]],
    ["[a-]", ["a", "-"], ["b"]],
    ["[\\]\\-]", ["]", "-"], ["\\"]],
    ["[😀-😂]", ["😁"], ["😃"]],
    ["x.{csv,json}", ["x.csv", "x.json"], ["x.txt", "x.csvjson"]],
    ["{a,{b,c}d}", ["a", "bd", "cd"], ["b", "d"]],
    ["{a,b/c}/d", ["a/d", "b/c/d"], ["b/d"]],
    ["{,a}b", ["b", "ab"], ["a"]],
    ["{*,x/y}.gz", [".gz", "a.gz", "x/y.gz"], ["a/b.gz"]],
    ["**", ["a", "a/b", "a//b", ".x/.y"], []],
    ["a/**", ["a/b", "a/b/c"], ["a", "ab", "b/a/c"]],
    ["**/x", ["x", "a/x", "a/b/x"], ["ax", "a/xx", "x/a"]],
    ["a/**/x", ["a/x", "a/b/x", "a/b/c/x"], ["ax", "x", "a/bx"]],
    ["**/a/**/b", ["a/b", "x/a/y/z/b"], ["b/a", "xa/b"]],
    ["a,b}c", ["a,b}c"], ["a"]],
    ["\\*\\?\\[\\{\\\\", ["*?[{\\"], ["a?[{\\"]],
    ["a.c+(d)|$^", ["a.c+(d)|$^"], ["abc+(d)|$^"]],
  ])("%s matches %j and not %j", (pattern, yes, no) => {
    expect(matching(pattern, [...yes, ...no])).toEqual(yes);
  });

  it.each([
    ["a/b", "literal", "a/b"],
    ["a\\*b", "literal", "a*b"],
    ["*", "last", ""],
    ["a/b*.csv", "last", "a/b"],
    ["a/[x]", "last", "a/"],
    ["a/b*/c", "middle", "a/b"],
    ["{a,b}/c", "middle", ""],
    ["a/*/c*", "middle", "a/"],
    ["a/**", "flat", "a/"],
    ["a/b*/**/c", "flat", "a/b"],
    ["a/{b,c/d}", "flat", "a/"],
  ])("%s is %s with the literal prefix %j", (pattern, kind, literalPrefix) => {
    expect(compileGlob(pattern)).toMatchObject({ kind, literalPrefix });
  });

  it.each([
    ["a[", "open ["],
    ["[]", "open ["],
    ["[!]", "open ["],
    ["[a-", "open ["],
    ["{a,b", "open {"],
    ["{a,{b}", "open {"],
    ["a\\", "open \\"],
    ["[a/b]", "/ between"],
    ["[z-a]", "before its start"],
    ["a**", "whole segment"],
    ["**a/b", "whole segment"],
    ["a/***", "whole segment"],
    ["{**,a}", "whole segment"],
    ["a".repeat(1025), "at most 1024"],
    ["{".repeat(1024), "open {"],
  ])("refuses %s: %s", (pattern, reason) => {
    try {
      compileGlob(pattern);
    } catch (error) {
      expect(isStorageError(error, "InvalidArgument")).toBe(true);
      expect((error as Error).message).toContain(reason);
      return;
    }
    throw new Error("expected a refusal");
  });

  it("matches as the definition of the wildcards says, on small inputs", () => {
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), text, (segments, key) => {
        const pattern = segments.map(shown).join("/");
        expect([pattern, key, compileGlob(pattern).matches(key)]).toEqual([pattern, key, defined(segments, key)]);
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    [`${"*a".repeat(30)}b`, "a".repeat(1000)],
    [`${"{a,aa}".repeat(100)}b`, "a".repeat(1000)],
    ["**/a/".repeat(60) + "b", "a/".repeat(500)],
    [`${"{a,b,*}*".repeat(60)}c`, "ab".repeat(500)],
    [`${"[a-z]*".repeat(60)}0`, "q".repeat(1000)],
  ])("takes no longer for a pattern made to be slow: %s", (pattern, key) => {
    const { matches } = compileGlob(pattern);
    const before = performance.now();
    expect(matches(key)).toBe(false);
    expect(performance.now() - before).toBeLessThan(5000);
  });
});

describe("globKeys", () => {
  const keys = ["r/a.txt", "r/d/.hid", "r/d/b.txt", "r/d/e/c.txt", "r2/x", "r"];

  it.each([
    ["r/**", ["r/a.txt", "r/d/", "r/d/.hid", "r/d/b.txt", "r/d/e/", "r/d/e/c.txt"]],
    ["r/**/*", ["r/a.txt", "r/d/", "r/d/.hid", "r/d/b.txt", "r/d/e/", "r/d/e/c.txt"]],
    ["r/*.txt", ["r/a.txt"]],
    ["r/*", ["r/a.txt", "r/d/"]],
    ["r/d/*", ["r/d/.hid", "r/d/b.txt", "r/d/e/"]],
    ["r/d/[a-b].txt", ["r/d/b.txt"]],
    ["r/**/*.txt", ["r/a.txt", "r/d/b.txt", "r/d/e/c.txt"]],
    ["r/d/.*", ["r/d/.hid"]],
    ["r/d/?.txt", ["r/d/b.txt"]],
    ["r/nothing*", []],
  ])("L14 %s finds what Airflow's glob finds below r", async (pattern, found) => {
    expect((await globbed(keys, pattern)).sort()).toEqual(found);
  });

  it.each([
    ["r", ["r", "r/"]],
    ["r/d", ["r/d/"]],
    ["r*", ["r", "r/", "r2/"]],
    ["*/d/*.txt", ["r/d/b.txt"]],
    ["{r,r2}/*", ["r/a.txt", "r/d/", "r2/x"]],
    ["nothing", []],
    ["nothing/*/x", []],
  ])("L11 L14 %s finds an object and a directory of one name", async (pattern, found) => {
    expect((await globbed(keys, pattern)).sort()).toEqual(found);
  });

  it("an object that marks a directory comes as that directory, once", async () => {
    for (const pattern of ["**", "*", "*/", "d", "*/*"]) {
      const found = await globbed(["d/", "d/x"], pattern);
      expect(found).toEqual([...new Set(found)]);
    }
    expect(await globbed(["d/", "d/x"], "**")).toEqual(["d/", "d/x"]);
    expect(await globbed(["d/", "d/x"], "d/*")).toEqual(["d/x"]);
  });

  it("finds exactly what matches, each once, whatever the pattern, the keys and the pages", async () => {
    const tree = fc.array(
      fc
        .array(fc.constantFrom("a", "b", "ab", ".", "a-", ""), { minLength: 1, maxLength: 4 })
        .map((names) => names.join("/")),
      { maxLength: 25 },
    );
    await fc.assert(
      fc.asyncProperty(
        tree,
        fc.array(segment, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 4 }),
        async (names, segments, size) => {
          const stored = [...new Set(names)].filter((key) => key !== "");
          const pattern = segments.map(shown).join("/");
          const expected = everything(stored).filter((key) => defined(segments, key.replace(/\/$/, "")));
          expect([pattern, (await globbed(stored, pattern, size)).sort()]).toEqual([pattern, expected.sort()]);
        },
      ),
      { numRuns: 2000 },
    );
  });

  const small = Array.from({ length: 1500 }, (_, i) => `logs/day-${String(i).padStart(4, "0")}/a.csv`);
  const crowded = [
    ...Array.from({ length: 20_000 }, (_, i) => `logs/day-0750/deep/${String(i).padStart(5, "0")}`),
    "logs/day-0750/a.csv",
  ];
  it.each([
    ["**/a.csv", [...small], [["", undefined, 2]]],
    ["logs/day-00*", [...small], [["logs/day-00", "/", 1]]],
    ["logs/*/a.csv", [...small], [["logs/", undefined, 2]]],
    ["logs/day-0001/a.csv", [...small], [["logs/day-0001/a.csv", "/", 1]]],
    ["logs/day-000[12]/*.csv", [...small], [["logs/day-000", undefined, 1]]],
  ])("L14 %s takes as few requests as it can", async (pattern, stored, requests) => {
    const driver = bucket(stored);
    for await (const _ of globKeys(driver, pattern));
    expect(driver.requests.map(({ prefix, delimiter, pages }) => [prefix, delimiter, pages])).toEqual(requests);
  });

  it("L14 leaves a directory that fills whole pages, and goes on by delimiter", async () => {
    const driver = bucket([...small, ...crowded.filter((key) => !small.includes(key))]);
    const found = (await all(globKeys(driver, "logs/*/a.csv"))).map(({ key }) => key);
    expect(found.sort()).toEqual(small);
    const [flat, ...descent] = driver.requests;
    expect(flat).toMatchObject({ prefix: "logs/", delimiter: undefined });
    expect(flat!.pages).toBeLessThan(6);
    expect(descent.every(({ delimiter, pages }) => delimiter === "/" && pages === 1)).toBe(true);
    expect(descent.length).toBe(1 + 750);
  });

  it("L14 a name without a wildcard does not page through its longer neighbours", async () => {
    const driver = bucket([...Array.from({ length: 5000 }, (_, i) => `name${String(i).padStart(4, "0")}`), "name"]);
    for await (const _ of globKeys(driver, "name"));
    expect(driver.requests).toMatchObject([{ prefix: "name", pages: 1 }]);
  });

  it.each(["**", "*", "*/*"])("L08 stopping early at %s closes the listing", async (pattern) => {
    let closed = 0;
    async function* list(): AsyncGenerator<DriverListEntry[]> {
      try {
        for (let i = 0; i < 10; i++) yield [{ key: pattern === "*" ? `d${i}` : `d${i}/x`, type: "file" }];
      } finally {
        closed++;
      }
    }
    for await (const _ of globKeys({ list }, pattern)) break;
    expect(closed).toBe(1);
  });

  it.each(["**", "*", "*/*"])("%s ends with the reason of the signal", async (pattern) => {
    const abort = new AbortController();
    const reason = new Error("enough");
    const walk = async () => {
      for await (const _ of globKeys(bucket(["a/b", "a/c", "d"], 1), pattern, { signal: abort.signal }))
        abort.abort(reason);
    };
    await expect(walk()).rejects.toBe(reason);
  });

  it("L10 a page without keys does not end the walk", async () => {
    async function* list(): AsyncGenerator<DriverListEntry[]> {
      yield [];
      yield [{ key: "a/b", type: "file" }];
      yield [];
      yield [{ key: "c/b", type: "file" }];
    }
    const found = (await all(globKeys({ list }, "*/b"))).map(({ key }) => key);
    expect(found).toEqual(["a/b", "c/b"]);
  });
});

/** One part of a segment: a character, a wildcard, a class or a choice. */
type Part = { char: string } | "?" | "*" | { set: string; not: boolean } | { options: Part[][] };
/** A segment, or `**`. */
type Segment = Part[] | "**";

const char = fc.constantFrom("a", "b", ".", "-", "*");
const flatPart: fc.Arbitrary<Part> = fc.oneof(
  char.map((one) => ({ char: one })),
  fc.constantFrom<Part>("?", "*"),
  fc.record({ set: fc.constantFrom("a", "ab", "b."), not: fc.boolean() }),
);
const part = fc.oneof(
  { weight: 4, arbitrary: flatPart },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.array(flatPart, { maxLength: 3 }), { minLength: 1, maxLength: 3 })
      .map((options) => ({ options })),
  },
);
const segment: fc.Arbitrary<Segment> = fc.oneof(
  { weight: 4, arbitrary: fc.array(part, { maxLength: 4 }).map(withoutDoubleStars) },
  { weight: 1, arbitrary: fc.constant("**" as const) },
);
const text = fc.string({ unit: fc.constantFrom("a", "b", ".", "-", "*", "/"), maxLength: 8 });

/** `**` inside a segment is refused, so two runs side by side become one. */
function withoutDoubleStars(parts: Part[]): Part[] {
  const single = parts.filter((one, i) => !(one === "*" && parts[i - 1] === "*"));
  return single.map((one) =>
    typeof one === "object" && "options" in one ? { options: one.options.map(withoutDoubleStars) } : one,
  );
}

function shown(segment: Segment): string {
  return segment === "**" ? segment : segment.map(shownPart).join("");
}

function shownPart(part: Part): string {
  if (typeof part === "string") return part;
  if ("char" in part) return part.char === "*" ? "\\*" : part.char;
  if ("set" in part) return `[${part.not ? "!" : ""}${part.set}]`;
  return `{${part.options.map(shown).join(",")}}`;
}

/** What a pattern means, by trying everything: exponential, and short enough to be seen to be right. */
function defined(segments: readonly Segment[], key: string): boolean {
  const [first, ...rest] = segments;
  if (first === undefined) return false;
  if (first === "**") {
    if (rest.length === 0) return true;
    return defined(rest, key) || slashes(key).some((at) => defined(rest, key.slice(at + 1)));
  }
  if (rest.length === 0) return matchesSegment(first, key);
  return slashes(key).some((at) => matchesSegment(first, key.slice(0, at)) && defined(rest, key.slice(at + 1)));
}

function slashes(key: string): number[] {
  return [...key].flatMap((char, at) => (char === "/" ? [at] : []));
}

function matchesSegment([first, ...rest]: readonly Part[], name: string): boolean {
  if (name.includes("/")) return false;
  if (first === undefined) return name === "";
  if (first === "*")
    return Array.from({ length: name.length + 1 }).some((_, at) => matchesSegment(rest, name.slice(at)));
  if (typeof first === "object" && "options" in first) {
    return first.options.some((option) => matchesSegment([...option, ...rest], name));
  }
  return name !== "" && matchesOne(first, name[0]!) && matchesSegment(rest, name.slice(1));
}

function matchesOne(part: "?" | { char: string } | { set: string; not: boolean }, char: string): boolean {
  if (part === "?") return true;
  return "char" in part ? part.char === char : part.set.includes(char) !== part.not;
}
