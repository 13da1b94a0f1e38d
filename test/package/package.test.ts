/** The packed package, installed into an empty project, works from JavaScript, from TypeScript and from a shell. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Installed, installed, manifest, ROOT, run } from "../support/installed.js";

const USE = `
import { openStorage, XComObjectStorageBackend } from "stowage";
const storage = openStorage({ fileRoot: process.cwd() });
const at = "file://" + process.cwd() + "/data/a.json.gz";
await storage.write(at, JSON.stringify({ a: 1 }), { compression: "infer" });
console.log(await storage.text(at, { compression: "infer" }));
const xcom = new XComObjectStorageBackend({ storage, path: "file://" + process.cwd() + "/xcom", threshold: 0 });
const row = await xcom.storeValue({ dagId: "d", runId: "r", taskId: "t" }, "return_value", { big: [1, 2, 3] });
console.log(typeof row, JSON.stringify(await xcom.loadValue(row)));
await storage.close();
`;

/** The error comes from a driver, which is in a file of its own. */
const SAME = `
import * as all from "stowage";
import * as core from "stowage/core";
import { s3 as fromKeys } from "stowage/s3";
const s3 = fromKeys({ accessKeyId: "a", secretAccessKey: "b", endpoint: "ftp://nowhere" });
const error = await core.createStorage({ drivers: [s3] }).stat("s3://bucket/key").catch((error) => error);
const { name } = error.constructor;
const same = [error instanceof all.StorageError, core.StorageError === all.StorageError, core.StoragePath === all.StoragePath];
console.log(error.code, name, ...same);
`;

const TYPED = `
import { openStorage, StoragePath, type Storage, isStorageError } from "stowage";
const storage: Storage = openStorage({ connections: { it: { type: "aws", login: "a", password: "b" } } });
const path: StoragePath = StoragePath.parse("s3://it@bucket/key");
export async function copy(): Promise<Uint8Array> {
  try {
    for await (const entry of storage.list(path)) console.log(entry.path.key, entry.size ?? 0);
    for await (const chunk of storage.read(path, { start: 1 })) console.log(chunk.byteLength);
    await storage.write(path, "text", { ifAbsent: true, signal: AbortSignal.timeout(1000) });
    return await storage.bytes(path);
  } catch (error) {
    if (isStorageError(error, "NotFound")) return new Uint8Array();
    throw error;
  }
}
// @ts-expect-error: an unknown option is a mistake that the compiler shows
await storage.write(path, "text", { overwrite: true });
// @ts-expect-error: a body has a type
await storage.write(path, 42);
`;

describe("the packed package", () => {
  let project: Installed;
  beforeAll(async () => {
    project = await installed();
  });
  afterAll(() => project?.remove());

  test("brings no package besides its declared dependencies", async () => {
    const { dependencies, name } = await manifest();
    const { stdout } = await run("npm", ["ls", "--all", "--parseable"], { cwd: project.folder });
    const names = stdout.split("\n").flatMap((line) => line.split("/node_modules/").slice(1));
    expect(names.sort()).toEqual([name, ...Object.keys(dependencies)].sort());
  });
  test("stores, reads back and keeps XComs from JavaScript", async () => {
    await writeFile(join(project.folder, "use.js"), USE);
    const { stdout, stderr } = await run(process.execPath, ["use.js"], { cwd: project.folder });
    expect(stdout).toBe('{"a":1}\nstring {"big":[1,2,3]}\n');
    expect(stderr).toBe("");
  });
  test.each([
    "stowage/core",
    "stowage/xcom",
    "stowage/driver",
    "stowage/codecs",
    "stowage/s3",
    "stowage/gcs",
    "stowage/azure",
    "stowage/airflow",
    "stowage/airflow/lean",
    "stowage/testing",
    "stowage/tables",
  ])("%s loads without any optional package", async (specifier) => {
    const script = `await import("${specifier}")`;
    await run(process.execPath, ["--input-type=module", "-e", script], { cwd: project.folder });
  });
  test("a StorageError and a path are of the same class under every sub-path", async () => {
    await writeFile(join(project.folder, "same.js"), SAME);
    const { stdout } = await run(process.execPath, ["same.js"], { cwd: project.folder });
    expect(stdout).toBe("InvalidArgument StorageError true true true\n");
  });
  test("type-checks in a strict program that has no types but Node's", async () => {
    await writeFile(join(project.folder, "typed.ts"), TYPED);
    const strict = ["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--noEmit"];
    const modules = ["--module", "nodenext", "--target", "es2022", "--lib", "es2023"];
    const types = ["--types", "node", "--typeRoots", join(ROOT, "node_modules/@types")];
    const command = [join(ROOT, "node_modules/typescript/bin/tsc"), ...strict, ...modules, ...types, "typed.ts"];
    await run(process.execPath, command, { cwd: project.folder }).catch((error) => expect(error.stdout).toBe(""));
  });
  test("puts the command into the project", async () => {
    const { stdout } = await run(join(project.folder, "node_modules/.bin/stowage"), ["--help"], {
      cwd: project.folder,
    });
    expect(stdout).toMatch(/usage: stowage/i);
  });
  test.each([
    ["s3://bucket/x", {}, "@aws-sdk/credential-providers", "AWS_ACCESS_KEY_ID"],
    ["gs://bucket/x", {}, "google-auth-library", "is_anonymous"],
    ["az://bucket/x", { AZURE_STORAGE_ACCOUNT_NAME: "account" }, "@azure/identity", "AZURE_STORAGE_ACCOUNT_KEY"],
  ])("says of %s which package to install, and what to do without it", async (path, env, name, instead) => {
    const command = join(project.folder, "node_modules/.bin/stowage");
    const options = { cwd: project.folder, env: { PATH: process.env.PATH, ...env } };
    const listed = await run(command, ["ls", path], options).catch((error) => error);
    expect(listed.stderr).toContain(`npm install ${name};`);
    expect(listed.stderr).toContain(instead);
    const doctor = await run(command, ["doctor", "--json", path], options).catch((error) => error);
    const findings = doctor.stdout
      .trim()
      .split("\n")
      .map((line: string) => JSON.parse(line));
    const finding = findings.find(({ check }: { check: string }) => check === "credentials");
    expect(finding).toMatchObject({ status: "failed", fix: expect.stringContaining(`npm install ${name}; or `) });
    expect(finding.fix).toContain(instead);
  });
});

test("the picture of the command shows what it prints", async () => {
  const { stdout } = await run(process.execPath, [join(ROOT, "scripts/record-terminal.mjs"), "--check"]);
  expect(stdout).toContain("docs/terminal.svg: 10 commands");
});
