import assert from "node:assert/strict";
import { isBatchError } from "../../errors.js";
import type { Spec, TestContext } from "../bench.js";
import { expectRejection, MIB, noise, ODD_NAMES } from "../bench.js";

async function copied(bench: TestContext, from: string, to: string): Promise<void> {
  await bench.storage.copy(bench.at(from), bench.at(to));
}

export const copyCases: readonly Spec[] = [
  {
    id: "M01",
    title: "a copy has the same bytes, at a new place or over an old object",
    async run(bench) {
      const data = noise(20 * MIB);
      await bench.write("x", data);
      await bench.write("old", "old");
      await copied(bench, "x", "d/y");
      await copied(bench, "x", "old");
      for (const name of ["x", "d/y", "old"]) await bench.holds(name, data);
      await bench.write("empty", "");
      await copied(bench, "empty", "old");
      await bench.holds("old", "");
    },
  },
  {
    id: "M02",
    title: "copying a missing source is NotFound, and the target stays",
    async run(bench) {
      await bench.write("x", "kept");
      await expectRejection(copied(bench, "none", "x"), "NotFound");
      await expectRejection(bench.storage.move(bench.at("none"), bench.at("x")), "NotFound");
      await expectRejection(bench.storage.copy(bench.at("none"), bench.at("y", bench.other)), "NotFound");
      await bench.holds("x", "kept");
    },
  },
  {
    id: "M03",
    title: "a copy or move onto itself, in any spelling, loses nothing",
    async run(bench) {
      await bench.write("d/x", "kept");
      const [at, { storage }] = [bench.at("d/x"), bench];
      for (const to of [at, String(at), `${at}/`]) {
        await storage.copy(at, to);
        await bench.holds("d/x", "kept");
        await storage.move(at, to);
        await bench.holds("d/x", "kept");
        await storage.move(to, at);
        await bench.holds("d/x", "kept");
      }
    },
  },
  {
    id: "M04",
    title: "a copy keeps content type and metadata, also through another provider",
    needs: ["metadata", "contentType"],
    async run(bench) {
      const init = { contentType: "text/csv; charset=utf-8", metadata: { one: "1", two: "zwei ü" } };
      await bench.write("x.json", "a,b", init);
      await copied(bench, "x.json", "y");
      await expectKept(bench, "y", init);
      if (bench.other.scheme === "file") return;
      await bench.storage.copy(bench.at("x.json"), bench.at("through", bench.other));
      await bench.storage.copy(bench.at("through", bench.other), bench.at("back"));
      await expectKept(bench, "back", init);
    },
    async without(bench) {
      await bench.storage.write(bench.at("x", bench.other), "1", { metadata: { one: "1" } });
      await bench.storage.copy(bench.at("x", bench.other), bench.at("x"));
      await bench.holds("x", "1");
    },
  },
  {
    id: "M06",
    title: "ifMatch applies to the source: with an older etag nothing is copied",
    async run(bench) {
      await bench.write("x", "1");
      const first = await bench.etag("x");
      await bench.write("x", "22");
      for (const target of [bench.at("y"), bench.at("y", bench.other)]) {
        await expectRejection(bench.storage.copy(bench.at("x"), target, { ifMatch: first }), [
          "PreconditionFailed",
          "ObjectChanged",
        ]);
        assert.equal(await bench.storage.exists(target), false);
        await bench.storage.copy(bench.at("x"), target, { ifMatch: await bench.etag("x") });
        assert.equal(await bench.storage.text(target), "22");
      }
    },
  },
  {
    id: "M07",
    title: "a copy with ifAbsent replaces nothing",
    needs: ["copyIfAbsent"],
    async run(bench) {
      await bench.fill(["x", "y"]);
      await expectRejection(bench.storage.copy(bench.at("x"), bench.at("y"), { ifAbsent: true }), "AlreadyExists");
      await bench.holds("y", "y");
      await bench.storage.copy(bench.at("x"), bench.at("z"), { ifAbsent: true });
      await bench.holds("z", "x");
    },
    async without(bench) {
      await bench.fill(["x", "y"]);
      await expectRejection(bench.storage.copy(bench.at("x"), bench.at("y"), { ifAbsent: true }), "Unsupported");
      await expectRejection(bench.storage.copy(bench.at("x"), bench.at("z"), { ifAbsent: true }), "Unsupported");
      await bench.holds("y", "y");
      await bench.missing("z");
    },
  },
  {
    id: "M08",
    title: "a copy to another provider and back has the same bytes and respects ifAbsent",
    needs: ["conditions"],
    async run(bench) {
      const [there, { storage }] = [bench.at("x", bench.other), bench];
      await thereAndBack(bench);
      await expectRejection(storage.copy(bench.at("x"), there, { ifAbsent: true }), "AlreadyExists");
      await expectRejection(storage.copy(there, bench.at("x"), { ifAbsent: true }), "AlreadyExists");
      await bench.holds("x", "changed");
    },
    async without(bench) {
      const { storage } = bench;
      await thereAndBack(bench);
      const back = storage.copy(bench.at("x", bench.other), bench.at("new"), { ifAbsent: true });
      await expectRejection(back, "Unsupported");
      await bench.missing("new");
    },
  },
  {
    id: "M09",
    title: "a move deletes the source only when its copy is complete",
    async run(bench) {
      const { storage } = bench;
      await bench.write("x", "1");
      await storage.move(bench.at("x"), bench.at("d/y"));
      assert.deepEqual(await bench.all(), ["d/y"]);
      await storage.move(bench.at("d/y"), bench.at("y", bench.other));
      assert.deepEqual(await bench.all(), []);
      await storage.move(bench.at("y", bench.other), bench.at("z"));
      assert.equal(await storage.exists(bench.at("y", bench.other)), false);
      await bench.write("old", "old");
      await expectRejection(storage.move(bench.at("z"), bench.at("old", bench.other), { ifMatch: '"stale"' }), [
        "PreconditionFailed",
        "ObjectChanged",
        "InvalidArgument",
      ]);
      await bench.holds("z", "1");
    },
  },
  {
    id: "M10",
    title: "sources with percent signs, spaces, emoji and other odd names",
    async run(bench) {
      for (const [i, name] of ODD_NAMES.entries()) {
        await bench.write(name, `${i}`);
        await copied(bench, name, `copies/${i}`);
        await bench.holds(`copies/${i}`, `${i}`);
        await copied(bench, `copies/${i}`, `to/${name}`);
        await bench.holds(`to/${name}`, `${i}`);
      }
    },
  },
  {
    id: "M11",
    title: "a recursive copy or move includes everything below, and no sibling",
    async run(bench) {
      const { storage } = bench;
      await bench.fill(["a/x", "a/b/y", "ab/z"]);
      await storage.copy(bench.at("a"), bench.at("c"), { recursive: true });
      assert.deepEqual(await bench.all(), ["a/b/y", "a/x", "ab/z", "c/b/y", "c/x"]);
      await bench.holds("c/b/y", "a/b/y");
      await storage.move(bench.at("c"), bench.at("d", bench.other), { recursive: true });
      assert.deepEqual(await bench.all(), ["a/b/y", "a/x", "ab/z"]);
      assert.equal(await storage.text(bench.at("d/x", bench.other)), "a/x");
      await storage.delete(bench.at("d", bench.other), { recursive: true });
      await expectRejection(storage.copy(bench.at("a"), bench.at("a/b"), { recursive: true }), "InvalidArgument");
      await expectRejection(storage.copy(bench.at("none"), bench.at("e"), { recursive: true }), "NotFound");
    },
  },
  {
    id: "M12",
    title: "folder markers (empty objects `d/`) are copied with a tree, and become directories on file systems",
    needs: ["anyKey"],
    async run(bench) {
      const { storage } = bench;
      await bench.fill(["d/a/x", "d/y"]);
      for (const marker of ["d/", "d/a/", "d/b/"]) await bench.write(marker, "");
      await storage.copy(bench.at("d"), bench.at("e", bench.other), { recursive: true });
      assert.equal(await storage.text(bench.at("e/a/x", bench.other)), "d/a/x");
      assert.equal(await storage.text(bench.at("e/y", bench.other)), "d/y");
      await storage.move(bench.at("d"), bench.at("f"), { recursive: true });
      assert.deepEqual(await bench.all(), ["f/", "f/a/", "f/a/x", "f/b/", "f/y"]);
      await storage.delete(bench.at("f"), { recursive: true });
      assert.deepEqual(await bench.all(), []);
    },
    async without(bench) {
      const { storage } = bench;
      for (const name of ["d/", "d/a/", "d/b/"]) await storage.write(bench.at(name, bench.other), "");
      await storage.write(bench.at("d/a/x", bench.other), "1");
      await storage.move(bench.at("d", bench.other), bench.at("e"), { recursive: true });
      assert.deepEqual(await bench.all(), ["e/a/x"]);
      for await (const { path } of storage.list(bench.other, { recursive: true })) assert.fail(`${path} is left`);
    },
  },
  {
    id: "M13",
    title: "a recursive copy or move continues past an entry that fails, reports it, and keeps it",
    async run(bench) {
      const { storage } = bench;
      const long = ["l", "m", "n"].map((letter) => letter.repeat(200)).join("/");
      const deep = ["d", "e"].map((letter) => letter.repeat(220)).join("/");
      await bench.fill(["s/a", `s/${long}`, "s/z"]);
      for (const verb of ["copy", "move"] as const) {
        const error = await storage[verb](bench.at("s"), bench.at(`t/${deep}`), { recursive: true }).catch(
          (reason: unknown) => reason,
        );
        assert.ok(isBatchError(error), `a BatchError expected, not ${error}`);
        assert.deepEqual([error.code, error.failureCount, error.completed], ["InvalidArgument", 1, 2]);
        assert.deepEqual(
          error.failures.map(({ path }) => path),
          [String(bench.at(`s/${long}`))],
        );
        for (const name of ["a", "z"]) await bench.holds(`t/${deep}/${name}`, `s/${name}`);
      }
      assert.deepEqual(await bench.all(bench.at("s")), [`s/${long}`]);
    },
  },
  {
    id: "M14",
    title: "a tree with odd names is copied, moved there and back, and deleted with every entry",
    async run(bench) {
      const { storage } = bench;
      const names = [...ODD_NAMES].sort();
      await bench.fill(names.map((name) => `s/${name}`));
      await storage.copy(bench.at("s"), bench.at("t"), { recursive: true });
      await storage.move(bench.at("s"), bench.at("s", bench.other), { recursive: true });
      assert.deepEqual(await below(bench, "s"), []);
      await storage.move(bench.at("s", bench.other), bench.at("u"), { recursive: true });
      for (const folder of ["t", "u"]) {
        assert.deepEqual(await below(bench, folder), names);
        for (const name of names) await bench.holds(`${folder}/${name}`, `s/${name}`);
      }
      await storage.delete(bench.at("t"), { recursive: true });
      assert.deepEqual([await below(bench, "t"), await below(bench, "u")], [[], names]);
    },
  },
];

/** Returns the names below `folder`, without it. */
async function below(bench: TestContext, folder: string): Promise<string[]> {
  const names = await bench.all(bench.at(folder));
  return names.map((name) => name.slice(folder.length + 1)).sort();
}

/** Copies objects of several sizes to another provider and back, and leaves other content at `x`. */
async function thereAndBack(bench: TestContext): Promise<void> {
  const [there, { storage }] = [bench.at("x", bench.other), bench];
  for (const data of [noise(0), noise(10), noise(20 * MIB)]) {
    await bench.write("x", data);
    const progress: number[] = [];
    await storage.copy(bench.at("x"), there, { onProgress: (bytes) => progress.push(bytes) });
    if (data.byteLength > 0) assert.equal(progress.at(-1), data.byteLength);
    await storage.copy(there, bench.at("back"));
    await bench.holds("back", data);
  }
  await bench.write("x", "changed");
}

async function expectKept(
  bench: TestContext,
  name: string,
  init: { contentType: string; metadata: object },
): Promise<void> {
  const { contentType, metadata } = await bench.stat(name);
  assert.deepEqual({ contentType, metadata: { ...metadata } }, init, name);
}
