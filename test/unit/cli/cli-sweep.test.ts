/** `stowage sweep` from the command line: what is printed, and how it ends. */
import { mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
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
let orphans: string[];
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "stowage-cli-sweep-"));
  base = `file://${root}/xcom`;
  const storage = openStorage({ env: {} });
  const backend = new XComObjectStorageBackend({ storage, path: base, threshold: 0 });
  const stored = (taskId: string) => backend.storeValue({ dagId: "dag", runId: "run", taskId }, "return_value", taskId);
  kept = (await stored("kept")) as string;
  orphans = [(await stored("one")) as string];
  await storage.write(`${base}/notes.txt`, "mine");
  for (const path of [kept, ...orphans]) aged(path);
  await stored("young");
  await storage.close();
  writeFileSync(join(root, "refs.txt"), `${kept}\n`);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function aged(path: string): void {
  const time = Date.now() / 1000 - 30 * 86_400;
  utimesSync(path.slice("file://".length), time, time);
}
const run = (args: string[], options: object = {}) =>
  commandInProcess(["sweep", base, ...args], { cwd: root, input: `${kept}\n`, ...options });
const isThere = (path: string) => statSync(path.slice("file://".length), { throwIfNoEntry: false }) !== undefined;

test("a dry run prints sums that fit a terminal, and the next step", async () => {
  const { code, stdout, stderr } = await run(["--refs", "refs.txt"], { columns: 80 });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/listed +4\n/);
  expect(stdout).toMatch(/other names +1 {2}in no known layout/);
  expect(stdout).toMatch(/young +1 {2}within the grace of 24 hours/);
  expect(stdout).toMatch(/\breferenced +1\n/);
  expect(stdout).toMatch(/not referenced +1 {2}5 B/);
  expect(stdout.replace(/\s+/g, " ")).toContain("Nothing was deleted. Next: the same command with --trash");
  expect(
    Math.max(
      ...stdout
        .replaceAll(base, "")
        .split("\n")
        .map((line) => line.length),
    ),
  ).toBeLessThanOrEqual(80);
  expect(isThere(orphans[0]!)).toBe(true);
});

test("a dry run that --max-share would stop says so, and what it takes", async () => {
  const args = ["--refs", "refs.txt", "--max-share", "0.3"];
  const next = (await run(args)).stdout.split("\n\n").at(-1);
  expect(next).toContain("refuse to take more than a share of 0.3.");
  expect(next).toContain("name it by --as; if all of these can go: --max-share 0.5.");
  expect((await run([...args, "--delete"])).stderr).toContain(", name it by --as, else raise --max-share)");
  expect((await run([...args.slice(0, 2), "--max-share", "0.5", "--delete"])).code).toBe(0);
});

test("delete, from stdin and with a list of what went", async () => {
  const { code, stdout } = await run(["--refs", "-", "--delete", "--list"]);
  expect(code).toBe(0);
  expect(stdout).toContain(orphans[0]!);
  expect(stdout).toMatch(/deleted +1 {2}5 B/);
  expect(orphans.map(isThere)).toEqual([false]);
  expect(isThere(kept)).toBe(true);
});

test("trash and undo, as JSON lines", async () => {
  const trash = join(root, "trash");
  const moved = jsonLines((await run(["--json", "--refs", "refs.txt", "--trash", trash])).stdout);
  expect(moved[0]).toMatchObject({ action: "moved", path: orphans[0], size: 5 });
  expect(moved.at(-1)).toMatchObject({
    action: "swept",
    dryRun: false,
    listed: 4,
    orphaned: 1,
    moved: 1,
    failures: [],
  });
  expect(isThere(orphans[0]!)).toBe(false);
  const back = await run(["--json", "--trash", trash, "--undo"]);
  expect(jsonLines(back.stdout)).toMatchObject([{ action: "undone", moved: 1, failed: 0 }]);
  expect(isThere(orphans[0]!)).toBe(true);
});

