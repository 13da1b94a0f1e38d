import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Storage as GoogleStorage } from "@google-cloud/storage";
import { describe, expect, it, test } from "vitest";
import { gcs } from "../../../../src/fs/drivers/gcs/index.js";
import { openStorage } from "../../../../src/open.js";
import { StoragePath } from "../../../../src/path.js";
import { driverContract, type Harness } from "../../../../src/testing/index.js";
import { gcsClient } from "../../../servers/index.mjs";
import { describeOn, useBucket } from "../../../servers/use.js";
import { recordingProxy } from "../../../support/proxy.js";
import { SHARED, TestDriver } from "../../../support/test-driver.js";

await describeOn("fake-gcs", "gcs.fromClient keeps the contract", (server) => {
  const bucket = useBucket(server, { versioned: true });

  async function open(): Promise<Harness> {
    const storage = openStorage({ drivers: [gcs.fromClient(await gcsClient(server))], env: {} });
    const base = StoragePath.of({ scheme: "gs", bucket: bucket().name, key: randomBytes(6).toString("hex") });
    return {
      storage,
      base,
      async cleanup() {
        await storage.delete(base, { recursive: true });
        await storage.close();
      },
    };
  }

  const cases = driverContract({
    name: "gcs.fromClient",
    open,
    lacks: ["copyIfAbsent", "sign", "tags"],
    exceptions: [
      {
        id: "A05",
        reason: "fake-gcs-server cannot remove an attribute in place",
        evidence: "v1.56.1, fakestorage/object.go patchObject: null is decoded as a field that is not given",
      },
      {
        id: "M06",
        reason: "fake-gcs-server ignores ifSourceGenerationMatch",
        evidence: "v1.56.1, fakestorage/object.go, rewriteObject reads no conditions",
      },
    ],
  });
  for (const { id, title, run, skip } of cases) {
    it(`${id} ${title}`, { timeout: 180_000, skip: skip !== undefined }, run);
  }

  test("the payer and the key go with every request", async () => {
    const proxy = await recordingProxy(server.endpoint);
    const client = await gcsClient({ ...server, endpoint: proxy.endpoint });
    const more = { payer: "paying", kmsKeyName: "key" };
    const subject = new TestDriver(await gcs.fromClient(client, more).open(bucket().name, undefined, SHARED));
    await subject.write("k", "hello");
    expect(await subject.text("k")).toBe("hello");
    await subject.delete("k");
    expect(proxy.operations()).toEqual({ write: 1, read: 1, delete: 1 });
    expect(proxy.requests[0]!.url.searchParams.get("kmsKeyName")).toBe("key");
    for (const { headers, url } of proxy.requests) {
      expect([headers["x-goog-user-project"], url.searchParams.get("userProject")]).toContain("paying");
    }
    await proxy.close();
  });
});

describe("gcs.fromClient", () => {
  test("errors hold neither the token nor the request that the client puts into its own", async () => {
    const server = createServer((_, response) => response.writeHead(403).end('{"error":{"code":403,"message":"no"}}'));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const client = new GoogleStorage({
      apiEndpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      projectId: "p",
      token: "TOKEN-SECRET",
    });
    const subject = new TestDriver(await gcs.fromClient(client).open("b", undefined, SHARED));
    for (const call of [() => subject.stat("k"), () => subject.write("k", "x"), () => subject.keys("")]) {
      const error = await call().catch((e: unknown) => e);
      const { inspect } = await import("node:util");
      expect(subject.driver.codeOf(error, { op: "stat", ifAbsent: false, ifMatch: false })).toBe("PermissionDenied");
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain("SECRET");
    }
    server.closeAllConnections();
    server.close();
  });
});
