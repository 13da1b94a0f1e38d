/** The driver of examples/driver compiles against the packed package, and keeps the contract. */
import { cp, mkdir, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Installed, installed, ROOT, run } from "../support/installed.js";

describe("a driver outside this repository", () => {
  let project: Installed;
  beforeAll(async () => {
    project = await installed();
    for (const name of ["@types/node", "undici-types"]) {
      const link = join(project.folder, "node_modules", name);
      await mkdir(dirname(link), { recursive: true });
      await symlink(join(ROOT, "node_modules", name), link);
    }
    await cp(join(ROOT, "examples/driver"), project.folder, { recursive: true });
  });
  afterAll(() => project?.remove());

  test("compiles, and passes the conformance tests", { timeout: 120_000 }, async () => {
    const strict = [
      "--strict",
      "--exactOptionalPropertyTypes",
      "--noUncheckedIndexedAccess",
      "--skipLibCheck",
      "false",
    ];
    const shape = ["--module", "nodenext", "--target", "es2022", "--outDir", "out", "--types", "node"];
    const tsc = [join(ROOT, "node_modules/typescript/bin/tsc"), ...strict, ...shape, "driver.ts", "conformance.ts"];
    await run(process.execPath, tsc, { cwd: project.folder }).catch((error) => expect(error.stdout).toBe(""));
    const { stdout } = await run(process.execPath, ["out/conformance.js"], { cwd: project.folder }).catch(
      (error) => error,
    );
    expect(stdout).toMatch(/^\d{2,} cases, 0 failed\n$/);
  });
});
