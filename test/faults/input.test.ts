/** Bad input: a typed error, the old object as it was, and nothing left behind. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Storage } from "../../src/fs/storage.js";
import { openStorage } from "../../src/open.js";
import { StoragePath } from "../../src/path.js";
import { describeOn, useBucket } from "../servers/use.js";
import { failed } from "../support/failed.js";
import {
  answer,
  answerAfter,
  changeHeaders,
  during,
  type Fault,
  type FaultProxy,
  faultProxy,
  okWithError,
  wholeInstead,
} from "../support/faults.js";
import { through } from "../support/proxy.js";
import { content, MIB, type Place, type Provider } from "./place.js";
import { onEveryCloud } from "./suite.js";

const OLD = content(1, 1000);
const SIZES = [1000, 9 * MIB];

async function* pieces(data: Uint8Array, error?: Error): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += MIB) yield data.subarray(at, at + MIB);
  if (error) throw error;
}

/** `work` fails with `code`, or with this very error; the old object stays, and no upload is left. */
async function refused(place: Place, expected: string | Error, work: (at: string) => Promise<unknown>): Promise<void> {
  await place.direct.write(place.at("x"), OLD);
  const error = await failed(work(place.at("x")));
  if (expected instanceof Error) expect(error).toBe(expected);
  else expect(error).toMatchObject({ name: "StorageError", code: expected, path: place.at("x") });
  expect(await place.found("x", OLD)).toBe(0);
}

/** What the server says when credentials are not good any more. */
const EXPIRED: Record<Provider["scheme"], Fault> = {
  s3: answer(400, { body: "<Error><Code>ExpiredToken</Code><Message>planted</Message></Error>" }),
  gs: answer(401),
  abfs: answer(403, { headers: { "x-ms-error-code": "AuthenticationFailed" } }),
};

