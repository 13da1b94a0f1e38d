import assert from "node:assert/strict";
import { byUtf8 } from "../../fs/driver/index.js";
import type { ListEntry } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import type { Spec, TestContext } from "../bench.js";
import { expectRejection, gather, pooled, same } from "../bench.js";

const ordered = (names: readonly string[]): string[] => [...names].sort(byUtf8);
const numbered = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `n/${String(i).padStart(4, "0")}`);

/** Returns every object below, found level by level. */
async function walk(bench: TestContext, at: StoragePath): Promise<string[]> {
  const found: string[] = [];
  for (const { path, type } of await bench.entries(at)) {
    if (type === "file") found.push(bench.name(path));
    else found.push(...(await walk(bench, path)));
  }
  return found;
}

async function globbed(bench: TestContext, pattern: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { path } of bench.storage.glob(bench.at(pattern))) names.push(bench.name(path));
  return names.sort(byUtf8);
}

/** Returns a deterministic pseudo-random tree: up to four levels of few names, so that many collide. */
function tree(): string[] {
  const pieces = ["a", "b", "ab", "a b", "é", "x.json"];
  const names = new Set<string>();
  for (let state = 7; names.size < 60; ) {
    const name: string[] = [];
    do {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      name.push(pieces[(state >> 8) % pieces.length]!);
    } while ((state >> 16) % 4 !== 0 && name.length < 4);
    names.add(`${name.join("/")}.leaf`);
  }
  return [...names];
}

async function refusesNames(bench: TestContext, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await expectRejection(bench.write(name, "1"), "InvalidArgument", name);
    await expectRejection(bench.bytes(name), "InvalidArgument", name);
    await expectRejection(bench.storage.delete(bench.at(name)), "InvalidArgument", name);
  }
  assert.deepEqual(await bench.all(), []);
}

