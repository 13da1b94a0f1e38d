/** Requests through the caller's own client are on `stowage:request` like all others, one for one. */
import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { Storage as GoogleStorage } from "@google-cloud/storage";
import { describe, expect, test } from "vitest";
import type { DriverFactory } from "../../../src/fs/driver/driver.js";
import { azure } from "../../../src/fs/drivers/azure/index.js";
import { gcs } from "../../../src/fs/drivers/gcs/index.js";
import { s3 } from "../../../src/fs/drivers/s3/index.js";
import type { Storage } from "../../../src/fs/storage.js";
import { hostile } from "../../hostile/support.js";
import { azureClient, gcsClient, s3Client } from "../../servers/index.mjs";
import { describeOn, type ServerOf, useBucket } from "../../servers/use.js";
import { ended, useChannels } from "../../support/channels.js";
import { recordingProxy, through } from "../../support/proxy.js";
import { useStorages } from "../../support/storages.js";

const open = useStorages();
const { ends, operations, requests } = useChannels();
const MIB = 2 ** 20;

type Clouds = "minio" | "fake-gcs" | "azurite";

const CLIENTS: Record<Clouds, { scheme: string; provider: string; client: (server: never) => Promise<DriverFactory> }> =
  {
    minio: {
      scheme: "s3",
      provider: "s3",
      client: async (server: ServerOf<"minio">) => s3.fromClient(await s3Client(server), { provider: "minio" }),
    },
    "fake-gcs": {
      scheme: "gs",
      provider: "gs",
      client: async (server: ServerOf<"fake-gcs">) => gcs.fromClient(await gcsClient(server)),
    },
    azurite: {
      scheme: "abfs",
      provider: "azure",
      client: async (server: ServerOf<"azurite">) => azure.fromClient(await azureClient(server)),
    },
  };

async function drain(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}

/** One call of each verb that sends requests, below `base`, in this order. */
function verbsOn(storage: Storage, base: string): [op: string, call: () => Promise<unknown>][] {
  const at = (name: string) => `${base}/${name}`;
  const account = base.slice(0, base.indexOf("://") + 3);
  const name = `stowage-${randomBytes(6).toString("hex")}`;
  return [
    ["write", () => storage.write(at("a"), "text")],
    ["write", () => storage.write(at("parts"), Buffer.alloc(9 * MIB))],
    ["writeJson", () => storage.writeJson(at("b"), {})],
    ["update", () => storage.update(at("b"), () => "{}")],
    ["stat", () => storage.stat(at("a"))],
    ["exists", () => storage.exists(at("none"))],
    ["bytes", () => storage.bytes(at("a"))],
    ["json", () => storage.json(at("b"))],
    ["read", () => drain(storage.read(at("a")))],
    ["ranges", () => storage.ranges(at("a"), [{ start: 0, end: 2 }])],
    ["setAttributes", () => storage.setAttributes(at("a"), { cacheControl: "no-store" })],
    ["list", () => drain(storage.list(base))],
    ["glob", () => drain(storage.glob(at("*")))],
    ["copy", () => storage.copy(at("a"), at("c"))],
    ["move", () => storage.move(at("c"), at("d"))],
    ["delete", () => storage.delete(at("d"))],
    ["delete", () => storage.delete([at("a"), at("b")])],
    ["delete", () => storage.delete(base, { recursive: true })],
    ["createBucket", () => storage.buckets(account).create(name)],
    ["listBuckets", () => drain(storage.buckets(account).list())],
    ["deleteBucket", () => storage.buckets(account).delete(name)],
  ];
}

