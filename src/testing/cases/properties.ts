import assert from "node:assert/strict";
import type { Bench } from "../bench.js";
import type { Spec } from "../spec.js";
import { refused } from "../tools.js";

export const propertyCases: readonly Spec[] = [
  {
    id: "W19",
    title: "the content type is told by the suffix, unless it is given; parameters are kept",
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
    title: "metadata comes back with names in lower case and values in any script; over 2 KiB it is refused",
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
      await refused(bench.write("x", "1", { metadata: { a: "b" } }), "Unsupported");
      await badMetadata(bench);
      await bench.missing("x");
    },
  },
];

async function typed(bench: Bench): Promise<void> {
  await bench.fill(["x.json", "y.parquet", "z.unheard-of", "none"]);
  const types = await Promise.all(["x.json", "y.parquet", "z.unheard-of", "none"].map((name) => bench.stat(name)));
  assert.deepEqual(
    types.map(({ contentType }) => contentType),
    ["application/json", "application/vnd.apache.parquet", "application/octet-stream", "application/octet-stream"],
  );
}

async function badMetadata(bench: Bench): Promise<void> {
  const bad = [{ a: "x".repeat(2048) }, { "two words": "" }, { a: "line\nbreak" }, { A: "1", a: "2" }, { a: "\ud800" }];
  for (const metadata of bad) await refused(bench.write("bad", "", { metadata }), "InvalidArgument");
  await refused(bench.write("bad", "", { contentType: "a\r\nb" }), "InvalidArgument");
  await bench.missing("bad");
}
