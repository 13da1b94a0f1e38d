/** The recipes for queues, as their pages show them: BullMQ on Redis, pg-boss on Postgres, kafkajs on Kafka. */
import { spawnSync } from "node:child_process";
import { Queue, Worker } from "bullmq";
import { Kafka, logLevel } from "kafkajs";
import pg from "pg";
import PgBoss from "pg-boss";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Claims, claimReferences, claimsLayout } from "../../../../src/claims.js";
import { openStorage } from "../../../../src/index.js";
import { sweep } from "../../../../src/xcom.js";
import { startKafka, startRedis } from "../../../servers/runtimes.mjs";
import { all } from "../../../support/all.js";
import { describeOnPostgres } from "../../../support/postgres.js";
import * as bullmq from "./bullmq.mjs";
import * as kafkajs from "./kafkajs.mjs";
import * as pgBoss from "./pg-boss.mjs";

const storage = openStorage({ env: {} });
afterAll(() => storage.close());
const LARGE = { rows: "x".repeat(2_000_000) };
const claimsAt = (path: string) => new Claims({ storage, path, threshold: 100_000, refreshAfter: "12h" });
const objectsBelow = (path: string) => all(storage.list(path, { recursive: true }));

/** Without the program it is skipped with the reason, and fails in CI. */
function describeWith(program: string, title: string, tests: () => void): void {
  const isHere = spawnSync(program, ["--version"]).error === undefined;
  const name = isHere ? title : `${title} [no ${program} on the PATH]`;
  describe.skipIf(!isHere && !process.env.CI)(name, tests);
}

describeWith("redis-server", "BullMQ", () => {
  const path = "memory://recipes/bullmq";
  const claims = claimsAt(path);
  let stop: () => Promise<void>;
  let connection: { host: string; port: number };
  beforeAll(async () => {
    const redis = await startRedis();
    stop = redis.stop;
    connection = { host: "127.0.0.1", port: redis.port };
  });
  afterAll(() => stop?.());

  test("data and return value are references in Redis, and their objects go with the job", async () => {
    const queue = new Queue("reports", { connection });
    // The limit that it would hit otherwise.
    await expect(queue.add("report", LARGE, { sizeLimit: 1_000_000 })).rejects.toThrow(
      "The size of job report exceeds",
    );
    const added = await bullmq.addJob(queue, claims, "report", LARGE, { sizeLimit: 1_000_000 });
    const received: unknown[] = [];
    const work = async (data: typeof LARGE) => {
      received.push(data);
      return { length: data.rows.length, ...data };
    };
    const worker = new Worker("reports", bullmq.processor(claims, work), { connection });
    await new Promise((resolve) => worker.once("completed", resolve));
    const job = (await queue.getJob(added.id!))!;
    expect(received).toEqual([LARGE]);
    expect(JSON.stringify([job.data, job.returnvalue]).length).toBeLessThan(1000);
    expect(await claims.resolve(job.returnvalue)).toEqual({ length: 2_000_000, ...LARGE });
    expect(await objectsBelow(path)).toHaveLength(2);
    await bullmq.removeObjects(claims, job);
    await job.remove();
    expect(await objectsBelow(path)).toEqual([]);
    const small = await bullmq.addJob(queue, claims, "report", { rows: "few" }, {});
    expect(small.data).toEqual({ rows: "few" });
    await worker.close();
    await queue.close();
  });
});

await describeOnPostgres("pg-boss", (database) => {
  const path = "memory://recipes/pg-boss";
  const claims = claimsAt(path);

  test("data and output are references in the rows, which keep their objects from a sweep", async () => {
    const boss = new PgBoss(database.url);
    boss.on("error", () => {});
    await boss.start();
    await boss.createQueue("reports");
    const id = await pgBoss.send(boss, claims, "reports", LARGE, {});
    const received: unknown[] = [];
    await pgBoss.work(boss, claims, "reports", async ([job]: { data: typeof LARGE }[]) => {
      received.push(job!.data);
      return { length: job!.data.rows.length, ...job!.data };
    });
    await vi.waitFor(async () => expect((await boss.getJobById("reports", id!))?.state).toBe("completed"), 30_000);
    expect(received).toEqual([LARGE]);
    const job = (await boss.getJobById("reports", id!))!;
    expect(JSON.stringify([job.data, job.output]).length).toBeLessThan(1000);
    expect(await claims.resolve(job.output)).toEqual({ length: 2_000_000, ...LARGE });
    await claims.put(Buffer.from("of a job that is deleted"));
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 7 * 86_400_000 });
    try {
      const pool = new pg.Pool({ connectionString: database.url });
      const sources = [claimReferences(pgBoss.texts(pool), "pg-boss")];
      const layout = claimsLayout({ refreshAfter: "12h" });
      const report = await sweep({ storage, path, sources, layout, delete: true });
      expect(report).toMatchObject({ considered: 3, referenced: 2, deleted: 1 });
      await pool.end();
    } finally {
      vi.useRealTimers();
    }
    await boss.stop({ graceful: false });
  });
});

describeWith("java", "kafkajs", () => {
  const path = "memory://recipes/kafka";
  const claims = claimsAt(path);
  let stop: () => Promise<void>;
  let address: string;
  beforeAll(async () => {
    ({ address, stop } = await startKafka());
  }, 240_000);
  afterAll(() => stop?.());

  test("a message above the broker's limit is a reference in the topic", async () => {
    const kafka = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: "reports", numPartitions: 1 }], waitForLeaders: true });
    const producer = kafka.producer();
    await producer.connect();
    const value = JSON.stringify(LARGE);
    const direct = producer.send({ topic: "reports", messages: [{ value }] });
    await expect(direct).rejects.toThrow(/larger than the max message size/);
    const messages = [{ key: "k", value, headers: { h: "1" } }, { value: "small" }, { key: "k", value: null }];
    await kafkajs.send(producer, claims, { topic: "reports", messages });
    const received: { key?: string; value: string | null }[] = [];
    const consumer = kafka.consumer({ groupId: "g" });
    await consumer.connect();
    await consumer.subscribe({ topic: "reports", fromBeginning: true });
    await new Promise<void>((resolve) => {
      const handle = async ({ message }: { message: { key: Buffer | null; value: string | null } }) => {
        received.push({ key: String(message.key), value: message.value });
        if (received.length === 3) resolve();
      };
      void consumer.run({ eachMessage: kafkajs.eachMessage(claims, handle) });
    });
    expect(received).toEqual([
      { key: "k", value },
      { key: "null", value: "small" },
      { key: "k", value: null },
    ]);
    expect(await objectsBelow(path)).toHaveLength(1);
    await Promise.all([consumer.disconnect(), producer.disconnect(), admin.disconnect()]);
  });
});