export const listCases: readonly Spec[] = [
  {
    id: "L01",
    title: "an empty or missing directory lists nothing",
    async run(bench) {
      assert.deepEqual(await bench.names(), []);
      assert.deepEqual(await bench.all(bench.at("never/was")), []);
      await bench.fill(["other/x"]);
      assert.deepEqual(await bench.names(bench.at("oth")), []);
    },
  },
  {
    id: "L02",
    title: "pages join without a gap: 1001, 1000 and 999 objects, none missing and none twice",
    async run(bench) {
      const names = numbered(1001);
      await bench.fill(names);
      for (const count of [1001, 1000, 999]) {
        assert.deepEqual(await bench.all(), names.slice(0, count), `${count} flat`);
        assert.deepEqual(await bench.names(bench.at("n")), names.slice(0, count), `${count} by directory`);
        await bench.storage.delete(bench.at(names[count - 1]!));
      }
    },
  },
  {
    id: "L03",
    title: "one level: its objects with size, time and etag, and its directories once each",
    async run(bench) {
      await bench.fill(["d/x", "d/e/y", "d/e/z", "d/e.txt", "d/f/g/h", "other"]);
      assert.deepEqual(await bench.names(bench.at("d")), ["d/e.txt", "d/e/", "d/f/", "d/x"]);
      assert.deepEqual(await bench.names(), ["d/", "other"]);
      const [first, directory] = await bench.entries(bench.at("d"));
      const info = await bench.stat("d/e.txt");
      assert.equal(first!.size, info.size);
      assert.equal(first!.etag, info.etag);
      assert.ok(Math.abs(first!.modified!.getTime() - info.modified!.getTime()) < 1000);
      assert.equal(directory!.type, "directory");
      assert.equal(directory!.size, undefined);
    },
  },
  {
    id: "L04",
    title: "directories match by segment: `a/b` lists neither `a/bc` nor itself",
    async run(bench) {
      await bench.fill(["a/b/x", "a/bc/y", "a/b.txt", "ab"]);
      assert.deepEqual(await bench.names(bench.at("a/b")), ["a/b/x"]);
      assert.deepEqual(await bench.all(bench.at("a/b")), ["a/b/x"]);
      assert.deepEqual(await bench.names(bench.at("a/b.txt")), []);
    },
  },
  {
    id: "L05",
    title: "startAfter is exclusive; it need not exist or be inside the directory",
    async run(bench) {
      await bench.fill(["d/a", "d/b", "d/c", "d/e/f"]);
      const after = (name: string, recursive = true) =>
        bench.names(bench.at("d"), { startAfter: bench.at(name).key, recursive });
      assert.deepEqual(await after("d/a"), ["d/b", "d/c", "d/e/f"]);
      assert.deepEqual(await after("d/aa"), ["d/b", "d/c", "d/e/f"]);
      assert.deepEqual(await after("d/b", false), ["d/c", "d/e/"]);
      assert.deepEqual(await after("d/c"), ["d/e/f"]);
      assert.deepEqual(await after("d/e/a", false), []);
      assert.deepEqual(await after("d/e/f"), []);
      assert.deepEqual(await after("c"), ["d/a", "d/b", "d/c", "d/e/f"]);
      assert.deepEqual(await after("e"), []);
    },
  },
  {
    id: "L06",
    title: "entries come in the order of the UTF-8 bytes of their keys",
    async run(bench) {
      const names = ["a b", "a!", "a%2Fb", "a-b", "a.b", "a/b", "a0", "aB", "ab", "b", "é", "\uff5e", "😀", "😀a"];
      await bench.fill(names);
      assert.deepEqual(await bench.all(), ordered(names));
      assert.deepEqual(await bench.names(), ordered(names.map((name) => (name === "a/b" ? "a/" : name))));
    },
  },
  {
    id: "L07",
    title: "objects created and deleted during a listing do not affect the others",
    async run(bench) {
      const names = numbered(1001);
      await bench.fill(names);
      const seen: string[] = [];
      for await (const { path } of bench.storage.list(bench.base, { recursive: true })) {
        if (seen.length === 0) {
          await bench.storage.delete([bench.at("n/0001"), bench.at("n/1000")]);
          await bench.fill(["n/0000a", "n/2000"]);
        }
        seen.push(bench.name(path));
      }
      assert.equal(new Set(seen).size, seen.length, "an entry came twice");
      assert.deepEqual(
        seen.filter((name) => /^n\/0/.test(name) && !["n/0001", "n/0000a"].includes(name)),
        names.filter((name) => !["n/0001", "n/1000"].includes(name)),
      );
    },
  },
  {
    id: "L08",
    title: "a listing can be abandoned after any entry",
    async run(bench) {
      await bench.fill(["a", "b/c", "d"]);
      for (const recursive of [true, false]) {
        for await (const { path } of bench.storage.list(bench.base, { recursive })) {
          assert.equal(bench.name(path), "a");
          break;
        }
      }
      assert.equal((await bench.all()).length, 3);
    },
  },
  {
    id: "L11",
    title: "an object `a` beside `a/b`: both are listed, read and deleted on their own",
    needs: ["nesting"],
    async run(bench) {
      await bench.fill(["a", "a/b"]);
      assert.deepEqual(await bench.all(), ["a", "a/b"]);
      assert.deepEqual(await bench.names(), ["a", "a/"]);
      await bench.holds("a", "a");
      await bench.storage.delete(bench.at("a"));
      assert.deepEqual(await bench.all(), ["a/b"]);
    },
    async without(bench) {
      await bench.fill(["a", "d/e"]);
      await expectRejection(bench.write("a/b", "2"), "Unsupported");
      await expectRejection(bench.write("d", "2"), "Unsupported");
      await expectRejection(bench.storage.copy(bench.at("a"), bench.at("d")), "Unsupported");
      assert.deepEqual(await bench.all(), ["a", "d/e"]);
    },
  },
  {
    id: "L12",
    title: "keys with empty segments and trailing slashes are kept exactly",
    needs: ["anyKey", "nesting"],
    async run(bench) {
      const names = ["a/", "a//b", "/c"];
      await bench.fill(names);
      assert.deepEqual(await bench.all(), ordered(names));
      for (const name of names) await bench.holds(name, name);
      // A directory's marker object is not its own child.
      assert.deepEqual(await bench.names(bench.at("a")), ["a//"]);
      await bench.storage.delete(bench.at("a//b"));
      assert.deepEqual(await bench.all(), ["/c", "a/"]);
    },
    async without(bench) {
      await refusesNames(bench, ["a/", "a//b", "a\\b"]);
    },
  },
  {
    id: "L16",
    title: "keys with `.` and `..` segments are kept exactly, and never resolve to another key",
    needs: ["dotSegments", "nesting"],
    async run(bench) {
      const names = ["a/./b", "a/../b", "b", "d/.", "d/.."];
      await bench.fill(names);
      assert.deepEqual(await bench.all(), ordered(names));
      for (const name of names) await bench.holds(name, name);
      assert.deepEqual(await bench.names(bench.at("a")), ["a/../", "a/./"]);
      await bench.storage.delete(bench.at("a/../b"));
      assert.deepEqual(await bench.all(), ordered(names.filter((name) => name !== "a/../b")));
    },
    async without(bench) {
      await refusesNames(bench, ["a/./b", "../b", "a/../b", "a/..", ".", ".."]);
    },
  },
  {
    id: "L13",
    title: "list, a walk, stat and read agree on a random tree",
    async run(bench) {
      const names = tree();
      await bench.fill(names);
      const entries = await bench.entries(bench.base, { recursive: true });
      assert.deepEqual(
        entries.map(({ path }) => bench.name(path)),
        ordered(names),
      );
      assert.deepEqual(ordered(await walk(bench, bench.base)), ordered(names));
      await pooled(entries, async ({ path, size, etag, modified }) => {
        const info = await bench.storage.stat(path);
        const data = await gather(bench.storage.read(path));
        same(data, bench.name(path), "content");
        assert.deepEqual([size, etag], [info.size, info.etag]);
        assert.equal(info.size, data.byteLength);
        assert.ok(Math.abs(modified!.getTime() - info.modified!.getTime()) < 1000);
      });
    },
  },
  {
    id: "L14",
    title: "glob: `*`, `?`, `**`, sets and alternatives, inside their segments; other characters are literal",
    async run(bench) {
      await bench.fill(["a.json", "b.json", "b.txt", ".hidden", "d/a.json", "d/e/c.json", "d/e/f.gz", "(x)+.$"]);
      assert.deepEqual(await globbed(bench, "*.json"), ["a.json", "b.json"]);
      assert.deepEqual(await globbed(bench, "?.txt"), ["b.txt"]);
      assert.deepEqual(await globbed(bench, "[ab].*"), ["a.json", "b.json", "b.txt"]);
      assert.deepEqual(await globbed(bench, "{a,b}.json"), ["a.json", "b.json"]);
      assert.deepEqual(await globbed(bench, "**/*.json"), ["a.json", "b.json", "d/a.json", "d/e/c.json"]);
      assert.deepEqual(await globbed(bench, "d/*/*.json"), ["d/e/c.json"]);
      assert.deepEqual(await globbed(bench, "d/*.json"), ["d/a.json"]);
      assert.deepEqual(await globbed(bench, "(x)+.$"), ["(x)+.$"]);
      assert.deepEqual(await globbed(bench, "none/*"), []);
      assert.deepEqual(await globbed(bench, `${"*a".repeat(40)}z`), []);
    },
  },
  {
    id: "L15",
    title: "a listing immediately reflects writes, replacements and deletions",
    async run(bench) {
      for (let round = 0; round < 5; round++) {
        await bench.write("d/x", "1".repeat(round + 1));
        assert.equal((await bench.entries(bench.at("d")))[0]!.size, round + 1);
        await bench.storage.delete(bench.at("d/x"));
        assert.deepEqual(await bench.names(), []);
        await bench.missing("d/x");
      }
      await bench.write("d", "now an object");
      assert.deepEqual(await bench.names(), ["d"]);
    },
  },
  {
    id: "L17",
    title: "a listing goes on after any entry of an earlier one, also a directory, without repeating it",
    async run(bench) {
      await bench.fill(["a", "b/1", "b/2", "c", "d/x/y", "e"]);
      const seen: string[] = [];
      let last: ListEntry | undefined;
      for (let round = 0; round < 10; round += 1) {
        const [next] = await firstOf(bench, last);
        if (next === undefined) break;
        seen.push(bench.name(next.path));
        last = next;
      }
      assert.deepEqual(seen, ["a", "b", "c", "d", "e"]);
      assert.deepEqual(await bench.names(bench.base, { startAfter: bench.at("b").key + "/" }), ["c", "d/", "e"]);
    },
  },
  {
    id: "L18",
    title: "limit ends a listing after as many entries, of one level or of all; other numbers are InvalidArgument",
    async run(bench) {
      await bench.fill(["a", "b/1", "b/2", "c", "d/x", "e"]);
      for (const limit of [1, 2, 4, 5, 6, 1000, 5000]) {
        assert.deepEqual(await bench.names(bench.base, { limit }), ["a", "b/", "c", "d/", "e"].slice(0, limit));
        const all = ["a", "b/1", "b/2", "c", "d/x", "e"];
        assert.deepEqual(await bench.names(bench.base, { limit, recursive: true }), all.slice(0, limit));
      }
      const after = { limit: 2, startAfter: `${bench.at("b").key}/` };
      assert.deepEqual(await bench.names(bench.base, after), ["c", "d/"]);
      for (const limit of [0, -1, 1.5, Number.NaN])
        await expectRejection(bench.names(bench.base, { limit }), "InvalidArgument", `${limit}`);
    },
  },
  {
    id: "L19",
    title: "byPage: full pages, and the last one; each says how to go on, also after a limit",
    async run(bench) {
      await bench.fill(["a", "b/1", "b/2", "c", "d/x", "e"]);
      const expected = ["a", "b/", "c", "d/", "e"];
      for (const size of [1, 2, 3, 5, 6]) {
        const pages: string[][] = [];
        for await (const { entries, next } of bench.storage.list(bench.base).byPage({ size })) {
          pages.push(labelsOf(bench, entries));
          assert.equal(next === undefined, pages.flat().length === expected.length, `${size}`);
        }
        assert.deepEqual(pages.flat(), expected);
        assert.ok(pages.slice(0, -1).every(({ length }) => length === size));
      }
      const seen: string[][] = [];
      let startAfter: string | undefined;
      do {
        const pages = bench.storage.list(bench.base, { startAfter, limit: 2 }).byPage();
        startAfter = undefined;
        for await (const { entries, next } of pages) {
          assert.equal(startAfter, undefined, "a second page");
          seen.push(labelsOf(bench, entries));
          startAfter = next;
        }
      } while (startAfter !== undefined);
      assert.deepEqual(seen, [["a", "b/"], ["c", "d/"], ["e"]]);
      for await (const _ of bench.storage.list(bench.at("none")).byPage()) assert.fail("a page of nothing");
      const first = async (size: number) => bench.storage.list(bench.base).byPage({ size }).next();
      await expectRejection(first(0), "InvalidArgument");
    },
  },
];

function labelsOf(bench: TestContext, entries: readonly ListEntry[]): string[] {
  return entries.map(({ path, type }) => bench.name(path) + (type === "directory" ? "/" : ""));
}

/** Returns the first entry after `last`, if there is one, and abandons the listing. */
async function firstOf(bench: TestContext, last: ListEntry | undefined): Promise<ListEntry[]> {
  for await (const entry of bench.storage.list(bench.base, { startAfter: last })) return [entry];
  return [];
}
