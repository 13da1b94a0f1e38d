import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const HERE = import.meta.dirname;
/** What npm writes when an installation is complete. */
const LAST = "node_modules/.package-lock.json";

/** Subjects live in bench/node_modules, which only the benchmarks need. */
export function installPeers() {
  if (existsSync(join(HERE, LAST))) return;
  // Not `npm ci`: OpenDAL names builds for platforms that it has not published, which only `install` passes over.
  const command = ["install", "--ignore-scripts", "--no-audit", "--no-fund"];
  const { status } = spawnSync("npm", command, { cwd: HERE, stdio: ["ignore", 2, 2] });
  if (status !== 0) throw new Error("the subjects could not be installed");
}
