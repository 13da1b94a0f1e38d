/** Attributes beside the official SDKs: each reads what the other wrote, and what a change in place left. */

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import {
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Storage } from "../../src/index.js";
import { openStorage } from "../../src/index.js";
import { azureClient, gcsClient, s3Client } from "../servers/index.mjs";
import { describeOn, type ServerName, type ServerOf, useBucket } from "../servers/use.js";
import { type Recorder, recordingProxy, through } from "../support/proxy.js";

const HEADERS = {
  contentType: "text/css; charset=utf-8",
  cacheControl: "public, max-age=60",
  contentDisposition: 'attachment; filename="a b.css"',
  contentEncoding: "gzip",
  contentLanguage: "de",
};
const METADATA = { owner: "team" };
const TAGS = { project: "stowage", "cost center": "a+b=c/d @home" };
const AZURE_TAGS = { project: "stowage", "cost center": "a+b=c/d" };

/** Returns what a test needs: a storage behind a recorder, and paths in the bucket. */
function context<N extends ServerName>(server: ServerOf<N>, scheme: string) {
  const bucket = useBucket(server);
  const found = { bucket, at: (key: string) => `${scheme}://it@${bucket().name}/${key}` } as {
    storage: Storage;
    proxy: Recorder;
    bucket: typeof bucket;
    at(key: string): string;
  };
  beforeAll(async () => {
    found.proxy = await recordingProxy(server.endpoint);
    found.storage = openStorage({ connections: { it: through(server, found.proxy).connection }, env: {} });
  });
  afterAll(async () => {
    await found.storage?.close();
    await found.proxy?.close();
  });
  return found;
}

await describeOn("minio", "attributes beside the AWS SDK", (server) => {
  const all = context(server, "s3");
  let client: S3Client;
  beforeAll(async () => {
    client = await s3Client(server);
  });
  afterAll(() => client.destroy());
  const head = async (Key: string) => client.send(new HeadObjectCommand({ Bucket: all.bucket().name, Key }));
  const tagsOf = async (Key: string) => {
    const { TagSet = [] } = await client.send(new GetObjectTaggingCommand({ Bucket: all.bucket().name, Key }));
    return Object.fromEntries(TagSet.map(({ Key: name, Value }) => [name, Value]));
  };
  const sdkNames = {
    ContentType: HEADERS.contentType,
    CacheControl: HEADERS.cacheControl,
    ContentDisposition: HEADERS.contentDisposition,
    ContentEncoding: HEADERS.contentEncoding,
    ContentLanguage: HEADERS.contentLanguage,
    Metadata: METADATA,
  };

  test.each([10, 9 * 2 ** 20])("the SDK reads what a write of %d bytes set", async (size) => {
    const { storage, at } = all;
    await storage.write(at("we"), new Uint8Array(size), { ...HEADERS, metadata: METADATA, tags: TAGS });
    expect(await head("we")).toMatchObject(sdkNames);
    expect(await tagsOf("we")).toEqual(TAGS);
  });

  test("we read what the SDK set, and copies of every kind keep it", async () => {
    const { storage, at, bucket } = all;
    const Tagging = new URLSearchParams(TAGS).toString();
    await client.send(new PutObjectCommand({ Bucket: bucket().name, Key: "sdk", Body: "x", ...sdkNames, Tagging }));
    const expected = { ...HEADERS, metadata: METADATA, tags: TAGS, tagCount: 2 };
    expect(await storage.stat(at("sdk"), { tags: true })).toMatchObject(expected);
    await storage.copy(at("sdk"), at("copy"));
    await storage.copy(at("sdk"), at("new"), { ifAbsent: true });
    await storage.copy(at("sdk"), at("other"), { replace: { contentLanguage: "fr" } });
    for (const key of ["copy", "new"]) {
      expect(await head(key)).toMatchObject(sdkNames);
      expect(await tagsOf(key)).toEqual(TAGS);
    }
    expect(await head("other")).toMatchObject({ ...sdkNames, ContentLanguage: "fr" });
    expect(await tagsOf("other")).toEqual(TAGS);
  });

  test("a change in place keeps the rest, the storage class too; the SDK and listings see the class", async () => {
    const { storage, at, bucket } = all;
    await storage.write(at("place"), "x", { ...HEADERS, tags: TAGS, storageClass: "REDUCED_REDUNDANCY" });
    await storage.setAttributes(at("place"), { cacheControl: "no-store", contentEncoding: null });
    const { ContentEncoding: _, Metadata: __, ...rest } = sdkNames;
    const now = await head("place");
    expect(now).toMatchObject({ ...rest, CacheControl: "no-store", StorageClass: "REDUCED_REDUNDANCY" });
    expect(now.ContentEncoding).toBeUndefined();
    expect(await tagsOf("place")).toEqual(TAGS);
    const listed = await client.send(new ListObjectsV2Command({ Bucket: bucket().name, Prefix: "place" }));
    const ours: unknown[] = [];
    for await (const { storageClass } of storage.list(at(""), { startAfter: "pl" })) ours.push(storageClass);
    expect(ours[0]).toBe(listed.Contents?.[0]?.StorageClass);
  });

  test("tags alone change in place in one request after the look, unless there is a condition", async () => {
    const { storage, at, proxy } = all;
    const { etag } = await storage.write(at("tagged"), "x", HEADERS);
    proxy.clear();
    await storage.setAttributes(at("tagged"), { tags: { a: "1" } });
    expect(proxy.requests.map(({ method, url }) => [method, url.search])).toEqual([
      ["HEAD", ""],
      ["PUT", "?tagging="],
    ]);
    await storage.setAttributes(at("tagged"), { tags: { a: "2" } }, { ifMatch: etag! });
    expect(await tagsOf("tagged")).toEqual({ a: "2" });
    expect(await head("tagged")).toMatchObject({ ContentLanguage: "de" });
  });

  test("an unknown storage class of AWS is refused before any request; other services have their own", async () => {
    const { at, proxy } = all;
    const connection = { ...through(server, proxy).connection } as Record<string, unknown>;
    const aws = { ...connection, extra: { ...(connection.extra as object), provider: "aws" } };
    await using storage = openStorage({ connections: { it: aws as never }, env: {} });
    proxy.clear();
    const work = storage.write(at("class"), "x", { storageClass: "COLD" });
    await expect(work).rejects.toMatchObject({ code: "InvalidArgument", message: /unknown storage class "COLD"/ });
    expect(proxy.requests).toEqual([]);
    await expect(all.storage.write(at("class"), "x", { storageClass: "COLD" })).rejects.toThrow();
    expect(proxy.requests).toHaveLength(1);
  });
});

