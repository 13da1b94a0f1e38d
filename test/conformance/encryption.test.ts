/** The encryption of one write, on a server that has it, beside the official SDK. */
import { createHash, randomBytes } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { inspect } from "node:util";
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStorage, Secret, type Storage } from "../../src/index.js";
import { s3Client } from "../servers/index.mjs";
import { describeOn, useBucket } from "../servers/use.js";

const LARGE = 9 * 2 ** 20;

await describeOn("minio-tls", "encryption of one write", (server) => {
  const bucket = useBucket(server);
  const at = (key: string) => `s3://it@${bucket().name}/${key}`;
  const key = randomBytes(32);
  const customerKey = key.toString("base64");
  const sdkKey = { SSECustomerAlgorithm: "AES256", SSECustomerKey: customerKey };
  let storage: Storage;
  let client: S3Client;
  beforeAll(async () => {
    storage = openStorage({ connections: { it: server.connection }, env: {} });
    client = await s3Client(server);
  });
  afterAll(async () => {
    await storage.close();
    client.destroy();
  });
  const head = (Key: string, use = {}) => client.send(new HeadObjectCommand({ Bucket: bucket().name, Key, ...use }));
  /** The failure of `work`, which must not show the key in any way. */
  async function refusal(work: Promise<unknown>): Promise<string> {
    const error = await work.then(
      () => "it succeeded",
      (reason: Error & { code?: string }) => reason,
    );
    const shown = inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error);
    expect(shown).not.toContain(customerKey);
    return typeof error === "string" ? error : `${error.code}`;
  }

  test.each([10, LARGE])("the SDK sees what a write of %d bytes asks for, and so does stat", async (size) => {
    const body = new Uint8Array(size);
    await storage.write(at("s3"), body, { encryption: { sse: "AES256" } });
    expect((await head("s3")).ServerSideEncryption).toBe("AES256");
    await storage.write(at("kms"), body, { encryption: { kmsKeyId: server.kmsKey } });
    const seen = await head("kms");
    expect([seen.ServerSideEncryption, seen.SSEKMSKeyId]).toEqual(["aws:kms", expect.stringContaining(server.kmsKey!)]);
    const { encryption } = await storage.stat(at("kms"));
    expect(encryption).toEqual({ sse: "aws:kms", kmsKeyId: seen.SSEKMSKeyId });
    await storage.write(at("own"), body, { encryption: { customerKey } });
    expect((await head("own", sdkKey)).ContentLength).toBe(size);
    await expect(head("own")).rejects.toThrow();
    expect((await storage.stat(at("own"), { customerKey })).encryption).toEqual({ customerKey: true });
  });

  test("every way to read takes the key, as bytes, base64 and Secret; without it, or with another one, none does", async () => {
    const put = { Bucket: bucket().name, Key: "sdk", Body: '{"a":1}', ...sdkKey };
    await client.send(new PutObjectCommand(put));
    const path = at("sdk");
    const reads: ((init: object) => Promise<unknown>)[] = [
      (init) => storage.stat(path, init).then(({ size }) => size),
      (init) => storage.exists(path, init),
      (init) => storage.get(path, init).then((object) => object.text()),
      (init) => storage.text(path, init),
      (init) => storage.json(path, init),
      (init) => storage.bytes(path, { ...init, last: 2 }).then((data) => Buffer.from(data).toString()),
      (init) => joined(storage.read(path, init)),
      (init) => joined(storage.read(path, { ...init, last: 3 })),
      (init) => new Response(storage.readable(path, init)).text(),
      (init) => storage.ranges(path, [{ start: 0, end: 1 }], init).then(([one]) => Buffer.from(one!).toString()),
    ];
    const expected = [7, true, '{"a":1}', '{"a":1}', { a: 1 }, "1}", '{"a":1}', ":1}", '{"a":1}', "{"];
    for (const given of [key, customerKey, new Secret(customerKey)]) {
      const found: unknown[] = [];
      for (const read of reads) found.push(await read({ customerKey: given }));
      expect(found).toEqual(expected);
    }
    for (const read of reads) {
      expect(await refusal(read({}))).toBe("InvalidArgument");
      expect(await refusal(read({ customerKey: randomBytes(32) }))).toMatch(/PermissionDenied|InvalidArgument/);
    }
  });

  test("the SDK reads a large object of ours with the key, and we read ranges of it", async () => {
    const data = randomBytes(LARGE);
    await storage.write(at("big"), data, { encryption: { customerKey }, checksum: { sha256: sha256(data) } });
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket().name, Key: "big", ...sdkKey }));
    expect(data.equals(await Body!.transformToByteArray())).toBe(true);
    expect(data.equals(await storage.bytes(at("big"), { customerKey, parallel: 3 }))).toBe(true);
  });

  test("a copy keeps the customer's key, or has what encryption says; a move does too", async () => {
    await storage.write(at("c/from"), "text", { encryption: { customerKey } });
    await storage.copy(at("c/from"), at("c/kept"), { customerKey });
    expect(await storage.text(at("c/kept"), { customerKey })).toBe("text");
    expect(await refusal(storage.text(at("c/kept")))).toBe("InvalidArgument");
    const next = randomBytes(32);
    await storage.copy(at("c/from"), at("c/turned"), { customerKey, encryption: { customerKey: next } });
    expect(await storage.text(at("c/turned"), { customerKey: next })).toBe("text");
    await storage.copy(at("c/from"), at("c/new"), { customerKey, encryption: { customerKey: next }, ifAbsent: true });
    expect(await storage.text(at("c/new"), { customerKey: next })).toBe("text");
    await storage.copy(at("c/from"), at("c/plain"), { customerKey, encryption: {} });
    expect(await storage.text(at("c/plain"))).toBe("text");
    await storage.copy(at("c/plain"), at("c/kms"), { encryption: { kmsKeyId: server.kmsKey } });
    expect((await storage.stat(at("c/kms"))).encryption).toMatchObject({ sse: "aws:kms" });
    expect(await refusal(storage.copy(at("c/from"), at("c/x")))).toBe("InvalidArgument");
    await storage.move(at("c/turned"), at("c/moved"), { customerKey: next, encryption: { customerKey } });
    expect(await storage.exists(at("c/turned"), { customerKey: next })).toBe(false);
    expect(await storage.text(at("c/moved"), { customerKey })).toBe("text");
    await storage.move(at("c/moved"), at("d/moved"), { customerKey });
    expect(await storage.text(at("d/moved"), { customerKey })).toBe("text");
    await storage.copy(at("d"), at("tree"), { customerKey, recursive: true });
    expect(await storage.text(at("tree/moved"), { customerKey })).toBe("text");
  });

  test("to another provider the key is refused by name, unless encryption says how the copy is stored", async () => {
    await storage.write(at("across"), "text", { encryption: { customerKey } });
    const work = storage.copy(at("across"), "memory://m/across", { customerKey });
    await expect(work).rejects.toMatchObject({ code: "Unsupported", message: /customerKey/ });
    await storage.copy(at("across"), "memory://m/across", { customerKey, encryption: {} });
    expect(await storage.text("memory://m/across")).toBe("text");
    await storage.copy("memory://m/across", at("back"), { encryption: { customerKey } });
    expect(await storage.text(at("back"), { customerKey })).toBe("text");
    expect(await refusal(storage.copy(at("back"), at("back"), { customerKey, encryption: {} }))).toBe(
      "InvalidArgument",
    );
  });

  test("a change of attributes in place keeps the encryption, and so does an update", async () => {
    await storage.write(at("kept"), "1", { encryption: { kmsKeyId: server.kmsKey }, contentLanguage: "de" });
    const before = await storage.stat(at("kept"));
    await storage.setAttributes(at("kept"), { contentLanguage: "en" });
    expect((await storage.stat(at("kept"))).encryption).toEqual(before.encryption);
    await storage.update(at("kept"), async (now) => `${await now?.text()}2`);
    const after = await storage.stat(at("kept"));
    expect([after.encryption, after.contentLanguage]).toEqual([before.encryption, "en"]);
    await storage.write(at("mine"), "1", { encryption: { customerKey } });
    await storage.setAttributes(at("mine"), { contentLanguage: "en" }, { customerKey });
    await storage.update(at("mine"), async (now) => `${await now?.text()}2`, { encryption: { customerKey } });
    const { contentLanguage, encryption } = await storage.stat(at("mine"), { customerKey });
    expect([contentLanguage, encryption]).toEqual(["en", { customerKey: true }]);
    expect(await storage.text(at("mine"), { customerKey })).toBe("12");
  });

  test("the encryption of a call replaces that of the connection", async () => {
    const extra = {
      ...server.connection.extra,
      s3_additional_kwargs: { SSECustomerAlgorithm: "AES256", SSECustomerKey: customerKey },
    };
    await using own = openStorage({ connections: { it: { ...server.connection, extra } }, env: {} });
    await own.write(at("by-connection"), "a");
    expect(await own.text(at("by-connection"))).toBe("a");
    expect(await storage.text(at("by-connection"), { customerKey })).toBe("a");
    await own.write(at("by-call"), "b", { encryption: {} });
    expect(await storage.text(at("by-call"))).toBe("b");
    const next = randomBytes(32);
    await own.write(at("by-call"), "c", { encryption: { customerKey: next } });
    expect(await own.text(at("by-call"), { customerKey: next })).toBe("c");
  });
});

function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

async function joined(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  return (await buffer(bytes)).toString();
}
