/** The subjects in Python, in environments of their own in the cache folder. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";

const HERE = import.meta.dirname;
const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "stowage");
const LIBRARIES = join(HERE, "requirements.txt");
/** The environment that the tests against a real Airflow use as well. */
const AIRFLOW = join(HERE, "../test/airflow/airflow-3.3.2.txt");
const lists = { s3fs: LIBRARIES, gcsfs: LIBRARIES, adlfs: LIBRARIES, obstore: LIBRARIES, airflow: AIRFLOW };

/** The command of each subject; without those that cannot be installed here, whose reason is printed. */
export function pythonSubjects() {
  const commands = new Map();
  for (const [name, list] of Object.entries(lists)) {
    try {
      commands.set(name, [environment(list), "-W", "ignore", "subjects/subject.py", name]);
    } catch (error) {
      console.error(`without ${name}, which needs Python: ${error.message}`);
    }
  }
  return commands;
}

/** The interpreter of an environment with the packages of `list`, made once. */
function environment(list) {
  const digest = createHash("sha256").update(readFileSync(list)).digest("hex").slice(0, 12);
  const name = list === LIBRARIES ? "bench" : basename(list, ".txt");
  const folder = join(CACHE, `${name}-${digest}`);
  const python = join(folder, "bin", "python");
  if (existsSync(join(folder, "complete"))) return python;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(CACHE, { recursive: true });
  called("python3", ["-m", "venv", folder]);
  called(python, ["-m", "pip", "install", "--quiet", "--pre", "--disable-pip-version-check", "-r", list]);
  writeFileSync(join(folder, "complete"), "");
  return python;
}

function called(command, args) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(error?.message ?? stderr.trim().split("\n").at(-1));
}
