/** Signed links and forms, sent by fetch and curl, without credentials. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStorage, type Storage } from "../../src/index.js";
import { s3Client } from "../servers/index.mjs";
import { describeOn, useBucket } from "../servers/use.js";

const run = promisify(execFile);
const SCHEMES = { minio: "s3", azurite: "abfs" } as const;

for (const name of ["minio", "azurite"] as const) {
  await describeOn(name, `links to ${name}`, (server) => {
    const bucket = useBucket(server);
    let storage: Storage;
    const at = (key: string) => `${SCHEMES[name]}://it@${bucket().name}/${key}`;
    beforeAll(() => {
      storage = openStorage({ connections: { it: server.connection }, env: {} });
    });
    afterAll(() => storage.close());

    test("a PUT by fetch and by curl, with the headers of the link", async () => {
      const link = await storage.signedUrl(at("put é"), { method: "PUT", contentType: "text/x-own" });
      expect(link).toMatchObject({ method: "PUT" });
      expect(Math.abs(link.expires.getTime() - Date.now() - 3_600_000)).toBeLessThan(60_000);
      const { url, method, headers } = link;
      expect((await fetch(url, { method, headers, body: "by fetch" })).ok).toBe(true);
      expect(await storage.text(at("put é"))).toBe("by fetch");
      expect(await storage.stat(at("put é"))).toMatchObject({ contentType: "text/x-own" });
      const folder = await mkdtemp(join(tmpdir(), "stowage-links-"));
      const file = join(folder, "file");
      await writeFile(file, "by curl");
      const lines = Object.entries(headers).flatMap(([field, value]) => ["-H", `${field}: ${value}`]);
      await run("curl", ["-sSf", "-T", file, ...lines, url]);
      await rm(folder, { recursive: true });
      expect(await storage.text(at("put é"))).toBe("by curl");
    });

    test("HEAD and DELETE, each for its own method only", async () => {
      await storage.write(at("x"), "1");
      const links = await Promise.all(
        (["HEAD", "DELETE", "GET"] as const).map((method) => storage.signedUrl(at("x"), { method })),
      );
      const [head, remove, get] = links.map(({ url }) => url) as [string, string, string];
      expect((await fetch(head, { method: "HEAD" })).headers.get("content-length")).toBe("1");
      expect((await fetch(get, { method: "DELETE" })).ok).toBe(false);
      expect((await fetch(remove)).ok).toBe(false);
      expect(await storage.exists(at("x"))).toBe(true);
      expect((await fetch(remove, { method: "DELETE" })).ok).toBe(true);
      expect(await storage.exists(at("x"))).toBe(false);
    });

    test("a GET with the headers of its response", async () => {
      await storage.write(at("report"), "1");
      const responseHeaders = {
        contentType: "text/csv",
        cacheControl: "no-store",
        contentDisposition: 'attachment; filename="a b.csv"',
        contentLanguage: "de",
      };
      const { url } = await storage.signedUrl(at("report"), { responseHeaders });
      const { headers } = await fetch(url);
      expect(headers.get("content-type")).toBe("text/csv");
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("content-disposition")).toBe('attachment; filename="a b.csv"');
      expect(headers.get("content-language")).toBe("de");
      expect((await fetch(url.replace("text%2Fcsv", "text%2Fhtml"))).ok).toBe(false);
    });

    test.each<[string, object]>([
      ["a content type of a GET", { contentType: "a/b" }],
      ["response headers of a PUT", { method: "PUT", responseHeaders: { contentType: "a/b" } }],
      ["an unknown response header", { responseHeaders: { expires: "x" } }],
      ["a response header with a line break", { responseHeaders: { contentType: "a\nb" } }],
      ["a negative length", { method: "PUT", contentLength: -1 }],
      ["another method", { method: "POST" }],
      ["eight days", { expiresIn: 8 * 86_400 }],
    ])("%s is InvalidArgument", async (_, init) => {
      await expect(storage.signedUrl(at("x"), init)).rejects.toMatchObject({
        code: "InvalidArgument",
        op: "signedUrl",
      });
    });
  });
}

await describeOn("minio", "links beside the AWS SDK", (server) => {
  const bucket = useBucket(server);
  let storage: Storage;
  const at = (key: string) => `s3://it@${bucket().name}/${key}`;
  beforeAll(() => {
    storage = openStorage({ connections: { it: server.connection }, env: {} });
  });
  afterAll(() => storage.close());

  test("the length and the type of a PUT are those of the link", async () => {
    const init = { method: "PUT", contentType: "text/csv", contentLength: 4 } as const;
    const { url, method, headers } = await storage.signedUrl(at("x"), init);
    const put = (body: string, type = "text/csv") => fetch(url, { method, headers: { "content-type": type }, body });
    expect((await put("12345")).status).toBe(403);
    expect((await put("1234", "text/html")).status).toBe(403);
    expect(headers).toEqual({ "content-type": "text/csv", "content-length": "4" });
    expect((await put("1234")).status).toBe(200);
  });

  test("the query of our link and of the SDK's have the same names, and sign the same headers", async () => {
    const client = await s3Client(server);
    const object = { Bucket: bucket().name, Key: "a b" };
    const names = (url: string) => {
      const query = new URL(url).searchParams;
      for (const name of ["x-id", "X-Amz-Content-Sha256", "x-amz-checksum-mode"]) query.delete(name);
      return [[...query.keys()].sort(), query.get("X-Amz-SignedHeaders"), query.get("response-content-type")];
    };
    const ours = await storage.signedUrl(at("a b"), { responseHeaders: { contentType: "a/b" } });
    const theirs = await getSignedUrl(client, new GetObjectCommand({ ...object, ResponseContentType: "a/b" }));
    expect(names(ours.url)).toEqual(names(theirs));
    const put = await storage.signedUrl(at("a b"), { method: "PUT", contentType: "a/b" });
    const command = new PutObjectCommand({ ...object, ContentType: "a/b" });
    const signableHeaders = new Set(["content-type"]);
    const their = new URL(await getSignedUrl(client, command, { signableHeaders })).searchParams;
    expect(new URL(put.url).searchParams.get("X-Amz-SignedHeaders")).toBe(their.get("X-Amz-SignedHeaders"));
    client.destroy();
  });

  async function post(form: { url: string; fields: Record<string, string> }, body: string, more = {}): Promise<number> {
    const data = new FormData();
    for (const [name, value] of Object.entries({ ...form.fields, ...more })) data.append(name, value);
    data.append("file", new Blob([body]), "photo 1.jpg");
    return (await fetch(form.url, { method: "POST", body: data })).status;
  }

  test("a form uploads below its prefix, of its type and size, and nothing else", async () => {
    const init = { prefix: true, minBytes: 2, maxBytes: 5, contentType: "image/jpeg" };
    const form = await storage.signedPost(at("uploads"), init);
    expect(await post(form, "1234")).toBe(204);
    expect(await storage.text(at("uploads/photo 1.jpg"))).toBe("1234");
    expect(await storage.stat(at("uploads/photo 1.jpg"))).toMatchObject({ contentType: "image/jpeg" });
    for (const body of ["1", "123456"]) expect(await post(form, body)).toBe(400);
    expect(await post(form, "1234", { key: "elsewhere/x" })).toBe(403);
    expect(await post(form, "1234", { "content-type": "text/html" })).toBe(403);
    const one = await storage.signedPost(at("one.txt"), { maxBytes: 5 });
    expect(await post(one, "1")).toBe(204);
    expect(await storage.text(at("one.txt"))).toBe("1");
    expect(await post(one, "1", { key: "two.txt" })).toBe(403);
    const whole = await storage.signedPost(`s3://it@${bucket().name}`, { prefix: true, maxBytes: 5 });
    expect(whole.fields.key).toMatch(/^\$\{filename\}$/);
  });

  test("a form without a limit, or with one below its minimum, is InvalidArgument", async () => {
    for (const init of [{}, { maxBytes: 1, minBytes: 2 }, { maxBytes: 1, size: 1 }, { maxBytes: -1 }])
      await expect(storage.signedPost(at("x"), init as never)).rejects.toMatchObject({ code: "InvalidArgument" });
  });
});

await describeOn("azurite", "what links of Azure cannot do", (server) => {
  test("a length, and a form, are Unsupported", async () => {
    await using storage = openStorage({ connections: { it: server.connection }, env: {} });
    const link = storage.signedUrl("abfs://it@c/x", { method: "PUT", contentLength: 1 });
    await expect(link).rejects.toMatchObject({ code: "Unsupported" });
    await expect(storage.signedPost("abfs://it@c/x", { maxBytes: 1 })).rejects.toMatchObject({ code: "Unsupported" });
  });
});
