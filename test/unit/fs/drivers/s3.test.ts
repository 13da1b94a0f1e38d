import * as sdk from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, it } from "vitest";
import { forEachConcurrent } from "../../../../src/concurrency.js";
import { collect } from "../../../../src/streams.js";
import { s3Client } from "../../../servers/index.mjs";
import { describeOn, type ServerOf, useBucket } from "../../../servers/use.js";
import { type Recorder, recordingProxy, through } from "../../../support/proxy.js";
import { openDriver } from "../../../support/s3.js";
import type { TestDriver } from "../../../support/test-driver.js";

const MIB = 2 ** 20;
const patterned = (size: number) => Buffer.alloc(size, "0123456789abcdef-");

/** Keys that are legal everywhere, and that encodings get wrong. */
const ODD_KEYS = [
  "manual__2024-01-01T00:00:00+00:00/x",
  "plus+ space%20%2F?#&=;:@$,!'()*[]{}|^~`",
  "é/ü/😀/\u{1F640}",
  "control\u0001\u001f\u007f",
  "line\nfeed\rreturn\ttab",
  "amp&lt;<>\"'",
  "trailing ",
  "a".repeat(200),
];

await describeOn("minio", "S3 driver beside the AWS SDK", (server: ServerOf<"minio">) => {
  const bucket = useBucket(server);
  let client: sdk.S3Client;
  let ours: TestDriver;
  beforeAll(async () => {
    client = await s3Client(server);
    ours = await openDriver(bucket().name, server.connection);
  });
  afterAll(async () => {
    client.destroy();
    await ours.driver.close();
  });

  it.each(ODD_KEYS)("K01 M10: the SDK and we read, list, copy and delete the same key %j", async (Key) => {
    const Bucket = bucket().name;
    await client.send(new sdk.PutObjectCommand({ Bucket, Key: `sdk/${Key}`, Body: Key }));
    expect(await ours.text(`sdk/${Key}`)).toBe(Key);
    await ours.write(`we/${Key}`, Key);
    const got = await client.send(new sdk.GetObjectCommand({ Bucket, Key: `we/${Key}` }));
    expect(await got.Body?.transformToString()).toBe(Key);
    await ours.copy(`we/${Key}`, `sdk/${Key}.copy`, { bucket: Bucket });
    expect(await ours.keys("sdk/")).toEqual([`sdk/${Key}`, `sdk/${Key}.copy`].sort());
    await ours.delete(`sdk/${Key}`, `sdk/${Key}.copy`);
    await ours.delete(`we/${Key}`);
    expect(await ours.keys("")).toEqual([]);
  });

  it("W20: metadata, content type and etag are the same for both", async () => {
    const Bucket = bucket().name;
    const metadata = { plain: "a value", empty: "", "with-dash": "x=1; y" };
    const receipt = await ours.write("we", "hello", { metadata, contentType: "text/x-ours; charset=utf-8" });
    const head = await client.send(new sdk.HeadObjectCommand({ Bucket, Key: "we" }));
    expect(head).toMatchObject({ Metadata: metadata, ContentType: "text/x-ours; charset=utf-8", ETag: receipt.etag });
    await client.send(
      new sdk.PutObjectCommand({ Bucket, Key: "sdk", Body: "hello", Metadata: metadata, ContentType: "a/b" }),
    );
    const info = await ours.stat("sdk");
    expect(info).toMatchObject({ key: "sdk", size: 5, metadata, contentType: "a/b", etag: receipt.etag });
    expect(Math.abs(info.modified!.getTime() - Date.now())).toBeLessThan(60_000);
    await ours.delete("we", "sdk");
  });

  it("W20: metadata that no header can carry comes back as it was", async () => {
    const metadata = { text: "é 😀", looks: "=?UTF-8?B?w6k=?=", spaces: "  a  b ", quoted: 'a"b\\c' };
    await ours.write("meta", "x", { metadata });
    expect((await ours.stat("meta")).metadata).toEqual(metadata);
    expect((await ours.open("meta")).info.metadata).toEqual(metadata);
    await ours.copy("meta", "meta2", { bucket: bucket().name, ifAbsent: true });
    expect((await ours.stat("meta2")).metadata).toEqual(metadata);
    await ours.delete("meta", "meta2");
  });

  it("W08: an upload in parts is one object to the SDK, with a checksum of all its bytes, and the reverse", async () => {
    const Bucket = bucket().name;
    const data = patterned(17 * MIB + 3);
    await ours.write("parts", data, { contentType: "a/b", metadata: { k: "v" } });
    const got = await client.send(new sdk.GetObjectCommand({ Bucket, Key: "parts", ChecksumMode: "ENABLED" }));
    expect(got).toMatchObject({ ContentType: "a/b", Metadata: { k: "v" }, ContentLength: data.length });
    expect(got.ChecksumType).toBe("FULL_OBJECT");
    expect(Buffer.from((await got.Body?.transformToByteArray()) ?? []).equals(data)).toBe(true);
    const { info, body } = await ours.open("parts");
    expect(Buffer.from(await collect(body, { size: info.size })).equals(data)).toBe(true);
    await ours.delete("parts");
  });

  it("R11 R12: a missing object and a missing bucket are NotFound", async () => {
    const nowhere = await openDriver("no-such-bucket-here", server.connection);
    for (const [subject, op] of [
      [ours, "stat"],
      [ours, "read"],
      [nowhere, "read"],
      [nowhere, "write"],
      [nowhere, "list"],
      [nowhere, "delete"],
    ] as const) {
      const calls = {
        stat: () => subject.stat("missing"),
        read: () => subject.open("missing"),
        write: () => subject.write("missing", "x"),
        list: () => subject.keys(""),
        delete: () => subject.delete("missing"),
      };
      const error = await calls[op]().catch((reason: unknown) => reason);
      expect(subject.driver.codeOf(error, { op, ifAbsent: false, ifMatch: false }), op).toBe("NotFound");
    }
    await nowhere.driver.close();
  });

  it("a wrong secret is Unauthenticated, and no message shows it", async () => {
    const keys = { login: server.accessKey, password: "a-wrong-secret-key" };
    const wrong = await openDriver(bucket().name, server.connection, {}, keys);
    const error = await wrong.open("x").catch((reason: Error) => reason);
    expect(wrong.driver.codeOf(error, { op: "read", ifAbsent: false, ifMatch: false })).toBe("Unauthenticated");
    expect(JSON.stringify(error) + String(error)).not.toContain("a-wrong-secret-key");
    await wrong.driver.close();
  });

  it("an anonymous connection is refused what is private, and cannot sign", async () => {
    const anonymous = await openDriver(bucket().name, server.connection, { anon: true }, {});
    const error = await anonymous.open("x").catch((reason: Error) => reason);
    expect(anonymous.driver.codeOf(error, { op: "read", ifAbsent: false, ifMatch: false })).toBe("PermissionDenied");
    await expect(anonymous.driver.signedUrl("x", { method: "GET", expiresIn: 60 })).rejects.toMatchObject({
      code: "Unauthenticated",
    });
    await anonymous.driver.close();
  });

  it("signs a GET and a PUT that anybody can send, once for each method only", async () => {
    const { url: put } = await ours.driver.signedUrl("signed +é", { method: "PUT", expiresIn: 60 });
    expect((await fetch(put, { method: "PUT", body: "by url" })).status).toBe(200);
    const { url: get } = await ours.driver.signedUrl("signed +é", { method: "GET", expiresIn: 60 });
    expect(await (await fetch(get)).text()).toBe("by url");
    expect((await fetch(get, { method: "DELETE" })).status).toBe(403);
    await expect(ours.driver.signedUrl("x", { method: "GET", expiresIn: 604_801 })).rejects.toMatchObject({
      code: "InvalidArgument",
    });
    await ours.delete("signed +é");
  });
});

