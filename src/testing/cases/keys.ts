import assert from "node:assert/strict";
import { byUtf8 } from "../../fs/driver/index.js";
import { StoragePath } from "../../path.js";
import type { Spec, TestContext } from "../bench.js";
import { DISPUTED_NAMES, expectRejection, gather, ODD_NAMES, pooled, same } from "../bench.js";

/** Checks that names survive write, list, read by the listed path, copy and delete unchanged. */
async function faithful(bench: TestContext, directory: string, names: readonly string[]): Promise<void> {
  const at = bench.at(directory);
  const all = names.map((name) => `${directory}/${name}`).sort(byUtf8);
  await bench.fill(all);
  const listed = await bench.entries(at, { recursive: true });
  assert.deepEqual(
    listed.map(({ path }) => bench.name(path)),
    all,
  );
  await pooled(listed, async ({ path }) => {
    same(await gather(bench.storage.read(path)), bench.name(path), "content");
    assert.equal((await bench.storage.stat(path)).key, path.key);
  });
  await bench.storage.delete(listed.map(({ path }) => path));
  assert.deepEqual(await bench.all(at), []);
}

/** Checks that the name works unchanged, or that the refusal leaves nothing behind. */
async function faithfulOrRefused(bench: TestContext, name: string): Promise<void> {
  const outcome = await bench.write(name, name).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome === undefined) return faithful(bench, "disputed", [name]).then(() => bench.holds(name, name));
  await expectRejection(Promise.reject(outcome), ["InvalidArgument", "Unsupported"], JSON.stringify(name));
  assert.ok(!(await bench.all()).includes(name));
}

export const keyCases: readonly Spec[] = [
  {
    id: "K01",
    title: "odd names, and names of up to 1,024 bytes, are written, listed, read and deleted unchanged",
    async run(bench) {
      await faithful(bench, "odd", ODD_NAMES);
      await lengths(bench);
    },
  },
  {
    id: "K02",
    title: "lone surrogates and NUL are InvalidArgument",
    async run(bench) {
      const { scheme, connectionId, bucket, key } = bench.base;
      for (const bad of ["\ud800", "a\udc00b", "x\0y"]) {
        const work = async () =>
          bench.storage.bytes(StoragePath.of({ scheme, connectionId, bucket, key: `${key}/${bad}` }));
        await expectRejection(work(), "InvalidArgument", JSON.stringify(bad));
      }
    },
  },
  {
    id: "K03",
    title: "a listed path and its text refer to the same object",
    async run(bench) {
      const names = ODD_NAMES.map((name) => `k/${name}`);
      await bench.fill(names);
      for (const { path } of await bench.entries(bench.at("k"), { recursive: true })) {
        const parsed = StoragePath.parse(String(path));
        assert.ok(parsed.equals(path), String(path));
        assert.equal(await bench.storage.text(String(path)), bench.name(path));
      }
    },
  },
  {
    id: "K04",
    title: "a password in a path's text, an unknown scheme and an empty key are InvalidArgument",
    async run(bench) {
      const { scheme, bucket } = bench.base;
      await expectRejection(bench.storage.bytes(`${scheme}://user:word@${bucket}/x`), "InvalidArgument");
      await expectRejection(bench.storage.bytes(`gopher://${bucket}/x`), "InvalidArgument");
      await expectRejection(bench.storage.bytes(StoragePath.of({ ...bench.base, key: "" })), "InvalidArgument");
      await expectRejection(bench.storage.bytes(bench.base.key), "InvalidArgument");
    },
  },
  {
    id: "K05",
    title: "`?`, `#` and `%` in a path's text are characters of the key",
    async run(bench) {
      const text = `${bench.base}/a?b=1#c%20d`;
      await bench.storage.write(text, "1");
      assert.deepEqual(await bench.all(), ["a?b=1#c%20d"]);
      await bench.storage.delete(text);
      assert.deepEqual(await bench.all(), []);
    },
  },
  {
    id: "K07",
    title: "names with control characters, a backslash or a trailing dot are stored unchanged, or refused",
    async run(bench) {
      for (const name of DISPUTED_NAMES) await faithfulOrRefused(bench, name);
    },
  },
];

/** The limit is 1,024 bytes of UTF-8, whatever the number of characters. */
async function lengths(bench: TestContext): Promise<void> {
  const free = 1024 - Buffer.byteLength(bench.at("").key);
  const pieces = "é".repeat(100).concat("/").repeat(6);
  const longest = pieces.slice(0, Math.floor(free / 2)).replace(/\/$/, "x");
  const padded = longest.padEnd(longest.length + free - Buffer.byteLength(longest), "z");
  assert.equal(Buffer.byteLength(bench.at(padded).key), 1024);
  await bench.write(padded, "1");
  assert.deepEqual(await bench.all(), [padded]);
  await bench.holds(padded, "1");
  await expectRejection(bench.write(`${padded}z`, "1"), "InvalidArgument");
}
