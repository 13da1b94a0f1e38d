/**
 * The second form of the package, which Node itself loads: the modules of `dist` joined into few files. To find, read and
 * link hundreds of small ones takes Node several times as long as to run them. What `import "stowage"` needs is one
 * file, which all sub-paths share, so that a StorageError is the same class in all of them; drivers, codecs and
 * whatever else is imported lazily stay files of their own.
 *
 * Bundlers take the first form, module by module as tsc writes it (the condition `module`): from it they can leave out
 * what a program does not use.
 *
 * Usage: node scripts/build.mjs [folder of dist]
 */
import { readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { rolldown } from "rolldown";

const ROOT = resolve(import.meta.dirname, "..");
const dist = resolve(process.argv[2] ?? join(ROOT, "dist"));
const manifest = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));

/** Where both forms of every sub-path are, by its place in the second. */
function entryPoints() {
  const targets = Object.values(manifest.exports).filter((target) => typeof target === "object");
  const pairs = targets.map((target) => [target.default, join(dist, target.module.replace("./dist/", ""))]);
  return Object.fromEntries(pairs.map(([at, from]) => [at.replace(/^\.\/dist\/node\/|\.js$/g, ""), from]));
}

/** What an index exports beside the rest, and drivers alone use. */
const FOR_DRIVERS = "/connections/options/";

/** The module and all that it imports, but for what it imports lazily. */
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
          return core.has(id) && !id.includes(FOR_DRIVERS) ? "core" : null;
        },
      },
    ],
  },
});
await bundle.close();
