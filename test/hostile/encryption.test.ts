/** The encryption of one call as it is sent to services whose emulators have none, and what is refused before. */
import { createHash } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { openStorage, type Storage } from "../../src/index.js";
import { type Asked, hostile, type Reply } from "./support.js";

const KEY = Buffer.alloc(32, 7);
const NEXT = Buffer.alloc(32, 8);
const text = (key: Buffer) => key.toString("base64");
const sum = (key: Buffer) => createHash("sha256").update(key).digest("base64");
const MODIFIED = "Sun, 01 Feb 2026 00:00:00 GMT";
const LARGE = new Uint8Array(9 * 2 ** 20);

/** Returns the headers of a request that have to do with encryption. */
function encryptionOf({ headers }: Asked): Record<string, unknown> {
  const found = Object.entries(headers).filter(([name]) => /-encryption-/.test(name));
  return Object.fromEntries(found);
}

function sent(asked: Asked[]): [string, Record<string, unknown>][] {
  return asked
    .splice(0)
    .map((one) => [
      `${one.method} ${one.url.searchParams.get("uploadType") ?? one.url.searchParams.get("comp") ?? ""}`.trim(),
      encryptionOf(one),
    ]);
}

describe("Google Cloud Storage", () => {
  const headers = (key: Buffer, prefix = "x-goog-encryption") => ({
    [`${prefix}-algorithm`]: "AES256",
    [`${prefix}-key`]: text(key),
    [`${prefix}-key-sha256`]: sum(key),
  });
  const stored = { name: "k", size: "4", generation: "1", updated: "2026-02-01T00:00:00Z" };

  function answer({ method, url }: Asked): Reply {
    if (url.pathname.includes("/rewriteTo/")) return { body: JSON.stringify({ done: true, resource: stored }) };
    if (url.searchParams.get("uploadType") === "resumable") return { headers: { location: `${url.origin}/session` } };
    if (url.searchParams.get("alt") === "media")
      return { headers: { "x-goog-generation": "1", "last-modified": MODIFIED }, body: "text" };
    return method === "DELETE" ? { status: 204 } : { body: JSON.stringify(stored) };
  }

  async function open(): Promise<{ storage: Storage; asked: Asked[] }> {
    const { endpoint, asked } = await hostile(answer);
    const extra = { is_anonymous: true, "gcs.endpoint": endpoint, kms_key_name: "of-connection" };
    const it = { type: "google_cloud_platform", extra };
    return { storage: openStorage({ connections: { it }, env: {} }), asked };
  }

  test("a customer's key goes with every request of a write, with reads, and with both sides of a copy", async () => {
    const { storage, asked } = await open();
    const path = "gs://it@bucket/k";
    await storage.write(path, "text", { encryption: { customerKey: KEY } });
    expect(sent(asked)).toEqual([["POST multipart", headers(KEY)]]);
    await storage.write(path, LARGE, { encryption: { customerKey: KEY } });
    expect(sent(asked)).toEqual([
      ["POST resumable", headers(KEY)],
      ["PUT", headers(KEY)],
    ]);
    await storage.stat(path, { customerKey: KEY });
    await storage.text(path, { customerKey: KEY });
    expect(sent(asked).map(([, own]) => own)).toEqual([headers(KEY), headers(KEY)]);
    await storage.copy(path, "gs://it@bucket/kept", { customerKey: KEY });
    await storage.copy(path, "gs://it@bucket/turned", { customerKey: KEY, encryption: { customerKey: NEXT } });
    await storage.copy(path, "gs://it@bucket/plain", { customerKey: KEY, encryption: {} });
    const source = headers(KEY, "x-goog-copy-source-encryption");
    expect(sent(asked).map(([, own]) => own)).toEqual([
      { ...source, ...headers(KEY) },
      { ...source, ...headers(NEXT) },
      source,
    ]);
    await storage.close();
  });

  test("a key of Cloud KMS replaces that of the connection; without any, the bucket's counts", async () => {
    const { storage, asked } = await open();
    const keyOf = ({ url }: Asked) =>
      url.searchParams.get("kmsKeyName") ?? url.searchParams.get("destinationKmsKeyName");
    const path = "gs://it@bucket/k";
    await storage.write(path, "text");
    await storage.write(path, "text", { encryption: { kmsKeyId: "projects/p/cryptoKeys/k" } });
    await storage.write(path, "text", { encryption: {} });
    await storage.write(path, "text", { encryption: { customerKey: KEY } });
    await storage.copy(path, "gs://it@bucket/l", { encryption: { kmsKeyId: "other" } });
    expect(asked.map(keyOf)).toEqual(["of-connection", "projects/p/cryptoKeys/k", null, null, "other"]);
    await storage.close();
  });

  test("the checksums that the service knows are fields of the object", async () => {
    const { storage, asked } = await open();
    await storage.write("gs://it@bucket/k", "123456789", { checksum: { crc32c: "e3069283" } });
    expect(String(asked[0]!.body)).toContain('"crc32c":"4waSgw=="');
    await storage.write("gs://it@bucket/k", "", { checksum: { md5: "d41d8cd98f00b204e9800998ecf8427e" } });
    expect(String(asked[1]!.body)).toContain('"md5Hash":"1B2M2Y8AsgTpgAmY7PhCfg=="');
    await storage.close();
  });
});

