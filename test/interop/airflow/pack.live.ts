/** Bundles of the real `airflow-ts-pack`: their size, how fast they start, and that cloud libraries work in them. */

import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import sizes from "../../package/sizes.json" with { type: "json" };
import { type Bucket, makeBucket } from "../../servers/buckets.mjs";
import { server } from "../../servers/use.js";
import { manifest } from "../../support/installed.js";
import { makeWorker, type Worker } from "./worker.js";

let home: string;
let worker: Worker;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "stowage-pack-"));
  worker = await makeWorker(join(home, "airflow"));
  await worker.copy(new URL("worker", import.meta.url).pathname);
});
afterAll(() => rm(home, { recursive: true, force: true }));

/** Packs an entry of the worker's folder; where the bundle is. */
async function packed(entry: string): Promise<string> {
  const outdir = join(home, entry);
  await worker.node("node_modules/.bin/airflow-ts-pack", `worker/${entry}.mjs`, "--outdir", outdir);
  return join(outdir, "bundle.mjs");
}

/** Bytes of what a line of code takes along, minified as later releases of the packer do. */
async function sizeOf(code: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: worker.folder },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node22",
    minify: true,
    write: false,
    logLevel: "error",
  });
  return outputFiles[0]!.contents.byteLength;
}

/** Milliseconds: loading the library of any one cloud takes more on the machines of the tests. */
const LEAST_OF_AN_SDK_MS = 90;

/** Tells how much processor time the process has used, which the load of the machine disturbs least. */
const TOLD = `data:text/javascript,process.on("exit", () => {
  const { user, system } = process.cpuUsage();
  console.log("CPU " + (user + system) / 1000);
})`;

/**
 * Milliseconds of processor time of bundles that only say what they hold: the least of ten runs each, which take turns,
 * so that what else the machine does falls on all alike.
 */
async function starting(...bundles: string[]): Promise<number[]> {
  const least = bundles.map(() => Number.POSITIVE_INFINITY);
  for (let i = 0; i < 10; i++)
    for (const [index, bundle] of bundles.entries()) {
      const output = await worker.node("--import", TOLD, bundle, "--airflow-metadata");
      least[index] = Math.min(least[index]!, Number(/^CPU (.*)$/m.exec(output)![1]));
    }
  return least;
}

describe("with static keys", () => {
  test("the bundle is small, starts fast, and needs no package beside it", async () => {
    const [bare, ours] = [await packed("bare"), await packed("static")];
    const [alone, together] = (await starting(bare, ours)) as [number, number];
    const adapter = await sizeOf('export { withObjectStorage } from "stowage/airflow"');
    console.table({
      "bundle, bytes": { "SDK alone": (await stat(bare)).size, "with stowage": (await stat(ours)).size },
      "stowage's part minified, bytes": { "with stowage": adapter },
      "start and load, ms of processor time": {
        "SDK alone": Math.round(alone),
        "with stowage": Math.round(together),
      },
    });
    expect(adapter).toBeLessThan(sizes["Airflow, everything"]);
    expect(together - alone).toBeLessThan(LEAST_OF_AN_SDK_MS);
  });
  test("a bundle of named parts has less than 100 KB and starts as fast", async () => {
    const [bare, ours] = [await packed("bare"), await packed("lean")];
    const [alone, together] = (await starting(bare, ours)) as [number, number];
    const more = together - alone;
    const names =
      'import { withObjectStorage } from "stowage/airflow/lean"; import { s3Objects } from "stowage/s3/keys";';
    const keys = '{ accessKeyId: "id", secretAccessKey: "secret" }';
    const size = await sizeOf(
      `${names} export const task = withObjectStorage(() => 1, { drivers: [s3Objects(${keys})] });`,
    );
    console.log(`named parts: ${size} bytes minified, ${Math.round(more)} ms of processor time over the SDK alone`);
    expect(size).toBeLessThan(100_000);
    expect(more).toBeLessThan(LEAST_OF_AN_SDK_MS);
  });
});

