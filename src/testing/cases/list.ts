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
async function walk(context: TestContext, folder: StoragePath): Promise<string[]> {
  const found: string[] = [];
  for (const { path, type } of await context.entries(folder)) {
    if (type === "file") found.push(context.name(path));
    else found.push(...(await walk(context, path)));
  }
  return found;
}

async function globbed(context: TestContext, pattern: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { path } of context.storage.glob(context.at(pattern))) names.push(context.name(path));
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

async function refusesNames(context: TestContext, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await expectRejection(context.write(name, "1"), "InvalidArgument", name);
    await expectRejection(context.bytes(name), "InvalidArgument", name);
    await expectRejection(context.storage.delete(context.at(name)), "InvalidArgument", name);
  }
  assert.deepEqual(await context.all(), []);
}

export const listCases: readonly Spec[] = [
  {
    id: "L01",
    title: "an empty or missing directory lists nothing",
    async run(context) {
      assert.deepEqual(await context.names(), []);
      assert.deepEqual(await context.all(context.at("never/was")), []);
      await context.fill(["other/x"]);
      assert.deepEqual(await context.names(context.at("oth")), []);
    },
  },
  {
    id: "L02",
    title: "pages join without a gap: 1001, 1000 and 999 objects, none missing and none twice",
    async run(context) {
      const names = numbered(1001);
      await context.fill(names);
      for (const count of [1001, 1000, 999]) {
        assert.deepEqual(await context.all(), names.slice(0, count), `${count} flat`);
        assert.deepEqual(await context.names(context.at("n")), names.slice(0, count), `${count} by directory`);
        await context.storage.delete(context.at(names[count - 1]!));
      }
    },
  },
  {
    id: "L03",
    title: "one level: its objects with size, time and etag, and its directories once each",
    async run(context) {
      await context.fill(["d/x", "d/e/y", "d/e/z", "d/e.txt", "d/f/g/h", "other"]);
      assert.deepEqual(await context.names(context.at("d")), ["d/e.txt", "d/e/", "d/f/", "d/x"]);
      assert.deepEqual(await context.names(), ["d/", "other"]);
      const [first, directory] = await context.entries(context.at("d"));
      const info = await context.stat("d/e.txt");
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
    async run(context) {
      await context.fill(["a/b/x", "a/bc/y", "a/b.txt", "ab"]);
      assert.deepEqual(await context.names(context.at("a/b")), ["a/b/x"]);
      assert.deepEqual(await context.all(context.at("a/b")), ["a/b/x"]);
      assert.deepEqual(await context.names(context.at("a/b.txt")), []);
    },
  },
  {
    id: "L05",
    title: "startAfter is exclusive; it need not exist or be inside the directory",
    async run(context) {
      await context.fill(["d/a", "d/b", "d/c", "d/e/f"]);
      const after = (name: string, recursive = true) =>
        context.names(context.at("d"), { startAfter: context.at(name).key, recursive });
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
    async run(context) {
      const names = ["a b", "a!", "a%2Fb", "a-b", "a.b", "a/b", "a0", "aB", "ab", "b", "é", "\uff5e", "😀", "😀a"];
      await context.fill(names);
      assert.deepEqual(await context.all(), ordered(names));
      assert.deepEqual(await context.names(), ordered(names.map((name) => (name === "a/b" ? "a/" : name))));
    },
  },
  {
    id: "L07",
    title: "objects created and deleted during a listing do not affect the others",
    async run(context) {
      const names = numbered(1001);
      await context.fill(names);
      const seen: string[] = [];
      for await (const { path } of context.storage.list(context.base, { recursive: true })) {
        if (seen.length === 0) {
          await context.storage.delete([context.at("n/0001"), context.at("n/1000")]);
          await context.fill(["n/0000a", "n/2000"]);
        }
        seen.push(context.name(path));
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
    async run(context) {
      await context.fill(["a", "b/c", "d"]);
      for (const recursive of [true, false]) {
        for await (const { path } of context.storage.list(context.base, { recursive })) {
          assert.equal(context.name(path), "a");
          break;
        }
      }
      assert.equal((await context.all()).length, 3);
    },
  },
  {
    id: "L11",
    title: "an object `a` beside `a/b`: both are listed, read and deleted on their own",
    needs: ["nesting"],
    async run(context) {
      await context.fill(["a", "a/b"]);
      assert.deepEqual(await context.all(), ["a", "a/b"]);
      assert.deepEqual(await context.names(), ["a", "a/"]);
      await context.holds("a", "a");
      await context.storage.delete(context.at("a"));
      assert.deepEqual(await context.all(), ["a/b"]);
    },
    async without(context) {
      await context.fill(["a", "d/e"]);
      await expectRejection(context.write("a/b", "2"), "Unsupported");
      await expectRejection(context.write("d", "2"), "Unsupported");
      await expectRejection(context.storage.copy(context.at("a"), context.at("d")), "Unsupported");
      assert.deepEqual(await context.all(), ["a", "d/e"]);
    },
  },
  {
    id: "L12",
    title: "keys with empty segments and trailing slashes are kept exactly",
    needs: ["anyKey", "nesting"],
    async run(context) {
      const names = ["a/", "a//b", "/c"];
      await context.fill(names);
      assert.deepEqual(await context.all(), ordered(names));
      for (const name of names) await context.holds(name, name);
      // A directory's marker object is not its own child.
      assert.deepEqual(await context.names(context.at("a")), ["a//"]);
      await context.storage.delete(context.at("a//b"));
      assert.deepEqual(await context.all(), ["/c", "a/"]);
    },
    async without(context) {
      await refusesNames(context, ["a/", "a//b", "a\\b"]);
    },
  },
  {
    id: "L16",
    title: "keys with `.` and `..` segments are kept exactly, and never resolve to another key",
    needs: ["dotSegments", "nesting"],
    async run(context) {
      const names = ["a/./b", "a/../b", "b", "d/.", "d/.."];
      await context.fill(names);
      assert.deepEqual(await context.all(), ordered(names));
      for (const name of names) await context.holds(name, name);
      assert.deepEqual(await context.names(context.at("a")), ["a/../", "a/./"]);
      await context.storage.delete(context.at("a/../b"));
      assert.deepEqual(await context.all(), ordered(names.filter((name) => name !== "a/../b")));
    },
    async without(context) {
      await refusesNames(context, ["a/./b", "../b", "a/../b", "a/..", ".", ".."]);
    },
  },
  {
    id: "L13",
    title: "list, a walk, stat and read agree on a random tree",
    async run(context) {
      const names = tree();
      await context.fill(names);
      const entries = await context.entries(context.base, { recursive: true });
      assert.deepEqual(
        entries.map(({ path }) => context.name(path)),
        ordered(names),
      );
      assert.deepEqual(ordered(await walk(context, context.base)), ordered(names));
      await pooled(entries, async ({ path, size, etag, modified }) => {
        const info = await context.storage.stat(path);
        const data = await gather(context.storage.read(path));
        same(data, context.name(path), "content");
        assert.deepEqual([size, etag], [info.size, info.etag]);
        assert.equal(info.size, data.byteLength);
        assert.ok(Math.abs(modified!.getTime() - info.modified!.getTime()) < 1000);
      });
    },
  },
  {
    id: "L14",
    title: "glob: `*`, `?`, `**`, sets and alternatives, inside their segments; other characters are literal",
    async run(context) {
      await context.fill(["a.json", "b.json", "b.txt", ".hidden", "d/a.json", "d/e/c.json", "d/e/f.gz", "(x)+.$"]);
      assert.deepEqual(await globbed(context, "*.json"), ["a.json", "b.json"]);
      assert.deepEqual(await globbed(context, "?.txt"), ["b.txt"]);
      assert.deepEqual(await globbed(context, "[ab].*"), ["a.json", "b.json", "b.txt"]);
      assert.deepEqual(await globbed(context, "{a,b}.json"), ["a.json", "b.json"]);
      assert.deepEqual(await globbed(context, "**/*.json"), ["a.json", "b.json", "d/a.json", "d/e/c.json"]);
      assert.deepEqual(await globbed(context, "d/*/*.json"), ["d/e/c.json"]);
      assert.deepEqual(await globbed(context, "d/*.json"), ["d/a.json"]);
      assert.deepEqual(await globbed(context, "(x)+.$"), ["(x)+.$"]);
      assert.deepEqual(await globbed(context, "none/*"), []);
      assert.deepEqual(await globbed(context, `${"*a".repeat(40)}z`), []);
    },
  },
  {
    id: "L15",
    title: "a listing immediately reflects writes, replacements and deletions",
    async run(context) {
      for (let round = 0; round < 5; round++) {
        await context.write("d/x", "1".repeat(round + 1));
        assert.equal((await context.entries(context.at("d")))[0]!.size, round + 1);
        await context.storage.delete(context.at("d/x"));
        assert.deepEqual(await context.names(), []);
        await context.missing("d/x");
      }
      await context.write("d", "now an object");
      assert.deepEqual(await context.names(), ["d"]);
    },
  },
  {
    id: "L17",
    title: "a listing goes on after any entry of an earlier one, also a directory, without repeating it",
    async run(context) {
      await context.fill(["a", "b/1", "b/2", "c", "d/x/y", "e"]);
      const seen: string[] = [];
      let last: ListEntry | undefined;
      for (let round = 0; round < 10; round += 1) {
        const [next] = await firstOf(context, last);
        if (next === undefined) break;
        seen.push(context.name(next.path));
        last = next;
      }
      assert.deepEqual(seen, ["a", "b", "c", "d", "e"]);
      assert.deepEqual(await context.names(context.base, { startAfter: context.at("b").key + "/" }), ["c", "d/", "e"]);
    },
  },
  {
    id: "L18",
    title: "limit ends a listing after as many entries, of one level or of all; other numbers are InvalidArgument",
    async run(context) {
      await context.fill(["a", "b/1", "b/2", "c", "d/x", "e"]);
      for (const limit of [1, 2, 4, 5, 6, 1000, 5000]) {
        assert.deepEqual(await context.names(context.base, { limit }), ["a", "b/", "c", "d/", "e"].slice(0, limit));
        const all = ["a", "b/1", "b/2", "c", "d/x", "e"];
        assert.deepEqual(await context.names(context.base, { limit, recursive: true }), all.slice(0, limit));
      }
      const after = { limit: 2, startAfter: `${context.at("b").key}/` };
      assert.deepEqual(await context.names(context.base, after), ["c", "d/"]);
      for (const limit of [0, -1, 1.5, Number.NaN])
        await expectRejection(context.names(context.base, { limit }), "InvalidArgument", `${limit}`);
    },
  },
  {
    id: "L19",
    title: "byPage: full pages, and the last one; each says how to go on, also after a limit",
    async run(context) {
      await context.fill(["a", "b/1", "b/2", "c", "d/x", "e"]);
      const expected = ["a", "b/", "c", "d/", "e"];
      for (const size of [1, 2, 3, 5, 6]) {
        const pages: string[][] = [];
        for await (const { entries, next } of context.storage.list(context.base).byPage({ size })) {
          pages.push(labelsOf(context, entries));
          assert.equal(next === undefined, pages.flat().length === expected.length, `${size}`);
        }
        assert.deepEqual(pages.flat(), expected);
        assert.ok(pages.slice(0, -1).every(({ length }) => length === size));
      }
      const seen: string[][] = [];
      let startAfter: string | undefined;
      do {
        const pages = context.storage.list(context.base, { startAfter, limit: 2 }).byPage();
        startAfter = undefined;
        for await (const { entries, next } of pages) {
          assert.equal(startAfter, undefined, "a second page");
          seen.push(labelsOf(context, entries));
          startAfter = next;
        }
      } while (startAfter !== undefined);
      assert.deepEqual(seen, [["a", "b/"], ["c", "d/"], ["e"]]);
      for await (const _ of context.storage.list(context.at("none")).byPage()) assert.fail("a page of nothing");
      const first = async (size: number) => context.storage.list(context.base).byPage({ size }).next();
      await expectRejection(first(0), "InvalidArgument");
    },
  },
];

function labelsOf(context: TestContext, entries: readonly ListEntry[]): string[] {
  return entries.map(({ path, type }) => context.name(path) + (type === "directory" ? "/" : ""));
}

/** Returns the first entry after `last`, if there is one, and abandons the listing. */
async function firstOf(context: TestContext, last: ListEntry | undefined): Promise<ListEntry[]> {
  for await (const entry of context.storage.list(context.base, { startAfter: last })) return [entry];
  return [];
}
