/** Finds a server that is written in Go, or builds it once into the cache folder. */
import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Unavailable } from "./unavailable.mjs";

const run = promisify(execFile);
/** MinIO takes about three minutes on two cores with nothing cached. */
const BUILD_TIMEOUT = 20 * 60_000;

/** Where everything lands that is built or installed once per machine. */
export function cacheFolder() {
  const { STOWAGE_CACHE, XDG_CACHE_HOME } = process.env;
  return STOWAGE_CACHE || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "stowage");
}

/**
 * The path of `name`: from PATH, from the cache, or built by `go install`.
 * @param {string} name
 * @param {string} module the Go package to build
 * @param {string} version pinned
 */
export async function goBinary(name, module, version) {
  const built = join(cacheFolder(), "bin", `${name}-${version}`);
  const found = (await onPath(name)) ?? ((await executable(built)) ? built : undefined);
  if (found) return found;
  return locked(`${built}.lock`, async () => {
    if (!(await executable(built))) await build(name, `${module}@${version}`, built);
    return built;
  });
}

/** @param {string} name @returns {Promise<string | undefined>} */
export async function onPath(name) {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    if (folder && (await executable(join(folder, name)))) return join(folder, name);
  }
  return undefined;
}

/** @param {string} name @param {string} source @param {string} target */
async function build(name, source, target) {
  if (!(await onPath("go"))) throw new Unavailable(name, `not on PATH, and there is no Go to build ${source}`);
  const folder = `${target}.building`;
  process.stderr.write(`building ${source} (once; it is kept in ${cacheFolder()})\n`);
  const env = { ...process.env, CGO_ENABLED: "0", GOBIN: folder };
  await run("go", ["install", source], { env, timeout: BUILD_TIMEOUT }).catch((error) => {
    throw new Unavailable(name, `go install ${source} failed: ${String(error.stderr || error.message).trim()}`, error);
  });
  await rename(join(folder, name), target);
  await rm(folder, { recursive: true, force: true });
}

/**
 * Runs `task` while no other process holds the lock; a lock whose owner is gone is taken over.
 * @template T @param {string} file @param {() => Promise<T>} task
 */
export async function locked(file, task) {
  await mkdir(join(file, ".."), { recursive: true });
  while (!(await claimed(file))) await sleep(200);
  try {
    return await task();
  } finally {
    await rm(file, { force: true });
  }
}

/** @param {string} file */
async function claimed(file) {
  try {
    await writeFile(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    const owner = Number(await readFile(file, "utf8").catch(() => ""));
    if (owner && !alive(owner)) await rm(file, { force: true });
    return false;
  }
}

/** @param {number} pid */
function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** @param {string} file */
function executable(file) {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}