await onEveryCloud("bad input", ({ provider, place }) => {
  const { scheme } = provider;

  test.each(SIZES)("W09: a size that lies about %i bytes", async (size) => {
    const at = await place();
    for (const said of [size - 1, size + 1]) {
      const write = (x: string) => at.storage.write(x, pieces(content(2, size)), { size: said });
      await refused(at, "InvalidArgument", write);
    }
    await at.leave();
  });

  test.each(SIZES)("W10: a body that throws after %i bytes", async (size) => {
    const at = await place();
    const error = new Error("source");
    await refused(at, error, (x) => at.storage.write(x, pieces(content(2, size), error)));
    await at.leave();
  });

  test("R12: a missing bucket is NotFound to every verb", async () => {
    const at = await place();
    const lost = `${scheme}://it@stowage-no-such-bucket/x`;
    await at.direct.write(at.at("x"), OLD);
    const list = async () => {
      for await (const _ of at.storage.list(lost));
    };
    const calls: [string, () => Promise<unknown>][] = [
      ["stat", () => at.storage.stat(lost)],
      ["read", () => at.storage.bytes(lost)],
      ["list", list],
      ["write", () => at.storage.write(lost, OLD)],
      ["write in parts", () => at.storage.write(lost, pieces(content(2, 9 * MIB)))],
      ["copy from", () => at.storage.copy(lost, at.at("y"))],
    ];
    for (const [name, call] of calls) await expect(call(), name).rejects.toMatchObject({ code: "NotFound" });
    // The server answers parts before it has read them; the proxy then reads neither the rest nor the end of the line.
    await at.leave({ unread: 4 });
  });

  test("K01 K02: a key that is too long, or no Unicode, and a reversed range are refused before any request", async () => {
    const at = await place();
    const { bucket } = StoragePath.parse(at.at("x"));
    const path = (key: string) => StoragePath.of({ scheme, connectionId: "it", bucket, key });
    const invalid = { code: "InvalidArgument" };
    await expect(at.storage.write(path("é".repeat(512).concat("x")), "1")).rejects.toMatchObject(invalid);
    for (const key of ["\ud800", "a\udc00b"]) expect(() => path(key), key).toThrow("InvalidArgument");
    await expect(at.storage.bytes(at.at("x"), { start: 2, end: 1 })).rejects.toMatchObject(invalid);
    expect(at.proxy.requests).toEqual([]);
    await at.leave();
  });

  test("K01: a key of 1,024 bytes is kept", async () => {
    const at = await place();
    const name = `${"k".repeat(200)}/`
      .repeat(6)
      .slice(0, 1024 - at.key.length - 1 - 1)
      .concat("k");
    await at.storage.write(at.at(name), OLD);
    expect(Buffer.byteLength(StoragePath.parse(at.at(name)).key)).toBe(1024);
    expect(await at.found(name, OLD)).toBe(0);
    await at.leave();
  });

  test("R08: a read past the end is empty, of a missing object NotFound", async () => {
    const at = await place();
    await at.direct.write(at.at("x"), OLD);
    for (const start of [1000, 1001, 10 * MIB]) {
      expect(await at.storage.bytes(at.at("x"), { start, end: start + 5 })).toHaveLength(0);
    }
    await expect(at.storage.bytes(at.at("y"), { start: 5 })).rejects.toMatchObject({ code: "NotFound" });
    await at.leave();
  });

  test.each(SIZES)("F18: credentials that expire in a write of %i bytes", async (size) => {
    const at = await place();
    const operation = size > 8 * MIB ? "part" : "write";
    at.proxy.plant({ on: { operation }, fault: EXPIRED[scheme] });
    await refused(at, "Unauthenticated", (x) => at.storage.write(x, pieces(content(2, size))));
    expect(at.proxy.pending()).toEqual([]);
    await at.leave();
  });

  test("F25: a create-only write whose success is told as 500 is no AlreadyExists", async () => {
    const at = await place();
    at.proxy.plant({ on: { operation: "write" }, fault: answerAfter(500) });
    await at.storage.write(at.at("x"), OLD, { ifAbsent: true });
    expect(await at.found("x", OLD)).toBe(0);
    await at.leave();
  });

  test("F26: an error of the body wins over an abort of the upload that fails", async () => {
    const at = await place();
    const error = new Error("source");
    at.proxy.plant({ on: { operation: "abort" }, times: 2, fault: answer(500) });
    await refused(at, error, (x) => at.storage.write(x, pieces(content(2, 20 * MIB), error)));
    await at.leave();
  });

  test("F15: an object that is replaced between two ranges is ObjectChanged", async () => {
    const at = await place();
    await at.direct.write(at.at("x"), content(2, 20 * MIB));
    const replace = () => at.direct.write(at.at("x"), content(3, 20 * MIB));
    at.proxy.plant({ on: { operation: "read" }, skip: 1, fault: during(replace) });
    // Set, as a fast line needs no second range; the length, as an array that large is too much to print.
    const read = at.storage.bytes(at.at("x"), { parallel: 2 }).then((data) => data.byteLength);
    await expect(read).rejects.toMatchObject({ code: "ObjectChanged" });
    await at.leave();
  });

  test("F16: a server that ignores ranges, or sends another one, is found out", async () => {
    const at = await place();
    await at.direct.write(at.at("x"), OLD);
    for (const fault of [wholeInstead(OLD), changeHeaders({ "content-range": "bytes 3-5/1000" })]) {
      at.proxy.plant({ on: { operation: "read" }, fault });
      const read = at.storage.bytes(at.at("x"), { start: 2, end: 5 });
      await expect(read).rejects.toMatchObject({ code: "Unsupported" });
    }
    await at.leave();
  });

  test("F11: an object whose size is not told is not taken for an empty one", async () => {
    const at = await place();
    await at.direct.write(at.at("x"), OLD);
    at.proxy.plant({
      on: (one) => one.method === "HEAD",
      times: 2,
      fault: changeHeaders({ "content-length": undefined }),
    });
    if (scheme !== "gs") {
      await expect(at.storage.stat(at.at("x"))).rejects.toMatchObject({ code: "Unsupported" });
    }
    if (scheme === "s3") {
      const copy = at.storage.copy(at.at("x"), at.at("y"), { ifAbsent: true });
      await expect(copy).rejects.toMatchObject({ code: "Unsupported" });
      expect(await at.stored("y")).toBe(undefined);
    }
    await at.leave();
  });

  test("F28: an answer to a bulk delete that is not to be understood is an error, and no key counts as gone", async () => {
    const at = await place();
    await Promise.all(["a", "b"].map((name) => at.direct.write(at.at(name), OLD)));
    const broken = (status: number) =>
      answer(status, { headers: { "content-type": "application/xml" }, body: "<DeleteResult><Err" });
    const deleted = () =>
      at.storage.delete(["a", "b"].map(at.at)).then(
        () => "gone",
        (error: { code: string }) => error.code,
      );
    if (scheme === "abfs") {
      // Azure's own batches end with 202: a 200 comes from something else on the way.
      at.proxy.plant({ on: { operation: "deleteBatch" }, fault: broken(200) });
      expect(await deleted()).toBe("Unsupported");
      expect(await Promise.all(["a", "b"].map((name) => at.found(name, OLD)))).toEqual([0, 0]);
    }
    at.proxy.plant({ on: { operation: "deleteBatch" }, fault: broken(scheme === "abfs" ? 202 : 200) });
    const outcome = await deleted();
    const left = await Promise.all(["a", "b"].map((name) => at.found(name, OLD)));
    // Where each call in the batch has an answer of its own, a missing one is made again.
    if (scheme === "s3") expect([outcome, left]).toEqual(["Corrupt", [0, 0]]);
    else expect([outcome, left]).toEqual(["gone", [-1, -1]]);
    await at.leave();
  });
});

