import { mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openStorage } from "../../../src/open.js";
import { describeOn, useBucket } from "../../servers/use.js";
import { ended, jsonLines, knowing, type Ran, start } from "../../support/command.js";
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
  // Old, since a copy within the same tick of the clock would be made again.
  await utimes(join(folder, "site/index.html"), 1_700_000_000, 1_700_000_000);
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
    `would copy file://${folder}/backup/index.html (10 B)\ndry run: 1 file would be copied, 10 B; 0 would be deleted; 0 unchanged\n`,
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
  expect([own.code, own.stderr]).toEqual([2, expect.stringContaining("one contains the other")]);
  expect((await run("sync", "--concurrency", "0", "site", "backup")).code).toBe(2);
  expect((await run("sync", "--include", "[a", "site", "backup")).code).toBe(2);
  await expect(backup()).rejects.toThrow("ENOENT");
});

test("the source of a sync is a tree: of one object it says so, and names cp", async () => {
  for (const args of [["sync"], ["sync", "-n"], ["cp", "-r"], ["cp", "-r", "-n"]]) {
    const { code, stderr } = await run(...args, "site/index.html", "backup");
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/there is nothing below this path: it is one object, which cp takes without -r\)\n$/),
    ]);
  }
  const moved = await run("mv", "-r", "site/index.html", "backup");
  expect(moved.stderr).toContain("which mv takes without -r");
  await expect(backup()).rejects.toThrow("ENOENT");
});

await describeOn("minio", "sync to S3", (server) => {
  const bucket = useBucket(server);

  test("what is copied has the attributes of the command line, which are those of cp; the rest stays as it is", async () => {
    const { env = {} } = knowing("it", server.connection);
    const at = `s3://it@${bucket().name}/site`;
    const send = (...args: string[]) => commandInProcess(["sync", ...args, "site", at], { cwd: folder, env });
    expect((await send()).code).toBe(0);
    await writeFile(join(folder, "site/index.html"), "longer than before");
    const attributes = ["--cache-control", "no-cache", "--metadata", "by=test", "--tag", "kind=page"];
    const more = ["--content-type", "text/plain", "--content-language", "en", "--content-disposition", "inline"];
    expect((await send(...attributes, ...more)).stdout).toBe("1 file copied, 18 B; 0 deleted; 2 unchanged\n");
    const storage = openStorage({ env });
    expect(await storage.stat(`${at}/index.html`, { tags: true })).toMatchObject({
      cacheControl: "no-cache",
      contentType: "text/plain",
      contentLanguage: "en",
      contentDisposition: "inline",
      metadata: { by: "test" },
      tags: { kind: "page" },
    });
    expect((await storage.stat(`${at}/d/a.css`)).cacheControl).toBeUndefined();
    await storage.close();
  });
});
