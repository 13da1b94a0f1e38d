/**
 * The second form of the package, which Node itself loads: the modules of `src` joined into few files. To find, read and
 * link hundreds of small ones takes Node several times as long as to run them. Drivers, codecs and whatever else is
 * imported lazily stay files of their own, and what two sub-paths need is one file for both, so that a StorageError is
 * the same class in all of them.
 *
 * Bundlers take the other form, module by module as tsc writes it (the condition `module`): from it they can leave out
 * what a program does not use.
 *
 * Usage: node scripts/build.mjs [folder of dist]
 */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { build } from "esbuild";

const ROOT = resolve(import.meta.dirname, "..");
const dist = resolve(process.argv[2] ?? join(ROOT, "dist"));

/** The first form of every sub-path that has both. */
async function entryPoints() {
  const { exports } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  const targets = Object.values(exports).flatMap((target) => target.module ?? []);
  return targets.map((target) => join(dist, target.replace("./dist/", "")));
}

await build({
  entryPoints: await entryPoints(),
  outdir: join(dist, "node"),
  outbase: dist,
  bundle: true,
  splitting: true,
  packages: "external",
  // As Node resolves, without the condition `module`.
  conditions: [],
  platform: "node",
  format: "esm",
  target: "node20.19",
  chunkNames: "chunks/[name]-[hash]",
  // Classes and functions are called in traces and inspections what the sources call them.
  keepNames: true,
  logLevel: "warning",
});
