import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { jsonLines } from "../../support/command.js";
import { commandInProcess } from "../../support/in-process.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stowage-cli-"));
  for (const [name, size] of [
    ["small/x", 10],
    ["large/x", 2000],
    ["large/deep/y", 1000],
    ["here", 5],
  ] as const) {
    await mkdir(join(folder, "tree", name, ".."), { recursive: true });
    await writeFile(join(folder, "tree", name), "x".repeat(size));
  }
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const run = (...args: string[]) => commandInProcess(["du", ...args], { cwd: folder });

test("du sums up each directory, the largest first, and everything", async () => {
  expect((await run("tree")).stdout).toBe(
    ` 2.9 KiB       2 files  large/\n    10 B        1 file  small/\n 2.9 KiB       4 files  file://${folder}/tree\n`,
  );
  const deep = (await run("-h", "--depth", "2", "tree")).stdout.split("\n").map((line) => line.slice(24));
  expect(deep).toEqual(["large/", "large/deep/", "small/", `file://${folder}/tree`, ""]);
  const { stdout } = await run("-d", "0", "--json", "tree");
  expect(jsonLines(stdout)).toEqual([{ path: `file://${folder}/tree`, size: 3015, files: 4 }]);
});

test("of an object it is its size, of nothing a failure; wildcards are several", async () => {
  expect((await run("tree/here")).stdout).toBe(`     5 B        1 file  file://${folder}/tree/here\n`);
  expect((await run("none")).code).toBe(1);
  expect(jsonLines((await run("-d", "0", "--json", "tree/*")).stdout).map(({ size }) => size)).toEqual([5, 3000, 10]);
});

test.each([80, 120])("on a terminal of %i columns each row has a bar, and fits", async (columns) => {
  const { stdout } = await commandInProcess(["du", "tree"], { cwd: folder, columns });
  const [large, small] = stdout.split("\n");
  expect(large).toMatch(/ {2}█{10,24} {2}large\/$/);
  expect(small).toMatch(/ {2}░{10,24} {2}small\/$/);
  expect(large!.length).toBeLessThan(columns);
});
