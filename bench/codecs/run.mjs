/** Runs the subjects of one codec, direction and content in turn, each time in a fresh process. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { SUBJECTS, TOOLS } from "./subjects.mjs";

const run = promisify(execFile);
const HERE = import.meta.dirname;
const PYTHON = join(HERE, "../../.cache/codecs-python/bin/python");
const MOST = { maxBuffer: 2 ** 28, timeout: 900_000 };

/** @returns {Record<string, () => Promise<object>>} what measures each subject once */
export function runnersOf(codec, { direction, content, size, plain, packed }) {
  const input = direction === "encode" ? plain : packed;
  const runners = {};
  for (const subject of Object.keys(SUBJECTS[codec])) {
    const args = [join(HERE, "worker.mjs"), codec, subject, direction, content, String(size), packed];
    runners[subject] = () => answer(process.execPath, args);
  }
  if (existsSync(PYTHON)) runners.Python = () => answer(PYTHON, [join(HERE, "codecs.py"), codec, direction, input]);
  const tool = TOOLS[codec]?.[direction];
  if (tool) runners[tool.split(" ")[0]] = () => timed(tool, input);
  return runners;
}

async function answer(program, args) {
  try {
    return JSON.parse((await run(program, args, MOST)).stdout);
  } catch (error) {
    return {
      cannot:
        String(error.stderr || error.message)
          .trim()
          .split("\n")
          .find((line) => /^\w*Error/.test(line)) ?? "failed",
    };
  }
}

/** Of a command-line tool only the time and the length are known. */
async function timed(tool, input) {
  const script = `TIMEFORMAT="%R %U %S"; time ${tool} < '${input}' | wc -c`;
  try {
    const { stdout, stderr } = await run("bash", ["-o", "pipefail", "-c", script], MOST);
    const [wall, user, system] = stderr.trim().split("\n").at(-1).split(" ").map(Number);
    return { wall, cpu: user + system, length: Number(stdout) };
  } catch (error) {
    return { cannot: String(error.stderr).trim().split("\n")[0] };
  }
}

/** Rounds of all runners in turn; the median of each figure. */
export async function rounds(runners, count) {
  const seen = Object.fromEntries(Object.keys(runners).map((name) => [name, []]));
  for (let round = 0; round < count; round++) {
    for (const [name, runner] of Object.entries(runners)) {
      if (!seen[name][0]?.cannot) seen[name].push(await runner());
    }
  }
  return Object.fromEntries(Object.entries(seen).map(([name, answers]) => [name, median(answers)]));
}

function median(answers) {
  if (answers[0].cannot) return answers[0];
  const middle = (key) => answers.map((answer) => answer[key]).sort((a, b) => a - b)[answers.length >> 1];
  return Object.fromEntries(Object.keys(answers[0]).map((key) => [key, middle(key)]));
}
