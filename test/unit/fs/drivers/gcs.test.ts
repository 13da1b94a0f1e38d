import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { memoryLimiter } from "../../../../src/concurrency.js";
import { toConnection } from "../../../../src/connections/airflow-format.js";
import type { ConnectionInput } from "../../../../src/connections/connection.js";
import { BatchDeleteError, type Driver } from "../../../../src/fs/driver/driver.js";
import { gcsOptions } from "../../../../src/fs/drivers/gcs/connection.js";
import { gcsDriver } from "../../../../src/fs/drivers/gcs/driver.js";
import { openGcs, openServer } from "../../../../src/fs/drivers/gcs/open.js";
import { gcsClient } from "../../../servers/index.mjs";
import { describeOn, useBucket } from "../../../servers/use.js";
import { type Recorder, recordingProxy, through } from "../../../support/proxy.js";
import { TestDriver } from "../../../support/test-driver.js";

const MIB = 2 ** 20;
const SHARED = { uploads: memoryLimiter(), downloads: memoryLimiter(), env: {} };

/** A driver that takes the server for Google's own, whatever its address. */
async function google(bucket: string, input: ConnectionInput): Promise<Driver> {
  const options = gcsOptions(toConnection("g", input), {});
  return gcsDriver(await openServer(bucket, options, SHARED, true), SHARED);
}

const open = (bucket: string, input: ConnectionInput) =>
  Promise.resolve(openGcs(bucket, toConnection("g", input), SHARED));

const anonymous = (endpoint: string, extra: Record<string, unknown> = {}): ConnectionInput => ({
  type: "google_cloud_platform",
  extra: { is_anonymous: true, "gcs.endpoint": endpoint, ...extra },
});

const bytesOf = (size: number) => Buffer.alloc(size, "0123456789abcdefg");

async function* stream(data: Uint8Array, chunk: number) {
  for (let at = 0; at < data.byteLength; at += chunk) yield data.subarray(at, at + chunk);
}

