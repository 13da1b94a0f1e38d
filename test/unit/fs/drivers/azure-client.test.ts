import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { BlobServiceClient, StorageSharedKeyCredential } from "@azure/storage-blob";
import { expect, it } from "vitest";
import type { BatchDeleteError, OperationContext } from "../../../../src/fs/driver/driver.js";
import { azure } from "../../../../src/fs/drivers/azure/index.js";
import { openStorage } from "../../../../src/open.js";
import { StoragePath } from "../../../../src/path.js";
import { collect } from "../../../../src/streams.js";
import { driverContract, type Harness } from "../../../../src/testing/index.js";
import { azureClient } from "../../../servers/index.mjs";
import { describeOn, type ServerOf, useBucket } from "../../../servers/use.js";
import { SERVERS } from "../../../support/backends.js";
import {
  answer,
  answerAfter,
  faultProxy,
  loseAnswer,
  stallBody,
  truncateBody,
  wholeInstead,
} from "../../../support/faults.js";
import { through } from "../../../support/proxy.js";
import { SHARED, TestDriver } from "../../../support/test-driver.js";

const MIB = 2 ** 20;
const CALL: OperationContext = { op: "read", ifAbsent: false, ifMatch: false };
const caught = (work: Promise<unknown>) => work.catch((error: unknown) => error);

await describeOn("azurite", "azure.fromClient keeps the contract", (server) => {
  const bucket = useBucket(server);

  async function open(): Promise<Harness> {
    const client = await azureClient(server);
    const storage = openStorage({ drivers: [azure.fromClient(client)], env: {} });
    const base = StoragePath.of({ scheme: "abfs", bucket: bucket().name, key: randomBytes(6).toString("hex") });
    return {
      storage,
      base,
      async cleanup() {
        await storage.delete(base, { recursive: true });
        await storage.close();
      },
    };
  }

  const { exceptions = [], lacks = [] } = SERVERS.find(({ server: name }) => name === "azurite") ?? {};
  for (const { id, title, run, skip } of driverContract({ name: "azure.fromClient", open, exceptions, lacks })) {
    it(`${id} ${title}`, { timeout: 180_000, skip: skip !== undefined }, run);
  }
});

