/** A reader that closes the pipe early, as `head` does, costs output and nothing else. */
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { run } from "../../../src/cli/program.js";
import { single } from "../../../src/streams.js";
import { ended, start } from "../../support/command.js";

const COUNT = 100;
/** More than a pipe holds. */
const MANY = 1000;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stowage-pipe-"));
  for (const name of ["from", "to", "moved"]) await mkdir(join(folder, name));
  await fill(COUNT);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function fill(count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, n) => `${"n".repeat(60)}-${n}`);
  await Promise.all(names.map((name) => writeFile(join(folder, "from", name), "1")));
}

const count = async (name: string) => (await readdir(join(folder, name))).length;

/** Runs a command whose stdout fails from the second line on. */
async function broken(code: string, ...args: string[]) {
  let lines = 0;
  const stdout = {
    write: (_: string, done: (error?: Error) => void) =>
      void setImmediate(done, lines++ > 0 ? Object.assign(new Error(`write ${code}`), { code }) : undefined),
  } as never;
  let stderr = "";
  const told = new Writable({
    write(chunk, _encoding, done) {
      stderr += chunk;
      done();
    },
  });
  const output = (stream: Writable) => ({ stream, terminal: false, color: false, columns: undefined });
  const { signal } = new AbortController();
  const outputs = { stdout: output(stdout), stderr: output(told) };
  const exit = await run(args, { stdin: single(new Uint8Array(0)), ...outputs, env: {}, cwd: folder, signal });
  return { exit, stderr, lines };
}

test("cp, mv and rm finish their work, and no object is named as failed", async () => {
  expect(await broken("EPIPE", "cp", "from/*", "to/")).toMatchObject({ exit: 0, stderr: "" });
  expect(await count("to")).toBe(COUNT);
  expect(await broken("EPIPE", "mv", "from/*", "moved/")).toMatchObject({ exit: 0, stderr: "" });
  expect([await count("moved"), await count("from")]).toEqual([COUNT, 0]);
  expect(await broken("EPIPE", "rm", "moved/*")).toMatchObject({ exit: 0, stderr: "" });
  expect(await count("moved")).toBe(0);
});

test("what fails still does: cp with a file that is there exits with 1", async () => {
  const [first] = await readdir(join(folder, "from"));
  await writeFile(join(folder, "to", first!), "there");
  const { exit, stderr } = await broken("EPIPE", "cp", "--if-absent", "from/*", "to/");
  expect([exit, await count("to")]).toEqual([1, COUNT]);
  expect(stderr).toContain(`1 failed, ${COUNT - 1} done`);
  expect((await broken("EPIPE", "cp", "-n", "--if-absent", "from/*", "to/")).exit).toBe(1);
});

test("a sync goes on to its end, with each step printed or not", async () => {
  expect(await broken("EPIPE", "sync", "--json", "from", "to")).toMatchObject({ exit: 0, stderr: "" });
  expect(await count("to")).toBe(COUNT);
  expect((await broken("EPIPE", "sync", "--dry-run", "from", "moved")).exit).toBe(0);
});

test("fsck and lifecycle check keep their verdict", async () => {
  const missing = Array.from({ length: 20 }, () => `file://${folder}/x/d/r/t/${randomUUID()}.json`);
  await writeFile(join(folder, "refs"), missing.join("\n"));
  expect(await broken("EPIPE", "fsck", "--refs", "refs")).toMatchObject({ exit: 1, stderr: "" });
  const check = ["lifecycle", "check", "s3://b/x", "--class", "a=1", "--class", "b=1", "--longest-run", "3d"];
  expect((await broken("EPIPE", ...check)).exit).toBe(1);
});

test("ls, glob, du, stat and cat end at once, with 0", async () => {
  await writeFile(join(folder, "large"), Buffer.alloc(5 * 2 ** 20, "a\n"));
  for (const args of [
    ["ls", "from"],
    ["glob", "from/*"],
    ["stat", "--json", "from/*"],
    ["cat", "large", "large"],
  ]) {
    const { exit, stderr, lines } = await broken("EPIPE", ...args);
    expect([args[0], exit, stderr, lines]).toEqual([args[0], 0, "", 2]);
  }
  expect((await broken("EPIPE", "du", "from", "from")).exit).toBe(0);
});

test("output that a full disk refuses is an error, after all the work", async () => {
  const error = "stowage: write ENOSPC\n";
  expect(await broken("ENOSPC", "cp", "from/*", "to/")).toMatchObject({ exit: 1, stderr: error });
  expect(await count("to")).toBe(COUNT);
  expect(await broken("ENOSPC", "sync", "-n", "from", "moved")).toMatchObject({ exit: 1, stderr: error });
  expect(await broken("ENOSPC", "ls", "from")).toMatchObject({ exit: 1, stderr: error, lines: 2 });
});

/** Runs the built command, and closes its stdout after the first bytes. */
async function cut(...args: string[]) {
  const child = start(args, { cwd: folder });
  child.stdin?.end();
  child.stdout?.once("data", () => child.stdout?.destroy());
  const { code, stderr } = await ended(child);
  return { code, stderr };
}

test("a pipe of the system: sync copies all, and cp to stdout ends early", async () => {
  await fill(MANY);
  expect(await cut("sync", "--json", "from", "to")).toEqual({ code: 0, stderr: "" });
  expect(await count("to")).toBe(MANY);
  await writeFile(join(folder, "large"), Buffer.alloc(50 * 2 ** 20, "a\n"));
  expect(await cut("cp", "large", "-")).toEqual({ code: 0, stderr: "" });
});
