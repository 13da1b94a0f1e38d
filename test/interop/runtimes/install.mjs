/** Installs the runtimes of `package-lock.json` beside it, unless they are there. No install script runs. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const HERE = import.meta.dirname;
const MARK = join(HERE, "node_modules", ".installed");

export function setup() {
  const wanted = createHash("sha256")
    .update(readFileSync(join(HERE, "package-lock.json")))
    .digest("hex");
  if (installed() === wanted) return;
  // Not `npm ci`: DBOS names an optional package that is not published, which only `install` passes over.
  execFileSync("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: HERE, stdio: "inherit" });
  writeFileSync(MARK, wanted);
}

function installed() {
  try {
    return readFileSync(MARK, "utf8");
  } catch {
    return undefined;
  }
}
