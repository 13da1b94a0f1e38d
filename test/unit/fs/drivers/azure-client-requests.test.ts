/** What the caller's own `BlobServiceClient` is made to send, seen by an HTTP client in the place of the network. */
import { Readable } from "node:stream";
import type { TokenCredential } from "@azure/identity";
import { BlobServiceClient, StorageSharedKeyCredential } from "@azure/storage-blob";
import { expect, it } from "vitest";
import { azure } from "../../../../src/fs/drivers/azure/index.js";
import { TestDriver } from "../../../support/test-driver.js";

interface Sent {
  method: string;
  url: string;
  headers: { get(name: string): string | undefined; set(name: string, value: string): void };
  body?: unknown;
}
interface Answer {
  status?: number;
  headers?: Record<string, string>;
}

const STORED = { status: 201, headers: { etag: '"e"', "content-length": "0" } };
const URL_OF = "https://acc.blob.core.windows.net";

/** A client whose last policy answers instead of a server. */
async function on(credential: TokenCredential | StorageSharedKeyCredential, answers: (count: number) => Answer) {
  const sent: Sent[] = [];
  const client = new BlobServiceClient(URL_OF, credential, { retryOptions: { maxTries: 9 } });
  const { pipeline } = (client as unknown as { storageClientContext: { pipeline: Pipeline } }).storageClientContext;
  const reply = async (request: Sent) => {
    sent.push(request);
    const { status = 200, headers = {} } = answers(sent.length);
    const found = { ...headers, toJSON: () => headers, get: (name: string) => headers[name] };
    return { status, headers: found, request, readableStreamBody: Readable.from([]) };
  };
  pipeline.addPolicy({ name: "network", sendRequest: reply }, { afterPhase: "Sign" });
  return { sent, subject: await TestDriver.open(azure.fromClient(client).open, "box") };
}
interface Pipeline {
  addPolicy(policy: { name: string; sendRequest: unknown }, options?: { afterPhase: string }): void;
}

it("the client's pipeline signs, and retries are those of this library", async () => {
  const key = new StorageSharedKeyCredential("acc", Buffer.alloc(32).toString("base64"));
  const { subject, sent } = await on(key, (count) => (count < 3 ? { status: 503 } : STORED));
  await subject.write("a b", "x");
  expect(sent).toHaveLength(3);
  expect(sent[0]!.url).toBe(`${URL_OF}/box/a%20b`);
  expect(sent[0]!.headers.get("authorization")).toMatch(/^SharedKey acc:/);
});

it("a client's policy sees each request", async () => {
  const key = new StorageSharedKeyCredential("acc", Buffer.alloc(32).toString("base64"));
  const sent: Sent[] = [];
  const client = new BlobServiceClient(URL_OF, key);
  const { pipeline } = (client as unknown as { storageClientContext: { pipeline: Pipeline } }).storageClientContext;
  const reply = async (request: Sent) => {
    sent.push(request);
    return { status: 201, headers: { toJSON: () => STORED.headers, get: () => undefined }, request };
  };
  const mark = (request: Sent, next: (request: Sent) => unknown) => {
    request.headers.set("x-mine", "1");
    return next(request);
  };
  pipeline.addPolicy({ name: "mine", sendRequest: mark });
  pipeline.addPolicy({ name: "network", sendRequest: reply }, { afterPhase: "Sign" });
  const subject = await TestDriver.open(azure.fromClient(client).open, "box");
  await subject.write("k", "x");
  expect(sent[0]!.headers.get("x-mine")).toBe("1");
});

it("the tenant of a refusal is asked for the next token", async () => {
  const asked: unknown[] = [];
  const credential = {
    getToken: async (_scope: string | string[], options?: { tenantId?: string }) => {
      asked.push(options?.tenantId);
      return { token: `T${asked.length}`, expiresOnTimestamp: Date.now() + 3_600_000 };
    },
  };
  const challenge = `Bearer authorization_uri=https://login.microsoftonline.com/other-tenant/oauth2/authorize resource_id=https://storage.azure.com`;
  const { subject, sent } = await on(credential, (count) =>
    count === 1 ? { status: 401, headers: { "www-authenticate": challenge } } : STORED,
  );
  await subject.write("k", "x");
  expect(sent.map(({ headers }) => headers.get("authorization"))).toEqual(["Bearer T1", "Bearer T2"]);
  expect(asked).toEqual([undefined, "other-tenant"]);
});

it("a credential that gives no token is Unauthenticated before a request", async () => {
  const credential = {
    getToken: async () => {
      throw new Error("nobody signed in\nSECRET");
    },
  };
  const { subject, sent } = await on(credential, () => STORED);
  const error = await subject.write("k", "x").catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "Unauthenticated" });
  expect(String(error)).not.toContain("SECRET");
  expect(sent).toEqual([]);
});