await describeOn("minio", "S3 requests", (server: ServerOf<"minio">) => {
  const bucket = useBucket(server);
  let proxy: Recorder;
  let ours: TestDriver;
  beforeAll(async () => {
    proxy = await recordingProxy(server.endpoint);
    ours = await openDriver(bucket().name, through(server, proxy).connection);
  });
  afterAll(async () => {
    await ours.driver.close();
    await proxy.close();
  });

  /** The operations that `work` needs. */
  async function cost(work: () => Promise<unknown>) {
    proxy.clear();
    await work();
    return proxy.operations();
  }

  it("small write, empty write, read, range, stat, list, delete, copy: one each; sign: none", async () => {
    expect(await cost(() => ours.write("a", "small"))).toEqual({ write: 1 });
    expect(await cost(() => ours.write("empty", ""))).toEqual({ write: 1 });
    expect(await cost(() => ours.write("b", "small", { ifAbsent: true }))).toEqual({ write: 1 });
    expect(await cost(() => ours.text("a"))).toEqual({ read: 1 });
    expect(await cost(() => ours.text("a", { start: 1, end: 3 }))).toEqual({ read: 1 });
    expect(await cost(() => ours.stat("a"))).toEqual({ stat: 1 });
    expect(await cost(() => ours.keys(""))).toEqual({ list: 1 });
    expect(await cost(() => ours.keys("none/"))).toEqual({ list: 1 });
    expect(await cost(() => ours.copy("a", "c", { bucket: bucket().name }))).toEqual({ copy: 1 });
    expect(await cost(() => ours.delete("a"))).toEqual({ delete: 1 });
    expect(await cost(() => ours.delete("b", "c", "empty"))).toEqual({ deleteBatch: 1 });
    expect(await cost(() => ours.driver.signedUrl("a", { method: "GET", expiresIn: 60 }))).toEqual({});
  });

  it("W06: 8 MiB is one request, a byte more is begin, two parts and commit", async () => {
    expect(await cost(() => ours.write("a", patterned(8 * MIB)))).toEqual({ write: 1 });
    expect(await cost(() => ours.write("a", patterned(8 * MIB + 1)))).toEqual({ begin: 1, part: 2, commit: 1 });
    expect((await ours.stat("a")).size).toBe(8 * MIB + 1);
    await ours.delete("a");
  });

  it("R08 R10: a range past the end, or of an empty object, gives the info and no bytes", async () => {
    await ours.write("a", "12345");
    await ours.write("empty", "");
    for (const [key, size] of [
      ["a", 5],
      ["empty", 0],
    ] as const) {
      const { info, body } = await ours.open(key, { start: 5, end: 9 });
      expect([info.size, (await collect(body)).length]).toEqual([size, 0]);
    }
    await ours.delete("a", "empty");
  });

  it("L02 D03: 1,001 keys are two pages and two batches", async () => {
    const keys = Array.from({ length: 1001 }, (_, i) => `n/${String(i).padStart(4, "0")}&<`);
    await forEachConcurrent(keys, { concurrency: 16 }, (key) => ours.write(key, ""));
    let found: string[] = [];
    const listing = async () => {
      found = await ours.keys("n/");
    };
    expect(await cost(listing)).toEqual({ list: 2 });
    expect(found).toEqual(keys);
    expect(await ours.keys("n/", { startAfter: "n/0998&<" })).toEqual(keys.slice(999));
    expect(await cost(() => ours.delete(...keys, keys[0]!))).toEqual({ deleteBatch: 2 });
    expect(await ours.keys("n/")).toEqual([]);
  });

  it("carry CRC32 where the provider takes it, and nothing of the kind elsewhere", async () => {
    proxy.clear();
    await ours.write("a", "123456789");
    await ours.text("a");
    const [put, get] = proxy.requests;
    expect(put?.headers["x-amz-checksum-crc32"]).toBe("y/Q5Jg==");
    expect(get?.headers["x-amz-checksum-mode"]).toBe("ENABLED");
    const generic = await openDriver(bucket().name, through(server, proxy).connection, { provider: "generic" });
    proxy.clear();
    await generic.write("a", "1");
    await generic.text("a");
    await generic.write("a", patterned(9 * MIB));
    const sent = proxy.requests.flatMap(({ headers }) => Object.keys(headers));
    expect(sent.filter((name) => name.includes("checksum"))).toEqual([]);
    await generic.delete("a");
    await generic.driver.close();
  });

  it("M07: a create-only copy and a create-only upload in parts are refused where they are not enforced", async () => {
    const generic = await openDriver(bucket().name, through(server, proxy).connection, { provider: "generic" });
    await generic.write("a", "1");
    const work = async () => {
      const copy = generic.copy("a", "b", { bucket: bucket().name, ifAbsent: true });
      await expect(copy).rejects.toMatchObject({ code: "Unsupported" });
      const large = generic.write("c", patterned(9 * MIB), { ifAbsent: true });
      await expect(large).rejects.toMatchObject({ code: "Unsupported" });
    };
    expect(await cost(work)).toEqual({});
    const b2 = await openDriver(bucket().name, through(server, proxy).connection, { provider: "b2" });
    await expect(b2.write("a", "2", { ifMatch: '"x"' })).rejects.toMatchObject({ code: "Unsupported" });
    await generic.delete("a");
    await Promise.all([generic.driver.close(), b2.driver.close()]);
  });

  it("M05 M07: a create-only copy goes in parts of a pinned source, and an empty source in one write", async () => {
    const Bucket = bucket().name;
    await ours.write("a", patterned(100), { contentType: "x/y" });
    const etag = (await ours.stat("a")).etag;
    const operations = await cost(() => ours.copy("a", "b", { bucket: Bucket, ifAbsent: true }));
    expect(operations).toEqual({ stat: 1, begin: 1, part: 1, commit: 1 });
    expect(proxy.requests.find(({ operation }) => operation === "part")?.headers).toMatchObject({
      "x-amz-copy-source-if-match": etag,
      "x-amz-copy-source-range": "bytes=0-99",
    });
    expect(await ours.stat("b")).toMatchObject({ size: 100, contentType: "x/y" });
    const again = await ours.copy("a", "b", { bucket: Bucket, ifAbsent: true }).catch((error: unknown) => error);
    expect(ours.driver.codeOf(again, { op: "copy", ifAbsent: true, ifMatch: false })).toBe("AlreadyExists");
    await ours.write("empty", "");
    await ours.copy("empty", "empty2", { bucket: Bucket, ifAbsent: true });
    expect((await ours.stat("empty2")).size).toBe(0);
    expect(await bucket().openUploads()).toEqual([]);
    await ours.delete("a", "b", "empty", "empty2");
  });

  it("requester pays and encryption are said with every request that wants them", async () => {
    const extra = {
      s3_additional_kwargs: { RequestPayer: "requester", ServerSideEncryption: "aws:kms", SSEKMSKeyId: "k1" },
    };
    const payer = await openDriver(bucket().name, through(server, proxy).connection, extra);
    proxy.clear();
    await payer.write("a", "x").catch(() => {});
    await payer.stat("a").catch(() => {});
    const [put, head] = proxy.requests;
    expect(put?.headers).toMatchObject({
      "x-amz-request-payer": "requester",
      "x-amz-server-side-encryption": "aws:kms",
      "x-amz-server-side-encryption-aws-kms-key-id": "k1",
    });
    expect(head?.headers["x-amz-request-payer"]).toBe("requester");
    expect(head?.headers["x-amz-server-side-encryption"]).toBeUndefined();
    await payer.driver.close();
  });
});

