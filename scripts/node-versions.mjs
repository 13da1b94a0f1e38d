/**
 * Provides the supported Node versions, Bun and Deno as binaries from npm, kept in the cache folder.
 *
 *     node scripts/node-versions.mjs 22 path/to/script.mjs     runs it on that version
 */
import { execFile, spawn } from "node:child_process";
import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { cacheFolder, locked } from "../test/servers/binaries.mjs";

/** By major version; the version that runs the tests is not included. */
export const NODE_VERSIONS = { 22: "22.23.3", 24: "24.21.0" };

/** The other runtimes that run the package in the stage "bundlers". */
export const RUNTIME_VERSIONS = { bun: "1.4.5", deno: "2.9.6" };

/** Returns the path of that Node; installs it if necessary. @param {keyof typeof NODE_VERSIONS} major */
export function nodeBinary(major) {
  const name = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  return npmBinary("node", { name, version: NODE_VERSIONS[major], file: "bin/node" });
}

/** Returns the path of Bun; installs it if necessary. */
export function bunBinary() {
  const name = `@oven/bun-${process.platform}-${process.arch === "arm64" ? "aarch64" : process.arch}`;
  return npmBinary("bun", { name, version: RUNTIME_VERSIONS.bun, file: "bin/bun" });
}

/** Returns the path of Deno; installs it if necessary. */
export function denoBinary() {
  const name = `@deno/${process.platform}-${process.arch}${process.platform === "linux" ? "-glibc" : ""}`;
  return npmBinary("deno", { name, version: RUNTIME_VERSIONS.deno, file: "deno" });
}

/**
 * Returns the path of a binary that an npm package for this platform carries; installs it if necessary.
 * @param {string} kind @param {{ name: string, version: string, file: string }} source
 */
async function npmBinary(kind, { name, version, file }) {
  const folder = join(cacheFolder(), kind, version);
  const binary = join(folder, "node_modules", name, file);
  await locked(`${folder}.lock`, async () => {
    if (await exists(binary)) return;
    await mkdir(folder, { recursive: true });
    const quiet = ["--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--prefer-offline"];
    await promisify(execFile)("npm", ["install", "--prefix", folder, ...quiet, `${name}@${version}`]);
  });
  return binary;
}

/** @param {string} file */
function exists(file) {
  return access(file).then(
    () => true,
    () => false,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [major, ...args] = process.argv.slice(2);
  if (!major || !(major in NODE_VERSIONS)) throw new Error(`which Node? ${Object.keys(NODE_VERSIONS).join(" or ")}`);
  const binary = await nodeBinary(/** @type {keyof typeof NODE_VERSIONS} */ (/** @type {unknown} */ (major)));
  spawn(binary, args, { stdio: "inherit" }).on("exit", (code) => process.exit(code ?? 1));
}
