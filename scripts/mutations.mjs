/**
 * `npm run test:mutations`: plants each bug of `test/mutations/bugs.mjs` in a copy of the tree and runs its own tests, then, if
 * they pass, the whole unit suite. A bug is a failure if no test detects it, its line is gone, its file does not load,
 * or its test also fails without it.
 *
 *     node scripts/mutations.mjs "in place" gzip     only the bugs whose name, file or tests contain one of these words
 */
import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { bugs } from "../test/mutations/bugs.mjs";
import { PACKAGED, SITE } from "./stages.mjs";

/** @typedef {import("../test/mutations/bugs.mjs").Bug} Bug */
/** @typedef {{ file: string, title: string }} Failed */
/** @typedef {{ green: boolean, passed: number, failed: Failed[] }} Run */
/** @typedef {{ caught: boolean, words: string }} Verdict */

const ROOT = resolve(import.meta.dirname, "..");
const LEFT_OUT = new Set(["node_modules", "dist", ".git", "coverage", "quickstart-data"]);
const CONCURRENCY = 2;
/** Milliseconds for the tests of one bug. A hang gives no verdict. */
const PATIENCE = 3 * 60_000;
const SUITE_PATIENCE = 15 * 60_000;

/** Copies the tree and links the real one's packages. @param {string} folder */
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
  // The output of these runs is full of planted bugs: the search for secrets in `npm test` must not see it.
  const { STOWAGE_TEST_RUN: _, ...env } = process.env;
  const child = spawn(process.execPath, [...program, ...args], { cwd: tree, env, stdio: "ignore" });
  const timer = setTimeout(() => child.kill("SIGTERM"), patience);
  const code = await new Promise((done) => child.once("close", done));
  clearTimeout(timer);
  const text = await readFile(report, "utf8").catch(() => '{ "testResults": [], "numPassedTests": 0 }');
  const { testResults, numPassedTests } = JSON.parse(text);
  const failed = testResults.flatMap((/** @type {any} */ file) => failuresIn(tree, file));
  return { green: code === 0, passed: numPassedTests, failed };
}

/** @param {string} tree @param {any} file @returns {Failed[]} */
function failuresIn(tree, { name, assertionResults }) {
  return assertionResults
    .filter((/** @type {any} */ test) => test.status === "failed")
    .map((/** @type {any} */ test) => ({ file: relative(tree, name), title: test.fullName }));
}

/**
 * Runs `work` with the bug in the tree and restores it afterwards.
 * @template T
 * @param {string} tree
 * @param {Bug} bug
 * @param {() => Promise<T>} work
 */
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
  const { green, failed } = await planted(tree, bug, () => redden(tree, bug));
  const [first] = failed;
  if (!first) return { caught: false, words: green ? "no test sees it" : "the tests came to no verdict" };
  const { file, title } = first;
  const words = `by ${file}: ${title}`;
  // A test that fails without the bug has detected nothing.
  const alone = await vitest(tree, [file, "-t", `^${title.replace(/[^\w ]/g, "\\$&")}$`], PATIENCE);
  if (!alone.green || alone.passed === 0)
    return { caught: false, words: `${words}, which is not green without the bug` };
  return { caught: true, words: bug.tests.includes(file) ? words : `${words}, which is not among its tests` };
}

/**
 * Runs the bug's tests until the first failure, then those of the whole suite.
 * @param {string} tree
 * @param {Bug} bug
 */
async function redden(tree, { tests, only }) {
  const filter = only === undefined ? [] : [`--testNamePattern=${only}`];
  const named = await vitest(tree, [...tests, ...filter, "--bail=1", "--maxWorkers=1"], PATIENCE);
  if (!named.green) return named;
  const left = [...PACKAGED, SITE, "test/package/docs.test.ts"].map((file) => `--exclude=${file}`);
  return vitest(tree, [...left, "--bail=1"], SUITE_PATIENCE);
}

/** @param {string} tree @param {IterableIterator<Bug>} queue @param {{ passed: number, failed: number }} count */
async function runQueue(tree, queue, count) {
  for (const bug of queue) {
    const begun = Date.now();
    const { caught, words } = await judge(tree, bug).catch((error) => ({
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

const list = chosen(process.argv.slice(2));
const folder = await mkdtemp(join(tmpdir(), "stowage-mutations-"));
const count = { passed: 0, failed: 0 };
try {
  const trees = await Promise.all(Array.from({ length: CONCURRENCY }, (_, i) => copyTree(join(folder, String(i)))));
  const queue = list.values();
  await Promise.all(trees.map((tree) => runQueue(tree, queue, count)));
} finally {
  await rm(folder, { recursive: true, force: true });
}
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exitCode = count.failed > 0 ? 1 : 0;
