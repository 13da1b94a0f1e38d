import assert from "node:assert/strict";
import { StoragePath } from "../../path.js";
import { expectRejection, ODD_NAMES, rejectsWith, type Spec, type TestContext } from "../bench.js";

export const writerCases: readonly Spec[] = [
  {
    id: "W12",
    title: "a writer abandoned without close() stores nothing",
    async run(context) {
      await context.keepsOld(async () => {
        await (async () => {
          await using writer = context.storage.writable(context.at("x"));
          await writer.write("new");
        })();
        await using idle = context.storage.writable(context.at("y"));
        void idle;
      });
    },
  },
  {
    id: "W13",
    title: "a writer stores the written data; a second close returns the same result, a later write is rejected",
    async run(context) {
      const writer = context.storage.writable(context.at("x"));
      await writer.write("one ");
      await writer.write(Buffer.from("two"));
      const result = await writer.close();
      assert.deepEqual(await writer.close(), result);
      await expectRejection(writer.write("three"), "InvalidArgument");
      await context.holds("x", "one two");
      const empty = context.storage.writable(context.at("empty"));
      await empty.close();
      await context.holds("empty", "");
    },
  },
  {
    id: "W14",
    title: "a writer's abort after close is rejected and the object stays; two aborts store nothing",
    async run(context) {
      const writer = context.storage.writable(context.at("x"));
      await writer.write("kept");
      await writer.close();
      await expectRejection(writer.abort(), "InvalidArgument");
      await context.holds("x", "kept");
      const aborted = context.storage.writable(context.at("y"));
      await aborted.write("lost");
      await aborted.abort();
      await aborted.abort();
      await context.missing("y");
    },
  },
  {
    id: "F33",
    title: "every operation rejects at once with the reason of an aborted signal",
    async run(context) {
      await context.write("x", "kept");
      const reason = new Error("enough");
      const options = { signal: AbortSignal.abort(reason) };
      const [x, y, { storage }] = [context.at("x"), context.at("y"), context];
      const verbs: Record<string, () => Promise<unknown>> = {
        stat: () => storage.stat(x, options),
        exists: () => storage.exists(x, options),
        bytes: () => storage.bytes(x, options),
        text: () => storage.text(x, options),
        read: () => storage.read(x, options)[Symbol.asyncIterator]().next(),
        list: () => context.entries(context.base, options),
        glob: () => storage.glob(context.at("*"), options).next(),
        copy: () => storage.copy(x, y, options),
        across: () => storage.copy(x, context.at("x", context.other), options),
        move: () => storage.move(x, y, options),
        delete: () => storage.delete(x, options),
        tree: () => storage.delete(context.base, { ...options, recursive: true }),
      };
      for (const work of Object.values(verbs)) await rejectsWith(work(), reason);
      await context.holds("x", "kept");
      await context.missing("y");
    },
  },
];

/** Names that are special inside the documents of providers' bulk deletes. */
const SPECIAL = ["&", "<x>", "a>b", '"quoted"', "it's", "&amp;", "]]>", "a&b=c", "%41", "+", " ", "a,b"];

export const deleteCases: readonly Spec[] = [
  {
    id: "D01",
    title: "an object is gone at once",
    async run(context) {
      await context.fill(["x", "y"]);
      await context.storage.delete(context.at("x"));
      await context.missing("x");
      await expectRejection(context.bytes("x"), "NotFound");
      assert.deepEqual(await context.all(), ["y"]);
    },
  },
  {
    id: "D02",
    title: "deleting a missing object succeeds",
    async run(context) {
      await context.storage.delete(context.at("never"));
      await context.storage.delete(context.at("never/was"), { recursive: true });
      await context.storage.delete([]);
      await context.fill(["d/x"]);
      await context.storage.delete(context.at("d"));
      assert.deepEqual(await context.all(), ["d/x"]);
    },
  },
  {
    id: "D03",
    title: "1001 objects by name, with any characters",
    async run(context) {
      const names = Array.from({ length: 1001 - SPECIAL.length }, (_, i) => `${i}`).concat(SPECIAL);
      await context.fill([...names, "kept"]);
      await context.storage.delete(names.map((name) => context.at(name)));
      assert.deepEqual(await context.all(), ["kept"]);
    },
  },
  {
    id: "D05",
    title:
      "a recursive delete removes the object and everything below it, no sibling; a whole bucket only with emptyBucket",
    async run(context) {
      await context.fill(["a/b", "a/c/d", "a/c/e", "ab", "a.txt", "b/a/x"]);
      await context.storage.delete(context.at("a"), { recursive: true });
      assert.deepEqual(await context.all(), ["a.txt", "ab", "b/a/x"]);
      await context.storage.delete(context.at("ab"), { recursive: true });
      assert.deepEqual(await context.all(), ["a.txt", "b/a/x"]);
      const { scheme, connectionId, bucket } = context.base;
      const root = StoragePath.of({ scheme, connectionId, bucket, key: "" });
      await expectRejection(context.storage.delete(root, { recursive: true }), "InvalidArgument");
      await expectRejection(context.storage.delete(root), "InvalidArgument");
      assert.deepEqual(await context.all(), ["a.txt", "b/a/x"]);
    },
  },
  {
    id: "D06",
    title: "a path that is passed twice is deleted once",
    async run(context) {
      await context.fill(["x", "y"]);
      await context.storage.delete([context.at("x"), context.at("x"), String(context.at("x"))]);
      assert.deepEqual(await context.all(), ["y"]);
    },
  },
];

