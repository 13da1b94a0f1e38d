/** A Python with one exact version of Airflow, made once and kept in a cache folder. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "stowage");
/** What installs the packages: many times faster than pip. */
const UV = "uv==0.13.8";

/** The interpreter of an environment with exactly the packages of `list`, a file beside this one. */
export async function pythonWith(list: string): Promise<string> {
  const file = new URL(list, import.meta.url).pathname;
  const digest = createHash("sha256")
    .update(await readFile(file))
    .digest("hex")
    .slice(0, 12);
  const folder = join(CACHE, `${list.replace(/\.txt$/, "")}-${digest}`);
  const python = join(folder, "bin", "python");
  if (!existsSync(join(folder, "complete"))) await make(folder, python, file);
  return python;
}

async function make(folder: string, python: string, list: string): Promise<void> {
  const uv = await installer();
  await rm(folder, { recursive: true, force: true });
  await run("python3", ["-m", "venv", "--without-pip", folder]);
  await run(uv, ["pip", "install", "--quiet", "--prerelease=allow", "--python", python, "-r", list]);
  await writeFile(join(folder, "complete"), "");
}

async function installer(): Promise<string> {
  const folder = join(CACHE, UV.replace("==", "-"));
  const uv = join(folder, "bin", "uv");
  if (existsSync(uv)) return uv;
  await mkdir(CACHE, { recursive: true });
  await run("python3", ["-m", "venv", folder]);
  await run(join(folder, "bin", "pip"), ["install", "--quiet", UV]);
  return uv;
}