await describeOn("fake-gcs", "on fake-gcs-server", (server) => {
  const bucket = useBucket(server, { versioned: true });
  let proxy: Recorder;
  let driver: Driver;
  let tested: TestDriver;

  beforeAll(async () => {
    proxy = await recordingProxy(server.endpoint);
    driver = await open(bucket().name, through(server, proxy).connection);
    tested = new TestDriver(driver);
  });
  afterAll(async () => {
    await driver.close();
    await proxy.close();
  });

  /** Which requests `work` sends. */
  async function sent(work: () => Promise<unknown>) {
    proxy.clear();
    await work();
    return proxy.operations();
  }

  describe("requests", () => {
    test.each([
      [0, { write: 1 }],
      [8 * MIB, { write: 1 }],
      [8 * MIB + 1, { begin: 1, part: 1 }],
      [16 * MIB, { begin: 1, part: 1 }],
      [16 * MIB + 1, { begin: 1, part: 2 }],
    ])("a write of %d bytes, known or not", async (size, requests) => {
      const data = bytesOf(size);
      expect(await sent(() => tested.write("w", data, { size }))).toEqual(requests);
      expect(await sent(() => tested.write("w", stream(data, 300_000)))).toEqual(requests);
      const { info, body } = await tested.open("w");
      expect(info.size).toBe(size);
      expect(Buffer.compare(await buffer(body), data)).toBe(0);
    });

    test("reading, also a range, stating, copying, deleting one and listing are one request each", async () => {
      await tested.write("one", "hello");
      expect(await sent(() => tested.text("one"))).toEqual({ read: 1 });
      expect(await sent(() => tested.text("one", { start: 1, end: 3 }))).toEqual({ read: 1 });
      expect(await sent(() => tested.text("none").catch(() => {}))).toEqual({ read: 1 });
      expect(await sent(() => tested.stat("one"))).toEqual({ stat: 1 });
      expect(await sent(() => tested.copy("one", "two", { bucket: bucket().name }))).toEqual({ copy: 1 });
      expect(await sent(() => tested.delete("two"))).toEqual({ delete: 1 });
      expect(await sent(() => tested.keys("one"))).toEqual({ list: 1 });
    });

    test("deleting 201 objects takes 2 batches and 1 delete", async () => {
      const keys = Array.from({ length: 201 }, (_, i) => `batch/${i} & <b> é?#%2F`);
      await Promise.all(keys.map((key) => tested.write(key, "x")));
      expect(await sent(() => tested.delete(...keys, ...[]))).toEqual({ deleteBatch: 2, delete: 1 });
      expect(await tested.keys("batch/")).toEqual([]);
      expect(await sent(() => tested.delete("none-1", "none-2"))).toEqual({ deleteBatch: 1 });
    });

    test("conditions, the key and the payer are sent as the service wants them", async () => {
      const extra = { kms_key_name: "projects/p/locations/l/keyRings/r/cryptoKeys/k", "gcs.requester-pays": "payer" };
      const other = new TestDriver(await open(bucket().name, anonymous(proxy.endpoint, extra)));
      proxy.clear();
      const { etag = "" } = await other.write("sent", "1", { ifAbsent: true });
      await other.write("sent", "2", { ifMatch: etag });
      await other.write("sent", stream(bytesOf(9 * MIB), MIB), { size: 9 * MIB });
      await other.copy("sent", "copied", { bucket: bucket().name, ifMatch: etag });
      const queries = proxy.requests.map(({ url }) => Object.fromEntries(url.searchParams));
      expect(queries[0]).toMatchObject({ ifGenerationMatch: "0", kmsKeyName: extra.kms_key_name });
      expect(queries[1]).toMatchObject({ ifGenerationMatch: etag });
      expect(queries[2]).toMatchObject({ uploadType: "resumable", kmsKeyName: extra.kms_key_name });
      expect(queries[4]).toMatchObject({ ifSourceGenerationMatch: etag, destinationKmsKeyName: extra.kms_key_name });
      expect(proxy.requests.every(({ headers }) => headers["x-goog-user-project"] === "payer")).toBe(true);
      await other.driver.close();
    });
  });

  describe("on Google's own service", () => {
    test("reads go by the XML API, with metadata, ranges, conditions and versions in one request", async () => {
      const own = new TestDriver(await google(bucket().name, server.connection));
      const key = "xml/a b?#%2F+é/🙀";
      const { etag: first = "" } = await own.write(key, "hello", { metadata: { a: "é" }, contentType: "text/x" });
      const { info, body } = await own.open(key, { start: 1, end: 3 });
      expect((await buffer(body)).toString()).toBe("el");
      expect(info).toMatchObject({ key, size: 5, etag: first, contentType: "text/x", metadata: { a: "é" } });
      await own.write(key, "other");
      expect(await own.text(key, { version: first })).toBe("hello");
      await expect(own.open(key, { ifMatch: first })).rejects.toMatchObject({ code: "PreconditionFailed" });
      expect(await own.text(key, { start: 5 })).toBe("");
      await own.driver.close();
    });

    test("M07 a copy with ifAbsent sends the condition; elsewhere, where nobody heeds it, it is Unsupported", async () => {
      const own = new TestDriver(await google(bucket().name, anonymous(proxy.endpoint)));
      await tested.write("src", "1");
      proxy.clear();
      await own.copy("src", "dst", { bucket: bucket().name, ifAbsent: true });
      expect(proxy.requests[0]!.url.searchParams.get("ifGenerationMatch")).toBe("0");
      const refused = tested.copy("src", "dst2", { bucket: bucket().name, ifAbsent: true });
      await expect(refused).rejects.toMatchObject({ code: "Unsupported" });
      await own.driver.close();
    });
  });

  test.each([".", ".."])("K06 the key %s, which no object may have, is refused before any request", async (key) => {
    proxy.clear();
    const refusal = { code: "InvalidArgument" };
    for (const work of [tested.write(key, "x"), tested.stat(key), tested.text(key), tested.copy("a", key)])
      await expect(work).rejects.toMatchObject(refusal);
    expect(proxy.requests).toEqual([]);
  });

  describe("with the official client", () => {
    test("each reads what the other wrote: bytes, type, metadata and odd keys", async () => {
      const file = (key: string) => theirs.bucket(bucket().name).file(key);
      const theirs = await gcsClient(server);
      const name = fc
        .string({ unit: "grapheme", minLength: 1, maxLength: 12 })
        .filter((key) => /^[^\r\n\u0000]+$/.test(key) && key !== "." && key !== "..");
      const object = fc.record({
        key: fc.oneof(name, fc.constantFrom("a//b", "a/./b", "a/../b", "x/", "%2F", "é?#&=+ ", "🙀")),
        data: fc.uint8Array({ maxLength: 100 }),
        contentType: fc.constantFrom("text/plain", "application/json; charset=utf-8"),
        value: fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 20 }).map((v) => `v${v.trim()}é`),
      });
      await fc.assert(
        fc.asyncProperty(object, async ({ key, data, contentType, value }) => {
          const metadata = { "some-name": value };
          await tested.write(key, data, { contentType, metadata });
          const [[read], [meta]] = await Promise.all([file(key).download(), file(key).getMetadata()]);
          expect(Buffer.compare(read, data)).toBe(0);
          expect(meta).toMatchObject({ contentType, metadata });

          await file(key).save(Buffer.from(data), { resumable: false, contentType, metadata: { metadata } });
          const { info, body } = await tested.open(key);
          expect(Buffer.compare(await buffer(body), data)).toBe(0);
          const facts = { key, size: data.byteLength, contentType, metadata };
          expect(info).toMatchObject(facts);
          // The emulator states the class in the resource only.
          expect(await tested.stat(key)).toEqual({ ...info, storageClass: "STANDARD" });
          expect((await tested.items(key)).map((item) => item.key)).toContain(key);
        }),
        { numRuns: 60 },
      );
    });

    test("W22 an object with Content-Encoding: gzip is read as it is stored, whole and in ranges", async () => {
      const { gzipSync } = await import("node:zlib");
      const packed = gzipSync("hello ".repeat(100));
      const file = (await gcsClient(server)).bucket(bucket().name).file("packed");
      await file.save(packed, { resumable: false, metadata: { contentEncoding: "gzip", contentType: "text/plain" } });
      const { info, body } = await tested.open("packed");
      expect([info.size, Buffer.compare(await buffer(body), packed)]).toEqual([packed.byteLength, 0]);
      const part = await tested.open("packed", { start: 2, end: 9 });
      expect(Buffer.compare(await buffer(part.body), packed.subarray(2, 9))).toBe(0);
    });
  });

  test("a conditional write leaves no mark in the metadata that readers see", async () => {
    await tested.write("marked", "1", { ifAbsent: true, metadata: { mine: "1" } });
    expect((await tested.stat("marked")).metadata).toEqual({ mine: "1" });
    expect((await tested.open("marked")).info.metadata).toEqual({ mine: "1" });
    await tested.write("plain", "1", { ifAbsent: true });
    expect((await tested.stat("plain")).metadata).toBe(undefined);
  });

  test("versions come newest first, each can be read and deleted", async () => {
    const etags: string[] = [];
    for (const text of ["1", "2", "3"]) etags.push((await tested.write("v/k", text)).etag!);
    await tested.write("v/l", "x");
    const items = await tested.items("v/", { versions: true });
    expect(items.map(({ key, version, latest }) => [key, version, latest])).toEqual([
      ["v/k", etags[2], true],
      ["v/k", etags[1], false],
      ["v/k", etags[0], false],
      ["v/l", items[3]!.version, true],
    ]);
    await driver.delete([{ key: "v/k", version: etags[1]! }], { signal: undefined });
    await expect(tested.open("v/k", { version: etags[1]! })).rejects.toMatchObject({ status: 404 });
    expect(await tested.text("v/k", { version: etags[0]! })).toBe("1");
  });

  test("L05 startAfter is exclusive, inside and outside the prefix, with and without a delimiter", async () => {
    for (const key of ["s/a", "s/b/1", "s/b/2", "s/c"]) await tested.write(key, "x");
    expect(await tested.keys("s/", { startAfter: "s/a" })).toEqual(["s/b/1", "s/b/2", "s/c"]);
    expect(await tested.keys("s/", { startAfter: "s/b/1" })).toEqual(["s/b/2", "s/c"]);
    expect(await tested.keys("s/", { startAfter: "s/b/1", delimiter: "/" })).toEqual(["s/c"]);
    expect(await tested.keys("s/", { startAfter: "a" })).toEqual(["s/a", "s/b/1", "s/b/2", "s/c"]);
  });

  test("a foreign etag matches nothing", async () => {
    await tested.write("foreign", "x");
    await expect(tested.write("foreign", "y", { ifMatch: '"abc"' })).rejects.toMatchObject({
      code: "PreconditionFailed",
    });
    await expect(tested.open("foreign", { ifMatch: '"abc"' })).rejects.toMatchObject({ code: "PreconditionFailed" });
  });
});

