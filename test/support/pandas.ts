/** A Python with pandas and pyarrow, of exact versions, made once and kept in a cache folder. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { describe, test } from "vitest";

const run = promisify(execFile);
const ROOT = process.env.STOWAGE_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "stowage");
/** What installs the packages: many times faster than pip. */
const UV = "uv==0.13.8";
const LIST = new URL("pandas.txt", import.meta.url).pathname;

export interface Pandas {
  /** Runs Python with `pd`, `pa`, `np` and the names of `scope`; the JSON of what it has assigned to `result`. */
  run(code: string, scope?: Record<string, unknown>): Promise<never>;
  stop(): Promise<void>;
}

/** A `describe` whose body gets pandas; skipped with the reason where it cannot be had and CI does not forbid it. */
export async function describePandas(title: string, body: (pandas: () => Pandas, python: string) => void) {
  let python: string;
  try {
    python = await interpreter();
  } catch (error) {
    if (process.env.CI) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    console.error(`\n*** SKIPPED: ${title}: no pandas here: ${reason} ***\n`);
    describe(title, () => test.skip(`skipped, ${reason.split("\n")[0]}`));
    return;
  }
  describe(title, () => {
    let pandas: Pandas | undefined;
    const started = () => {
      pandas ??= startPandas(python);
      return pandas;
    };
    body(started, python);
    test("Python ends", async () => pandas?.stop());
  });
}

function startPandas(python: string): Pandas {
  const script = new URL("dataframes.py", import.meta.url).pathname;
  const child: ChildProcess = spawn(python, [script], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface(child.stdout!)[Symbol.asyncIterator]();
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return {
    async run(code, scope = {}) {
      child.stdin!.write(`${JSON.stringify({ ...scope, code })}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error("Python has ended");
      const answer = JSON.parse(value) as { result: never; error?: string; trace?: string };
      if (answer.error !== undefined) throw new Error(`${answer.error}\n${answer.trace}`);
      return answer.result;
    },
    async stop() {
      child.stdin!.end();
      await ended;
    },
  };
}

async function interpreter(): Promise<string> {
  const digest = createHash("sha256")
    .update(await readFile(LIST))
    .digest("hex")
    .slice(0, 12);
  const folder = join(ROOT, `pandas-${digest}`);
  const python = join(folder, "bin", "python");
  if (!existsSync(join(folder, "complete"))) await make(folder, python);
  return python;
}

async function make(folder: string, python: string): Promise<void> {
  const uv = await installer();
  await rm(folder, { recursive: true, force: true });
  await run("python3", ["-m", "venv", "--without-pip", folder]);
  await run(uv, ["pip", "install", "--quiet", "--python", python, "-r", LIST]);
  await writeFile(join(folder, "complete"), "");
}

async function installer(): Promise<string> {
  const folder = join(ROOT, UV.replace("==", "-"));
  const uv = join(folder, "bin", "uv");
  if (existsSync(uv)) return uv;
  await mkdir(ROOT, { recursive: true });
  await run("python3", ["-m", "venv", folder]);
  await run(join(folder, "bin", "pip"), ["install", "--quiet", UV]);
  return uv;
}
