/** The programs of examples/runtimes, as they stand, with the built package: each on MinIO and the server that it needs. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { CreateQueueCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startMoto, startTemporal } from "../../servers/runtimes.mjs";
import { describeOn, useBucket } from "../../servers/use.js";
import { ROOT } from "../../support/installed.js";
import { startPostgres } from "../../support/postgres.js";

const FOLDER = join(ROOT, "examples/runtimes");
const PACKAGES = join(FOLDER, "node_modules");

await describeOn("minio", "examples/runtimes", (minio) => {
  const bucket = useBucket(minio);
  beforeAll(async () => {
    if (!existsSync(join(ROOT, "dist"))) throw new Error("the examples import the built package: npm run build");
    await rm(PACKAGES, { force: true });
    await symlink("../../test/interop/runtimes/node_modules", PACKAGES);
  });
  afterAll(() => rm(PACKAGES, { force: true }));

  /** Runs a program with nothing of this environment but what it needs. */
  async function run(name: string, more: Record<string, string>): Promise<string> {
    const { type, ...rest } = minio.connection;
    const env = {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      OBJECTS: `s3://lake@${bucket().name}/${name}`,
      AIRFLOW_CONN_LAKE: JSON.stringify({ conn_type: type, ...rest }),
      ...more,
    };
    const { stdout } = await promisify(execFile)(process.execPath, [join(FOLDER, `${name}.mjs`)], { env, cwd: FOLDER });
    return stdout;
  }

  test("langgraph.mjs, in memory and in Postgres", async () => {
    const postgres = await startPostgres();
    try {
      for (const env of [{}, { DATABASE_URL: postgres.url }] as Record<string, string>[])
        expect(await run("langgraph", env)).toMatch(/1048576 characters, in \d states\n.*objects with it/);
    } finally {
      await postgres.stop();
    }
  }, 120_000);

  test("temporal.mjs, also again on the same server with another folder", async () => {
    const { address, stop } = await startTemporal();
    try {
      const found = /[1-9]\d* references, 0 problems of report-/;
      expect(await run("temporal", { TEMPORAL_ADDRESS: address })).toMatch(found);
      const again = { OBJECTS: `s3://lake@${bucket().name}/again`, TEMPORAL_ADDRESS: address };
      expect(await run("temporal", again)).toMatch(found);
    } finally {
      await stop();
    }
  }, 240_000);

  test("dbos.mjs", async () => {
    const postgres = await startPostgres();
    try {
      expect(await run("dbos", { DATABASE_URL: postgres.url })).toMatch(/came back whole/);
    } finally {
      await postgres.stop();
    }
  }, 120_000);

  test("sqs.mjs", async () => {
    const { endpoint, stop } = await startMoto();
    try {
      const credentials = { accessKeyId: "a", secretAccessKey: "b" };
      const sqs = new SQSClient({ endpoint, region: "us-east-1", credentials });
      const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "example" }));
      sqs.destroy();
      const keys = { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b", AWS_REGION: "us-east-1" };
      const env = { QUEUE_URL: QueueUrl!, AWS_ENDPOINT_URL_SQS: endpoint, ...keys };
      expect(await run("sqs", env)).toMatch(/received as it was sent\ndeleted/);
    } finally {
      await stop();
    }
  }, 240_000);
});
