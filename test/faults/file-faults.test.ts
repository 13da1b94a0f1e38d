import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { file } from "../../src/fs/drivers/file/index.js";
import { TestDriver } from "../support/test-driver.js";

/** What the processes below run, with the limit or the end that a test gives them. */
const PROGRAM = `
import { closeSync, openSync } from "node:fs";
import { file } from "DRIVER";
const [, , task, root] = process.argv;
const unlimited = { take: async () => () => {} };
const driver = await file(root).open("", undefined, { uploads: unlimited, downloads: unlimited, env: {} });
const options = { ifAbsent: false };
const write = (body) => driver.write(root.slice(1) + "/x", body, options);
async function* slow() { for (;;) { yield Buffer.alloc(300_000); await new Promise((done) => setTimeout(done, 10)); } }
async function* endless() { for (;;) yield Buffer.alloc(300_000); }
async function* one() { yield Buffer.from("new"); }
const tasks = {
  slow: () => write(slow()),
  full: () => write(endless()).catch((error) => console.log(error.code, driver.codeOf(error, {}))),
  async descriptors() {
    const held = [];
    try { for (;;) held.push(openSync("/dev/null")); } catch (error) { console.log(error.code); }
    setTimeout(() => { for (const fd of held.splice(0)) closeSync(fd); }, 300);
    await write(one());
    console.log(held.length);
  },
};
await tasks[task]();
`;

let folder: string;
let program: string;

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "stowage-faults-")));
  program = join(folder, "program.mjs");
  const contents = PROGRAM.replace("DRIVER", "./src/fs/drivers/file/index.ts");
  const stdin = { contents, resolveDir: process.cwd(), loader: "ts" } as const;
  await build({ stdin, bundle: true, platform: "node", format: "esm", outfile: program, logLevel: "silent" });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function newRoot(): string {
  const root = mkdtempSync(join(folder, "root-"));
  writeFileSync(join(root, "x"), "old");
  return root;
}

function shell(command: string, ...args: string[]): string {
  return execFileSync("sh", ["-c", command, "sh", ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
}

function possible(command: string): boolean {
  try {
    shell(command);
    return true;
  } catch {
    return false;
  }
}

describe("the file driver under the faults of a system", () => {
  it("F31: waits for a descriptor when the process has none left", () => {
    const root = newRoot();
    const output = shell(`ulimit -n 64; exec "${process.execPath}" "$@"`, program, "descriptors", root);
    expect(output).toBe("EMFILE\n0\n");
    expect(readFileSync(join(root, "x"), "utf8")).toBe("new");
  });

  const small = "unshare -rm sh -c 'mount -t tmpfs -o size=4m none /mnt'";
  it.skipIf(!possible(small))("F31: a full disk is Unavailable, the old file stays, the temporary one goes", () => {
    const inside = `mount -t tmpfs -o size=4m none "$3"; echo old > "$3/x"; "$0" "$1" "$2" "$3"; ls -A "$3"; cat "$3/x"`;
    const output = shell(`exec unshare -rm sh -c '${inside}' "${process.execPath}" "$@"`, program, "full", newRoot());
    expect(output).toBe("ENOSPC Unavailable\nx\nold\n");
  });

  it("F32: a killed process leaves the old file, and a temporary one that no listing shows", async () => {
    const root = newRoot();
    const child = spawn(process.execPath, [program, "slow", root]);
    while (readdirSync(root).length < 2) await sleep(20);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(readFileSync(join(root, "x"), "utf8")).toBe("old");
    expect(readdirSync(root).filter((name) => /^\.stowage-tmp-[0-9a-f]{16}$/.test(name))).toHaveLength(1);
    const files = await TestDriver.open(file(root).open);
    expect(await files.keys(`${root}/`.slice(1))).toEqual([`${root}/x`.slice(1)]);
  });
});
