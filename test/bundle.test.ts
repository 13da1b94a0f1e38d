/** A program that uses the core packs into one ESM file that runs with nothing beside it. */
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeOn, useBucket } from "./servers/use.js";
import { type Installed, installed, run } from "./support/installed.js";

/** Writes, reads and deletes at every path that is named, raw and gzipped, and keeps an XCom there. */
const PROGRAM = `
import { codecs, openStorage, StoragePath, XComObjectStorageBackend } from "stowage";
const connections = JSON.parse(process.env.CONNECTIONS ?? "{}");
const storage = openStorage({ connections });
for (const base of process.argv.slice(2)) {
  for (const compression of [null, "gzip"]) {
    const at = StoragePath.parse(base).join("a/b");
    await storage.write(at, "text", { compression });
    console.log(await storage.text(at, { compression }));
    await storage.delete(at);
  }
  const xcom = new XComObjectStorageBackend({ storage, path: base, threshold: 0, compression: "zip" });
  const row = await xcom.storeValue({ dagId: "d", runId: "r", taskId: "t" }, "key", { n: 1 });
  console.log(JSON.stringify(await xcom.loadValue(row)));
  await xcom.purge(row);
}
console.log(typeof codecs.get("gzip").encode);
await storage.close();
`;
const LINES = ["text", "text", '{"n":1}'];
/** Bytes, minified. Growth beyond it is a decision, not an accident. */
const LARGEST = 320 * 1024;

describe("one-file bundle", async () => {
  let project: Installed;
  let folder: string;
  let bundle: string;

  beforeAll(async () => {
    project = await installed();
    folder = await mkdtemp(join(tmpdir(), "stowage-bundle-"));
    bundle = await bundled(project.folder, join(folder, "bundle.mjs"), false);
  });
  afterAll(async () => {
    await project?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs the bundle in an empty folder, its output line by line. */
  async function lines(bases: string[], connections: unknown = {}): Promise<string[]> {
    const empty = await mkdtemp(join(folder, "empty-"));
    const env = { PATH: process.env.PATH, CONNECTIONS: JSON.stringify(connections) };
    const { stdout, stderr } = await run(process.execPath, [bundle, ...bases], { cwd: empty, env });
    expect(stderr).toBe("");
    return stdout.trimEnd().split("\n");
  }

  test("needs no require of anything at run time", async () => {
    const text = await readFile(bundle, "utf8");
    expect(text).not.toContain("Dynamic require of");
    expect(text).not.toMatch(/\brequire\(["']node:/);
    expect(text).not.toMatch(/__dirname|__filename/);
  });
  test("stays small", async () => {
    const minified = await bundled(project.folder, join(folder, "small.mjs"), true);
    const [plain, small] = [(await stat(bundle)).size, (await stat(minified)).size];
    console.log(`bundle of the core: ${plain} bytes, ${small} minified`);
    expect(small).toBeLessThan(LARGEST);
  });
  test("works on folders and memory", async () => {
    const data = join(folder, "data");
    await mkdir(data);
    expect(await lines([`file://${data}/base`, "memory://bucket/base"])).toEqual([...LINES, ...LINES, "function"]);
  });
  await describeOn("minio", "on S3 with static keys", (server) => {
    const bucket = useBucket(server);
    test("works without any AWS package", async () => {
      const output = await lines([`s3://it@${bucket().name}/base`], { it: server.connection });
      expect(output).toEqual([...LINES, "function"]);
    });
  });
});

/** Packs the program as `airflow-ts-pack` does: one ESM file for Node, nothing left outside. */
async function bundled(folder: string, outfile: string, minify: boolean): Promise<string> {
  const entry = join(folder, "program.mjs");
  await writeFile(entry, PROGRAM);
  await build({
    entryPoints: [entry],
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node22",
    minify,
    outfile,
    logLevel: "error",
  });
  return outfile;
}