describe("with the libraries of the clouds", () => {
  const buckets: Bucket[] = [];
  let tokens: Server;
  let stores: Record<string, { path: string; connections?: object; client?: object }>;
  beforeAll(async () => {
    const { devDependencies } = (await manifest()) as unknown as { devDependencies: Record<string, string> };
    const libraries = ["@aws-sdk/client-s3", "@aws-sdk/credential-providers", "@google-cloud/storage"];
    libraries.push("google-auth-library", "@azure/storage-blob", "@azure/identity");
    await worker.install(...libraries.map((name) => `${name}@${devDependencies[name]}`));
    tokens = createServer((_, response) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ access_token: "token", expires_in: 3600, token_type: "Bearer" }));
    });
    await new Promise<void>((resolve) => tokens.listen(0, "127.0.0.1", resolve));
    stores = await everyStore();
  });
  afterAll(async () => {
    tokens?.close();
    for (const bucket of buckets) await bucket.remove();
  });

  async function everyStore() {
    const [minio, gcs, azure] = [await server("minio"), await server("fake-gcs"), await server("azurite")];
    for (const found of [minio, gcs, azure]) buckets.push(await makeBucket(found));
    const [s3Path, gsPath, abfsPath] = ["s3", "gs", "abfs"].map(
      (scheme, i) => `${scheme}://it@${buckets[i]!.name}/key`,
    );
    const { login, password, extra } = minio.connection;
    const { accessKey: accessKeyId, secretKey: secretAccessKey, region, endpoint } = minio;
    const profile = join(home, "credentials");
    await writeFile(profile, `[it]\naws_access_key_id=${login}\naws_secret_access_key=${password}\n`);
    process.env.AWS_SHARED_CREDENTIALS_FILE = profile;
    const identity = { tenant_id: "11111111-1111-1111-1111-111111111111", account_name: "nobody" };
    return {
      "S3, static keys": { path: s3Path!, connections: { it: minio.connection } },
      "S3, AWS's library": {
        path: s3Path!,
        connections: { it: { type: "aws", extra: { ...extra, profile_name: "it" } } },
      },
      "S3, AWS's client": {
        path: s3Path!.replace("it@", ""),
        client: {
          scheme: "s3",
          options: { endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } },
        },
      },
      "GCS, anonymous": { path: gsPath!, connections: { it: gcs.connection } },
      "GCS, Google's library": { path: gsPath!, connections: { it: federated(gcs.connection) } },
      "GCS, Google's client": {
        path: gsPath!.replace("it@", ""),
        client: { scheme: "gs", options: { apiEndpoint: gcs.endpoint, projectId: gcs.project } },
      },
      "Azure, account key": { path: abfsPath!, connections: { it: azure.connection } },
      "Azure, Azure's library": {
        path: "abfs://it@container/key",
        connections: { it: { type: "wasb", login: "client", password: "wrong", extra: identity } },
      },
      "Azure, Azure's client": {
        path: abfsPath!.replace("it@", ""),
        client: { scheme: "abfs", options: azure.connectionString },
      },
    };
  }

  /** The connection with a federated identity, whose tokens come from this test. */
  function federated({ type, extra }: { type: string; extra: Record<string, unknown> }) {
    const credential_config_file = {
      type: "external_account",
      audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/provider",
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      token_url: `http://127.0.0.1:${(tokens.address() as AddressInfo).port}/token`,
      credential_source: { file: join(home, "credentials") },
    };
    const { is_anonymous: _, ...rest } = extra;
    return { type, extra: { ...rest, credential_config_file } };
  }

  test("static keys, the libraries and configured clients all work in one bundle", async () => {
    const bundle = await packed("clouds");
    console.log(`bundle with all libraries and clients: ${(await stat(bundle)).size} bytes`);
    const results = JSON.parse(await worker.node(bundle, `--stores=${JSON.stringify(stores)}`)) as Record<
      string,
      string
    >;
    const { "Azure, Azure's library": identity, ...others } = results;
    for (const [name, result] of Object.entries(others)) expect(`${name}: ${result}`).toBe(`${name}: text`);
    // No directory can be asked here; that the library was loaded and has tried is what counts.
    expect(identity).toMatch(/^(Unauthenticated|Unavailable|PermissionDenied|Timeout): /);
    expect(identity).not.toContain("Dynamic require");
  });
  test("without stowage/airflow the same bundle cannot even be packed", async () => {
    const entry = join(worker.folder, "worker/clouds.mjs");
    await worker.edit(entry, (text) => text.replace('import "stowage/airflow";', ""));
    await expect(packed("clouds")).rejects.toThrow(/Dynamic require of/);
  });
});
