import assert from "node:assert/strict";
import { StoragePath } from "../../path.js";
import { expectRejection, ODD_NAMES, rejectsWith, type Spec, type TestContext } from "../bench.js";

export const writerCases: readonly Spec[] = [
  {
    id: "W12",
    title: "a writer abandoned without close() stores nothing",
    async run(bench) {
      await bench.keepsOld(async () => {
        await (async () => {
          await using writer = bench.storage.writable(bench.at("x"));
          await writer.write("new");
        })();
        await using idle = bench.storage.writable(bench.at("y"));
        void idle;
      });
    },
  },
  {
    id: "W13",
    title: "a writer stores the written data; a second close returns the same result, a later write is rejected",
    async run(bench) {
      const writer = bench.storage.writable(bench.at("x"));
      await writer.write("one ");
      await writer.write(Buffer.from("two"));
      const receipt = await writer.close();
      assert.deepEqual(await writer.close(), receipt);
      await expectRejection(writer.write("three"), "InvalidArgument");
      await bench.holds("x", "one two");
      const empty = bench.storage.writable(bench.at("empty"));
      await empty.close();
      await bench.holds("empty", "");
    },
  },
  {
    id: "W14",
    title: "a writer's abort after close is rejected and the object stays; two aborts store nothing",
    async run(bench) {
      const writer = bench.storage.writable(bench.at("x"));
      await writer.write("kept");
      await writer.close();
      await expectRejection(writer.abort(), "InvalidArgument");
      await bench.holds("x", "kept");
      const aborted = bench.storage.writable(bench.at("y"));
      await aborted.write("lost");
      await aborted.abort();
      await aborted.abort();
      await bench.missing("y");
    },
  },
  {
    id: "F33",
    title: "every operation rejects at once with the reason of an aborted signal",
    async run(bench) {
      await bench.write("x", "kept");
      const reason = new Error("enough");
      const init = { signal: AbortSignal.abort(reason) };
      const [x, y, { storage }] = [bench.at("x"), bench.at("y"), bench];
      const verbs: Record<string, () => Promise<unknown>> = {
        stat: () => storage.stat(x, init),
        exists: () => storage.exists(x, init),
        bytes: () => storage.bytes(x, init),
        text: () => storage.text(x, init),
        read: () => storage.read(x, init)[Symbol.asyncIterator]().next(),
        list: () => bench.entries(bench.base, init),
        glob: () => storage.glob(bench.at("*"), init).next(),
        copy: () => storage.copy(x, y, init),
        across: () => storage.copy(x, bench.at("x", bench.other), init),
        move: () => storage.move(x, y, init),
        delete: () => storage.delete(x, init),
        tree: () => storage.delete(bench.base, { ...init, recursive: true }),
      };
      for (const work of Object.values(verbs)) await rejectsWith(work(), reason);
      await bench.holds("x", "kept");
      await bench.missing("y");
    },
  },
];

/** Names that are special inside the documents of providers' bulk deletes. */
const SPECIAL = ["&", "<x>", "a>b", '"quoted"', "it's", "&amp;", "]]>", "a&b=c", "%41", "+", " ", "a,b"];

export const deleteCases: readonly Spec[] = [
  {
    id: "D01",
    title: "an object is gone at once",
    async run(bench) {
      await bench.fill(["x", "y"]);
      await bench.storage.delete(bench.at("x"));
      await bench.missing("x");
      await expectRejection(bench.bytes("x"), "NotFound");
      assert.deepEqual(await bench.all(), ["y"]);
    },
  },
  {
    id: "D02",
    title: "deleting a missing object succeeds",
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
    title: "1001 objects by name, with any characters",
    async run(bench) {
      const names = Array.from({ length: 1001 - SPECIAL.length }, (_, i) => `${i}`).concat(SPECIAL);
      await bench.fill([...names, "kept"]);
      await bench.storage.delete(names.map((name) => bench.at(name)));
      assert.deepEqual(await bench.all(), ["kept"]);
    },
  },
  {
    id: "D05",
    title:
      "a recursive delete removes the object and everything below it, no sibling; a whole bucket only with emptyBucket",
    async run(bench) {
      await bench.fill(["a/b", "a/c/d", "a/c/e", "ab", "a.txt", "b/a/x"]);
      await bench.storage.delete(bench.at("a"), { recursive: true });
      assert.deepEqual(await bench.all(), ["a.txt", "ab", "b/a/x"]);
      await bench.storage.delete(bench.at("ab"), { recursive: true });
      assert.deepEqual(await bench.all(), ["a.txt", "b/a/x"]);
      const { scheme, connectionId, bucket } = bench.base;
      const root = StoragePath.of({ scheme, connectionId, bucket, key: "" });
      await expectRejection(bench.storage.delete(root, { recursive: true }), "InvalidArgument");
      await expectRejection(bench.storage.delete(root), "InvalidArgument");
      assert.deepEqual(await bench.all(), ["a.txt", "b/a/x"]);
    },
  },
  {
    id: "D06",
    title: "a path that is passed twice is deleted once",
    async run(bench) {
      await bench.fill(["x", "y"]);
      await bench.storage.delete([bench.at("x"), bench.at("x"), String(bench.at("x"))]);
      assert.deepEqual(await bench.all(), ["y"]);
    },
  },
];