/** A server that speaks just enough, and fails where a test says so. */
interface Scripted {
  endpoint: string;
  asked: { method: string; url: URL; range: string | undefined; headers: IncomingMessage["headers"]; body: Buffer }[];
  close(): Promise<void>;
}
type Script = (request: Scripted["asked"][number], response: ServerResponse, nth: number) => void;

async function scripted(script: Script): Promise<Scripted> {
  const asked: Scripted["asked"] = [];
  const http = createServer(async (request, response) => {
    const url = new URL(request.url ?? "", "http://x");
    const body = await buffer(request);
    const one = {
      method: request.method ?? "",
      url,
      range: request.headers["content-range"],
      headers: request.headers,
      body,
    };
    asked.push(one);
    script(one, response, asked.length);
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      http.close(() => resolve());
      http.closeAllConnections();
    });
  return { endpoint: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, asked, close };
}

const json = (response: ServerResponse, status: number, value: unknown) =>
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
const refuse = (response: ServerResponse, code: number, reason: string) =>
  json(response, code, { error: { code, message: "because", errors: [{ reason }] } });

/** A resumable upload as the service documents it: it keeps what it got, answers questions, forgets duplicates. */
function resumable(faults: (nth: number) => { keep?: number; lose?: boolean; status?: number } | undefined) {
  const state = { data: Buffer.alloc(0), done: false, cancelled: false, puts: 0 };
  const script: Script = ({ method, url, range = "", body }, response) => {
    if (method === "POST") {
      response.writeHead(200, { location: `https://elsewhere.invalid${url.pathname}?upload_id=SECRET` }).end();
      return;
    }
    if (method === "DELETE") {
      state.cancelled = true;
      response.writeHead(499).end();
      return;
    }
    const fault = body.byteLength > 0 ? faults(++state.puts) : undefined;
    if (fault?.status) return void refuse(response, fault.status, "scripted");
    const [, first, , total] = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(range) ?? [];
    const kept = body.subarray(0, fault?.keep);
    if (first !== undefined) {
      const fresh = kept.subarray(Math.max(0, state.data.byteLength - Number(first)));
      state.data = Buffer.concat([state.data, fresh]);
    }
    state.done ||= total !== undefined && total !== "*" && state.data.byteLength === Number(total);
    if (fault?.lose) return void response.destroy();
    if (state.done) return void json(response, 200, { generation: "42" });
    const headers = state.data.byteLength > 0 ? { range: `bytes=0-${state.data.byteLength - 1}` } : {};
    response.writeHead(308, headers).end();
  };
  return { state, script };
}

