/** What README and docs show works: every block of code is type-checked and run, unless a comment before it says why not. */
import { execFile } from "node:child_process";
import { access, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Bucket } from "../servers/buckets.mjs";
import { makeBucket } from "../servers/index.mjs";
import { server } from "../servers/use.js";
import { type Block, blocksOf, documents, otherFences, typeErrors, Workshop } from "../support/docs.js";
import { ROOT } from "../support/installed.js";

const all = (await Promise.all((await documents()).map(blocksOf))).flat();
const blocks = all.filter(({ file }) => file === undefined);
const isCode = ({ language }: Block) => language !== "sh";

/** Where the paths of a scheme lead in the tests, instead of `my-bucket` in a cloud. */
const PLACES = {
  "s3a?": async () => {
    const minio = await server("minio");
    const { accessKey, secretKey, endpoint } = minio;
    const names = { KEY: accessKey, SECRET: secretKey, AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey };
    return { bucket: await makeBucket(minio), env: { ...names, AWS_ENDPOINT_URL_S3: endpoint } };
  },
  "gs|gcs": async () => {
    const gcs = await server("fake-gcs");
    return { bucket: await makeBucket(gcs), env: { STORAGE_EMULATOR_HOST: gcs.endpoint } };
  },
  "abfs|az|azblob|wasbs?": async () => {
    const azure = await server("azurite");
    return { bucket: await makeBucket(azure), env: { AZURE_STORAGE_CONNECTION_STRING: azure.connectionString } };
  },
};

/** The block with buckets of the test servers, the environment that reaches them, and the buckets. */
async function placed(block: Block): Promise<{ block: Block; env: Record<string, string>; buckets: Bucket[] }> {
  const env = {};
  const buckets: Bucket[] = [];
  let { code } = block;
  for (const [schemes, place] of Object.entries(PLACES)) {
    const path = new RegExp(`\\b((?:${schemes})://(?:\\w+@)?)my-bucket\\b`, "g");
    const account = new RegExp(`\\bbuckets\\("(?:${schemes})://`);
    if (!path.test(code) && !account.test(code)) continue;
    const { bucket, env: own } = await place();
    buckets.push(bucket);
    Object.assign(env, own);
    code = code.replace(path, `$1${bucket.name}`);
  }
  // The examples are of AWS, which has conditions on writes; a server that no address tells promises none.
  code = code.replaceAll('region_name: "eu-central-1"', '$&, provider: "minio"');
  return { block: { ...block, code }, env, buckets };
}

describe("a block of code in README or docs", async () => {
  let workshop: Workshop;
  beforeAll(async () => {
    workshop = await Workshop.open();
  });
  afterAll(() => workshop.close());

  test("there are some of each kind", () => {
    expect(blocks.some(isCode)).toBe(true);
    expect(blocks.some((block) => !isCode(block))).toBe(true);
  });

  test.each(await documents())("says its language as ts, js or sh in %s", async (file) => {
    expect(await otherFences(file)).toEqual([]);
  });

  test("has the types of the package", { timeout: 120_000 }, () => {
    expect(typeErrors(blocks.filter((block) => isCode(block) && block.typed))).toEqual([]);
  });

  test("is refused when its types are wrong", { timeout: 120_000 }, () => {
    const code = 'import { openStorage } from "stowage";\nawait openStorage().stat(1);\n';
    expect(
      typeErrors([{ where: "here", language: "ts", code, notRun: undefined, typed: true, file: undefined }]),
    ).toEqual([expect.stringContaining("here: ")]);
  });

  test.each(blocks.filter(({ notRun }) => notRun === undefined).map((block) => [block.where, block] as const))(
    "%s runs",
    { timeout: 120_000 },
    async (_, original) => {
      const { block, env, buckets } = await placed(original);
      try {
        await workshop.run(block, env);
      } finally {
        await Promise.all(buckets.map((bucket) => bucket.remove()));
      }
    },
  );
});

test.each(all.filter(({ file }) => file).map(({ where, file, code }) => [where, file!, code] as const))(
  "%s shows %s as it stands",
  async (_where, file, code) => {
    expect(code).toBe(await readFile(join(ROOT, file), "utf8"));
  },
);

describe("a link in README, docs and CONTRIBUTING", async () => {
  test.each([...(await documents()), "CONTRIBUTING.md", "ARCHITECTURE.md"])("of %s leads somewhere", async (file) => {
    const text = await readFile(join(ROOT, file), "utf8");
    const links = [...text.matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)].map(([, link]) => link!);
    const missing: string[] = [];
    for (const link of links) await access(join(ROOT, dirname(file), link)).catch(() => missing.push(link));
    expect(missing).toEqual([]);
  });
});

async function scriptsOf(manifest: string): Promise<Record<string, string>> {
  return JSON.parse(await readFile(join(ROOT, manifest), "utf8")).scripts;
}

describe("a command in README, docs or CONTRIBUTING", async () => {
  const scripts = [...blocks, ...(await blocksOf("CONTRIBUTING.md"))].filter((block) => !isCode(block));

  test.each(scripts.map((block) => [block.where, block] as const))("%s names what there is", async (_, { code }) => {
    await promisify(execFile)("bash", ["-n", "-c", code]);
    const names = { ...(await scriptsOf("package.json")), ...(await scriptsOf("examples/airflow/package.json")) };
    const called = [...code.matchAll(/\bnpm (?:run ([\w:-]+)|(test)\b)/g)].map(([, name, own]) => name ?? own);
    expect(called.filter((name) => !(name! in names))).toEqual([]);
    const files = [...code.matchAll(/\b(?:test|scripts|examples|bench)\/[\w/.-]+\.\w+/g)].map(([file]) => file);
    for (const file of files) await access(join(ROOT, file));
  });
});