describe("Azure", () => {
  const headers = (key: Buffer) => ({
    "x-ms-encryption-algorithm": "AES256",
    "x-ms-encryption-key": text(key),
    "x-ms-encryption-key-sha256": sum(key),
  });
  const scope = (name: string) => ({ "x-ms-encryption-scope": name });

  function answer({ method, headers: { range } }: Asked): Reply {
    const described = { etag: '"e"', "last-modified": MODIFIED };
    if (method === "HEAD") return { headers: { ...described, "content-length": "4" } };
    if (method === "GET") return { status: range ? 206 : 200, headers: described, body: "text" };
    return { status: 201, headers: described };
  }

  async function open(): Promise<{ storage: Storage; asked: Asked[] }> {
    const { endpoint, asked } = await hostile((one) =>
      one.headers["x-ms-copy-source"] === undefined
        ? answer(one)
        : { status: 202, headers: { etag: '"e"', "x-ms-copy-id": "1", "x-ms-copy-status": "success" } },
    );
    const account = `AccountName=acc;AccountKey=${text(Buffer.alloc(32))};BlobEndpoint=${endpoint}/acc;`;
    const extra = { connection_string: `DefaultEndpointsProtocol=http;${account}`, encryption_scope: "connection" };
    return { storage: openStorage({ connections: { it: { type: "wasb", extra } }, env: {} }), asked };
  }

  test("a scope replaces that of the connection, in one request and in blocks", async () => {
    const { storage, asked } = await open();
    await storage.write("abfs://it@bucket/k", "text");
    await storage.write("abfs://it@bucket/k", LARGE, { encryption: { scope: "mine" } });
    await storage.write("abfs://it@bucket/k", "text", { encryption: {} });
    expect(sent(asked)).toEqual([
      ["PUT", scope("connection")],
      ["PUT block", scope("mine")],
      ["PUT block", scope("mine")],
      ["PUT blocklist", scope("mine")],
      ["PUT", {}],
    ]);
    await storage.copy("abfs://it@bucket/k", "abfs://it@bucket/l", { encryption: { scope: "mine" } });
    expect(sent(asked).at(-1)).toEqual(["PUT", scope("mine")]);
    await storage.close();
  });

  test("a customer's key goes with writes, reads and changes; a copy passes through this process", async () => {
    const { storage, asked } = await open();
    const path = "abfs://it@bucket/k";
    await storage.write(path, LARGE, { encryption: { customerKey: KEY } });
    await storage.stat(path, { customerKey: KEY });
    await storage.text(path, { customerKey: KEY });
    await storage.setAttributes(path, { metadata: { a: "1" } }, { customerKey: KEY }).catch(() => {});
    const all = sent(asked);
    expect(all.map(([what]) => what)).toContain("PUT metadata");
    for (const [what, own] of all) expect([what, own]).toEqual([what, headers(KEY)]);
    await storage.copy(path, "abfs://it@bucket/l", { customerKey: KEY, encryption: { customerKey: NEXT } });
    expect(sent(asked)).toEqual([
      ["GET", headers(KEY)],
      ["PUT", headers(NEXT)],
      ["HEAD", headers(NEXT)],
    ]);
    await storage.close();
  });

  test("the MD5 of one request is compared and stored; of blocks it is stored with their list", async () => {
    const { storage, asked } = await open();
    const md5 = (data: Uint8Array) => createHash("md5").update(data).digest();
    await storage.write("abfs://it@bucket/k", "text", { checksum: { md5: md5(Buffer.from("text")) } });
    const whole = text(md5(Buffer.from("text")));
    expect(asked[0]!.headers).toMatchObject({ "content-md5": whole, "x-ms-blob-content-md5": whole });
    asked.length = 0;
    await storage.write("abfs://it@bucket/k", LARGE, { checksum: { md5: md5(LARGE) } });
    expect(asked.map(({ headers: own }) => own["content-md5"])).toEqual([undefined, undefined, undefined]);
    expect(asked[2]!.headers["x-ms-blob-content-md5"]).toBe(text(md5(LARGE)));
    await storage.close();
  });
});

