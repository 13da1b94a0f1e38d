/**
 * Builds the package's second form, which Node itself loads: the modules of `dist` bundled into few files. For hundreds
 * of small ones, Node spends several times as long finding, reading and linking them as running them. `import
 * "stowage"` needs one file, which all sub-paths share, so that a StorageError is the same class in all of them;
 * drivers, codecs and other lazy imports stay separate files.
 *
 * Bundlers use the first form, module by module as tsc writes it (the condition `module`): it enables tree shaking.
 *
 * Usage: node scripts/build.mjs [folder of dist]
 */
import { readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { rolldown } from "rolldown";

const ROOT = resolve(import.meta.dirname, "..");
const dist = resolve(process.argv[2] ?? join(ROOT, "dist"));
const manifest = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));

/** Returns the location of both forms of every sub-path, by its place in the second. */
function entryPoints() {
  const targets = Object.values(manifest.exports).filter((target) => typeof target === "object");
  const pairs = targets.map((target) => [target.default, join(dist, target.module.replace("./dist/", ""))]);
  return Object.fromEntries(pairs.map(([at, from]) => [at.replace(/^\.\/dist\/node\/|\.js$/g, ""), from]));
}

/** Returns the module and all its imports except lazy ones. */
function closure(start, graph) {
  const found = new Set([start]);
  for (const id of found) for (const imported of graph.getModuleInfo(id)?.importedIds ?? []) found.add(imported);
  return found;
}

let core;
const bundle = await rolldown({
  input: entryPoints(),
  platform: "node",
  external: Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }),
  resolve: { conditionNames: ["node", "import", "default"] },
});
await rm(join(dist, "node"), { recursive: true, force: true });
await bundle.write({
  dir: join(dist, "node"),
  format: "esm",
  entryFileNames: "[name].js",
  chunkFileNames: "chunks/[name]-[hash].js",
  comments: { jsdoc: false },
  codeSplitting: {
    groups: [
      {
        debugName: "core",
        name: (id, graph) => {
          core ??= closure(join(dist, "index.js"), graph);
          return core.has(id) ? "core" : null;
        },
      },
    ],
  },
});
await bundle.close();