await describeOn("minio", "S3 versions", (server: ServerOf<"minio">) => {
  const bucket = useBucket(server, { versioned: true });

  it("R23: each version can be listed, described, read, and deleted; a marker is NotFound", async () => {
    const ours = await openDriver(bucket().name, server.connection);
    const { version: one } = await ours.write("a", "1");
    const { version: two } = await ours.write("a", "22");
    expect(one).not.toBe(two);
    expect(await ours.text("a", { version: one })).toBe("1");
    expect((await ours.driver.stat("a", { version: one, signal: undefined })).size).toBe(1);
    await ours.delete("a");
    const rows = await ours.items("a", { versions: true });
    expect(rows.map(({ deleted, latest, size }) => [deleted, latest, size])).toEqual([
      [true, true, undefined],
      [false, false, 2],
      [false, false, 1],
    ]);
    const marker = await ours.open("a", { version: rows[0]?.version }).catch((error: unknown) => error);
    expect(ours.driver.codeOf(marker, { op: "read", ifAbsent: false, ifMatch: false })).toBe("NotFound");
    await ours.driver.delete(
      rows.map(({ key, version }) => ({ key, version: version! })),
      { signal: undefined },
    );
    expect(await ours.items("", { versions: true })).toEqual([]);
    await ours.driver.close();
  });
});