export const propertyCases: readonly Spec[] = [
  {
    id: "W19",
    title: "the suffix determines the content type, unless the caller sets it; parameters are kept",
    needs: ["contentType"],
    async run(bench) {
      await typed(bench);
      await bench.write("given.json", "", { contentType: "text/csv; charset=utf-8" });
      assert.equal((await bench.stat("given.json")).contentType, "text/csv; charset=utf-8");
    },
    without: typed,
  },
  {
    id: "W20",
    title: "metadata is returned with lower-case names and values in any script; more than 2 KiB is rejected",
    needs: ["metadata"],
    async run(bench) {
      const metadata = { plain: "a value", Mixed_Case: "1", with_1_digit: "x=y;z" };
      await bench.write("x", "", { metadata });
      const { Mixed_Case: mixed, ...rest } = metadata;
      assert.deepEqual({ ...(await bench.stat("x")).metadata }, { ...rest, mixed_case: mixed });
      await bench.write("x", "");
      assert.deepEqual({ ...(await bench.stat("x")).metadata }, {});
      await bench.write("y", "", { metadata: { script: "Grüße, 世界 😀", edge: "a b" } });
      assert.deepEqual({ ...(await bench.stat("y")).metadata }, { script: "Grüße, 世界 😀", edge: "a b" });
      await badMetadata(bench);
    },
    async without(bench) {
      await expectRejection(bench.write("x", "1", { metadata: { a: "b" } }), "Unsupported");
      await badMetadata(bench);
      await bench.missing("x");
    },
  },
];

async function typed(bench: TestContext): Promise<void> {
  await bench.fill(["x.json", "y.parquet", "z.unheard-of", "none"]);
  const types = await Promise.all(["x.json", "y.parquet", "z.unheard-of", "none"].map((name) => bench.stat(name)));
  assert.deepEqual(
    types.map(({ contentType }) => contentType),
    ["application/json", "application/vnd.apache.parquet", "application/octet-stream", "application/octet-stream"],
  );
}

async function badMetadata(bench: TestContext): Promise<void> {
  const bad = [{ a: "x".repeat(2048) }, { "two words": "" }, { a: "line\nbreak" }, { A: "1", a: "2" }, { a: "\ud800" }];
  for (const metadata of bad) await expectRejection(bench.write("bad", "", { metadata }), "InvalidArgument");
  await expectRejection(bench.write("bad", "", { contentType: "a\r\nb" }), "InvalidArgument");
  await bench.missing("bad");
}

export const signCases: readonly Spec[] = [
  {
    id: "S01",
    title: "a signed URL permits reading, or writing, that one object and nothing else",
    needs: ["sign"],
    async run(bench) {
      const { storage } = bench;
      for (const name of ["x", ...ODD_NAMES]) {
        await bench.write(name, name);
        const got = await fetch((await storage.signedUrl(bench.at(name), { expiresIn: 60 })).url);
        assert.equal(got.status, 200, name);
        assert.equal(await got.text(), name);
      }
      const { url, method, headers } = await storage.signedUrl(bench.at("put"), { method: "PUT", expiresIn: 60 });
      const put = await fetch(url, { method, body: "from outside", headers });
      assert.ok(put.ok, `PUT answers ${put.status}`);
      await bench.holds("put", "from outside");
      const { url: reading } = await storage.signedUrl(bench.at("x"), { expiresIn: 60 });
      const forged = await fetch(reading, { method: "PUT", body: "forged", headers });
      assert.ok(!forged.ok, "a URL for GET lets PUT through");
      await bench.holds("x", "x");
    },
    async without(bench) {
      await bench.write("x", "1");
      await expectRejection(bench.storage.signedUrl(bench.at("x")), "Unsupported");
    },
  },
  {
    id: "S02",
    title: "an expiry out of bounds or another method is InvalidArgument",
    async run(bench) {
      const inits = [{ expiresIn: 0 }, { expiresIn: 604_801 }, { expiresIn: 1.5 }, { method: "POST" as never }];
      for (const init of inits) await expectRejection(bench.storage.signedUrl(bench.at("x"), init), "InvalidArgument");
    },
  },
];
