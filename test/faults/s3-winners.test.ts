/** Equal bytes are the normal case of locks, markers and counters: one writer wins, whatever happens to the answers. */
import { S3Client } from "@aws-sdk/client-s3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { s3 } from "../../src/fs/drivers/s3/index.js";
import { describeOn, type ServerOf, useBucket } from "../servers/use.js";
import { answer, answerAfter, type Fault, type FaultProxy, faultProxy, loseAnswer } from "../support/faults.js";
import { through } from "../support/proxy.js";
import { openDriver } from "../support/s3.js";
import { TestDriver } from "../support/test-driver.js";

const MIB = 2 ** 20;
const WRITERS = 4;
const ROUNDS = 5;
/** Of uploads in parts, which take longer. */
const LARGE_ROUNDS = 2;
const SLOW_DOWN = "<Error><Code>SlowDown</Code><Message>planted</Message></Error>";

await describeOn("minio", "one winner on S3", (server: ServerOf<"minio">) => {
  const bucket = useBucket(server);
  let proxy: FaultProxy;
  let undisturbed: TestDriver;
  beforeEach(async () => {
    proxy = await faultProxy(server.endpoint);
    undisturbed = await openDriver(bucket().name, server.connection);
  });
  afterEach(async () => {
    await undisturbed.driver.close();
    await proxy.close();
  });

  const clients: Record<string, () => Promise<TestDriver>> = {
    "the own client": () => openDriver(bucket().name, through(server, proxy).connection),
    "s3.fromClient": () => {
      const { accessKey: accessKeyId, secretKey: secretAccessKey } = server;
      const { endpoint } = proxy;
      const credentials = { accessKeyId, secretAccessKey };
      const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, maxAttempts: 5, credentials });
      return TestDriver.open(s3.fromClient(client, { provider: "minio" }).open, bucket().name);
    },
  };

  const faults: Record<string, Fault> = {
    "answered 503 by something on the way": answer(503),
    "answered SlowDown": answer(503, { body: SLOW_DOWN }),
    "stored, and answered 503": answerAfter(503),
    "stored, and its answer lost": loseAnswer(),
  };

  /** Every third request that could make the object meets the fault. */
  function disturb(fault: Fault): void {
    let count = 0;
    const on = ({ operation }: { operation: string }) =>
      (operation === "write" || operation === "commit") && count++ % 3 === 2;
    proxy.plant({ on, times: Number.POSITIVE_INFINITY, fault });
  }

  const small = Buffer.from("locked");
  const large = Buffer.alloc(9 * MIB, "locked");
  type Verb = (subject: TestDriver, key: string, etag: string | undefined) => Promise<unknown>;
  const verbs: Record<string, Verb> = {
    "create-only writes": (subject, key) => subject.write(key, small, { ifAbsent: true }),
    "create-only writes in parts": (subject, key) => subject.write(key, large, { ifAbsent: true }),
    "replacing writes": (subject, key, ifMatch) => subject.write(key, small, { ifMatch }),
    "replacing writes in parts": (subject, key, ifMatch) => subject.write(key, large, { ifMatch }),
    "create-only copies": (subject, key) => subject.copy("source", key, { bucket: bucket().name, ifAbsent: true }),
    "create-only copies of nothing": (subject, key) =>
      subject.copy("empty", key, { bucket: bucket().name, ifAbsent: true }),
  };

  describe.each(Object.keys(clients))("%s", (client) => {
    const cases = Object.keys(verbs).flatMap((verb) => Object.keys(faults).map((fault) => [verb, fault] as const));
    it.each(cases)("%s, every third of which is %s, have exactly one winner", async (verb, fault) => {
      await undisturbed.write("source", "copied", { metadata: { of: "source" } });
      await undisturbed.write("empty", "");
      const writers = await Promise.all(Array.from({ length: WRITERS }, clients[client]!));
      disturb(faults[fault]!);
      const call = { op: "write", ifAbsent: !verb.startsWith("repl"), ifMatch: verb.startsWith("repl") } as const;
      const rounds = verb.endsWith("parts") ? LARGE_ROUNDS : ROUNDS;
      for (let round = 0; round < rounds; round++) {
        const key = `${client}/${verb}/${fault}/${round}`;
        const { etag } = call.ifMatch ? await undisturbed.write(key, "before") : {};
        const outcomes = await Promise.allSettled(writers.map((one) => verbs[verb]!(one, key, etag)));
        const winners = outcomes.filter(({ status }) => status === "fulfilled");
        const losses = outcomes.flatMap((one) => (one.status === "rejected" ? [codeOf(writers[0]!, one.reason)] : []));
        expect({ round, winners: winners.length, losses }).toMatchObject({ winners: 1 });
        for (const code of losses) expect(["AlreadyExists", "PreconditionFailed", "CommitUnknown"]).toContain(code);
        const { metadata } = await undisturbed.stat(key);
        expect(metadata).toEqual(verb === "create-only copies" ? { of: "source" } : undefined);
      }
      expect(proxy.requests.some((request) => request.fault !== undefined)).toBe(true);
      for (const one of writers) await one.driver.close();

      function codeOf({ driver }: TestDriver, error: unknown): string {
        const { code, name } = error as { code: string; name: string };
        return name === "StorageError" ? code : driver.codeOf(error, call);
      }
    });
  });

  it("a replacing write whose object was replaced again before anybody looked is CommitUnknown", async () => {
    const [one, other] = [await clients["the own client"]!(), undisturbed];
    const { etag: ifMatch } = await other.write("counter", "1");
    proxy.plant({ on: { operation: "write" }, fault: loseAnswer() });
    proxy.plant({
      on: ({ method }) => method === "PUT",
      fault: {
        name: "overtaken",
        apply: async (exchange) => {
          await other.write("counter", "3", { ifMatch: (await other.stat("counter")).etag });
          return answer(412).apply(exchange);
        },
      },
    });
    await expect(one.write("counter", "2", { ifMatch })).rejects.toMatchObject({ code: "CommitUnknown" });
    expect(proxy.pending()).toEqual([]);
    await one.driver.close();
  });
});