await describeOn("minio-tls", "S3 encryption", (server: ServerOf<"minio-tls">) => {
  const bucket = useBucket(server);
  const key = Buffer.alloc(32, 7).toString("base64");
  const settings = {
    "SSE-S3": { ServerSideEncryption: "AES256" },
    "SSE-KMS": { ServerSideEncryption: "aws:kms", SSEKMSKeyId: server.kmsKey },
    "SSE-C": { SSECustomerAlgorithm: "AES256", SSECustomerKey: key },
  };

  it.each(Object.entries(settings))("%s: whole, in parts, ranged and copied", async (kind, s3_additional_kwargs) => {
    const ours = await openDriver(bucket().name, server.connection, { s3_additional_kwargs });
    const data = patterned(9 * MIB);
    await ours.write("small", "hello");
    await ours.write("large", data);
    expect(await ours.text("small")).toBe("hello");
    expect(await ours.text("small", { start: 1, end: 3 })).toBe("el");
    expect(Buffer.from(await collect((await ours.open("large")).body)).equals(data)).toBe(true);
    const middle = { start: 8 * MIB - 3, end: 8 * MIB + 3 };
    const expectedMiddle = data.subarray(middle.start, middle.end).toString();
    expect(await ours.text("large", middle)).toBe(expectedMiddle);
    await ours.copy("small", "copy", { bucket: bucket().name });
    expect(await ours.text("copy")).toBe("hello");
    await ours.copy("large", "copy2", { bucket: bucket().name });
    await ours.copy("large", "copy3", { bucket: bucket().name, ifAbsent: true });
    for (const name of ["copy2", "copy3"]) expect(await ours.text(name, middle)).toBe(expectedMiddle);
    expect((await ours.stat("large")).size).toBe(data.length);
    const client = await s3Client(server);
    const use = kind === "SSE-C" ? { SSECustomerAlgorithm: "AES256", SSECustomerKey: key } : {};
    const expected = { "SSE-S3": "AES256", "SSE-KMS": "aws:kms", "SSE-C": undefined }[kind];
    const names = ["small", "large", "copy", "copy2", "copy3"];
    for (const Key of names) {
      const head = await client.send(new sdk.HeadObjectCommand({ Bucket: bucket().name, Key, ...use }));
      expect([head.ServerSideEncryption, head.SSECustomerAlgorithm], Key).toEqual([expected, use.SSECustomerAlgorithm]);
      if (kind !== "SSE-C") continue;
      await expect(client.send(new sdk.HeadObjectCommand({ Bucket: bucket().name, Key }))).rejects.toThrow();
    }
    client.destroy();
    await ours.delete(...names);
    await ours.driver.close();
  });

  it("a certificate that nobody vouches for is refused before anything is sent", async () => {
    const ours = await openDriver(bucket().name, server.connection, { verify: true });
    await expect(ours.stat("x")).rejects.toMatchObject({ kind: "tls", attempts: 1 });
    await ours.driver.close();
  });
});
