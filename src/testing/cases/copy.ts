import assert from "node:assert/strict";
import { isBatchError } from "../../errors.js";
import type { Spec, TestContext } from "../bench.js";
import { expectRejection, MIB, noise, ODD_NAMES } from "../bench.js";

async function copied(context: TestContext, from: string, to: string): Promise<void> {
  await context.storage.copy(context.at(from), context.at(to));
}

export const copyCases: readonly Spec[] = [
  {
    id: "M01",
    title: "a copy has the same bytes, at a new place or over an old object",
    async run(context) {
      const data = noise(20 * MIB);
      await context.write("x", data);
      await context.write("old", "old");
      await copied(context, "x", "d/y");
      await copied(context, "x", "old");
      for (const name of ["x", "d/y", "old"]) await context.holds(name, data);
      await context.write("empty", "");
      await copied(context, "empty", "old");
      await context.holds("old", "");
    },
  },
  {
    id: "M02",
    title: "copying a missing source is NotFound, and the target stays",
    async run(context) {
      await context.write("x", "kept");
      await expectRejection(copied(context, "none", "x"), "NotFound");
      await expectRejection(context.storage.move(context.at("none"), context.at("x")), "NotFound");
      await expectRejection(context.storage.copy(context.at("none"), context.at("y", context.other)), "NotFound");
      await context.holds("x", "kept");
    },
  },
  {
    id: "M03",
    title: "a copy or move onto itself, in any spelling, loses nothing",
    async run(context) {
      await context.write("d/x", "kept");
      const [at, { storage }] = [context.at("d/x"), context];
      for (const to of [at, String(at), `${at}/`]) {
        await storage.copy(at, to);
        await context.holds("d/x", "kept");
        await storage.move(at, to);
        await context.holds("d/x", "kept");
        await storage.move(to, at);
        await context.holds("d/x", "kept");
      }
    },
  },
  {
    id: "M04",
    title: "a copy keeps content type and metadata, also through another provider",
    needs: ["metadata", "contentType"],
    async run(context) {
      const options = { contentType: "text/csv; charset=utf-8", metadata: { one: "1", two: "zwei ü" } };
      await context.write("x.json", "a,b", options);
      await copied(context, "x.json", "y");
      await expectKept(context, "y", options);
      if (context.other.scheme === "file") return;
      await context.storage.copy(context.at("x.json"), context.at("through", context.other));
      await context.storage.copy(context.at("through", context.other), context.at("back"));
      await expectKept(context, "back", options);
    },
    async without(context) {
      await context.storage.write(context.at("x", context.other), "1", { metadata: { one: "1" } });
      await context.storage.copy(context.at("x", context.other), context.at("x"));
      await context.holds("x", "1");
    },
  },
  {
    id: "M06",
    title: "ifMatch applies to the source: with an older etag nothing is copied",
    async run(context) {
      await context.write("x", "1");
      const first = await context.etag("x");
      await context.write("x", "22");
      for (const target of [context.at("y"), context.at("y", context.other)]) {
        await expectRejection(context.storage.copy(context.at("x"), target, { ifMatch: first }), [
          "PreconditionFailed",
          "ObjectChanged",
        ]);
        assert.equal(await context.storage.exists(target), false);
        await context.storage.copy(context.at("x"), target, { ifMatch: await context.etag("x") });
        assert.equal(await context.storage.text(target), "22");
      }
    },
  },
  {
    id: "M07",
    title: "a copy with ifAbsent replaces nothing",
    needs: ["copyIfAbsent"],
    async run(context) {
      await context.fill(["x", "y"]);
      await expectRejection(
        context.storage.copy(context.at("x"), context.at("y"), { ifAbsent: true }),
        "AlreadyExists",
      );
      await context.holds("y", "y");
      await context.storage.copy(context.at("x"), context.at("z"), { ifAbsent: true });
      await context.holds("z", "x");
    },
    async without(context) {
      await context.fill(["x", "y"]);
      await expectRejection(context.storage.copy(context.at("x"), context.at("y"), { ifAbsent: true }), "Unsupported");
      await expectRejection(context.storage.copy(context.at("x"), context.at("z"), { ifAbsent: true }), "Unsupported");
      await context.holds("y", "y");
      await context.missing("z");
    },
  },
  {
    id: "M08",
    title: "a copy to another provider and back has the same bytes and respects ifAbsent",
    needs: ["conditions"],
    async run(context) {
      const [there, { storage }] = [context.at("x", context.other), context];
      await thereAndBack(context);
      await expectRejection(storage.copy(context.at("x"), there, { ifAbsent: true }), "AlreadyExists");
      await expectRejection(storage.copy(there, context.at("x"), { ifAbsent: true }), "AlreadyExists");
      await context.holds("x", "changed");
    },
    async without(context) {
      const { storage } = context;
      await thereAndBack(context);
      const back = storage.copy(context.at("x", context.other), context.at("new"), { ifAbsent: true });
      await expectRejection(back, "Unsupported");
      await context.missing("new");
    },
  },
  {
    id: "M09",
    title: "a move deletes the source only when its copy is complete",
    async run(context) {
      const { storage } = context;
      await context.write("x", "1");
      await storage.move(context.at("x"), context.at("d/y"));
      assert.deepEqual(await context.all(), ["d/y"]);
      await storage.move(context.at("d/y"), context.at("y", context.other));
      assert.deepEqual(await context.all(), []);
      await storage.move(context.at("y", context.other), context.at("z"));
      assert.equal(await storage.exists(context.at("y", context.other)), false);
      await context.write("old", "old");
      await expectRejection(storage.move(context.at("z"), context.at("old", context.other), { ifMatch: '"stale"' }), [
        "PreconditionFailed",
        "ObjectChanged",
        "InvalidArgument",
      ]);
      await context.holds("z", "1");
    },
  },
  {
    id: "M10",
    title: "sources with percent signs, spaces, emoji and other odd names",
    async run(context) {
      for (const [i, name] of ODD_NAMES.entries()) {
        await context.write(name, `${i}`);
        await copied(context, name, `copies/${i}`);
        await context.holds(`copies/${i}`, `${i}`);
        await copied(context, `copies/${i}`, `to/${name}`);
        await context.holds(`to/${name}`, `${i}`);
      }
    },
  },
  {
    id: "M11",
    title: "a recursive copy or move includes everything below, and no sibling",
    async run(context) {
      const { storage } = context;
      await context.fill(["a/x", "a/b/y", "ab/z"]);
      await storage.copy(context.at("a"), context.at("c"), { recursive: true });
      assert.deepEqual(await context.all(), ["a/b/y", "a/x", "ab/z", "c/b/y", "c/x"]);
      await context.holds("c/b/y", "a/b/y");
      await storage.move(context.at("c"), context.at("d", context.other), { recursive: true });
      assert.deepEqual(await context.all(), ["a/b/y", "a/x", "ab/z"]);
      assert.equal(await storage.text(context.at("d/x", context.other)), "a/x");
      await storage.delete(context.at("d", context.other), { recursive: true });
      await expectRejection(storage.copy(context.at("a"), context.at("a/b"), { recursive: true }), "InvalidArgument");
      await expectRejection(storage.copy(context.at("none"), context.at("e"), { recursive: true }), "NotFound");
    },
  },
  {
    id: "M12",
    title: "folder markers (empty objects `d/`) are copied with a tree, and become directories on file systems",
    needs: ["anyKey"],
    async run(context) {
      const { storage } = context;
      await context.fill(["d/a/x", "d/y"]);
      for (const marker of ["d/", "d/a/", "d/b/"]) await context.write(marker, "");
      await storage.copy(context.at("d"), context.at("e", context.other), { recursive: true });
      assert.equal(await storage.text(context.at("e/a/x", context.other)), "d/a/x");
      assert.equal(await storage.text(context.at("e/y", context.other)), "d/y");
      await storage.move(context.at("d"), context.at("f"), { recursive: true });
      assert.deepEqual(await context.all(), ["f/", "f/a/", "f/a/x", "f/b/", "f/y"]);
      await storage.delete(context.at("f"), { recursive: true });
      assert.deepEqual(await context.all(), []);
    },
    async without(context) {
      const { storage } = context;
      for (const name of ["d/", "d/a/", "d/b/"]) await storage.write(context.at(name, context.other), "");
      await storage.write(context.at("d/a/x", context.other), "1");
      await storage.move(context.at("d", context.other), context.at("e"), { recursive: true });
      assert.deepEqual(await context.all(), ["e/a/x"]);
      for await (const { path } of storage.list(context.other, { recursive: true })) assert.fail(`${path} is left`);
    },
  },
  {
    id: "M13",
    title: "a recursive copy or move continues past an entry that fails, reports it, and keeps it",
    async run(context) {
      const { storage } = context;
      const long = ["l", "m", "n"].map((letter) => letter.repeat(200)).join("/");
      const deep = ["d", "e"].map((letter) => letter.repeat(220)).join("/");
      await context.fill(["s/a", `s/${long}`, "s/z"]);
      for (const verb of ["copy", "move"] as const) {
        const error = await storage[verb](context.at("s"), context.at(`t/${deep}`), { recursive: true }).catch(
          (reason: unknown) => reason,
        );
        assert.ok(isBatchError(error), `a BatchError expected, not ${error}`);
        assert.deepEqual([error.code, error.failureCount, error.completed], ["InvalidArgument", 1, 2]);
        assert.deepEqual(
          error.failures.map(({ path }) => path),
          [String(context.at(`s/${long}`))],
        );
        for (const name of ["a", "z"]) await context.holds(`t/${deep}/${name}`, `s/${name}`);
      }
      assert.deepEqual(await context.all(context.at("s")), [`s/${long}`]);
    },
  },
  {
    id: "M14",
    title: "a tree with odd names is copied, moved there and back, and deleted with every entry",
    async run(context) {
      const { storage } = context;
      const names = [...ODD_NAMES].sort();
      await context.fill(names.map((name) => `s/${name}`));
      await storage.copy(context.at("s"), context.at("t"), { recursive: true });
      await storage.move(context.at("s"), context.at("s", context.other), { recursive: true });
      assert.deepEqual(await below(context, "s"), []);
      await storage.move(context.at("s", context.other), context.at("u"), { recursive: true });
      for (const folder of ["t", "u"]) {
        assert.deepEqual(await below(context, folder), names);
        for (const name of names) await context.holds(`${folder}/${name}`, `s/${name}`);
      }
      await storage.delete(context.at("t"), { recursive: true });
      assert.deepEqual([await below(context, "t"), await below(context, "u")], [[], names]);
    },
  },
];

/** Returns the names below `folder`, without it. */
async function below(context: TestContext, folder: string): Promise<string[]> {
  const names = await context.all(context.at(folder));
  return names.map((name) => name.slice(folder.length + 1)).sort();
}

/** Copies objects of several sizes to another provider and back, and leaves other content at `x`. */
async function thereAndBack(context: TestContext): Promise<void> {
  const [there, { storage }] = [context.at("x", context.other), context];
  for (const data of [noise(0), noise(10), noise(20 * MIB)]) {
    await context.write("x", data);
    const progress: number[] = [];
    await storage.copy(context.at("x"), there, { onProgress: (bytes) => progress.push(bytes) });
    if (data.byteLength > 0) assert.equal(progress.at(-1), data.byteLength);
    await storage.copy(there, context.at("back"));
    await context.holds("back", data);
  }
  await context.write("x", "changed");
}

async function expectKept(
  context: TestContext,
  name: string,
  options: { contentType: string; metadata: object },
): Promise<void> {
  const { contentType, metadata } = await context.stat(name);
  assert.deepEqual({ contentType, metadata: { ...metadata } }, options, name);
}