describe("resumable uploads", () => {
  const size = 40 * MIB + 5;
  const data = bytesOf(size);

  async function run(
    faults: Parameters<typeof resumable>[0],
    check: (outcome: unknown, state: ReturnType<typeof resumable>["state"], asked: Scripted["asked"]) => void,
  ) {
    const { state, script } = resumable(faults);
    const server = await scripted(script);
    const tested = new TestDriver(await google("b", anonymous(server.endpoint)));
    const outcome = await tested.write("k", stream(data, 3 * MIB), { size }).catch((error) => error);
    check(outcome, state, server.asked);
    await tested.driver.close();
    await server.close();
  }

  test("chunks of 16 MiB, the last with the size, and no question in between", () =>
    run(
      () => undefined,
      (outcome, state, asked) => {
        expect(outcome).toEqual({ etag: "42", version: "42" });
        expect(Buffer.compare(state.data, data)).toBe(0);
        expect(asked.slice(1).map(({ range }) => range)).toEqual([
          `bytes 0-${16 * MIB - 1}/*`,
          `bytes ${16 * MIB}-${32 * MIB - 1}/*`,
          `bytes ${32 * MIB}-${size - 1}/${size}`,
        ]);
      },
    ));

  test("F7 a lost answer is followed by the question how far it got, and the rest of the chunk", () =>
    run(
      (nth) => (nth === 2 ? { keep: 5 * MIB, lose: true } : undefined),
      (outcome, state, asked) => {
        expect(outcome).toMatchObject({ etag: "42" });
        expect(Buffer.compare(state.data, data)).toBe(0);
        expect(asked.slice(3, 5).map(({ range }) => range)).toEqual([
          "bytes */*",
          `bytes ${21 * MIB}-${32 * MIB - 1}/*`,
        ]);
      },
    ));

  test("F22 the lost answer to the last chunk is found by asking, and nothing is sent twice", () =>
    run(
      (nth) => (nth === 3 ? { lose: true } : undefined),
      (outcome, state, asked) => {
        expect(outcome).toMatchObject({ etag: "42" });
        expect(state.done).toBe(true);
        expect(asked.length).toBe(5);
      },
    ));

  test("a service that keeps only part of each chunk gets the rest", () =>
    run(
      () => ({ keep: 7 * MIB }),
      (outcome, state) => {
        expect(outcome).toMatchObject({ etag: "42" });
        expect(Buffer.compare(state.data, data)).toBe(0);
      },
    ));

  test("a service that keeps nothing is given up, and the upload cancelled", () =>
    run(
      () => ({ keep: 0 }),
      (outcome, state) => {
        expect(outcome).toMatchObject({ code: "Unavailable" });
        expect([state.cancelled, state.puts]).toEqual([true, 6]);
      },
    ));

  test.each([404, 410])(
    "F21 a forgotten upload (%d) is Unavailable, not a missing object, and tells no secret",
    (status) =>
      run(
        (nth) => (nth === 2 ? { status } : undefined),
        (outcome, state) => {
          expect(outcome).toMatchObject({ code: "Unavailable" });
          expect(state.cancelled).toBe(true);
          const { inspect } = require("node:util") as typeof import("node:util");
          expect(inspect(outcome, { depth: 9, showHidden: true })).not.toContain("SECRET");
        },
      ),
  );

  test("on an emulator nothing is asked: a lost answer fails the write", async () => {
    const { script } = resumable((nth) => (nth === 2 ? { lose: true } : undefined));
    const server = await scripted(script);
    const tested = new TestDriver(await open("b", anonymous(server.endpoint)));
    await expect(tested.write("k", stream(data, 3 * MIB), { size })).rejects.toMatchObject({ kind: "network" });
    expect(server.asked.some(({ range }) => range === "bytes */*")).toBe(false);
    await tested.driver.close();
    await server.close();
  });

  test("F33 an abort while a chunk is on its way cancels the upload", async () => {
    const abort = new AbortController();
    const { state, script } = resumable((nth) => {
      if (nth === 2) abort.abort("enough");
      return undefined;
    });
    const server = await scripted(script);
    const tested = new TestDriver(await google("b", anonymous(server.endpoint)));
    await expect(tested.write("k", stream(data, 3 * MIB), { size, signal: abort.signal })).rejects.toBe("enough");
    expect([state.cancelled, state.done]).toEqual([true, false]);
    await tested.driver.close();
    await server.close();
  });
});

