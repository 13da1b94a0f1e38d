/** What programs import from the built package is there, under the names that are promised. */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { manifest, ROOT, run } from "../support/installed.js";

const PROMISED: Record<string, string[]> = {
  stowage: [
    "Storage",
    "StorageError",
    "StoragePath",
    "XComObjectStorageBackend",
    "codecs",
    "connectionsFromEnv",
    "isStorageError",
    "openStorage",
    "parseConnection",
  ],
  "stowage/core": [
    "XComObjectStorageBackend",
    "chainConnections",
    "connectionsFromEnv",
    "createObjects",
    "createStorage",
    "file",
    "isStorageError",
    "keyTemplates",
    "memory",
  ],
  "stowage/xcom": ["Decimal", "XCom", "XComObjectStorageBackend", "defineSerializer", "replicate", "sqlRows"],
  "stowage/driver": [
    "BatchDeleteError",
    "Listing",
    "batchDelete",
    "collect",
    "failure",
    "invalid",
    "openHttp",
    "parseContentRange",
    "rangeHeader",
    "upload",
  ],
  "stowage/codecs": ["bz2", "gzip", "lz4", "lzma", "snappy", "xz", "zip", "zstd"],
  "stowage/s3": ["s3"],
  "stowage/s3/keys": ["SCHEMES", "s3", "s3Objects", "unknownProvider"],
  "stowage/s3/static": ["s3", "s3Objects"],
  "stowage/gcs": ["gcs"],
  "stowage/azure": ["azure"],
  "stowage/airflow": ["unmapped", "withObjectStorage", "wrapTaskClient"],
  "stowage/airflow/lean": ["taskConnections", "unmapped", "withObjectStorage", "wrapTaskClient"],
  "stowage/testing": ["driverContract"],
  "stowage/claims": ["Claims"],
  "stowage/langgraph": ["langgraphReferences", "offload", "offloadSerde"],
  "stowage/temporal": ["temporalDriver", "temporalReferences"],
  "stowage/sqs": ["sqsOffload"],
  "stowage/dbos": ["dbosReferences", "offloadSerializer"],
  "stowage/otel": ["instrument"],
  "stowage/tables": ["decodeRows", "encodeRows", "tables"],
};

/** The exported names as plain Node sees them, by the package's own name. */
async function namesOf(specifier: string): Promise<string[]> {
  const script = `console.log(JSON.stringify(Object.keys(await import(${JSON.stringify(specifier)}))))`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { cwd: ROOT });
  return JSON.parse(stdout);
}

describe("exports", async () => {
  const { exports, bin } = await manifest();
  const targets = Object.entries(exports).flatMap(([name, at]) =>
    typeof at === "string" ? [[name, "file", at]] : Object.entries(at).map(([kind, file]) => [name, kind, file]),
  );

  test.each(targets)("%s has its %s built at %s", (_name, _kind, file) => {
    expect(existsSync(join(ROOT, file!)), `${file} is missing; npm run build makes it`).toBe(true);
  });
  test.each(Object.entries(bin))("the command %s is built at %s", (_name, file) => {
    expect(existsSync(join(ROOT, file))).toBe(true);
  });
  test.each(Object.entries(PROMISED))("%s exports the promised names", async (specifier, names) => {
    expect(await namesOf(specifier)).toEqual(expect.arrayContaining(names));
  });
  test("every sub-path is among the promised ones", () => {
    const paths = Object.keys(exports).filter((path) => path !== "./package.json");
    expect(paths.map((path) => path.replace(/^\./, "stowage")).sort()).toEqual(Object.keys(PROMISED).sort());
  });
  test("stowage itself has at most 45 names, types included: the rest is behind other doors", () => {
    const file = join(ROOT, "dist/index.d.ts");
    const program = ts.createProgram([file], { module: ts.ModuleKind.NodeNext, noLib: true, types: [] });
    const checker = program.getTypeChecker();
    const names = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)!)!);
    expect(names.length).toBeGreaterThan(30);
    expect(names.length, names.map(({ name }) => name).join(" ")).toBeLessThanOrEqual(45);
  });
  test("the core exports no default and nothing that is marked internal", async () => {
    const names = await namesOf("stowage");
    expect(names).not.toContain("default");
    expect(names.filter((name) => name.startsWith("_"))).toEqual([]);
  });
});

test("every package that the code may load is a dependency or an optional peer", async () => {
  const { dependencies, peerDependencies = {}, imports } = await manifest();
  const declared = { ...dependencies, ...peerDependencies };
  const files = await readdir(join(ROOT, "dist"), { recursive: true });
  const loaded = new Set<string>();
  for (const file of files.filter((name) => name.endsWith(".js"))) {
    for (const name of packagesIn(await readFile(join(ROOT, "dist", file), "utf8"), imports)) loaded.add(name);
  }
  expect([...loaded].filter((name) => !(name in declared))).toEqual([]);
});

/** Names of packages in import and export clauses and in literal dynamic imports; `imports` says what `#names` are. */
function packagesIn(code: string, imports: Record<string, Record<string, string>>): string[] {
  const named = [...code.matchAll(/(?:\bfrom |^import |\bimport\()"([^".][^"]*)"/gm)].map(([, name]) => name!);
  const specifiers = named.flatMap((name) => (name.startsWith("#") ? Object.values(imports[name] ?? { name }) : name));
  const packages = specifiers.filter((name) => !name.startsWith("node:"));
  return packages.map((name) =>
    name
      .split("/")
      .slice(0, name.startsWith("@") ? 2 : 1)
      .join("/"),
  );
}

test("import of stowage reads three files, and nothing that it does not run at once", async () => {
  const found = new Set([join(ROOT, "dist/node/index.js")]);
  for (const file of found) {
    const code = await readFile(file, "utf8");
    for (const [, next] of code.matchAll(/^(?:import|export) (?:.* from )?"(\.[^"]+)"/gm))
      found.add(join(file, "..", next!));
  }
  const code = (await Promise.all([...found].map((file) => readFile(file, "utf8")))).join("\n");
  expect(found.size).toBeLessThanOrEqual(3);
  const lazy = ["x-amz-copy-source", "x-ms-blob-type", "deflateRaw", 'import("apache-arrow")'];
  expect(lazy.filter((part) => code.includes(part))).toEqual([]);
});

test("npm installs no peer unasked", async () => {
  const { peerDependencies = {}, peerDependenciesMeta = {} } = await manifest();
  const forced = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional);
  expect(forced).toEqual([]);
});

test("publint finds nothing to say", async () => {
  const { messages, pkg } = await publint({ pkgDir: ROOT, strict: true });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});
