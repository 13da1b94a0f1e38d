/** Temporal's server, TypeScript worker and client, and Python's client with Temporal's own driver, on MinIO. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { Client, Connection } from "@temporalio/client";
import { ExternalStorage } from "@temporalio/common/lib/converter/extstore.js";
import { S3StorageDriver } from "@temporalio/external-storage-s3";
import { bundleWorkflowCode, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStorage, type Storage } from "../../../src/index.js";
import { temporalDriver } from "../../../src/runtimes/temporal.js";
import { startTemporal } from "../../servers/runtimes.mjs";
import { describeOn, useBucket } from "../../servers/use.js";
import { pythonWith } from "../../support/environment.mjs";
import { type Recorder, recordingProxy, through } from "../../support/proxy.js";

const HERE = import.meta.dirname;
const WORKFLOWS = join(HERE, "temporal/workflows.mjs");
const LARGE = "x".repeat(1_000_000);
const QUEUE = "stowage";

await describeOn("minio", "Temporal", (minio) => {
  const bucket = useBucket(minio);
  let python: string;
  let address: string;
  let stopServer: () => Promise<void>;
  let storage: Storage;
  let proxy: Recorder;
  let client: Client;
  let worker: Worker;
  let running: Promise<void>;
  let bundle: string;

  beforeAll(async () => {
    python = await pythonWith(join(HERE, "temporal.txt"));
    const server = await startTemporal();
    ({ address } = server);
    stopServer = server.stop;
    proxy = await recordingProxy(minio.endpoint);
    storage = openStorage({ connections: { lake: through(minio, proxy).connection }, env: {} });
    const driver = temporalDriver({ storage, url: `s3://lake@${bucket().name}` });
    const dataConverter = { externalStorage: new ExternalStorage({ drivers: [driver] }) };
    Runtime.install({ logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} } as never });
    const connection = await Connection.connect({ address });
    client = new Client({ connection, dataConverter });
    ({ code: bundle } = await bundleWorkflowCode({ workflowsPath: WORKFLOWS }));
    worker = await Worker.create({
      connection: await NativeConnection.connect({ address }),
      taskQueue: QUEUE,
      workflowBundle: { code: bundle },
      dataConverter,
      activities: {
        grow: async (text: string) => text + text,
        shrink: async (text: string) => text.length,
      },
    });
    running = worker.run();
  }, 240_000);
  afterAll(async () => {
    worker?.shutdown();
    await running;
    await client?.connection.close();
    await stopServer?.();
    await storage?.close();
    await proxy?.close();
  });

  /** The bytes of a history, which has references and no values. */
  async function historySize(workflowId: string): Promise<number> {
    const { history } = await client.workflowService.getWorkflowExecutionHistory({
      namespace: "default",
      execution: { workflowId },
    });
    return JSON.stringify(history).length;
  }

  test("nothing of stowage is in the workflow bundle", () => {
    expect(bundle.length).toBeGreaterThan(100_000);
    expect(bundle).not.toMatch(/stowage|node:http/);
  });

  test("inputs and results of workflows and activities are objects under Temporal's keys", async () => {
    proxy.clear();
    const handle = await client.workflow.start("throughActivities", {
      args: [LARGE],
      taskQueue: QUEUE,
      workflowId: "a/1",
    });
    expect(await handle.result()).toEqual({ length: 2_000_000, large: LARGE + LARGE });
    expect(await historySize("a/1")).toBeLessThan(40_000);
    const keys: string[] = [];
    for await (const { path } of storage.list(`s3://lake@${bucket().name}`, { recursive: true })) keys.push(path.key);
    expect(keys).toContainEqual(
      expect.stringMatching(/^v0\/ns\/default\/wt\/throughActivities\/wi\/a%2F1\/ri\/[^/]+\/d\/sha256\/[0-9a-f]{64}$/),
    );
    // One request for each value that is new, and no look before it.
    const { write, ...others } = proxy.operations();
    expect(write).toBe(keys.length);
    expect(Object.keys(others).sort()).toEqual(["list", "read"]);
  });

  test("signals, queries, updates, children and continued workflows", async () => {
    const options = { args: ["s".repeat(400_000)], taskQueue: QUEUE, workflowId: "messages" };
    const handle = await client.workflow.start("throughMessages", options);
    await handle.signal("append", "t".repeat(400_000));
    expect((await handle.query<string>("current")).length).toBe(800_000);
    expect((await handle.executeUpdate<string, [string]>("replace", { args: [LARGE] })).length).toBe(800_000);
    await handle.signal("finish");
    expect(await handle.result()).toBe(LARGE);
    const child = { args: [LARGE], taskQueue: QUEUE, workflowId: "children" };
    expect(await client.workflow.execute("throughChildren", child)).toBe(`${LARGE}21`);
  });

  test("Python's client with Temporal's own driver reads our claims, and ours reads its", async () => {
    const env = {
      ...process.env,
      S3_ENDPOINT: minio.endpoint,
      AWS_ACCESS_KEY_ID: minio.accessKey,
      AWS_SECRET_ACCESS_KEY: minio.secretKey,
      AWS_DEFAULT_REGION: "us-east-1",
    };
    const args = [join(HERE, "temporal/client.py"), address, bucket().name, QUEUE, "a/1"];
    const { stdout } = await promisify(execFile)(python, args, { env });
    expect(JSON.parse(stdout)).toEqual({ before: 2_000_000, length: 2_000_000, large: 2_000_000 });
  });

  test("the official TypeScript driver reads our claims, and ours reads its", async () => {
    const credentials = { accessKeyId: minio.accessKey, secretAccessKey: minio.secretKey };
    const s3 = new S3Client({ endpoint: minio.endpoint, region: "us-east-1", forcePathStyle: true, credentials });
    const official = new S3StorageDriver({
      bucket: bucket().name,
      client: {
        objectExists: async () => false,
        putObject: async (Bucket, Key, Body) => void (await s3.send(new PutObjectCommand({ Bucket, Key, Body }))),
        getObject: async (Bucket, Key) =>
          (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToByteArray(),
      },
    });
    const ours = temporalDriver({ storage, url: `s3://lake@${bucket().name}` });
    const target = { kind: "workflow", namespace: "n s~", id: "a/b", type: "t" } as const;
    const payloads = [{ metadata: { encoding: Buffer.from("json/plain") }, data: Buffer.from('"value"') }];
    const [mine] = await ours.store({ target }, payloads);
    const [theirs] = await official.store({ target }, payloads);
    expect(mine!.claimData).toMatchObject(theirs!.claimData);
    const shown = (payload: { metadata?: object | null; data?: Uint8Array | null }) =>
      [String(Buffer.from(payload.data!)), Object.keys(payload.metadata!)].join();
    expect(shown((await official.retrieve({}, [mine!]))[0]!)).toBe('"value",encoding');
    expect(shown((await ours.retrieve({}, [theirs!]))[0]!)).toBe('"value",encoding');
    s3.destroy();
  });

  test("a damaged object ends a client's read with a typed failure, not with the reference", async () => {
    const options = { args: [LARGE], taskQueue: QUEUE, workflowId: "damaged" };
    await client.workflow.execute("throughActivities", options);
    for await (const { path } of storage.list(`s3://lake@${bucket().name}`, { recursive: true }))
      if (path.key.includes("/wi/damaged/")) await storage.write(path, "damaged");
    const read = client.workflow.getHandle("damaged").result();
    await expect(read).rejects.toThrow(/Corrupt/);
  });
});
