/** The package as users get it: packed, and installed into an empty project of its own. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { pack } from "../../scripts/release/pack.mjs";
import { settings } from "../../scripts/release/settings.mjs";

export const ROOT = resolve(import.meta.dirname, "../..");
export const run = promisify(execFile);

export interface Installed {
  /** The empty project; `stowage` and its dependencies are in its node_modules, no optional peer is. */
  readonly folder: string;
  readonly tarball: string;
  /** Names of the packed files. */
  readonly files: readonly string[];
  remove(): Promise<void>;
}

/** Packs what `npm run build` made and installs it; the registry is asked only for what npm has not cached. */
export async function installed(parent = tmpdir()): Promise<Installed> {
  const folder = await mkdtemp(join(parent, "stowage-project-"));
  try {
    // As it is released, but under the name that the tests import.
    const { tarball, files } = await pack(folder, { ...settings(), npm: "stowage" });
    await writeFile(join(folder, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }));
    const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--omit=peer"];
    await run("npm", ["install", ...quiet, tarball], { cwd: folder });
    return { folder, tarball, files, remove: () => rm(folder, { recursive: true, force: true }) };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** The manifest of this package. */
export async function manifest(): Promise<{
  name: string;
  exports: Record<string, string | Record<string, string>>;
  imports: Record<string, Record<string, string>>;
  bin: Record<string, string>;
  dependencies: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}> {
  return JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
}