describe("before any request", () => {
  const PLACES = {
    s3: { path: "s3://it@bucket/k", has: ["sse", "kmsKeyId", "customerKey"] },
    gs: { path: "gs://it@bucket/k", has: ["kmsKeyId", "customerKey"] },
    abfs: { path: "abfs://it@bucket/k", has: ["scope", "customerKey"] },
    memory: { path: "memory://bucket/k", has: [] as string[] },
    file: { path: "file:///bucket/k", has: [] as string[] },
  };
  const FIELDS = { sse: "AES256", kmsKeyId: "k", customerKey: KEY, scope: "s" };

  async function open(): Promise<{ storages: Record<string, Storage>; asked: Asked[] }> {
    const { endpoint, asked } = await hostile(() => ({ status: 400 }));
    const text = `DefaultEndpointsProtocol=http;AccountName=a;AccountKey=AAAA;BlobEndpoint=${endpoint}/a;`;
    const connections = {
      s3: { type: "aws", login: "a", password: "b", extra: { endpoint_url: endpoint } },
      gs: { type: "google_cloud_platform", extra: { is_anonymous: true, "gcs.endpoint": endpoint } },
      abfs: { type: "wasb", extra: { connection_string: text } },
    };
    const opened = Object.entries(connections).map(([name, it]) => [
      name,
      openStorage({ connections: { it }, env: {} }),
    ]);
    const plain = openStorage({ env: {} });
    return { storages: { ...Object.fromEntries(opened), memory: plain, file: plain }, asked };
  }

  test("a field that the provider does not have is Unsupported, by its name", async () => {
    const { storages, asked } = await open();
    for (const [name, { path, has }] of Object.entries(PLACES)) {
      const storage = storages[name]!;
      for (const field of Object.keys(FIELDS).filter((one) => !has.includes(one))) {
        const encryption = { [field]: FIELDS[field as keyof typeof FIELDS] };
        const refused = { code: "Unsupported", message: new RegExp(field), attempts: 0 };
        await expect(storage.write(path, "text", { encryption }), `${name} ${field}`).rejects.toMatchObject(refused);
        if (field !== "customerKey") continue;
        await expect(storage.stat(path, { customerKey: KEY }), name).rejects.toMatchObject(refused);
        await expect(storage.text(path, { customerKey: KEY }), name).rejects.toMatchObject(refused);
      }
    }
    expect(asked).toEqual([]);
  });

  test("what no provider takes is InvalidArgument, and no message shows a key", async () => {
    const { storages, asked } = await open();
    const short = Buffer.alloc(31, 9);
    const wrong: [unknown, RegExp][] = [
      [{ customerKey: short }, /encryption\.customerKey must be 32 bytes/],
      [{ customerKey: text(short) }, /encryption\.customerKey/],
      [{ customerKey: `${text(KEY)} ` }, /encryption\.customerKey/],
      [{ customerKey: text(KEY).replace("=", "") }, /encryption\.customerKey/],
      [{ customerKey: 7 }, /encryption\.customerKey/],
      [{ customerKey: KEY, sse: "AES256" }, /excludes/],
      [{ sse: "AES128" }, /encryption\.sse/],
      [{ sse: "AES256", kmsKeyId: "k" }, /encryption\.kmsKeyId/],
      [{ kmsKeyId: "" }, /encryption\.kmsKeyId/],
      [{ kmsKeyId: "a\r\nx-evil: 1" }, /encryption\.kmsKeyId/],
      [{ kmsKey: "k" }, /kmsKey/],
      ["AES256", /encryption/],
    ];
    for (const [encryption, message] of wrong) {
      const work = storages.s3!.write("s3://it@bucket/k", "text", { encryption: encryption as never });
      const error = await work.catch((reason: unknown) => reason);
      expect(error, inspect(encryption)).toMatchObject({ code: "InvalidArgument", message });
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(text(short).slice(0, 20));
    }
    const stat = storages.s3!.stat("s3://it@bucket/k", { customerKey: "short" });
    await expect(stat).rejects.toMatchObject({ code: "InvalidArgument", op: "stat", message: /customerKey must be/ });
    expect(asked).toEqual([]);
  });

  test("a customer's key never goes to another machine over http", async () => {
    const text = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=AAAA;BlobEndpoint=http://192.0.2.1/a;";
    const connections = {
      s3: { type: "aws", login: "a", password: "b", extra: { endpoint_url: "http://192.0.2.1" } },
      gs: { type: "google_cloud_platform", extra: { is_anonymous: true, "gcs.endpoint": "http://192.0.2.1" } },
      abfs: { type: "wasb", extra: { connection_string: text } },
    };
    await using storage = openStorage({ connections, env: {} });
    for (const name of Object.keys(connections)) {
      const refused = { code: "InvalidArgument", message: /only sent over https/ };
      const path = `${name}://${name}@bucket/k`;
      await expect(storage.write(path, "a", { encryption: { customerKey: KEY } })).rejects.toMatchObject(refused);
      await expect(storage.stat(path, { customerKey: KEY })).rejects.toMatchObject(refused);
      await expect(storage.copy(path, `${path}2`, { customerKey: KEY })).rejects.toMatchObject(refused);
    }
  });

  test("a server that repeats the key in its refusal does not bring it into a message", async () => {
    const body = `<Error><Code>InvalidRequest</Code><Message>key ${text(KEY)} of you</Message></Error>`;
    const { endpoint } = await hostile(() => ({ status: 400, body }));
    const it = { type: "aws", login: "a", password: "b", extra: { endpoint_url: endpoint } };
    await using storage = openStorage({ connections: { it }, env: {} });
    const work = storage.write("s3://it@bucket/k", "a", { encryption: { customerKey: KEY } });
    const error = await work.catch((reason: Error) => reason);
    expect(String(error)).toContain("key [redacted] of you");
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(text(KEY));
  });
});