describe("answers that were lost", () => {
  /** A service that stores the first write but loses its answer, and holds `other` afterwards if that is given. */
  async function lossy(other: { metadata?: object } | undefined, look = 200) {
    let stored: { metadata?: object } = {};
    return scripted(({ method, body }, response, nth) => {
      if (nth === 1) {
        stored = JSON.parse(/\{.*\}/.exec(body.toString())![0]);
        return void response.destroy();
      }
      if (method === "POST") return void refuse(response, 412, "conditionNotMet");
      if (look !== 200) return void refuse(response, look, "scripted");
      json(response, 200, { generation: "7", ...(other ?? stored) });
    });
  }

  test.each(["ifAbsent", "ifMatch"] as const)(
    "F25 a write with %s that succeeded at the first try is a success",
    async (condition) => {
      const server = await lossy(undefined);
      const tested = new TestDriver(await google("b", anonymous(server.endpoint)));
      const options = condition === "ifAbsent" ? { ifAbsent: true } : { ifMatch: "5" };
      expect(await tested.write("k", "mine", options)).toEqual({ etag: "7", version: "7" });
      await tested.driver.close();
      await server.close();
    },
  );

  test("F25 somebody else's object, equal in content, is still AlreadyExists", async () => {
    const server = await lossy({ metadata: {} });
    const tested = new TestDriver(await google("b", anonymous(server.endpoint)));
    const error = await tested.write("k", "mine", { ifAbsent: true }).catch((e) => e);
    expect(tested.driver.codeOf(error, { op: "write", ifAbsent: true, ifMatch: false })).toBe("AlreadyExists");
    await tested.driver.close();
    await server.close();
  });

  test("F22 when the object cannot be looked at, it is CommitUnknown", async () => {
    const server = await lossy(undefined, 403);
    const tested = new TestDriver(await google("b", anonymous(server.endpoint)));
    await expect(tested.write("k", "mine", { ifAbsent: true })).rejects.toMatchObject({ code: "CommitUnknown" });
    await tested.driver.close();
    await server.close();
  });
});

