/** What people type in place of a path, and what they forget. */
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { commandInProcess } from "../../support/in-process.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stowage-misread-"));
  await writeFile(join(folder, "file"), "1");
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const run = (...args: string[]) => commandInProcess(args, { cwd: folder });

test.each([
  ["lake@bucket/key", "s3://lake@bucket/key"],
  ["lake@bucket", "s3://lake@bucket"],
  ["s3//bucket/key", "s3://bucket/key"],
  ["GS//bucket/key", "GS://bucket/key"],
])("%s is no file by mistake", async (path, meant) => {
  const { code, stderr } = await run("cp", "file", path);
  expect([code, stderr]).toEqual([2, `stowage: is ${path} a URL, ${meant}? A file of that name is ./${path}\n`]);
  expect(await readdir(folder)).toEqual(["file"]);
});

test("a file of such a name is one, once it is there or is written with ./", async () => {
  expect((await run("cp", "file", "./me@home")).code).toBe(0);
  await mkdir(join(folder, "you@home"));
  expect((await run("cp", "file", "you@home")).code).toBe(0);
  expect((await run("cat", "me@home")).stdout).toBe("1");
  expect((await run("cat", "you@home/file")).stdout).toBe("1");
});

test("a reference in the quotes of its JSON is shown without them", async () => {
  const { code, stderr } = await run("xcom", "pull", '"s3://lake@bucket/x.json"');
  expect([code, stderr]).toEqual([2, "stowage: the path is in quotes, as JSON: write s3://lake@bucket/x.json\n"]);
});

test("help of a command inside another is that command's", async () => {
  const help = await run("help", "xcom", "push");
  expect(help).toEqual(await run("xcom", "push", "--help"));
  expect(help.stdout).toContain("--threshold");
  expect((await run("help", "cp", "more")).stdout).toContain("stowage cp");
});

test("a link to a directory that sync finds is followed or left out, in the words of the command", async () => {
  await mkdir(join(folder, "site"));
  await writeFile(join(folder, "site/a"), "1");
  await symlink(".", join(folder, "site/link"));
  const { code, stderr } = await run("sync", "--delete", "site", "backup");
  expect(code).toBe(1);
  expect(stderr).toContain("a link to a directory: --follow-links takes what is behind it, --exclude leaves it out");
  expect((await run("sync", "--delete", "--exclude", "link", "site", "backup")).code).toBe(0);
});

test("a sweep may be called a dry run, which contradicts the others", async () => {
  await writeFile(join(folder, "refs"), "s3://lake@bucket/d/r/t/00000000-0000-4000-8000-000000000000.json\n");
  await mkdir(join(folder, "xcom"));
  await writeFile(join(folder, "xcom/notes"), "1");
  expect((await run("sweep", "xcom", "--refs", "refs", "-n")).code).toBe(0);
  for (const args of [["--delete"], ["--trash", "trash"], ["--undo", "--trash", "trash"]])
    expect(await run("sweep", "xcom", "--refs", "refs", "--dry-run", ...args)).toMatchObject({
      code: 2,
      stderr: "stowage: --dry-run contradicts --delete, --trash and --undo\n",
    });
});
