/** The weekly script of docs/operations.md, with commands that only write down how they were called. */
import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { blocksOf } from "../support/docs.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stowage-weekly-"));
  await mkdir(join(folder, "log"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function program(name: string, code: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, code);
  await chmod(path, 0o755);
  return path;
}

/** Runs the script; the command named by `failing` finds a problem. */
async function weekly(failing: string): Promise<{ code: number; stdout: string; steps: string[] }> {
  const block = (await blocksOf("docs/operations.md")).find(({ code }) => code.includes("# weekly.sh"));
  const script = await program("weekly.sh", block!.code.replaceAll("/var/log/stowage", join(folder, "log")));
  await program("aws", "#!/bin/sh\necho '{}'\n");
  const found = `if [ "$1" = "${failing}" ]; then echo "the problem of $1" >&2; exit 1; fi`;
  await program("stowage", `#!/bin/sh\necho "$1" >> "${folder}/steps"\necho "sums of $1"\n${found}\n`);
  const env = { PATH: `${folder}:${process.env.PATH}` };
  const { code, stdout } = await new Promise<{ code: number; stdout: string }>((done) => {
    const child = execFile("sh", [script], { env }, (_, stdout) => done({ code: child.exitCode ?? -1, stdout }));
  });
  return { code, stdout, steps: (await readFile(join(folder, "steps"), "utf8")).trim().split("\n") };
}

const STEPS = ["lifecycle", "fsck", "sweep", "report"];

test.each(STEPS)(
  "a problem that %s finds is printed, the other steps run, and the script exits with 1",
  async (step) => {
    const { code, stdout, steps } = await weekly(step);
    expect({ code, steps }).toEqual({ code: 1, steps: STEPS });
    expect(stdout).toContain(`the problem of ${step}`);
    expect(stdout.match(/^sums of /gm)).toHaveLength(1);
  },
);

test("a week without a problem prints nothing, and keeps the logs", async () => {
  expect(await weekly("none")).toEqual({ code: 0, stdout: "", steps: STEPS });
  expect(await readFile(join(folder, "log/sweep.log"), "utf8")).toBe("sums of sweep\n");
});
