/** Lines sorted on disk: the same as sorted in memory, in bounded memory. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LineSorter, RunFolder } from "../../../src/xcom/operations/sorted-lines.js";
import { all } from "../../support/all.js";

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
