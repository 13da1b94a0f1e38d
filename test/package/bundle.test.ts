/** A program that uses the core packs into one ESM file that runs with nothing beside it, and that is small. */
import { mkdir, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeOn, useBucket } from "../servers/use.js";
import { bundled, GET, keysAndBase } from "../support/bundled.js";
import { type Installed, installed, run } from "../support/installed.js";

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
/** Bytes, minified; growth beyond these is a decision, not an accident. "single objects" and "Airflow, S3 with keys" are promised. */
const LARGEST: Record<string, number> = JSON.parse(await readFile(new URL("sizes.json", import.meta.url), "utf8"));
/** The part of a limit that a bundle has at least: docs/guides/bundlers.md states the limits as sizes. */
const TIGHT = 0.97;

/** Everything that S3 does, with the parts that are named and no other. */
const LEAN = `
import { gzip } from "stowage/codecs";
import { createStorage, isStorageError, XComObjectStorageBackend } from "stowage/core";
import { s3 } from "stowage/s3/keys";
const { keys, base } = JSON.parse(process.env.PLACE);
const storage = createStorage({ drivers: [s3(keys)], codecs: [gzip] });
await storage.write(base + "/a/b.gz", "text", { compression: "infer" });
console.log(await storage.text(base + "/a/b.gz", { compression: "infer" }));
for await (const { path } of storage.list(base, { recursive: true })) console.log(path.name);
const backend = new XComObjectStorageBackend({ storage, path: base + "/x", threshold: 0, compression: "gzip" });
const row = await backend.storeValue({ dagId: "d", runId: "r", taskId: "t" }, "key", { n: 1 });
console.log(JSON.stringify(await backend.loadValue(row)));
await storage.write(base + "/c.zst", "raw");
const wrong = await storage.text(base + "/c.zst", { compression: "infer" }).catch((error) => error);
console.log(isStorageError(wrong, "Unsupported"), wrong.detail);
await storage.delete(base, { recursive: true });
await storage.close();
`;
/** Single objects: written, read and deleted. */
const OBJECTS = `
import { createObjects } from "stowage/core";
import { s3Objects } from "stowage/s3/keys";
const { keys, base } = JSON.parse(process.env.PLACE);
const objects = createObjects({ drivers: [s3Objects(keys)] });
await objects.write(base + "/o/large", new Uint8Array(9 * 2 ** 20));
console.log((await objects.bytes(base + "/o/large")).byteLength);
await objects.delete(base + "/o/large");
console.log(await objects.exists(base + "/o/large"));
`;
/** One small get, with all verbs. */
const ALL_VERBS = GET.replaceAll("createObjects", "createStorage").replaceAll("s3Objects", "s3");
/** The same with a codec. */
const WITH_GZIP = `import { gzip } from "stowage/codecs";${ALL_VERBS.replace("({ drivers", "({ codecs: [gzip], drivers")}`;
/** The same, by the connection of an environment variable. */
const BY_CONNECTION = `
import { connectionsFromEnv, createStorage } from "stowage/core";
import { s3 } from "stowage/s3/static";
const storage = createStorage({ drivers: [s3()], connections: connectionsFromEnv(process.env) });
console.log(await storage.text("s3://it@" + process.env.PLACE));
`;
/** A task of Airflow with static keys. */
const TASK = `
import { withObjectStorage } from "stowage/airflow/lean";
import { s3Objects } from "stowage/s3/keys";
const keys = { accessKeyId: "id", secretAccessKey: "secret" };
export const task = withObjectStorage(() => 1, { drivers: [s3Objects(keys)] });
`;
/** The same with the keys of the connection that the API server gives. */
const ASKING_TASK = `
import { taskConnections, withObjectStorage } from "stowage/airflow/lean";
import { s3Objects } from "stowage/s3/static";
export const task = withObjectStorage(() => 1, { drivers: [s3Objects()], connections: taskConnections });
`;

describe("one-file bundle", async () => {
  let project: Installed;
  let folder: string;
  let bundle: string;

  beforeAll(async () => {
    project = await installed();
    folder = await mkdtemp(join(tmpdir(), "stowage-bundle-"));
    bundle = await bundled(project.folder, join(folder, "bundle.mjs"), false, PROGRAM);
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
    const minified = await bundled(project.folder, join(folder, "small.mjs"), true, PROGRAM);
    const [plain, small] = [(await stat(bundle)).size, (await stat(minified)).size];
    console.log(`bundle of the core: ${plain} bytes, ${small} minified`);
    expect(small).toBeLessThan(LARGEST.everything!);
    expect(small).toBeGreaterThan(LARGEST.everything! * TIGHT);
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

  describe("of named parts", async () => {
    const packed = (name: string, program: string, minify = true) =>
      bundled(project.folder, join(folder, `${name}.mjs`), minify, program);

    test("holds those parts and no other", async () => {
      const small = {
        "S3 with keys, single objects": GET,
        "S3 with keys, all verbs": ALL_VERBS,
        "S3 with keys, all verbs, gzip": WITH_GZIP,
        "Airflow, S3 with keys": TASK,
        "S3 by connection, all verbs": BY_CONNECTION,
        "Airflow, S3 by connection": ASKING_TASK,
      };
      const sizes: Record<string, number> = {};
      for (const [name, program] of Object.entries(small)) sizes[name] = (await stat(await packed(name, program))).size;
      console.log("bundles of named parts, bytes minified:", sizes);
      for (const name of Object.keys(small)) {
        expect(sizes[name], name).toBeLessThan(LARGEST[name]!);
        expect(sizes[name], `${name}: lower its limit, which the pages state`).toBeGreaterThan(LARGEST[name]! * TIGHT);
      }
    });
    test("names no package of a cloud and no driver but S3's", async () => {
      const text = await readFile(await packed("names", BY_CONNECTION, false), "utf8");
      expect(text).not.toMatch(/import\("(@aws-sdk|@azure|@google|google|hyparquet|yaml)/);
      expect(text).not.toMatch(/drivers\/(gcs|azure|file|memory)/);
    });
    await describeOn("minio", "on S3", (server) => {
      const bucket = useBucket(server);
      const place = (base: string) => keysAndBase(server, base);
      test("writes, lists, encodes, keeps XComs, and refuses the suffix of a codec that was left out", async () => {
        const env = { PATH: process.env.PATH, ...place(`s3://${bucket().name}/lean`) };
        const { stdout } = await run(process.execPath, [await packed("lean", LEAN)], { env });
        const refusal = "true the suffix stands for zstd, and there is gzip";
        expect(stdout.trimEnd().split("\n")).toEqual(["text", "b.gz", '{"n":1}', refusal]);
      });
      test("holds what single objects need", async () => {
        const env = { PATH: process.env.PATH, ...place(`s3://${bucket().name}/lean`) };
        const { stdout } = await run(process.execPath, [await packed("objects", OBJECTS)], { env });
        expect(stdout.trimEnd().split("\n")).toEqual([String(9 * 2 ** 20), "false"]);
      });
    });
  });
});