await describeOn("azurite", "azure.fromClient under faults", (server: ServerOf<"azurite">) => {
  const bucket = useBucket(server);

  async function faulty(rules: Parameters<typeof faultProxy>[1] = [], options = {}) {
    const proxy = await faultProxy(server.endpoint, rules);
    const client = BlobServiceClient.fromConnectionString(through(server, proxy).connectionString, {
      retryOptions: { maxTries: 2, retryDelayInMs: 10 },
    });
    const subject = new TestDriver(await azure.fromClient(client, options).open(bucket().name, undefined, SHARED));
    const close = async () => {
      expect(proxy.pending()).toEqual([]);
      await proxy.close();
    };
    return { subject, proxy, close };
  }

  it("small write, read, range, stat, list, copy and delete are one request each, a batch is one", async () => {
    const { subject, proxy, close } = await faulty();
    await subject.write("a", "123");
    await subject.text("a");
    expect(await subject.text("a", { start: 1, end: 2 })).toBe("2");
    await subject.stat("a");
    await subject.keys("");
    await subject.copy("a", "b", { bucket: bucket().name });
    await subject.delete("a");
    await subject.delete("b", "c");
    // A copy looks at the tags of its source.
    const once = { write: 1, stat: 2, list: 1, copy: 1, delete: 1, deleteBatch: 1 };
    expect(proxy.operations()).toEqual({ ...once, read: 2 });
    await close();
  });

  it("F8 F16: a body that is cut is Unavailable, one that was not asked for Unsupported", async () => {
    const data = Buffer.alloc(300_000, "x");
    const { subject, close } = await faulty([
      { on: { operation: "read" }, fault: truncateBody(100_000) },
      { on: { operation: "read" }, fault: wholeInstead(data) },
    ]);
    await subject.write("body", data);
    const error = await caught(subject.open("body").then(({ body }) => collect(body)));
    expect(subject.driver.codeOf(error, CALL)).toBe("Unavailable");
    await expect(subject.open("body", { start: 5, end: 7 })).rejects.toMatchObject({ code: "Unsupported" });
    await subject.delete("body");
    await close();
  });

  it("F12: a body that stalls is Timeout", { timeout: 30_000 }, async () => {
    const { subject, close } = await faulty([{ on: { operation: "read" }, fault: stallBody(100_000) }]);
    await subject.write("body", Buffer.alloc(300_000));
    const error = await caught(subject.open("body").then(({ body }) => collect(body)));
    expect(subject.driver.codeOf(error, CALL)).toBe("Timeout");
    await close();
  });

  it("F22 F25: writes whose answer was lost are resolved by looking", async () => {
    const { subject, close } = await faulty([
      { on: { operation: "write" }, fault: answerAfter(500) },
      { on: { operation: "commit" }, fault: loseAnswer() },
    ]);
    await subject.write("whole", "mine", { ifAbsent: true, metadata: { a: "é" } });
    expect((await subject.stat("whole")).metadata).toEqual({ a: "é" });
    await subject.write("parts", Buffer.alloc(9 * MIB), { ifAbsent: true });
    expect((await subject.stat("parts")).size).toBe(9 * MIB);
    const again = await caught(subject.write("parts", Buffer.alloc(9 * MIB), { ifAbsent: true }));
    expect(subject.driver.codeOf(again, { op: "write", ifAbsent: true, ifMatch: false })).toBe("AlreadyExists");
    await subject.delete("whole", "parts");
    await close();
  });

  it("F33: an abort rejects with its reason while the body is read", async () => {
    const { subject, close } = await faulty();
    await subject.write("long", Buffer.alloc(4 * MIB));
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

  it("D04: a batch names the keys that failed; passing failures are tried again", async () => {
    const part = (id: number, status: number, code: string) =>
      `--batchresponse_1\r\nContent-Type: application/http\r\nContent-ID: ${id}\r\n\r\nHTTP/1.1 ${status} x\r\nx-ms-error-code: ${code}\r\n\r\n`;
    const parts = [
      part(0, 403, "AuthorizationPermissionMismatch"),
      part(1, 503, "ServerBusy"),
      part(2, 404, "BlobNotFound"),
    ];
    const headers = { "content-type": "multipart/mixed; boundary=batchresponse_1" };
    const planted = answer(202, { headers, body: `${parts.join("")}--batchresponse_1--` });
    const { subject, proxy, close } = await faulty([{ on: { operation: "deleteBatch" }, fault: planted }]);
    const { failures } = (await caught(subject.delete("forbidden", "slow", "missing"))) as BatchDeleteError;
    expect(failures.map(({ key, error }) => [key, subject.driver.codeOf(error, CALL)])).toEqual([
      ["forbidden", "PermissionDenied"],
    ]);
    expect(proxy.operations()).toEqual({ deleteBatch: 1, delete: 1 });
    await close();
  });

  it("the encryption scope goes with what stores data", async () => {
    const { subject, proxy, close } = await faulty([], { encryptionScope: "scope1" });
    await caught(subject.write("a", "x"));
    await caught(subject.write("b", Buffer.alloc(9 * MIB)));
    await caught(subject.text("a"));
    const scoped = proxy.requests.filter(({ headers }) => headers["x-ms-encryption-scope"] === "scope1");
    expect(new Set(scoped.map(({ operation }) => operation))).toEqual(new Set(["write", "part", "commit"]));
    await close();
  });

  it("A06: errors hold neither the key nor the request that the client puts into its own", async () => {
    const wrong = Buffer.alloc(64, "SECRET").toString("base64");
    const client = new BlobServiceClient(server.endpoint, new StorageSharedKeyCredential(server.account, wrong));
    const subject = new TestDriver(await azure.fromClient(client).open(bucket().name, undefined, SHARED));
    for (const call of [
      () => subject.stat("k"),
      () => subject.open("k"),
      () => subject.write("k", "x"),
      () => subject.keys(""),
    ]) {
      const error = await caught(call());
      expect(["Unauthenticated", "PermissionDenied"]).toContain(subject.driver.codeOf(error, CALL));
      const shown = inspect(error, { depth: 9, showHidden: true });
      expect(shown).not.toContain(wrong);
      expect(shown).not.toMatch(/SharedKey /);
    }
    const anonymous = new BlobServiceClient(`${server.endpoint}?sv=2024-11-04&sig=SECRET`);
    const other = new TestDriver(await azure.fromClient(anonymous).open(bucket().name, undefined, SHARED));
    expect(inspect(await caught(other.stat("k")), { depth: 9, showHidden: true })).not.toContain("SECRET");
    await expect(other.driver.signedUrl("k", { method: "GET", expiresIn: 60 })).rejects.toMatchObject({
      code: "Unsupported",
    });
  });
});