await describeOn("minio", "credentials that are renewed", (server) => {
  const bucket = useBucket(server);
  let proxy: FaultProxy;
  let storage: Storage;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "stowage-aws-"));
    const file = join(folder, "credentials");
    const { accessKey, secretKey } = server;
    await writeFile(file, `[worker]\naws_access_key_id=${accessKey}\naws_secret_access_key=${secretKey}\n`);
    process.env.AWS_SHARED_CREDENTIALS_FILE = file;
    proxy = await faultProxy(server.endpoint);
    const { type, extra } = through(server, proxy).connection;
    storage = openStorage({ connections: { it: { type, extra: { ...extra, profile_name: "worker" } } }, env: {} });
  });
  afterAll(async () => {
    delete process.env.AWS_SHARED_CREDENTIALS_FILE;
    await storage.close();
    await proxy.close();
    await rm(folder, { recursive: true });
  });

  test("F18 A03: a part that is refused for an expired token is sent again, in the same upload", async () => {
    const data = content(2, 20 * MIB);
    proxy.plant({ on: { operation: "part" }, skip: 1, fault: EXPIRED.s3 });
    await storage.write(`s3://it@${bucket().name}/x`, pieces(data));
    expect(proxy.operations()).toEqual({ begin: 1, part: 4, commit: 1 });
    expect(data.equals(await storage.bytes(`s3://it@${bucket().name}/x`))).toBe(true);
  });

  test("F24: a conflict between two writers passes; a commit that hides an error is made again", async () => {
    const body = "<Error><Code>ConditionalRequestConflict</Code><Message>planted</Message></Error>";
    proxy.plant({ on: { operation: "write" }, times: 2, fault: answer(409, { body }) });
    await storage.write(`s3://it@${bucket().name}/y`, OLD, { ifAbsent: true });
    proxy.plant({ on: { operation: "commit" }, fault: okWithError() });
    await storage.write(`s3://it@${bucket().name}/z`, pieces(content(2, 9 * MIB)), { ifAbsent: true });
    expect(proxy.pending()).toEqual([]);
    expect(await bucket().openUploads()).toEqual([]);
  });
});

describe("file", () => {
  test("`..` leads nowhere, and is InvalidArgument", async () => {
    const root = await mkdtemp(join(tmpdir(), "stowage-root-"));
    const storage = openStorage({ fileRoot: root, env: {} });
    const key = `${root.slice(1)}/../outside`;
    await expect(
      (async () => storage.write(StoragePath.of({ scheme: "file", bucket: "", key }), "1"))(),
    ).rejects.toMatchObject({
      code: "InvalidArgument",
    });
    await storage.close();
    await rm(root, { recursive: true });
  });
});
