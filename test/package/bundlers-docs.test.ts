/** docs/guides/bundlers.md names the versions that its tests run. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { RUNTIME_VERSIONS } from "../../scripts/node-versions.mjs";
import { ROOT } from "../support/installed.js";

const read = async (path: string) => JSON.parse(await readFile(join(ROOT, path), "utf8"));

test("the table of bundlers has the versions that the stage runs", async () => {
  const { dependencies } = await read("test/interop/bundlers/package.json");
  const { devDependencies } = await read("package.json");
  const { webpack, rollup, vite, next } = dependencies;
  const versions = { esbuild: devDependencies.esbuild, webpack, rollup, vite, "next.js": next, ...RUNTIME_VERSIONS };
  const page = await readFile(join(ROOT, "docs/guides/bundlers.md"), "utf8");
  const rows = [...page.matchAll(/^\| ([\w.]+) \| (\d+\.\d+) \|/gm)].map(([, name, version]) => [
    name!.toLowerCase(),
    version,
  ]);
  const tested = Object.entries(versions).map(([name, version]) => [name, /\d+\.\d+/.exec(version)?.[0]]);
  expect(rows).toEqual(tested);
});
