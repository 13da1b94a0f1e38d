/** Installs the packages of a lock file into its own folder, for tests that need more than the project does. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Installs what `package-lock.json` in the folder says, unless it is there. No install script runs. @param {string} folder */
export function installBeside(folder) {
  const mark = join(folder, "node_modules", ".installed");
  const wanted = createHash("sha256")
    .update(readFileSync(join(folder, "package-lock.json")))
    .digest("hex");
  if (installed(mark) === wanted) return;
  // Not `npm ci`: DBOS names an optional package that is not published, which only `install` passes over.
  execFileSync("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder, stdio: "inherit" });
  writeFileSync(mark, wanted);
}

/** @param {string} mark */
function installed(mark) {
  try {
    return readFileSync(mark, "utf8");
  } catch {
    return undefined;
  }
}
