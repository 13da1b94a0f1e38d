import assert from "node:assert/strict";
import { StoragePath } from "../../path.js";
import type { Spec } from "../spec.js";
import { refused } from "../tools.js";

/** Names that are special inside the documents in which providers are told what to delete. */
const SPECIAL = ["&", "<x>", "a>b", '"quoted"', "it's", "&amp;", "]]>", "a&b=c", "%41", "+", " ", "a,b"];

export const deleteCases: readonly Spec[] = [
  {
    id: "D01",
    title: "an object is gone at once",
    async run(bench) {
      await bench.fill(["x", "y"]);
      await bench.storage.delete(bench.at("x"));
      await bench.missing("x");
      await refused(bench.bytes("x"), "NotFound");
      assert.deepEqual(await bench.all(), ["y"]);
    },
  },
  {
    id: "D02",
    title: "deleting what is missing is a success",
    async run(bench) {
      await bench.storage.delete(bench.at("never"));
      await bench.storage.delete(bench.at("never/was"), { recursive: true });
      await bench.storage.delete([]);
      await bench.fill(["d/x"]);
      await bench.storage.delete(bench.at("d"));
      assert.deepEqual(await bench.all(), ["d/x"]);
    },
  },
  {
    id: "D03",
    title: "1001 objects by name, whatever characters are in them",
    async run(bench) {
      const names = Array.from({ length: 1001 - SPECIAL.length }, (_, i) => `${i}`).concat(SPECIAL);
      await bench.fill([...names, "kept"]);
      await bench.storage.delete(names.map((name) => bench.at(name)));
      assert.deepEqual(await bench.all(), ["kept"]);
    },
  },
  {
    id: "D05",
    title: "a recursive delete takes the object and all below it, no sibling; a whole bucket only when told so",
    async run(bench) {
      await bench.fill(["a/b", "a/c/d", "a/c/e", "ab", "a.txt", "b/a/x"]);
      await bench.storage.delete(bench.at("a"), { recursive: true });
      assert.deepEqual(await bench.all(), ["a.txt", "ab", "b/a/x"]);
      await bench.storage.delete(bench.at("ab"), { recursive: true });
      assert.deepEqual(await bench.all(), ["a.txt", "b/a/x"]);
      const { scheme, connectionId, bucket } = bench.base;
      const root = StoragePath.of({ scheme, connectionId, bucket, key: "" });
      await refused(bench.storage.delete(root, { recursive: true }), "InvalidArgument");
      await refused(bench.storage.delete(root), "InvalidArgument");
      assert.deepEqual(await bench.all(), ["a.txt", "b/a/x"]);
    },
  },
  {
    id: "D06",
    title: "a path that is named twice is deleted once",
    async run(bench) {
      await bench.fill(["x", "y"]);
      await bench.storage.delete([bench.at("x"), bench.at("x"), String(bench.at("x"))]);
      assert.deepEqual(await bench.all(), ["y"]);
    },
  },
];
