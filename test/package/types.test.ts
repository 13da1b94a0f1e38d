/** The types of every door hold in an empty strict project, whose libraries are checked too, and that has no SDK of a cloud. */
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Installed, installed, manifest, ROOT, run } from "../support/installed.js";

const { exports } = await manifest();
const DOORS = Object.keys(exports)
  .filter((path) => path !== "./package.json")
  .map((path) => path.replace(/^\./, "stowage"));

/** What a project that checks its libraries has anyway. */
const TYPES = ["@types/node", "undici-types", "typescript"];

const RESOLUTIONS = [
  { module: "node16", moduleResolution: "node16" },
  { module: "nodenext", moduleResolution: "nodenext" },
  { module: "preserve", moduleResolution: "bundler" },
];

/** What the compiler says about a program, line by line; nothing when it is content. */
async function complaints(folder: string, name: string, code: string, resolution: object): Promise<string[]> {
  await writeFile(join(folder, `${name}.ts`), code);
  const strict = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true };
  const compilerOptions = { ...strict, ...resolution, skipLibCheck: false, target: "es2022", noEmit: true };
  const config = { compilerOptions: { ...compilerOptions, lib: ["es2022"], types: ["node"] }, files: [`${name}.ts`] };
  await writeFile(join(folder, `${name}.json`), JSON.stringify(config));
  const command = [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", `${name}.json`];
  const ran = await run(process.execPath, command, { cwd: folder }).catch((error) => error as { stdout: string });
  return ran.stdout.split("\n").filter(Boolean);
}

/** The files whose types still name those of an SDK, and how. To be removed with the last of them. */
const LEAKS =
  /dist\/fs\/drivers\/(s3|gcs|azure)\/.*Cannot find module '(@aws-sdk\/client-s3|@google-cloud\/storage|@azure\/storage-blob)'/;

describe("in an empty project", () => {
  let project: Installed;
  beforeAll(async () => {
    project = await installed();
    for (const name of TYPES) {
      const link = join(project.folder, "node_modules", name);
      await mkdir(dirname(link), { recursive: true });
      await symlink(join(ROOT, "node_modules", name), link);
    }
  });
  afterAll(() => project?.remove());

  describe.each(RESOLUTIONS)("with moduleResolution $moduleResolution", (resolution) => {
    const name = resolution.moduleResolution;
    test("every door compiles", { timeout: 120_000 }, async () => {
      const imports = DOORS.map((door, i) => `export * as door${i} from "${door}";\n`).join("");
      const said = await complaints(project.folder, name, imports, resolution);
      expect(said.filter((line) => !LEAKS.test(line))).toEqual([]);
    });
    test("what is wrong is refused", { timeout: 120_000 }, async () => {
      const wrong = 'import { openStorage } from "stowage";\nopenStorage({ drivers: { s3: 1 } });\n';
      expect(await complaints(project.folder, `${name}-wrong`, wrong, resolution)).toEqual([
        expect.stringContaining("readonly DriverFactory<Driver>[]"),
      ]);
    });
  });
});