for (const [name, { scheme, provider, client }] of Object.entries(CLIENTS)) {
  await describeOn(name as Clouds, `requests of the caller's own client on ${name}`, (server) => {
    const bucket = useBucket(server);

    test("are one event each, with the method, the address without its query and the status", {
      timeout: 60_000,
    }, async () => {
      const proxy = await recordingProxy(server.endpoint);
      const storage = open({ drivers: [await client(through(server, proxy) as never)], env: {} });
      const calls = operations();
      const sent = requests();
      const base = `${scheme}://${bucket().name}/base`;
      for (const [op, call] of verbsOn(storage, base)) {
        const before = { sent: sent.length, calls: calls.length };
        proxy.clear();
        await call();
        const events = ended(sent.slice(before.sent));
        const seen = proxy.requests.map(({ method, url: { pathname }, status }) => `${method} ${pathname} ${status}`);
        const told = events.map(({ method, url, status }) => `${method} ${new URL(String(url)).pathname} ${status}`);
        // Parts are sent at the same time.
        expect(told.sort(), op).toEqual(seen.sort());
        expect(seen.length, op).toBeGreaterThan(0);
        for (const event of events) {
          expect(event, op).toMatchObject({ op, provider, attempts: 1, ms: expect.any(Number) });
          if (Number(event.status) >= 400) expect(event.code, op).toEqual(expect.any(String));
        }
        const [operation] = ended(calls.slice(before.calls));
        expect(operation, op).toMatchObject({ op, requests: seen.length, attempts: seen.length });
      }
      expect(JSON.stringify(sent)).not.toContain("?");
      await proxy.close();
    });

    test("have the code of a refusal, and no secret", async () => {
      const storage = open({ drivers: [await client(server as never)], env: {} });
      const sent = requests();
      const missing = `${scheme}://no-such-bucket-${randomBytes(6).toString("hex")}/key`;
      await expect(storage.write(missing, "text")).rejects.toMatchObject({ code: "NotFound" });
      const [event] = ended(sent);
      expect(event).toMatchObject({
        op: "write",
        path: missing,
        status: 404,
        code: expect.any(String),
        sentBytes: expect.any(Number),
      });
      expect(Number(event!.sentBytes)).toBeGreaterThanOrEqual(4);
      const { secretKey = "-", connectionString = "-" } = server as { secretKey?: string; connectionString?: string };
      const key = /AccountKey=([^;]+)/.exec(connectionString)?.[1] ?? "-";
      const shown = inspect(sent, { depth: 9, showHidden: true });
      for (const secret of [secretKey, key]) if (secret !== "-") expect(shown).not.toContain(secret);
      expect(shown).not.toMatch(/authorization|Signature/i);
    });
  });
}

describe("Google's client", () => {
  const through = (apiEndpoint: string) => {
    const retryOptions = { maxRetryDelay: 0.01, retryDelayMultiplier: 1, totalTimeout: 5 };
    const google = new GoogleStorage({ apiEndpoint, projectId: "p", token: "canary-token", retryOptions });
    return open({ drivers: [gcs.fromClient(google)], env: {} });
  };

  test("repeats a request by itself, which is one event with one attempt", async () => {
    const sent = requests();
    const { endpoint, asked } = await hostile((_, count) =>
      count === 1 ? { status: 503 } : { headers: { "content-type": "application/json" }, body: OBJECT },
    );
    await through(endpoint).stat("gs://bucket/a");
    expect(asked).toHaveLength(2);
    expect(ended(sent)).toMatchObject([{ op: "stat", method: "GET", status: 200, attempts: 1 }]);
    expect(inspect(sent, { depth: 9, showHidden: true })).not.toContain("canary");
  });

  test("says Node's code where there is no response", async () => {
    const sent = requests();
    await expect(through("http://127.0.0.1:1").stat("gs://bucket/a")).rejects.toMatchObject({ code: "Unavailable" });
    expect(ended(sent)).toMatchObject([{ op: "stat", status: 0, code: "ECONNREFUSED" }]);
    expect(inspect(sent, { depth: 9, showHidden: true })).not.toContain("canary");
  });

  test("is called as before without a subscriber", async () => {
    const { endpoint, asked } = await hostile(() => ({
      headers: { "content-type": "application/json" },
      body: OBJECT,
    }));
    const sent = requests();
    for (const end of ends.splice(0)) end();
    await through(endpoint).stat("gs://bucket/a");
    expect(asked).toHaveLength(1);
    expect(sent).toEqual([]);
  });
});
const OBJECT = JSON.stringify({ name: "a", size: "4", generation: "1", updated: "2026-02-01T00:00:00Z" });
