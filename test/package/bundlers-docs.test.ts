/** docs/guides/bundlers.md names the versions that its tests run, and the limits of the bundles that they measure. */
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

test("the sizes of bundles are the limits that bundle.test.ts holds them to", async () => {
  const sizes: Record<string, number> = await read("test/package/sizes.json");
  const kilobytes = (...names: string[]) => names.map((name) => `${sizes[name]! / 1000} KB`);
  const [bundlers, airflow, readme] = await Promise.all(
    ["docs/guides/bundlers.md", "docs/airflow.md", "README.md"].map((path) => readFile(join(ROOT, path), "utf8")),
  );
  const found = (page: string, pattern: RegExp) => [...page.matchAll(pattern)].map(([, size]) => size);
  const { everything: _, "Airflow, everything": packed, ...parts } = sizes;
  expect(packed).toBeGreaterThan(0);
  expect(found(bundlers!, /^\|.*\| (\d+ KB) \|$/gm)).toEqual(kilobytes(...Object.keys(parts)));
  expect(found(bundlers!, /up to (\d+ KB) minified/g)).toEqual(kilobytes("everything"));
  expect(found(airflow!, /up to (\d+ KB) minified/g)).toEqual(kilobytes("Airflow, everything"));
  const [small] = /\d+ KB with S3 and keys, \d+ KB with/.exec(airflow!) ?? [];
  const [keys, connection] = kilobytes("Airflow, S3 with keys", "Airflow, S3 by connection");
  expect(small).toBe(`${keys} with S3 and keys, ${connection} with`);
  expect(found(readme!, /bundlers\.md\) of (\d+ KB)/g)).toEqual(kilobytes("S3 with keys, single objects"));
});
