/**
 * `npm run test:teeth`: plants each bug of `test/teeth/bugs.mjs` in a copy of the tree and runs the tests that are there
 * for it, then, if they see nothing, the whole unit suite. A bug that no test sees, whose line is gone, or whose file
 * does not load, is a failure.
 *
 *     node scripts/teeth.mjs "in place" gzip     only the bugs whose name, file or tests have one of these words
 */
import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { bugs } from "../test/teeth/bugs.mjs";
import { PACKAGED } from "./stages.mjs";

/** @typedef {import("../test/teeth/bugs.mjs").Bug} Bug */
/** @typedef {{ green: boolean, failed: string[] }} Run */
/** @typedef {{ caught: boolean, words: string }} Verdict */

const ROOT = resolve(import.meta.dirname, "..");
const LEFT_OUT = new Set(["node_modules", "dist", ".git", "coverage", "quickstart-data", "bench"]);
const LANES = 2;
/** Milliseconds that the tests of one bug may take. A hang is no verdict. */
const PATIENCE = 3 * 60_000;
const SUITE_PATIENCE = 15 * 60_000;

/** A tree of our own, with the packages of the real one. @param {string} folder */
async function copyTree(folder) {
  await mkdir(folder);
  const top = (/** @type {string} */ path) => relative(ROOT, path).split("/")[0] ?? "";
  await cp(ROOT, folder, { recursive: true, filter: (path) => !LEFT_OUT.has(top(path)) });
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return folder;
}

/** @param {string} tree @param {string[]} args @param {number} patience @returns {Promise<Run>} */
async function vitest(tree, args, patience) {
  const report = join(tree, "report.json");
  await rm(report, { force: true });
  const program = [join(tree, "node_modules/vitest/vitest.mjs"), "run", "--reporter=json", `--outputFile=${report}`];
  // What these runs write is full of bugs: the search for secrets in `npm test` must not see it.
  const { STOWAGE_TEST_RUN: _, ...env } = process.env;
  const child = spawn(process.execPath, [...program, ...args], { cwd: tree, env, stdio: "ignore" });
  const timer = setTimeout(() => child.kill("SIGTERM"), patience);
  const code = await new Promise((done) => child.once("close", done));
  clearTimeout(timer);
  const { testResults } = JSON.parse(await readFile(report, "utf8").catch(() => '{"testResults":[]}'));
  return { green: code === 0, failed: testResults.flatMap((/** @type {any} */ file) => failuresIn(tree, file)) };
}

/** @param {string} tree @param {any} file @returns {string[]} */
function failuresIn(tree, { name, assertionResults }) {
  return assertionResults
    .filter((/** @type {any} */ test) => test.status === "failed")
    .map((/** @type {any} */ test) => `${relative(tree, name)}: ${test.fullName}`);
}

/** Runs `work` with the bug in the tree, which is clean again after it. @template T @param {string} tree @param {Bug} bug @param {() => Promise<T>} work */
async function planted(tree, { file, find, replace }, work) {
  const path = join(tree, file);
  const text = await readFile(path, "utf8");
  const pieces = text.split(find);
  if (pieces.length !== 2) throw new Error(`${file} has this ${pieces.length - 1} times, not once: ${find}`);
  await writeFile(path, pieces.join(replace));
  try {
    return await work();
  } finally {
    await writeFile(path, text);
  }
}

/** @param {string} tree @param {Bug} bug @returns {Promise<Verdict>} */
async function judge(tree, bug) {
  const named = await vitest(tree, [...bug.tests, "--bail=1", "--maxWorkers=1"], PATIENCE);
  if (!named.green) return verdict(named);
  const everything = [...PACKAGED, "test/docs.test.ts"].map((file) => `--exclude=${file}`);
  const whole = await vitest(tree, [...everything, "--bail=1"], SUITE_PATIENCE);
  if (whole.green) return { caught: false, words: "no test sees it" };
  const { caught, words } = verdict(whole);
  return { caught, words: `${words}\n        which is not among its tests: ${bug.tests.join(", ")}` };
}

/** @param {Run} run @returns {Verdict} */
function verdict({ failed: [first] }) {
  return first === undefined
    ? { caught: false, words: "the tests did not come to a verdict" }
    : { caught: true, words: `by ${first}` };
}

/** @param {string} tree @param {IterableIterator<Bug>} queue @param {{ passed: number, failed: number }} count */
async function lane(tree, queue, count) {
  for (const bug of queue) {
    const begun = Date.now();
    const { caught, words } = await planted(tree, bug, () => judge(tree, bug)).catch((error) => ({
      caught: false,
      words: String(error.message),
    }));
    count[caught ? "passed" : "failed"]++;
    const seconds = Math.round((Date.now() - begun) / 1000);
    console.log(`${caught ? "caught" : "MISSED"}  ${bug.name} (${bug.file}, ${seconds} s)\n        ${words}`);
  }
}

/** @param {string[]} words */
function chosen(words) {
  const text = (/** @type {Bug} */ { name, file, tests }) => [name, file, ...tests].join("\n");
  const found = bugs.filter((bug) => words.length === 0 || words.some((word) => text(bug).includes(word)));
  if (found.length === 0) throw new Error(`no bug has ${words.join(" or ")}`);
  return found;
}

/**
 * Without bugs everything must be green, or red would mean nothing. A second try, file by file, is for tests of time
 * limits on a machine that is busy.
 * @param {string} tree @param {Bug[]} list
 */
async function checkGreen(tree, list) {
  const files = [...new Set(list.flatMap(({ tests }) => tests))];
  const first = await vitest(tree, files, SUITE_PATIENCE);
  const again = [...new Set(first.failed.map((test) => test.split(": ")[0] ?? ""))];
  if (again.length === 0 && !first.green) throw new Error("the tests do not run without any bug");
  const { green, failed } = first.green ? first : await vitest(tree, [...again, "--maxWorkers=1"], SUITE_PATIENCE);
  if (!green) throw new Error(`red without any bug: ${failed.join("; ")}`);
  console.log(`green without bugs: ${files.length} test files`);
}

const list = chosen(process.argv.slice(2));
const folder = await mkdtemp(join(tmpdir(), "stowage-teeth-"));
const count = { passed: 0, failed: 0 };
try {
  const trees = await Promise.all(Array.from({ length: LANES }, (_, i) => copyTree(join(folder, String(i)))));
  await checkGreen(/** @type {string} */ (trees[0]), list);
  const queue = list.values();
  await Promise.all(trees.map((tree) => lane(tree, queue, count)));
} finally {
  await rm(folder, { recursive: true, force: true });
}
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exitCode = count.failed > 0 ? 1 : 0;
