/** What a server does not say is undefined: no empty etag, no time of 1970. */
import { describe, expect, expectTypeOf, test } from "vitest";
import { type ListEntry, type ObjectInfo, openStorage, StoragePath } from "../../src/index.js";
import { hostile, type Script } from "./support.js";

const ETAG = { etag: '"e"' };
const MODIFIED = { "last-modified": "Sun, 01 Feb 2026 00:00:00 GMT" };

async function open(script: Script) {
  const { endpoint, asked } = await hostile(script);
  const extra = {
    connection_string: `DefaultEndpointsProtocol=http;AccountName=a;AccountKey=AAAA;BlobEndpoint=${endpoint}/a;`,
  };
  const connections = {
    s3: { type: "aws", login: "a", password: "b", extra: { endpoint_url: endpoint } },
    abfs: { type: "wasb", extra },
  };
  return { storage: openStorage({ connections, env: {} }), asked };
}

describe.each(["s3", "abfs"])("on %s", (scheme) => {
  const path = `${scheme}://${scheme}@bucket/d/k`;

  test.each([
    ["an etag", ETAG, undefined, '"e"'],
    ["an empty etag", { ...MODIFIED, etag: "" }, new Date("2026-02-01"), undefined],
    ["a time", MODIFIED, new Date("2026-02-01"), undefined],
  ])("stat and get with only %s", async (_, headers, modified, etag) => {
    const { storage } = await open(() => ({ headers: { "content-length": "4", ...headers }, body: "text" }));
    const { info } = await storage.get(path);
    for (const known of [await storage.stat(path), info]) {
      expect([known.modified, known.etag]).toEqual([modified, etag]);
      expect("etag" in known).toBe(etag !== undefined);
      expect("modified" in known).toBe(modified !== undefined);
    }
    await storage.close();
  });

  test("a change in place that cannot be guarded, because there is no etag, is refused after the look", async () => {
    const { storage, asked } = await open(({ method }) =>
      method === "HEAD"
        ? { headers: { "content-length": "4", ...MODIFIED } }
        : { body: "<Tagging><TagSet></TagSet></Tagging>" },
    );
    const work = storage.setAttributes(path, { cacheControl: "no-store" });
    await expect(work).rejects.toMatchObject({ code: "Unsupported", message: /no etag/ });
    expect(asked.map(({ method }) => method)).not.toContain("PUT");
    await storage.close();
  });
});

test("a row of a listing without an etag has none; the key is exact, and the path has no slash at its end", async () => {
  const rows =
    "<Contents><Key>d/k</Key><Size>1</Size><LastModified>2026-02-01T00:00:00Z</LastModified></Contents><CommonPrefixes><Prefix>d/e/</Prefix></CommonPrefixes>";
  const body = `<ListBucketResult><IsTruncated>false</IsTruncated>${rows}</ListBucketResult>`;
  const { storage } = await open(() => ({ body }));
  const base = "s3://s3@bucket";
  const entries: ListEntry[] = [];
  for await (const entry of storage.list(`${base}/d`)) entries.push(entry);
  expect(entries).toEqual([
    { path: StoragePath.parse(`${base}/d/e`), key: "d/e/", type: "directory" },
    { path: StoragePath.parse(`${base}/d/k`), key: "d/k", type: "file", size: 1, modified: new Date("2026-02-01") },
  ]);
  expect(Object.keys(entries[1]!)).not.toContain("etag");
  await storage.close();
});

test("stat names its path and the exact key", async () => {
  const storage = openStorage({ env: {} });
  await storage.write("memory://bucket/d/k", "text");
  const { path, key } = await storage.at("memory://bucket/d").stat("k");
  expect([String(path), key]).toEqual(["memory://bucket/d/k", "d/k"]);
});

test("the types say so: entries are a union on type, and what may be unknown is optional", () => {
  expectTypeOf<ObjectInfo["etag"]>().toEqualTypeOf<string | undefined>();
  expectTypeOf<ObjectInfo["modified"]>().toEqualTypeOf<Date | undefined>();
  expectTypeOf<ObjectInfo["size"]>().toEqualTypeOf<number>();
  expectTypeOf<Extract<ListEntry, { type: "file" }>["size"]>().toEqualTypeOf<number | undefined>();
  expectTypeOf<Extract<ListEntry, { type: "directory" }>["size"]>().toEqualTypeOf<undefined>();
  expectTypeOf<Extract<ListEntry, { type: "other" }>["detail"]>().toEqualTypeOf<string>();
  expectTypeOf<ListEntry["key"]>().toEqualTypeOf<string>();
});