await describeOn("fake-gcs", "attributes beside Google's SDK", (server) => {
  const all = context(server, "gs");

  test("a change in place is a patch of what changes, under the generation that was seen", async () => {
    const asked: { method: string | undefined; url: string | undefined; body: string }[] = [];
    const stored = { name: "k", size: "1", generation: "7", updated: "2026-01-01T00:00:00Z", metadata: METADATA };
    const own = createServer(async (request, response) => {
      asked.push({ method: request.method, url: request.url, body: await text(request) });
      response.setHeader("content-type", "application/json").end(JSON.stringify(stored));
    }).listen(0, "127.0.0.1");
    await once(own, "listening");
    const endpoint = `http://127.0.0.1:${(own.address() as AddressInfo).port}`;
    const { connection } = through(server, { endpoint, target: server.endpoint } as Recorder);
    await using storage = openStorage({ connections: { it: connection }, env: {} });
    const changes = { cacheControl: "no-store", contentLanguage: null, metadata: { a: "1" } };
    expect(await storage.setAttributes("gs://it@bucket/k", changes)).toMatchObject({ etag: "7" });
    own.close();
    expect(asked.map(({ method }) => method)).toEqual(["GET", "PATCH"]);
    expect(asked[1]!.url).toContain("ifGenerationMatch=7");
    expect(JSON.parse(asked[1]!.body)).toEqual({ ...changes, metadata: { owner: null, a: "1" } });
  });

  test("each reads what the other set", async () => {
    const { storage, at, bucket } = all;
    const theirs = (await gcsClient(server)).bucket(bucket().name);
    await storage.write(at("we"), "x", { ...HEADERS, metadata: METADATA, storageClass: "NEARLINE" });
    const [seen] = await theirs.file("we").getMetadata();
    expect(seen).toMatchObject({ ...HEADERS, metadata: METADATA, storageClass: "NEARLINE" });
    await theirs.file("sdk").save("x", { resumable: false, metadata: { ...HEADERS, metadata: METADATA } });
    expect(await storage.stat(at("sdk"))).toMatchObject({ ...HEADERS, metadata: METADATA });
    await storage.setAttributes(at("sdk"), { cacheControl: "no-store" });
    const [now] = await theirs.file("sdk").getMetadata();
    expect(now).toMatchObject({ cacheControl: "no-store", contentDisposition: HEADERS.contentDisposition });
  });

  test("tags, and an unknown storage class, are refused before any request", async () => {
    const { storage, at, proxy } = all;
    proxy.clear();
    await expect(storage.write(at("x"), "x", { tags: TAGS })).rejects.toMatchObject({ code: "Unsupported" });
    const wrong = storage.write(at("x"), "x", { storageClass: "Cool" });
    await expect(wrong).rejects.toMatchObject({ code: "InvalidArgument" });
    expect(proxy.requests).toEqual([]);
  });
});