test("what cannot be moved is named, and the exit code is 1", async () => {
  const { code, stdout, stderr } = await run(["--refs", "refs.txt", "--trash", "refs.txt/trash"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^stowage: move .*refs\.txt\/trash.*\n$/);
  expect(stdout).toMatch(/failed +1\n/);
  expect(orphans.map(isThere)).toEqual([true]);
});

test("an object that stays in the trash makes undo fail", async () => {
  await run(["--refs", "refs.txt", "--trash", "trash"]);
  writeFileSync(orphans[0]!.slice("file://".length), "new");
  const { code, stdout, stderr } = await run(["--trash", "trash", "--undo"]);
  expect(code).toBe(1);
  expect(stdout).toContain("1 stay in");
  expect(stderr).toContain("AlreadyExists");
});

test("a folder below the base, another name and an alias", async () => {
  const below = (...args: string[]) => commandInProcess(["sweep", `${base}/dag`, ...args], { cwd: root });
  expect((await below("--refs", "refs.txt")).stdout.replace(/\s+/g, " ")).toContain("name that by --base");
  expect((await below("--refs", "refs.txt", "--base", base)).stdout).toMatch(/not referenced +1/);
  writeFileSync(join(root, "names.txt"), `${kept.replace(base, "s3://primary/xcom")}\n`);
  const other = await run(["--refs", "names.txt", "--as", "s3://primary/xcom"]);
  expect(other.stdout).toMatch(/not referenced +1/);
  writeFileSync(join(root, "aliases.txt"), `${kept.replace(`${base}/`, "xcom_s3://")}\n${kept}\n`);
  const alias = jsonLines((await run(["--json", "--refs", "aliases.txt", "--as", `xcom_s3://=${base}`])).stdout);
  expect(alias.at(-1)).toMatchObject({ references: 2, referenced: 1 });
});

test.each([
  [[], "name the references"],
  [["--refs", "-", "--refs", "-"], "there is one stdin"],
  [["--refs", "refs.txt", "--grace", "10m"], "below one hour"],
  [["--refs", "refs.txt", "--max-share", "2"], "a share above 0"],
  [["--refs", "refs.txt", "--shard", "3/2"], "such as 1/4"],
  [["--refs", "refs.txt", "--delete", "--trash", "trash"], "contradict"],
  [["--undo"], "needs the --trash"],
  [["--rest", "https://airflow.example.com"], "AIRFLOW_API_TOKEN"],
])("%j is refused", async (args, expected) => {
  const { code, stderr } = await run(args);
  expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining(expected) });
  expect(readdirSync(root)).toHaveLength(2);
});

test("a file of references that was cut off deletes nothing", async () => {
  const cut = `${kept}\n${kept.slice(0, -20)}`;
  writeFileSync(join(root, "cut.txt"), cut);
  for (const [file, name] of [
    ["cut.txt", "cut.txt"],
    ["-", "stdin"],
  ] as const) {
    const { code, stderr } = await run(["--refs", file, "--delete"], { input: cut });
    expect([code, stderr]).toEqual([2, expect.stringContaining(`the last line of ${name} has no line end`)]);
  }
  expect(orphans.map(isThere)).toEqual([true]);
});

test("no reference in a source, or too large a share, ends it with 1 and deletes nothing", async () => {
  writeFileSync(join(root, "none.txt"), "5\n");
  const none = await run(["--refs", "none.txt", "--delete"]);
  expect({ code: none.code, stderr: none.stderr }).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("none.txt has no reference"),
  });
  const large = await run(["--refs", "refs.txt", "--delete", "--max-share", "0.4"]);
  expect({ code: large.code, stderr: large.stderr }).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("1 of 2 objects"),
  });
  expect(orphans.map(isThere)).toEqual([true]);
});

test.each([
  ["below it by a link to the path", "link", "xcom/trash"],
  ["around it", "xcom/dag", "link"],
  ["below it by a link of its own", "xcom", "in/trash"],
])("a trash that lies %s is refused, and nothing moves", async (_, path, trash) => {
  symlinkSync(join(root, "xcom"), join(root, "link"));
  symlinkSync(join(root, "xcom", "dag"), join(root, "in"));
  const args = [path, "--base", path.replace("/dag", ""), "--refs", "refs.txt", "--trash", trash, "--max-share", "1"];
  for (const more of [[], ["--undo"]]) {
    const { code, stderr } = await commandInProcess(["sweep", ...args, ...more], { cwd: root });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("without symbolic links") });
  }
  expect(orphans.map(isThere)).toEqual([true]);
});

test("a sweep by the name of one base of two says which other one is missing", async () => {
  const sources = [`file://${root}/primary/x/y/z/${"0".repeat(8)}-0000-4000-8000-${"0".repeat(12)}`];
  sources.push(orphans[0]!.replace(base, "s3://new@bucket/xcom"), kept.replace(base, `file://${root}/primary`));
  writeFileSync(join(root, "refs.txt"), `${sources.join("\n")}\n`);
  const args = ["--refs", "refs.txt", "--as", join(root, "primary")];
  const dry = await run(args);
  expect(dry.stdout).toMatch(/named elsewhere +1 {2}of these, by the same key at another base/);
  expect(dry.stdout).toContain("name both of its bases by --as.");
  const { code, stderr } = await run([...args, "--delete"]);
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("name that base by --as too") });
  expect((await run([...args, "--as", "s3://new@bucket/xcom", "--delete"])).code).toBe(0);
  expect(orphans.map(isThere)).toEqual([true]);
});

test("a migration to the same folder by a link is refused: a sweep of the link would delete what rows name", async () => {
  symlinkSync(join(root, "xcom"), join(root, "link"));
  const { code, stderr } = await commandInProcess(["migrate", base, "link", "--refs", "refs.txt"], { cwd: root });
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("without symbolic links") });
});
