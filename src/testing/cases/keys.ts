import assert from "node:assert/strict";
import { byUtf8 } from "../../fs/driver/index.js";
import { StoragePath } from "../../path.js";
import type { Spec, TestContext } from "../bench.js";
import { DISPUTED_NAMES, expectRejection, gather, ODD_NAMES, pooled, same } from "../bench.js";

/** Checks that names survive write, list, read by the listed path, copy and delete unchanged. */
async function faithful(context: TestContext, directory: string, names: readonly string[]): Promise<void> {
  const at = context.at(directory);
  const all = names.map((name) => `${directory}/${name}`).sort(byUtf8);
  await context.fill(all);
  const listed = await context.entries(at, { recursive: true });
  assert.deepEqual(
    listed.map(({ path }) => context.name(path)),
    all,
  );
  await pooled(listed, async ({ path }) => {
    same(await gather(context.storage.read(path)), context.name(path), "content");
    assert.equal((await context.storage.stat(path)).key, path.key);
  });
  await context.storage.delete(listed.map(({ path }) => path));
  assert.deepEqual(await context.all(at), []);
}

/** Checks that the name works unchanged, or that the refusal leaves nothing behind. */
async function faithfulOrRefused(context: TestContext, name: string): Promise<void> {
  const outcome = await context.write(name, name).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome === undefined) return faithful(context, "disputed", [name]).then(() => context.holds(name, name));
  await expectRejection(Promise.reject(outcome), ["InvalidArgument", "Unsupported"], JSON.stringify(name));
  assert.ok(!(await context.all()).includes(name));
}

export const keyCases: readonly Spec[] = [
  {
    id: "K01",
    title: "odd names, and names of up to 1,024 bytes, are written, listed, read and deleted unchanged",
    async run(context) {
      await faithful(context, "odd", ODD_NAMES);
      await lengths(context);
    },
  },
  {
    id: "K02",
    title: "lone surrogates and NUL are InvalidArgument",
    async run(context) {
      const { scheme, connectionId, bucket, key } = context.base;
      for (const bad of ["\ud800", "a\udc00b", "x\0y"]) {
        const work = async () =>
          context.storage.bytes(StoragePath.of({ scheme, connectionId, bucket, key: `${key}/${bad}` }));
        await expectRejection(work(), "InvalidArgument", JSON.stringify(bad));
      }
    },
  },
  {
    id: "K03",
    title: "a listed path and its text refer to the same object",
    async run(context) {
      const names = ODD_NAMES.map((name) => `k/${name}`);
      await context.fill(names);
      for (const { path } of await context.entries(context.at("k"), { recursive: true })) {
        const parsed = StoragePath.parse(String(path));
        assert.ok(parsed.equals(path), String(path));
        assert.equal(await context.storage.text(String(path)), context.name(path));
      }
    },
  },
  {
    id: "K04",
    title: "a password in a path's text, an unknown scheme and an empty key are InvalidArgument",
    async run(context) {
      const { scheme, bucket } = context.base;
      await expectRejection(context.storage.bytes(`${scheme}://user:word@${bucket}/x`), "InvalidArgument");
      await expectRejection(context.storage.bytes(`gopher://${bucket}/x`), "InvalidArgument");
      await expectRejection(context.storage.bytes(StoragePath.of({ ...context.base, key: "" })), "InvalidArgument");
      await expectRejection(context.storage.bytes(context.base.key), "InvalidArgument");
    },
  },
  {
    id: "K05",
    title: "`?`, `#` and `%` in a path's text are characters of the key",
    async run(context) {
      const text = `${context.base}/a?b=1#c%20d`;
      await context.storage.write(text, "1");
      assert.deepEqual(await context.all(), ["a?b=1#c%20d"]);
      await context.storage.delete(text);
      assert.deepEqual(await context.all(), []);
    },
  },
  {
    id: "K07",
    title: "names with control characters, a backslash or a trailing dot are stored unchanged, or refused",
    async run(context) {
      for (const name of DISPUTED_NAMES) await faithfulOrRefused(context, name);
    },
  },
];

/** The limit is 1,024 bytes of UTF-8, whatever the number of characters. */
async function lengths(context: TestContext): Promise<void> {
  const free = 1024 - Buffer.byteLength(context.at("").key);
  const pieces = "é".repeat(100).concat("/").repeat(6);
  const longest = pieces.slice(0, Math.floor(free / 2)).replace(/\/$/, "x");
  const padded = longest.padEnd(longest.length + free - Buffer.byteLength(longest), "z");
  assert.equal(Buffer.byteLength(context.at(padded).key), 1024);
  await context.write(padded, "1");
  assert.deepEqual(await context.all(), [padded]);
  await context.holds(padded, "1");
  await expectRejection(context.write(`${padded}z`, "1"), "InvalidArgument");
}
