/** Lines sorted on disk: the same as sorted in memory, in bounded memory. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LineSorter, RunFolder } from "../../../src/xcom/operations/sorted-lines.js";
import { all } from "../../support/all.js";
import { ROOT, run } from "../../support/installed.js";

let temporary: string;
let before: string | undefined;
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), "stowage-sorted-"));
  before = process.env.TMPDIR;
  process.env.TMPDIR = temporary;
});
afterEach(() => {
  if (before === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = before;
  rmSync(temporary, { recursive: true, force: true });
});

async function sorted(lines: readonly string[], runBytes: number) {
  const folder = new RunFolder();
  const sorter = new LineSorter(folder, runBytes);
  for (const line of lines) await sorter.add(line);
  const found = (await all(sorter.batches())).flat();
  const again = (await all(sorter.batches())).flat();
  const runs = readdirSync(temporary).flatMap((name) => readdirSync(join(temporary, name)));
  await folder.remove();
  return { found, again, runs: runs.length };
}

function shuffled(count: number, seed: number): string[] {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return `${(state % count).toString(36)}/é😀\u{ffff}\0${"x".repeat(state % 90)}`;
  });
}

test("any order, with repeated lines, characters of every length and hundreds of runs, is sorted and distinct", async () => {
  const lines = shuffled(20_000, 7);
  const expected = [...new Set(lines)].sort();
  for (const runBytes of [1e9, 200_000, 4000]) {
    const { found, again, runs } = await sorted(lines, runBytes);
    expect(found).toEqual(expected);
    expect(again).toEqual(expected);
    // Runs are merged before they are too many to be open at once.
    expect(runs).toBeLessThan(130);
  }
  expect(readdirSync(temporary)).toEqual([]);
});

test("lines in order need one file, and no file if there are few", async () => {
  const lines = Array.from({ length: 5000 }, (_, i) => String(i).padStart(6, "0"));
  expect(await sorted(lines, 2000)).toMatchObject({ runs: 1, found: lines });
  expect(await sorted(lines, 1e9)).toMatchObject({ runs: 0, found: lines });
  expect(await sorted([], 10)).toMatchObject({ runs: 0, found: [] });
});

/** Sorts lines, each a part of a larger text as those of a page are, and prints how many came. */
const PROGRAM = `
import { LineSorter, RunFolder } from "./src/xcom/operations/sorted-lines.ts";
const folder = new RunFolder();
const sorter = new LineSorter(folder);
for (let i = 0; i < 700_000; i++) {
  const mixed = String((i * 7919) % 700_000).padStart(80, "0");
  const whole = i % 100 === 0 ? mixed + "x".repeat(64 * 1024 + (i % 7)) : mixed + "x".repeat(30);
  await sorter.add(whole.slice(0, 80));
}
let count = 0;
for await (const lines of sorter.batches()) count += lines.length;
await folder.remove();
console.log(count);
`;

test("700,000 lines, parts of 440 MiB, are sorted in a heap of 96 MiB", { timeout: 120_000 }, async () => {
  const outfile = join(temporary, "sort.mjs");
  const stdin = { contents: PROGRAM, loader: "js", resolveDir: ROOT } as const;
  await build({ stdin, outfile, bundle: true, platform: "node", format: "esm", logLevel: "silent" });
  const { stdout } = await run(process.execPath, ["--max-old-space-size=96", outfile]);
  expect(Number(stdout)).toBe(700_000);
});

test("files that are asked for at once have names of their own", async () => {
  const folder = new RunFolder();
  const names = await Promise.all([folder.newFile(), folder.newFile(), folder.newFile()]);
  await folder.remove();
  expect(new Set(names).size).toBe(3);
});