await describeOn("azurite", "attributes beside Azure's SDK", (server) => {
  const all = context(server, "abfs");

  test("each reads what the other set, tags and tier included", async () => {
    const { storage, at, bucket } = all;
    const container = (await azureClient(server)).getContainerClient(bucket().name);
    for (const size of [10, 9 * 2 ** 20]) {
      const attributes = { ...HEADERS, metadata: METADATA, tags: AZURE_TAGS, storageClass: "Cool" };
      await storage.write(at("we"), new Uint8Array(size), attributes);
      const blob = container.getBlobClient("we");
      const seen = { ...HEADERS, metadata: METADATA, tagCount: 2, accessTier: "Cool" };
      expect(await blob.getProperties()).toMatchObject(seen);
      expect((await blob.getTags()).tags).toEqual(AZURE_TAGS);
    }
    const blobHTTPHeaders = Object.fromEntries(
      Object.entries(HEADERS).map(([name, value]) => [`blob${name[0]!.toUpperCase()}${name.slice(1)}`, value]),
    );
    const options = { blobHTTPHeaders, metadata: METADATA, tags: AZURE_TAGS, tier: "Cool" as const };
    await container.getBlockBlobClient("sdk").upload("x", 1, options);
    const expected = { ...HEADERS, metadata: METADATA, tags: AZURE_TAGS, storageClass: "Cool" };
    expect(await storage.stat(at("sdk"), { tags: true })).toMatchObject(expected);
    await storage.copy(at("sdk"), at("copy"));
    expect(await storage.stat(at("copy"), { tags: true })).toMatchObject({ ...HEADERS, tags: AZURE_TAGS });
  });

  test("a change in place of all kinds; the tier, too", async () => {
    const { storage, at, bucket } = all;
    const container = (await azureClient(server)).getContainerClient(bucket().name);
    await storage.write(at("place"), "x", { ...HEADERS, metadata: METADATA, tags: AZURE_TAGS });
    const changes = { contentLanguage: null, metadata: { a: "1" }, tags: { b: "2" }, storageClass: "Cool" };
    await storage.setAttributes(at("place"), changes);
    const blob = container.getBlobClient("place");
    const { contentLanguage: _, ...rest } = HEADERS;
    expect(await blob.getProperties()).toMatchObject({ ...rest, metadata: { a: "1" }, accessTier: "Cool" });
    expect((await blob.getProperties()).contentLanguage).toBeUndefined();
    expect((await blob.getTags()).tags).toEqual({ b: "2" });
  });

  test("an unknown tier, and a tag with characters that only S3 takes, are refused before any request", async () => {
    const { storage, at, proxy } = all;
    proxy.clear();
    for (const wrong of [{ storageClass: "COLDLINE" }, { tags: TAGS }, { tags: { ä: "1" } }])
      await expect(storage.write(at("x"), "x", wrong)).rejects.toMatchObject({ code: "InvalidArgument" });
    expect(proxy.requests).toEqual([]);
  });
});
