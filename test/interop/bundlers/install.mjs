/** Installs the bundlers of `package-lock.json` beside it into the cache folder, once. No install script runs. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder, locked } from "../../servers/binaries.mjs";

const HERE = import.meta.dirname;

/** Returns the folder whose node_modules has the bundlers. */
export async function bundlers() {
  const lock = await readFile(join(HERE, "package-lock.json"));
  const hash = createHash("sha256").update(lock).digest("hex").slice(0, 12);
  return join(cacheFolder(), `bundlers-${hash}`);
}

export async function setup() {
  const folder = await bundlers();
  const mark = join(folder, "installed");
  await locked(`${folder}.lock`, async () => {
    if (await exists(mark)) return;
    await mkdir(folder, { recursive: true });
    for (const name of ["package.json", "package-lock.json"]) await copyFile(join(HERE, name), join(folder, name));
    const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
    // Not `npm ci`: a package names an optional one that is not published, which only `install` passes over.
    await promisify(execFile)("npm", ["install", ...quiet], { cwd: folder });
    await writeFile(mark, "");
  });
}

/** @param {string} file */
function exists(file) {
  return access(file).then(
    () => true,
    () => false,
  );
}
