/**
 * Runs the stages of `stages.mjs` and adds up their results. Usage: node scripts/test.mjs [stage name ...]
 *
 * The last line is `N passed, N failed`, with `, N skipped` if any; the exit code is 1 if anything failed.
 */
import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { finished } from "node:stream/promises";
import { leaksIn } from "./secret-scan.mjs";
import { stages } from "./stages.mjs";

/**
 * `failures` names what failed, as far as the stage names its tests.
 * @typedef {{ passed: number, failed: number, skipped: string[], failures: string[] }} Outcome
 */

const ROOT = resolve(import.meta.dirname, "..");
const MINUTE = 60_000;
/** How many narrow stages run at the same time. */
const CONCURRENCY = Math.min(2, availableParallelism());

/**
 * Runs a vitest stage and reads the counts from its report.
 * @param {import("./stages.mjs").Stage} stage
 * @param {string} run
 */
async function vitestStage(stage, run) {
  const report = join(run, "reports", `${stage.name}.json`);
  const node = stage.node ? await stage.node() : process.execPath;
  // Two runs that end at the same time would write one cache.
  const cache = stage.narrow ? ["--no-cache"] : [];
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const command = [node, vitest, "run", ...reporters, ...cache, ...(stage.vitest ?? [])];
  const { code } = await execute(stage, command, run);
  return countedReport(JSON.parse(await readFile(report, "utf8")), code);
}

/** @param {any} report @param {number} code @returns {Outcome} */
function countedReport(report, code) {
  const tests = report.testResults.flatMap((/** @type {any} */ file) => file.assertionResults);
  const of = (/** @type {string} */ status) => tests.filter((/** @type {any} */ test) => test.status === status);
  const broken = report.testResults.filter((/** @type {any} */ file) => file.status === "failed" && !hasFailure(file));
  const failures = [
    ...of("failed").map((test) => `${test.fullName}: ${firstLine(test.failureMessages[0])}`),
    ...broken.map((/** @type {any} */ file) => `${file.name}: ${firstLine(file.message)}`),
  ];
  if (code !== 0 && failures.length === 0) failures.push(`no test failed, but vitest ended with ${code}`);
  const skipped = [...of("pending"), ...of("skipped"), ...of("todo")].map((test) => test.fullName);
  return { passed: of("passed").length, failed: failures.length, skipped, failures };
}

/** @param {string | undefined} message */
function firstLine(message) {
  return (message ?? "").split("\n")[0]?.slice(0, 300);
}

/** A test file that failed to load has no failed test, but has failed. @param {any} file */
function hasFailure(file) {
  return file.assertionResults.some((/** @type {any} */ test) => test.status === "failed");
}

/** @param {import("./stages.mjs").Stage} stage @param {string} run @returns {Promise<Outcome>} */
async function commandStage(stage, run) {
  const { code, output } = await execute(stage, stage.command ?? [], run);
  const lines = output.split("\n");
  const reasons = lines.filter((line) => line.startsWith("SKIPPED:")).map((line) => line.slice(8).trim());
  const count = lines.map((line) => /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/.exec(line)).findLast(Boolean);
  const failures = code === 0 ? [] : [`${stage.command?.join(" ")} ended with ${code}`];
  if (!count) {
    const passed = code === 0 && reasons.length === 0 ? 1 : 0;
    return { passed, failed: failures.length, skipped: reasons, failures };
  }
  const failed = Number(count[2]) || failures.length;
  const unnamed = Math.max(0, Number(count[3] ?? 0) - reasons.length);
  return { passed: Number(count[1]), failed, skipped: [...reasons, ...Array(unnamed).fill(stage.name)], failures };
}

/** Searches the output of all other stages for their secrets. @param {string} run @returns {Promise<Outcome>} */
async function secretScan(run) {
  const { secrets, files, leaks } = await leaksIn(run);
  const failures = leaks.map((leak) => `secret found in ${leak}`);
  console.log(`searched ${files} files of this run for ${secrets} secrets`);
  const blind = secrets === 0 ? ["the other stages used no secret of their own"] : [];
  return { passed: leaks.length === 0 && secrets > 0 ? 1 : 0, failed: leaks.length, skipped: blind, failures };
}

/**
 * Runs a command; shows its output immediately, or at its end if the stage is narrow, and keeps it in the run's folder,
 * with temporary files.
 * @param {import("./stages.mjs").Stage} stage
 * @param {string[]} command
 * @param {string} run
 * @returns {Promise<{ code: number, output: string }>}
 */