describe("answers that are wrong", () => {
  async function reading(answer: (response: ServerResponse) => void) {
    const server = await scripted((_, response) => answer(response));
    const tested = new TestDriver(await google("b", anonymous(server.endpoint)));
    const outcome = await tested.open("k", { start: 10, end: 20 }).then(
      ({ body }) => buffer(body),
      (error) => error,
    );
    await tested.driver.close();
    await server.close();
    return outcome;
  }

  test("F16 a server that ignores the range, or sends another, is caught before a byte is delivered", async () => {
    const whole = await reading((response) => response.writeHead(200, { "content-length": "100" }).end(bytesOf(100)));
    expect(whole).toMatchObject({ code: "Unsupported" });
    const headers = { "content-length": "10", "content-range": "bytes 0-9/100" };
    const other = await reading((response) => response.writeHead(206, headers).end(bytesOf(10)));
    expect(other).toMatchObject({ code: "Unsupported" });
  });

  test.each(["", "{}", "null", "[]", '{"na'])(
    "F9 an answer cut to %j is an error, and never an empty success",
    async (text) => {
      const server = await scripted((_, response) => response.writeHead(200, { location: "/x" }).end(text));
      const tested = new TestDriver(await google("b", anonymous(server.endpoint, { num_retries: 0 })));
      for (const [name, call, code] of [
        ["stat", () => tested.stat("k"), "Unavailable"],
        ["list", () => tested.keys(""), "Unavailable"],
        ["copy", () => tested.copy("a", "b", { bucket: "b" }), "Unavailable"],
        ["write", () => tested.write("k", "x"), "CommitUnknown"],
        ["write in parts", () => tested.write("k", bytesOf(9 * MIB)), "CommitUnknown"],
      ] as const) {
        await expect(call(), name).rejects.toMatchObject({ code });
      }
      await tested.driver.close();
      await server.close();
    },
  );

  test("F9 a batch whose answer is cut to nothing is asked again, key by key", async () => {
    const server = await scripted(({ method }, response) => response.writeHead(method === "POST" ? 200 : 204).end());
    const tested = new TestDriver(await google("b", anonymous(server.endpoint)));
    await tested.delete("a", "b");
    expect(server.asked.map(({ method }) => method)).toEqual(["POST", "DELETE", "DELETE"]);
    await tested.driver.close();
    await server.close();
  });

  test("a listing asks for its kind, so that an empty one has content", async () => {
    const server = await scripted((_, response) => json(response, 200, { kind: "storage#objects" }));
    const tested = new TestDriver(await google("b", anonymous(server.endpoint)));
    expect(await tested.keys("")).toEqual([]);
    expect(server.asked[0]!.url.searchParams.get("fields")).toMatch(/^kind,/);
    await tested.driver.close();
    await server.close();
  });

  test("F27 a listing that repeats its page ends in an error, an empty page with a token goes on", async () => {
    const server = await scripted(({ url }, response) => {
      const token = url.searchParams.get("pageToken");
      if (token === null) return void json(response, 200, { nextPageToken: "1" });
      json(response, 200, {
        items: [{ name: `k${token}`, size: "1", updated: "2026-02-01T00:00:00Z", generation: "1" }],
        nextPageToken: token === "1" ? "2" : "2",
      });
    });
    const tested = new TestDriver(await google("b", anonymous(server.endpoint)));
    const keys: string[] = [];
    const walk = async () => {
      for await (const page of tested.driver.list("", {
        delimiter: undefined,
        startAfter: undefined,
        versions: false,
        signal: undefined,
      })) {
        keys.push(...page.map(({ key }) => key));
      }
    };
    await expect(walk()).rejects.toMatchObject({ code: "Corrupt" });
    expect(keys).toEqual(["k1"]);
    await tested.driver.close();
    await server.close();
  });

  test("D04 F28 a batch: what fails for good is named, what passes by is tried again alone, a missing key is success", async () => {
    const statuses = [204, 403, 404, 503, 429];
    const server = await scripted(({ method, body, url }, response) => {
      if (method === "DELETE") return void response.writeHead(url.pathname.endsWith("k4") ? 403 : 204).end();
      const type = /boundary=(.*)/.exec(String(body)) ? "" : "";
      const parts = statuses.map((status, i) => {
        const error = status >= 400 ? JSON.stringify({ error: { code: status, message: "no" } }) : "";
        return `--x\r\ncontent-type: application/http\r\ncontent-id: <response-${i}>\r\n\r\nHTTP/1.1 ${status} Something\r\n\r\n${error}\r\n`;
      });
      response.writeHead(200, { "content-type": `multipart/mixed; boundary=x${type}` }).end(`${parts.join("")}--x--`);
    });
    const tested = new TestDriver(await google("b", anonymous(server.endpoint)));
    const error = await tested.delete("k0", "k1", "k2", "k3", "k4").catch((e) => e);
    expect(error).toBeInstanceOf(BatchDeleteError);
    expect((error as BatchDeleteError).failures.map(({ key }) => key)).toEqual(["k1", "k4"]);
    expect(server.asked.map(({ method }) => method)).toEqual(["POST", "DELETE", "DELETE"]);
    await tested.driver.close();
    await server.close();
  });

  test("a copy goes on with the token of each step until it is done", async () => {
    const server = await scripted((_, response, nth) => {
      json(
        response,
        200,
        nth < 3 ? { done: false, rewriteToken: `t${nth}` } : { done: true, resource: { generation: "9" } },
      );
    });
    const tested = new TestDriver(await google("b", anonymous(server.endpoint)));
    expect(await tested.copy("a/b", "c/d", { bucket: "other" })).toEqual({ etag: "9", version: "9" });
    expect(server.asked.map(({ url }) => url.searchParams.get("rewriteToken"))).toEqual([null, "t1", "t2"]);
    expect(server.asked[0]!.url.pathname).toBe("/storage/v1/b/other/o/a%2Fb/rewriteTo/b/b/o/c%2Fd");
    await tested.driver.close();
    await server.close();
  });

  test.each([
    [404, "notFound", "read", false, "NotFound"],
    [412, "conditionNotMet", "write", true, "AlreadyExists"],
    [412, "conditionNotMet", "write", false, "PreconditionFailed"],
    [401, "authError", "read", false, "Unauthenticated"],
    [403, "forbidden", "read", false, "PermissionDenied"],
    [403, "rateLimitExceeded", "list", false, "Throttled"],
    [429, "rateLimitExceeded", "list", false, "Throttled"],
    [400, "invalid", "list", false, "InvalidArgument"],
    [503, "backendError", "read", false, "Unavailable"],
  ] as const)("%d %s on %s (ifAbsent %s) is %s", async (status, reason, op, ifAbsent, code) => {
    const server = await scripted((_, response) => refuse(response, status, reason));
    const tested = new TestDriver(await google("b", anonymous(server.endpoint, { num_retries: 0 })));
    const error = await tested.stat("k").catch((e) => e);
    expect(tested.driver.codeOf(error, { op, ifAbsent, ifMatch: false })).toBe(code);
    expect(error.message).toContain("because");
    await tested.driver.close();
    await server.close();
  });
});