export const propertyCases: readonly Spec[] = [
  {
    id: "W19",
    title: "the suffix determines the content type, unless the caller sets it; parameters are kept",
    needs: ["contentType"],
    async run(context) {
      await typed(context);
      await context.write("given.json", "", { contentType: "text/csv; charset=utf-8" });
      assert.equal((await context.stat("given.json")).contentType, "text/csv; charset=utf-8");
    },
    without: typed,
  },
  {
    id: "W20",
    title: "metadata is returned with lower-case names and values in any script; more than 2 KiB is rejected",
    needs: ["metadata"],
    async run(context) {
      const metadata = { plain: "a value", Mixed_Case: "1", with_1_digit: "x=y;z" };
      await context.write("x", "", { metadata });
      const { Mixed_Case: mixed, ...rest } = metadata;
      assert.deepEqual({ ...(await context.stat("x")).metadata }, { ...rest, mixed_case: mixed });
      await context.write("x", "");
      assert.deepEqual({ ...(await context.stat("x")).metadata }, {});
      await context.write("y", "", { metadata: { script: "Grüße, 世界 😀", edge: "a b" } });
      assert.deepEqual({ ...(await context.stat("y")).metadata }, { script: "Grüße, 世界 😀", edge: "a b" });
      await badMetadata(context);
    },
    async without(context) {
      await expectRejection(context.write("x", "1", { metadata: { a: "b" } }), "Unsupported");
      await badMetadata(context);
      await context.missing("x");
    },
  },
];

async function typed(context: TestContext): Promise<void> {
  await context.fill(["x.json", "y.parquet", "z.unheard-of", "none"]);
  const types = await Promise.all(["x.json", "y.parquet", "z.unheard-of", "none"].map((name) => context.stat(name)));
  assert.deepEqual(
    types.map(({ contentType }) => contentType),
    ["application/json", "application/vnd.apache.parquet", "application/octet-stream", "application/octet-stream"],
  );
}

async function badMetadata(context: TestContext): Promise<void> {
  const bad = [{ a: "x".repeat(2048) }, { "two words": "" }, { a: "line\nbreak" }, { A: "1", a: "2" }, { a: "\ud800" }];
  for (const metadata of bad) await expectRejection(context.write("bad", "", { metadata }), "InvalidArgument");
  await expectRejection(context.write("bad", "", { contentType: "a\r\nb" }), "InvalidArgument");
  await context.missing("bad");
}

export const signCases: readonly Spec[] = [
  {
    id: "S01",
    title: "a signed URL permits reading, or writing, that one object and nothing else",
    needs: ["sign"],
    async run(context) {
      const { storage } = context;
      for (const name of ["x", ...ODD_NAMES]) {
        await context.write(name, name);
        const got = await fetch((await storage.signedUrl(context.at(name), { expiresIn: 60 })).url);
        assert.equal(got.status, 200, name);
        assert.equal(await got.text(), name);
      }
      const { url, method, headers } = await storage.signedUrl(context.at("put"), { method: "PUT", expiresIn: 60 });
      const put = await fetch(url, { method, body: "from outside", headers });
      assert.ok(put.ok, `PUT answers ${put.status}`);
      await context.holds("put", "from outside");
      const { url: reading } = await storage.signedUrl(context.at("x"), { expiresIn: 60 });
      const forged = await fetch(reading, { method: "PUT", body: "forged", headers });
      assert.ok(!forged.ok, "a URL for GET lets PUT through");
      await context.holds("x", "x");
    },
    async without(context) {
      await context.write("x", "1");
      await expectRejection(context.storage.signedUrl(context.at("x")), "Unsupported");
    },
  },
  {
    id: "S02",
    title: "an expiry out of bounds or another method is InvalidArgument",
    async run(context) {
      const inits = [{ expiresIn: 0 }, { expiresIn: 604_801 }, { expiresIn: 1.5 }, { method: "POST" as never }];
      for (const options of inits)
        await expectRejection(context.storage.signedUrl(context.at("x"), options), "InvalidArgument");
    },
  },
];