async function execute(stage, [program = "", ...args], run) {
  const temporary = join(run, "tmp");
  // Of this Node's folder only `node` itself: a folder such as /usr/bin would put its python3 before that of the PATH.
  const path = [join(run, "bin"), join(ROOT, "node_modules/.bin"), process.env.PATH].join(delimiter);
  const env = { ...process.env, PATH: path, STOWAGE_TEST_RUN: run, TMPDIR: temporary };
  const child = spawn(program, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
  const log = createWriteStream(join(run, "logs", `${stage.name}.log`));
  const minutes = stage.minutes ?? 10;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGTERM");
  }, minutes * MINUTE);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      if (!stage.narrow) process.stdout.write(chunk);
      log.write(chunk);
      output += chunk;
    });
  }
  const code = await new Promise((done) => {
    child.once("error", (error) => {
      console.error(error.message);
      done(127);
    });
    child.once("close", (exit) => done(exit ?? 1));
  });
  clearTimeout(timer);
  log.end();
  await finished(log);
  if (stage.narrow) console.log(`\n=== output of ${stage.name}\n${output}`);
  if (late)
    throw new Error(`the stage ${stage.name} had not ended after ${minutes} minutes, its limit in scripts/stages.mjs`);
  return { code, output };
}

/** @param {import("./stages.mjs").Stage} stage @param {string} run @returns {Promise<Outcome>} */
function outcomeOf(stage, run) {
  if (stage.vitest) return vitestStage(stage, run);
  return stage.command ? commandStage(stage, run) : secretScan(run);
}

/**
 * Runs stages in order, narrow ones that follow each other on {@link CONCURRENCY}.
 * @param {import("./stages.mjs").Stage[]} all @param {string} run
 */
async function resultsOf(all, run) {
  /** @type {{ name: string, seconds: number, outcome: Outcome }[]} */
  const results = [];
  const waiting = [...all.entries()];
  while (waiting.length > 0) {
    const wide = waiting.findIndex(([, stage]) => !stage.narrow);
    const together = waiting.splice(0, wide < 0 ? waiting.length : Math.max(1, wide));
    const work = async () => {
      for (let next = together.shift(); next; next = together.shift()) results[next[0]] = await timed(next[1], run);
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, work));
  }
  return results;
}

/** @param {import("./stages.mjs").Stage} stage @param {string} run */
async function timed(stage, run) {
  console.log(`\n=== ${stage.name}`);
  const begun = Date.now();
  const outcome = await outcomeOf(stage, run).catch((error) => {
    console.error(error);
    const reason = error instanceof Error ? error.message : String(error);
    return { passed: 0, failed: 1, skipped: [], failures: [reason] };
  });
  return { name: stage.name, seconds: Math.round((Date.now() - begun) / 1000), outcome };
}

/** @param {string[]} names */
function chosen(names) {
  const all = [...stages, { name: "secrets" }];
  const unknown = names.filter((name) => !all.some((stage) => stage.name === name));
  if (unknown.length > 0) throw new Error(`no stage ${unknown}; there are: ${all.map(({ name }) => name).join(", ")}`);
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
}

/** @param {{ name: string, seconds: number, outcome: Outcome }[]} results */
function summary(results) {
  for (const { name, seconds, outcome } of results) {
    const { passed, failed, skipped } = outcome;
    console.log(`${name.padEnd(20)} ${passed} passed, ${failed} failed, ${skipped.length} skipped, ${seconds} s`);
  }
  for (const { name, outcome } of results) {
    for (const reason of outcome.skipped) console.log(`skipped in ${name}: ${reason}`);
  }
  for (const { name, outcome } of results) {
    for (const failure of outcome.failures) console.log(`failed in ${name}: ${failure}`);
  }
  const sum = (/** @type {(outcome: Outcome) => number} */ of) =>
    results.reduce((n, { outcome }) => n + of(outcome), 0);
  const [passed, failed, skipped] = [sum((o) => o.passed), sum((o) => o.failed), sum((o) => o.skipped.length)];
  console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  return failed;
}

const run = await mkdtemp(join(tmpdir(), "stowage-run-"));
// A database server that must not run as root has to reach its own folder in here.
await chmod(run, 0o711);
for (const folder of ["bin", "logs", "reports", "tmp"]) await mkdir(join(run, folder));
await symlink(process.execPath, join(run, "bin", "node"));
const results = await resultsOf(chosen(process.argv.slice(2)), run);
console.log("");
const failed = summary(results);
await rm(run, { recursive: true, force: true });
process.exitCode = failed > 0 ? 1 : 0;
