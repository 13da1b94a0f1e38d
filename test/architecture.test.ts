/** The arrows between the parts of `src` point down only, and the rules that say so have been seen to bite. */
import { execFile } from "node:child_process";
import { appendFile, cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "..");

interface Violation {
  rule: { name: string };
  from: string;
  to: string;
}

/** What dependency-cruiser finds in the `src` of a folder, as `file: rule`. */
async function violationsIn(folder: string): Promise<string[]> {
  const command = join(ROOT, "node_modules/.bin/depcruise");
  const args = ["--config", ".dependency-cruiser.cjs", "--output-type", "json", "src"];
  const run = promisify(execFile)(command, args, { cwd: folder, maxBuffer: 2 ** 26 });
  const { stdout } = await run.catch((error) => error as { stdout: string });
  const { summary } = JSON.parse(stdout) as { summary: { violations: Violation[] } };
  return summary.violations.map(({ rule, from, to }) => `${from} -> ${to}: ${rule.name}`);
}

test("src keeps to the arrows", async () => {
  expect(await violationsIn(ROOT)).toEqual([]);
});

const PLANTS: [file: string, line: string, rule: string][] = [
  ["errors.ts", `import type {} from "./path.js";`, "errors sees only what lies below it"],
  ["path.ts", `import type {} from "./fs/driver.js";`, "path sees only what lies below it"],
  ["connections/planted.ts", `import type {} from "../fs/driver.js";`, "connections sees only what lies below it"],
  ["codecs/planted.ts", `import type {} from "../fs/storage.js";`, "codecs sees only what lies below it"],
  ["fs/parts.ts", `import type {} from "./storage.js";`, "fs helpers sees only what lies below it"],
  ["fs/storage.ts", `await import("./drivers/memory.js");`, "only open names drivers"],
  ["fs/storage.ts", `import type {} from "../xcom/planted.js";`, "the core sees only what lies below it"],
  ["fs/drivers/memory.ts", `import type {} from "../storage.js";`, "drivers sees only what lies below it"],
  ["fs/drivers/memory.ts", `import type {} from "./file.js";`, "a driver never sees another"],
  ["xcom/planted.ts", `import type {} from "../fs/drivers/memory.js";`, "only open names drivers"],
  [
    "xcom/planted.ts",
    `import type {} from "../cli/planted.js";`,
    "the XCom backend sees neither the SDK adapter nor the command",
  ],
  ["airflow/planted.ts", `import type {} from "../index.js";`, "nothing sees index"],
  [
    "airflow/planted.ts",
    `import type {} from "../cli/planted.js";`,
    "nothing sees the command or the certification suite",
  ],
  ["fs/storage.ts", `await import("@azure/storage-blob");`, "provider packages in its own place only"],
  ["xcom/planted.ts", `await import("commander");`, "the argument parser in its own place only"],
  ["xcom/planted.ts", `await import("left-pad");`, "every import can be found"],
  ["xcom/planted.ts", `import type {} from "fast-check";`, "every package is a dependency or a peer"],
  ["xcom/circle.ts", `import type {} from "./planted.js";`, "no circles"],
];

describe("a planted violation is caught", () => {
  let copy: string;
  let found: string[];
  const plant = async (file: string, line: string) => {
    await mkdir(dirname(join(copy, "src", file)), { recursive: true });
    await appendFile(join(copy, "src", file), `\n${line}\n`);
  };

  beforeAll(async () => {
    copy = await mkdtemp(join(tmpdir(), "stowage-arrows-"));
    for (const name of ["src", "package.json", "tsconfig.json", ".dependency-cruiser.cjs"]) {
      await cp(join(ROOT, name), join(copy, name), { recursive: true });
    }
    await symlink(join(ROOT, "node_modules"), join(copy, "node_modules"));
    await plant("cli/planted.ts", "");
    await plant("xcom/planted.ts", `import type {} from "./circle.js";`);
    for (const [file, line] of PLANTS) await plant(file, line);
    found = await violationsIn(copy);
  });
  afterAll(() => rm(copy, { recursive: true, force: true }));

  test.each(PLANTS)("%s with %s", (file, line, rule) => {
    const target = /"(?:\.+\/)*([^"]+?)(?:\.js)?"/.exec(line)?.[1] ?? "";
    const named = found.filter((violation) => violation.startsWith(`src/${file} -> `) && violation.includes(target));
    expect(named.map((violation) => violation.slice(violation.indexOf(": ") + 2))).toContain(rule);
  });
});
