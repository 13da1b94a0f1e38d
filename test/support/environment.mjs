/** Pythons with exact packages, each made once and kept in the cache folder. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder, locked } from "../servers/binaries.mjs";

const run = promisify(execFile);
/** What installs the packages: many times faster than pip. */
const UV = "uv==0.13.8";

/**
 * The interpreter of an environment with the packages of `list`, a file as pip reads it; another list, another environment.
 * @param {string} list
 * @param {string} name of its folder
 */
export async function pythonWith(list, name = basename(list, ".txt")) {
  const digest = createHash("sha256")
    .update(await readFile(list))
    .digest("hex")
    .slice(0, 12);
  const folder = join(cacheFolder(), `${name}-${digest}`);
  const python = join(folder, "bin", "python");
  await once(folder, async () => {
    await checkPython();
    const uv = await installer();
    await run("python3", ["-m", "venv", "--without-pip", folder]);
    await run(uv, ["pip", "install", "--quiet", "--prerelease=allow", "--python", python, "-r", list]);
  });
  return python;
}

/**
 * Returns a class path with the dependencies of a Maven project, which are fetched once. A Java 17 compiler and Maven
 * must be on the PATH.
 * @param {string} pom
 * @param {string} name of its folder
 */
export async function javaWith(pom, name) {
  const digest = createHash("sha256")
    .update(await readFile(pom))
    .digest("hex")
    .slice(0, 12);
  const folder = join(cacheFolder(), `${name}-${digest}`);
  await once(folder, async () => {
    await run("mvn", ["-q", "-B", "-f", pom, "dependency:copy-dependencies", `-DoutputDirectory=${folder}`]);
  });
  return join(folder, "*");
}

/** What the pinned packages need at least. */
const PYTHON = [3, 11, 5];

async function checkPython() {
  const { stdout } = await run("python3", ["-c", "import sys; print(sys.executable, *sys.version_info[:3])"]).catch(
    () => {
      throw new Error(`python3 ${PYTHON.join(".")} or newer is not on the PATH; these tests need it`);
    },
  );
  const [executable, ...version] = stdout.trim().split(" ");
  const order = PYTHON.map((number, i) => Number(version[i]) - number).find((difference) => difference !== 0) ?? 0;
  if (order >= 0) return;
  throw new Error(
    `the python3 of the PATH (${executable}) is ${version.join(".")}, and these tests need ${PYTHON.join(".")} or newer; ` +
      "put a newer one before it",
  );
}

async function installer() {
  const folder = join(cacheFolder(), UV.replace("==", "-"));
  await once(folder, async () => {
    await run("python3", ["-m", "venv", folder]);
    await run(join(folder, "bin", "pip"), ["install", "--quiet", UV]);
  });
  return join(folder, "bin", "uv");
}

/**
 * Fills a folder, from nothing; what was cut short is not taken for complete.
 * @param {string} folder
 * @param {() => Promise<void>} fill
 */
async function once(folder, fill) {
  const complete = join(folder, "complete");
  if (existsSync(complete)) return;
  await locked(`${folder}.lock`, async () => {
    if (existsSync(complete)) return;
    await rm(folder, { recursive: true, force: true });
    await fill();
    await writeFile(complete, "");
  });
}
