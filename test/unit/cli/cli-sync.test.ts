import { mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ended, jsonLines, type Ran, start } from "../../support/command.js";
import { commandInProcess } from "../../support/in-process.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stowage-cli-"));
  await mkdir(join(folder, "site/d"), { recursive: true });
  for (const name of ["index.html", "d/a.css", "d/b.tmp"]) {
    await writeFile(join(folder, "site", name), name);
    await utimes(join(folder, "site", name), 1_700_000_000, 1_700_000_000);
  }
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const run = (...args: string[]): Promise<Ran> => commandInProcess(args, { cwd: folder });
const backup = async () => (await readdir(join(folder, "backup"), { recursive: true })).sort();

test("sync copies what has changed, and sums it up", async () => {
  expect((await run("sync", "site", "backup")).stdout).toBe("3 files copied, 24 B; 0 deleted; 0 unchanged\n");
  await writeFile(join(folder, "site/index.html"), "longer than before");
  expect((await run("sync", "site", "backup")).stdout).toBe("1 file copied, 18 B; 0 deleted; 2 unchanged\n");
  await writeFile(join(folder, "backup/old"), "1");
  await rm(join(folder, "site/d/b.tmp"));
  const { stdout } = await run("sync", "--delete", "--exclude", "*.tmp", "site", "backup");
  expect(stdout).toBe("0 files copied, 0 B; 1 deleted; 2 unchanged\n");
  expect(await backup()).toEqual(["d", "d/a.css", "d/b.tmp", "index.html"]);
});

test("--dry-run prints each step and changes nothing; --json prints objects", async () => {
  const dry = await run("sync", "-n", "--include", "*.html", "site", "backup");
  expect(dry.stdout).toBe(
    `would copy file://${folder}/backup/index.html (10 B)\ndry run: 1 file copied, 10 B; 0 deleted; 0 unchanged\n`,
  );
  await expect(backup()).rejects.toThrow("ENOENT");
  const { stdout } = await run("sync", "--json", "--checksum", "--concurrency", "1", "site", "backup");
  const lines = jsonLines(stdout);
  expect(lines).toHaveLength(4);
  expect(lines[0]).toMatchObject({ action: "copied", dryRun: false });
  expect(lines[3]).toEqual({ action: "synced", copied: 3, bytes: 24, deleted: 0, unchanged: 0, dryRun: false });
});

test("what fails is listed with exit code 1, after a summary of what was done", async () => {
  await symlink("nowhere", join(folder, "site/broken"));
  const { code, stdout, stderr } = await run("sync", "--delete", "site", "backup");
  expect(code).toBe(1);
  expect(stdout).toBe("3 files copied, 24 B; 0 deleted\n");
  expect(stderr).toContain(`stowage: file://${folder}/site/broken: `);
  expect(stderr).toContain("1 failed, 3 done");
});

test("a sync that is cut off leaves whole files, and says how to see what is left", async () => {
  const names = Array.from({ length: 3000 }, (_, n) => `${n}`);
  await Promise.all(names.map((name) => writeFile(join(folder, "site", name), name)));
  const child = start(["sync", "--json", "--concurrency", "1", "site", "backup"], { cwd: folder });
  child.stdout?.once("data", () => child.kill("SIGINT"));
  const { code, stdout, stderr } = await ended(child);
  expect(code).toBe(1);
  expect(stderr).toBe(
    "stowage: the same command goes on; with --dry-run it prints what is left\n" +
      "stowage: interrupted; incomplete objects were discarded\n",
  );
  const there = (await readdir(join(folder, "backup"))).filter((name) => /^\d+$/.test(name));
  expect(there.length).toBeLessThan(names.length);
  for (const name of there) expect(await readFile(join(folder, "backup", name), "utf8")).toBe(name);
  expect(jsonLines(stdout).at(-1)).toMatchObject({ action: "synced" });
  const left = jsonLines((await run("sync", "--json", "--dry-run", "--include", "[0-9]*", "site", "backup")).stdout);
  expect(left.slice(0, -1)).toHaveLength(names.length - there.length);
});

test("a sync into its own source, and bad options, are refused with 2", async () => {
  const own = await run("sync", "site", "site/d");
  expect([own.code, own.stderr]).toEqual([2, expect.stringContaining("lie one in the other")]);
  expect((await run("sync", "--concurrency", "0", "site", "backup")).code).toBe(2);
  expect((await run("sync", "--include", "[a", "site", "backup")).code).toBe(2);
  await expect(backup()).rejects.toThrow("ENOENT");
});
