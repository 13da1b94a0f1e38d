import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { S3Client } from "@aws-sdk/client-s3";
import { expect, it } from "vitest";
import { s3 } from "../../../../src/fs/drivers/s3/index.js";
import { openStorage } from "../../../../src/open.js";
import { StoragePath } from "../../../../src/path.js";
import { collect } from "../../../../src/streams.js";
import { driverContract, type Harness } from "../../../../src/testing/index.js";
import { s3Client } from "../../../servers/index.mjs";
import { describeOn, type ServerOf, useBucket } from "../../../servers/use.js";
import { SERVERS } from "../../../support/backends.js";
import {
  answerAfter,
  corruptBody,
  faultProxy,
  loseAnswer,
  truncateBody,
  wholeInstead,
} from "../../../support/faults.js";
import { through } from "../../../support/proxy.js";
import { SHARED, TestDriver } from "../../../support/test-driver.js";

await describeOn("minio", "s3.fromClient keeps the contract", (server) => {
  const plain = useBucket(server);
  // Apart, because MinIO lists directories of deleted objects in a bucket with versions.
  const versioned = useBucket(server, { versioned: true });

  async function open(id: string): Promise<Harness> {
    const bucket = id === "R23" ? versioned : plain;
    const client = await s3Client(server);
    const storage = openStorage({ drivers: [s3.fromClient(client, { provider: "minio" })], env: {} });
    const key = randomBytes(6).toString("hex");
    const base = StoragePath.of({ scheme: "s3", bucket: bucket().name, key });
    return {
      storage,
      base,
      leftovers: async () => (await bucket().openUploads()).filter((name) => name.startsWith(`${key}/`)),
      async cleanup() {
        await storage.delete(base, { recursive: true });
        await storage.close();
        client.destroy();
      },
    };
  }

  const exceptions = SERVERS.find(({ server: name }) => name === "minio")?.exceptions ?? [];
  for (const { id, title, run, skip } of driverContract({ name: "s3.fromClient", open, exceptions })) {
    it(`${id} ${title}`, { timeout: 180_000, skip: skip !== undefined }, run);
  }
});

await describeOn("minio", "s3.fromClient under faults", (server: ServerOf<"minio">) => {
  const bucket = useBucket(server);

  async function faulty(rules: Parameters<typeof faultProxy>[1]) {
    const proxy = await faultProxy(server.endpoint, rules);
    const client = await s3Client(through(server, proxy));
    const subject = new TestDriver(
      await s3.fromClient(client, { provider: "minio" }).open(bucket().name, undefined, SHARED),
    );
    const close = async () => {
      expect(proxy.pending()).toEqual([]);
      client.destroy();
      await proxy.close();
    };
    return { subject, proxy, close };
  }
  const codeOf = (subject: TestDriver, error: unknown) =>
    subject.driver.codeOf(error, { op: "read", ifAbsent: false, ifMatch: false });

  it("small write, read, stat, list and delete are one request each", async () => {
    const { subject, proxy, close } = await faulty([]);
    await subject.write("a", "1");
    await subject.text("a");
    await subject.stat("a");
    await subject.keys("");
    await subject.delete("a");
    expect(proxy.operations()).toEqual({ write: 1, read: 1, stat: 1, list: 1, delete: 1 });
    await close();
  });

  it("F8 F14 F16: a body that is cut is Unavailable, corrupt Corrupt, unasked for Unsupported", async () => {
    const data = Buffer.alloc(300_000, "x");
    const { subject, close } = await faulty([
      { on: { operation: "read" }, fault: truncateBody(100_000) },
      { on: { operation: "read" }, fault: corruptBody(50_000) },
      { on: { operation: "read" }, fault: wholeInstead(data) },
    ]);
    await subject.write("body", data);
    const read = async () => collect((await subject.open("body")).body);
    expect(codeOf(subject, await read().catch((error: unknown) => error))).toBe("Unavailable");
    await expect(read()).rejects.toMatchObject({ code: "Corrupt" });
    await expect(subject.open("body", { start: 5, end: 7 })).rejects.toMatchObject({ code: "Unsupported" });
    await subject.delete("body");
    await close();
  });

  it("F22 F25: writes whose answer was lost are resolved by looking", async () => {
    const { subject, close } = await faulty([
      { on: { operation: "write" }, fault: answerAfter(500) },
      { on: { operation: "commit" }, fault: loseAnswer() },
    ]);
    await subject.write("whole", "mine", { ifAbsent: true });
    await subject.write("parts", Buffer.alloc(9 * 2 ** 20), { ifAbsent: true });
    expect((await subject.stat("parts")).size).toBe(9 * 2 ** 20);
    expect(await bucket().openUploads()).toEqual([]);
    await subject.delete("whole", "parts");
    await close();
  });

  it("F33: an abort rejects with its reason while the body is read", async () => {
    const { subject, close } = await faulty([]);
    await subject.write("long", Buffer.alloc(4 << 20));
    const controller = new AbortController();
    const { body } = await subject.open("long", { signal: controller.signal });
    const reason = new Error("enough");
    const reading = (async () => {
      for await (const _ of body) controller.abort(reason);
    })();
    await expect(reading).rejects.toBe(reason);
    await subject.delete("long");
    await close();
  });

  it("A06: errors hold neither the keys nor the request that the client puts into its own", async () => {
    const credentials = { accessKeyId: "ID-CANARY", secretAccessKey: "SECRET-CANARY", sessionToken: "TOKEN-CANARY" };
    const client = new S3Client({ endpoint: server.endpoint, region: "us-east-1", forcePathStyle: true, credentials });
    const subject = new TestDriver(
      await s3.fromClient(client, { provider: "minio" }).open(bucket().name, undefined, SHARED),
    );
    for (const call of [
      () => subject.stat("k"),
      () => subject.open("k"),
      () => subject.write("k", "x"),
      () => subject.keys(""),
    ]) {
      const error = await call().catch((reason: unknown) => reason);
      expect(["Unauthenticated", "PermissionDenied"]).toContain(codeOf(subject, error));
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain("CANARY");
    }
    client.destroy();
  });
});