describe("credentials", () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const folder = mkdtempSync(join(tmpdir(), "stowage-gcs-"));
  const subject = join(folder, "subject");
  writeFileSync(subject, "SUBJECT");
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Storage and a token exchange on one server; the token that storage takes can be changed. */
  async function signedIn(key: (endpoint: string) => Record<string, unknown>, more: Record<string, unknown> = {}) {
    let tokens = 0;
    const valid = { token: "t1" };
    const server = await scripted(({ url, headers, body }, response) => {
      if (url.pathname === "/idp") return void json(response, 200, { access_token: `from ${body}` });
      if (url.pathname === "/token") {
        tokens += 1;
        return void json(response, 200, { access_token: `t${tokens}`, expires_in: 3600, token_type: "Bearer" });
      }
      if (headers.authorization !== `Bearer ${valid.token}`) return void refuse(response, 401, "authError");
      json(response, 200, { name: "k", size: "3", generation: "1", updated: "2026-01-01T00:00:00Z" });
    });
    const issuer = more.idp_issuer_url ? { idp_issuer_url: `${server.endpoint}/idp` } : {};
    const extra = { ...key(server.endpoint), "gcs.endpoint": server.endpoint, ...more, ...issuer };
    const tested = new TestDriver(await google("b", { type: "google_cloud_platform", extra }));
    const close = async () => {
      await tested.driver.close();
      await server.close();
    };
    return { tested, server, valid, tokens: () => tokens, close };
  }

  const federation = (endpoint: string) => ({
    type: "external_account",
    audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    token_url: `${endpoint}/token`,
    credential_source: { file: subject },
  });
  const withKey = () => signedIn((endpoint) => ({ keyfile_dict: federation(endpoint) }));
  const account = () => ({
    keyfile_dict: {
      type: "service_account",
      project_id: "p",
      private_key_id: "1",
      private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
      client_email: "me@p.iam.gserviceaccount.com",
      client_id: "1",
    },
  });

  test("A02 100 calls at once ask for one token, which later calls use", async () => {
    const { tested, tokens, close } = await withKey();
    await Promise.all(Array.from({ length: 100 }, () => tested.stat("k")));
    await tested.stat("k");
    expect(tokens()).toBe(1);
    await close();
  });

  test("F18 a token that is refused is replaced once, and the call succeeds", async () => {
    const { tested, tokens, valid, close } = await withKey();
    await tested.stat("k");
    valid.token = "t2";
    await Promise.all(Array.from({ length: 10 }, () => tested.stat("k")));
    expect(tokens()).toBe(2);
    await close();
  });

  test("a refused account is Unauthenticated, and no message or cause holds its secrets", async () => {
    const { tested, valid, close } = await withKey();
    valid.token = "never";
    const error = await tested.stat("k").catch((e) => e);
    expect(tested.driver.codeOf(error, { op: "stat", ifAbsent: false, ifMatch: false })).toBe("Unauthenticated");
    const { inspect } = await import("node:util");
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/SUBJECT|Bearer t/);
    await close();
  });

  test("a federation by the client credentials of an identity provider hands its token over", async () => {
    const { tested, server, close } = await signedIn((endpoint) => ({ credential_config_file: federation(endpoint) }), {
      idp_issuer_url: "x",
      client_id: "me",
      client_secret: "hush",
      idp_extra_params: { scope: "s" },
    });
    await tested.stat("k");
    const [idp, exchange] = server.asked;
    expect(idp!.body.toString()).toBe("scope=s&grant_type=client_credentials&client_id=me&client_secret=hush");
    expect(new URLSearchParams(exchange!.body.toString()).get("subject_token")).toBe(`from ${idp!.body}`);
    await close();
  });

  test("credentials without an account cannot sign, and say so", async () => {
    const { tested, close } = await withKey();
    await expect(tested.driver.signedUrl("k", { method: "GET", expiresIn: 1 })).rejects.toMatchObject({
      code: "Unsupported",
    });
    await close();
  });

  test("a key of a service account signs without a request", async () => {
    const { tested, server, close } = await signedIn(account);
    const signed = new URL((await tested.driver.signedUrl("a b", { method: "GET", expiresIn: 60 })).url);
    expect(server.asked.length).toBe(0);
    expect(signed.searchParams.get("X-Goog-Credential")).toMatch(/^me@p\.iam\.gserviceaccount\.com\/\d{8}\/auto/);
    const signature = Buffer.from(signed.searchParams.get("X-Goog-Signature")!, "hex");
    const { createHash } = await import("node:crypto");
    const query = signed.search.slice(1).replace(/&X-Goog-Signature=.*/, "");
    const canonical = ["GET", signed.pathname, query, `host:${signed.host}`, "", "host", "UNSIGNED-PAYLOAD"].join("\n");
    const date = signed.searchParams.get("X-Goog-Date")!;
    const scope = `${date.slice(0, 8)}/auto/storage/goog4_request`;
    const text = ["GOOG4-RSA-SHA256", date, scope, createHash("sha256").update(canonical).digest("hex")].join("\n");
    expect(
      verify(
        "RSA-SHA256",
        Buffer.from(text),
        createPublicKey(publicKey.export({ type: "spki", format: "pem" })),
        signature,
      ),
    ).toBe(true);
    await close();
  });

  test("anonymous access sends no credentials and cannot sign", async () => {
    const server = await scripted((_, response) =>
      json(response, 200, { name: "k", generation: "1", size: "1", updated: "2026-02-01T00:00:00Z" }),
    );
    const tested = new TestDriver(await open("b", anonymous(server.endpoint)));
    await tested.stat("k");
    expect(server.asked[0]!.headers.authorization).toBe(undefined);
    await expect(tested.driver.signedUrl("k", { method: "GET", expiresIn: 1 })).rejects.toMatchObject({
      code: "Unsupported",
    });
    await tested.driver.close();
    await server.close();
  });
});
