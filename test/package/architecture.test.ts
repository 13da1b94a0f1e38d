/** The arrows between the parts of `src` point down only, and the rules that say so have been seen to bite. */
import { execFile } from "node:child_process";
import { appendFile, cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");

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
  ["brand.ts", `import type {} from "./errors.js";`, "brand sees only what lies below it"],
  ["errors.ts", `import type {} from "./path.js";`, "errors sees only what lies below it"],
  ["path.ts", `import type {} from "./fs/driver/driver.js";`, "path sees only what lies below it"],
  ["streams.ts", `import type {} from "./path.js";`, "streams sees only what lies below it"],
  ["concurrency.ts", `import type {} from "./fs/driver/driver.js";`, "concurrency sees only what lies below it"],
  [
    "connections/planted.ts",
    `import type {} from "../fs/driver/driver.js";`,
    "connections sees only what lies below it",
  ],
  ["codecs/planted.ts", `import type {} from "../fs/storage.js";`, "codecs sees only what lies below it"],
  ["fs/http/planted.ts", `import type {} from "../driver/driver.js";`, "transport sees only what lies below it"],
  ["fs/signing/planted.ts", `import type {} from "../http/client.js";`, "signatures sees only what lies below it"],
  ["fs/driver/upload.ts", `import type {} from "../storage.js";`, "the driver interface sees only what lies below it"],
  ["fs/storage.ts", `await import("./drivers/memory.js");`, "only open names drivers"],
  ["fs/storage.ts", `import type {} from "./http/client.js";`, "the core sees only what lies below it"],
  ["fs/storage.ts", `import type {} from "../xcom/planted.js";`, "the core sees only what lies below it"],
  ["fs/drivers/memory.ts", `import type {} from "../storage.js";`, "drivers sees only what lies below it"],
  ["fs/drivers/memory.ts", `import type {} from "./file/index.js";`, "a driver never sees another"],
  ["open.ts", `import type {} from "./xcom/planted.js";`, "open sees only what lies below it"],
  ["xcom/planted.ts", `import type {} from "../fs/drivers/memory.js";`, "only open names drivers"],
  [
    "xcom/planted.ts",
    `import type {} from "../fs/drivers/s3/connection.js";`,
    "doctor and init alone read what a connection says to a driver",
  ],
  ["xcom/planted.ts", `import type {} from "../objectstore-backend.js";`, "xcom sees only what lies below it"],
  ["xcom/planted.ts", `import type {} from "../cli/planted.js";`, "xcom sees only what lies below it"],
  [
    "xcom/layers/replicate.ts",
    `import type {} from "../../objectstore-backend.js";`,
    "xcom sees only what lies below it",
  ],
  ["objectstore-backend.ts", `import type {} from "./open.js";`, "the XCom backend sees only what lies below it"],
  ["airflow/planted.ts", `import type {} from "../index.js";`, "nothing sees the package's doors"],
  [
    "airflow/planted.ts",
    `import type {} from "../cli/planted.js";`,
    "nothing sees the command or the conformance tests",
  ],
  ["cli/planted.ts", `import type {} from "../airflow/sdk.js";`, "airflow is entered by its index"],
  ["cli/planted.ts", `import type {} from "../xcom/planted.js";`, "xcom is entered by its index"],
  ["xcom/planted.ts", `import type {} from "../fs/storage.js";`, "fs is entered by its index"],
  ["cli/planted.ts", `import type {} from "../fs/driver/driver.js";`, "fs/driver is entered by its index"],
  ["xcom/planted.ts", `import type {} from "../fs/http/client.js";`, "fs/http is entered by its index"],
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
