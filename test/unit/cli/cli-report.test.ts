/** `stowage report` from the command line. */
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import { openStorage } from "../../../src/index.js";
import { jsonLines } from "../../support/command.js";
import { commandInProcess } from "../../support/in-process.js";

let root: string;
let base: string;
let kept: string;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "stowage-cli-report-"));
  base = `file://${root}/xcom`;
  const storage = openStorage({ env: {} });
  const backend = new XComObjectStorageBackend({ storage, path: base, threshold: 0 });
  const stored = (dagId: string, size: number) =>
    backend.storeValue(
      { dagId, runId: "run", taskId: "task" },
      "return_value",
      "v".repeat(size - 2),
    ) as Promise<string>;
  kept = await stored("sales", 3000);
  const orphan = await stored("old", 1000);
  const time = Date.now() / 1000 - 30 * 86_400;
  for (const path of [kept, orphan]) utimesSync(path.slice("file://".length), time, time);
  await storage.close();
  writeFileSync(join(root, "refs.txt"), `${kept}\n${kept.replace("/sales/", "/gone/")}\n`);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const run = (args: string[], options: object = {}) =>
  commandInProcess(["report", base, ...args], { cwd: root, ...options });

test("prints the largest Dags and what references tell", async () => {
  const { code, stdout, stderr } = await run(["--refs", "refs.txt", "--class", "week=7"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(
    stdout
      .replace(/ +/g, " ")
      .split("\n")
      .map((line) => line.trim()),
  ).toEqual([
    base,
    "",
    "2.9 KiB 1 sales 75.0%",
    "1000 B 1 old 25.0%",
    "3.9 KiB 2 in all",
    "",
    "1000 B in 1 object without a row",
    "1 object missing that rows refer to",
    "week: 0 B in 0 objects expire within 7 days",
    "",
  ]);
});

test("writes a page to a file or any path, and to stdout", async () => {
  const { code, stdout } = await run(["--out", "report.html"]);
  expect(code).toBe(0);
  expect(stdout).toContain(`wrote file://${root}/report.html`);
  const page = readFileSync(join(root, "report.html"), "utf8");
  expect(page).toMatch(/^<!doctype html>[\s\S]*sales[\s\S]*<\/html>\n$/);
  expect((await run(["--out", "-"])).stdout.length).toBe(page.length);
});

test("prints the same numbers as JSON", async () => {
  const [line] = jsonLines((await run(["--json", "--refs", "refs.txt"])).stdout);
  expect(line).toMatchObject({
    action: "reported",
    path: base,
    total: { objects: 2, bytes: 4000 },
    dags: {
      count: 2,
      groups: [
        { name: "sales", bytes: 3000 },
        { name: "old", bytes: 1000 },
      ],
    },
    references: { orphaned: { objects: 1, bytes: 1000 }, missing: 1 },
  });
});

test("reads a folder of one Dag with --base, and the references of its objects alone", async () => {
  const args = ["report", `${base}/sales`, "--base", base, "--json", "--refs", "refs.txt"];
  const [line] = jsonLines((await commandInProcess(args, { cwd: root })).stdout);
  expect(line).toMatchObject({
    total: { objects: 1 },
    dags: { groups: [{ name: "sales" }] },
    references: { missing: 0 },
  });
});

test.each([
  [["--out", "-", "--json"], "both print to stdout"],
  [["--policy", "-", "--refs", "-"], "both read stdin"],
  [["--policy", "refs.txt"], "is not JSON"],
])("refuses %j", async (args, words) => {
  const { code, stderr } = await run(args);
  expect(code).toBe(2);
  expect(stderr).toContain(words);
});
