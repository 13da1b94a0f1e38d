/** The buckets of an account are listed, created and deleted, and only by these verbs. */
import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { DriverFactory } from "../../src/fs/driver/driver.js";
import { azure } from "../../src/fs/drivers/azure/index.js";
import { gcs } from "../../src/fs/drivers/gcs/index.js";
import { s3 } from "../../src/fs/drivers/s3/index.js";
import type { Storage } from "../../src/fs/storage.js";
import { openStorage } from "../../src/open.js";
import { hostile, type Reply, type Script } from "../hostile/support.js";
import { azureClient, gcsClient, s3Client } from "../servers/buckets.mjs";
import { describeOn, type ServerName, type ServerOf } from "../servers/use.js";
import { useStorages } from "../support/storages.js";

const open = useStorages();

/** Each server, by its connection and through the provider's official client. */
const PLACES: readonly { server: ServerName; scheme: string; client: (server: never) => Promise<DriverFactory> }[] = [
  { server: "minio", scheme: "s3", client: s3FromClient("minio") },
  { server: "versitygw", scheme: "s3", client: s3FromClient("versitygw") },
  {
    server: "fake-gcs",
    scheme: "gs",
    client: async (server: ServerOf<"fake-gcs">) => gcs.fromClient(await gcsClient(server)),
  },
  {
    server: "azurite",
    scheme: "abfs",
    client: async (server: ServerOf<"azurite">) => azure.fromClient(await azureClient(server)),
  },
];

function s3FromClient(provider: "minio" | "versitygw") {
  return async (server: ServerOf<"minio">) => s3.fromClient(await s3Client(server), { provider });
}

const newName = () => `stowage-${randomBytes(6).toString("hex")}`;

async function namesIn(storage: Storage, account: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of storage.buckets(account).list()) names.push(name);
  return names;
}

for (const { server: kind, scheme, client } of PLACES) {
  await describeOn(kind, `buckets of ${kind}`, (server) => {
    const storages = {
      "by its connection": async () => open({ connections: { it: server.connection }, env: {} }),
      "through the official client": async () => open({ drivers: [await client(server as never)], env: {} }),
    };

    test.each(Object.entries(storages))("%s are created, listed and deleted", async (_, openOne) => {
      const storage = await openOne();
      const buckets = storage.buckets(`${scheme}://it@`);
      const name = newName();
      await buckets.create(name);
      const listed = [];
      for await (const entry of buckets.list()) if (entry.name === name) listed.push(entry);
      expect(listed.map(({ path }) => String(path))).toEqual([`${scheme}://it@${name}/`]);
      if (scheme !== "abfs") expect(Math.abs(Date.now() - listed[0]!.created!.getTime())).toBeLessThan(3_600_000);
      await expect(buckets.create(name)).rejects.toMatchObject({
        code: "AlreadyExists",
        op: "createBucket",
        path: `${scheme}://it@${name}/`,
      });

      const object = `${scheme}://it@${name}/a/b`;
      await storage.write(object, "text");
      await expect(buckets.delete(name)).rejects.toMatchObject({ code: "PreconditionFailed", op: "deleteBucket" });
      expect(await storage.text(object)).toBe("text");
      await storage.delete(object);
      await buckets.delete(name);
      expect(await namesIn(storage, `${scheme}://it@`)).not.toContain(name);
      await expect(buckets.delete(name)).rejects.toMatchObject({ code: "NotFound" });
    });

    test("no other verb creates one", async () => {
      const storage = await storages["by its connection"]();
      const name = newName();
      const below = `${scheme}://it@${name}`;
      await storage.write("memory://from/a", "text");
      const verbs = [
        () => storage.write(`${below}/a`, "text"),
        () => storage.update(`${below}/a`, () => "text"),
        () => storage.copy("memory://from/a", `${below}/a`),
        () => storage.sync("memory://from", below),
      ];
      for (const verb of verbs) await expect(verb()).rejects.toThrow();
      expect(await namesIn(storage, `${scheme}://it@`)).not.toContain(name);
    });
  });
}

describe("a bucket of another account", () => {
  test("is PermissionDenied, because it is no place for data of this account", async () => {
    const taken = await answering(() => ({ status: 409, body: "<Error><Code>BucketAlreadyExists</Code></Error>" }));
    await expect(taken.storage.buckets("s3://it@").create("taken")).rejects.toMatchObject({ code: "PermissionDenied" });
    const text = JSON.stringify({ error: { message: "The requested bucket name is not available." } });
    const google = await answering(() => ({ status: 409, body: text }));
    const create = google.storage.buckets("gs://google@").create("taken");
    await expect(create).rejects.toMatchObject({ code: "PermissionDenied" });
  });
});

/** A server that answers by `script`, as each provider's. */
async function answering(script: Script, provider = "minio") {
  const { endpoint, asked } = await hostile(script);
  const key = Buffer.alloc(32).toString("base64");
  const retries = { retries: { total_max_attempts: 2 } };
  const storage = open({
    connections: {
      it: {
        type: "aws",
        login: "user",
        password: "secret",
        extra: { endpoint_url: endpoint, provider, config_kwargs: retries },
      },
      google: {
        type: "google_cloud_platform",
        extra: { is_anonymous: true, project: "p", "gcs.endpoint": endpoint, num_retries: 2 },
      },
      azure: {
        type: "wasb",
        extra: { connection_string: `AccountName=acc;AccountKey=${key};BlobEndpoint=${endpoint}/acc;` },
      },
    },
    env: {},
  });
  return { storage, asked };
}

const s3List = (rows: string, more = ""): Reply => ({
  body: `<ListAllMyBucketsResult><Buckets>${rows}</Buckets>${more}</ListAllMyBucketsResult>`,
});
const s3Row = (name: string, date = "2026-02-01T00:00:00Z") =>
  `<Bucket><Name>${name}</Name><CreationDate>${date}</CreationDate></Bucket>`;
const azureList = (names: string[], next = ""): Reply => {
  const rows = names.map((name) => `<Container><Name>${name}</Name></Container>`).join("");
  return {
    body: `<EnumerationResults><Containers>${rows}</Containers><NextMarker>${next}</NextMarker></EnumerationResults>`,
  };
};
const gcsList = (names: unknown[], nextPageToken?: string): Reply => {
  const items = names.map((name) => ({ name, timeCreated: "2026-02-01T00:00:00Z" }));
  return { body: JSON.stringify({ kind: "storage#buckets", items, nextPageToken }) };
};

const CLOUDS = [
  {
    account: "s3://it@",
    page: (names: string[], next?: string) =>
      s3List(names.map((name) => s3Row(name)).join(""), next && `<ContinuationToken>${next}</ContinuationToken>`),
    mark: "continuation-token",
    done: { create: 200, delete: 204 },
    gone: { body: "<Error><Code>NoSuchBucket</Code></Error>" },
    own: { status: 409, body: "<Error><Code>BucketAlreadyOwnedByYou</Code></Error>" },
    wrong: ["ab", "Upper", "a..b", "192.168.1.1", "xn--a", "a_b", "-ab", "ab-", "a".repeat(64), "a/b", "a?b", "", ".."],
  },
  {
    account: "gs://google@",
    page: (names: string[], next?: string) => gcsList(names, next),
    mark: "pageToken",
    done: { create: 200, delete: 204 },
    gone: { body: '{"error":{"code":404,"errors":[{"reason":"notFound"}]}}' },
    own: { status: 409, body: '{"error":{"message":"You already own this bucket."}}' },
    wrong: ["ab", "Upper", "goog-a", "a-google", "a..b", "1.2.3.4", "a".repeat(64), "a/b", "", ".."],
  },
  {
    account: "abfs://azure@",
    page: (names: string[], next?: string) => azureList(names, next),
    mark: "marker",
    done: { create: 201, delete: 202 },
    gone: { headers: { "x-ms-error-code": "ContainerNotFound" }, body: "" },
    own: { status: 409, headers: { "x-ms-error-code": "ContainerAlreadyExists" } },
    wrong: ["ab", "Upper", "a--b", "a.b", "a_b", "-ab", "a".repeat(64), "a/b", "", "..", "$logs"],
  },
] as const;

describe.each(CLOUDS)("answers for $account", ({ account, page, mark, done, gone, own, wrong }) => {
  const failed = async (work: Promise<unknown>) => work.then(() => undefined).catch((error: unknown) => error);

  test("all pages are listed", async () => {
    const { storage, asked } = await answering(
      (_, count) => [page(["aaa"], "t1"), page([], "t2"), page(["bbb"])][count - 1]!,
    );
    expect(await namesIn(storage, account)).toEqual(["aaa", "bbb"]);
    expect(asked.map(({ url }) => url.searchParams.get(mark))).toEqual([null, "t1", "t2"]);
  });

  test.each([
    ["", /name/],
    ["a/b", /name/],
    ["a?b", /name/],
    ["user:word", /name/],
  ])("a row with the name %j is Corrupt", async (name, field) => {
    const { storage } = await answering(() => page(["aaa", name]));
    expect(await failed(namesIn(storage, account))).toMatchObject({
      code: "Corrupt",
      detail: expect.stringMatching(field),
      op: "listBuckets",
      path: account,
    });
  });

  test("marks that go round in a circle are Corrupt", async () => {
    const { storage, asked } = await answering((_, count) => page(["aaa"], `t${count % 3}`));
    expect(await failed(namesIn(storage, account))).toMatchObject({ code: "Corrupt" });
    expect(asked.length).toBeLessThan(12);
  });

  test.each(["<html></html>", "", "{}", "[1]", '{"kind":"b","items":[1]}', '{"kind":"b","items":3}'])(
    "%s is no list of buckets",
    async (body) => {
      const { storage } = await answering(() => ({ body }));
      expect(await failed(namesIn(storage, account))).toMatchObject({ name: "StorageError" });
    },
  );

  test.each(wrong)("the name %j is refused before any request", async (name) => {
    const { storage, asked } = await answering(() => ({}));
    expect(await failed(storage.buckets(account).create(name))).toMatchObject({ code: "InvalidArgument" });
    if (name.length < 3)
      expect(await failed(storage.buckets(account).delete(name))).toMatchObject({ code: "InvalidArgument" });
    expect(asked).toEqual([]);
  });

  test("a bucket that is there after a lost response is CommitUnknown, one that is gone is deleted", async () => {
    const lost = { status: 500, body: "" };
    const create = await answering((_, count) => (count === 1 ? lost : own));
    expect(await failed(create.storage.buckets(account).create("abc"))).toMatchObject({ code: "CommitUnknown" });
    let deletes = 0;
    const remove = await answering(({ method }) =>
      method !== "DELETE" ? EMPTY : deletes++ === 0 ? lost : { status: 404, ...gone },
    );
    await remove.storage.buckets(account).delete("abc");
    expect(deletes).toBe(2);
    deletes = 0;
    const proxy = await answering(({ method }) =>
      method !== "DELETE" ? EMPTY : deletes++ === 0 ? lost : { status: 404, body: "not here" },
    );
    expect(await failed(proxy.storage.buckets(account).delete("abc"))).toMatchObject({ name: "StorageError" });
  });

  test("only the statuses of the protocol are a success", async () => {
    const other = await answering(({ method }) => (method === "GET" ? EMPTY : { status: 202 + (done.create % 2) }));
    expect(await failed(other.storage.buckets(account).create("abc"))).toMatchObject({ name: "StorageError" });
  });
});
const EMPTY: Reply = { body: "<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>" };

describe("Amazon S3", () => {
  test("in us-east-1, a bucket of the account is not created again, which would reset its access control lists", async () => {
    const { storage, asked } = await answering(() => ({}), "aws");
    await expect(storage.buckets("s3://it@").create("mine")).rejects.toMatchObject({ code: "AlreadyExists" });
    expect(asked.map(({ method }) => method)).toEqual(["HEAD"]);
  });
  test("elsewhere, the region is named in the request", async () => {
    const { storage, asked } = await answering(() => ({}), "aws");
    await storage.buckets("s3://it@").create("mine", { region: "eu-central-1" });
    expect(asked.map(({ method, url }) => `${method} ${url.pathname}`)).toEqual(["PUT /mine/"]);
    expect(String(asked[0]!.body)).toContain("<LocationConstraint>eu-central-1</LocationConstraint>");
    expect(asked[0]!.headers.authorization).toContain("/eu-central-1/s3/");
  });
  test("lists in pages of 1,000", async () => {
    const { storage, asked } = await answering(() => s3List(s3Row("aaa")), "aws");
    await namesIn(storage, "s3://it@");
    expect(asked[0]!.url.pathname + asked[0]!.url.search).toBe("/?max-buckets=1000");
  });
  test("a date that is none is Corrupt", async () => {
    const { storage } = await answering(() => s3List(s3Row("aaa", "yesterday")));
    await expect(namesIn(storage, "s3://it@")).rejects.toMatchObject({ code: "Corrupt" });
  });
});

describe("without buckets", () => {
  test("files and memory are Unsupported", async () => {
    const storage = open({ env: {} });
    for (const account of ["file://", "local://"]) expect(() => storage.buckets(account)).toThrow(/Unsupported/);
    await expect(storage.buckets("memory://").create("abc")).rejects.toMatchObject({ code: "Unsupported" });
    await expect(namesIn(storage, "memory://")).rejects.toMatchObject({ code: "Unsupported" });
  });
  test("what is no account is refused", () => {
    const storage = openStorage({ env: {} });
    for (const text of ["s3://conn@bucket", "s3://bucket/", "s3:/", "", "conn@", "s3://user:password@", 3 as never])
      expect(() => storage.buckets(text), String(text)).toThrow(/InvalidArgument/);
    expect(() => storage.at("s3://bucket/a").buckets("s3://")).toThrow(/InvalidArgument/);
  });
  test("Google needs a project, Azure has no regions, and options that do not exist are named", async () => {
    const extra = { is_anonymous: true, "gcs.endpoint": "http://127.0.0.1:1" };
    const azurite = { connection_string: "AccountName=a;AccountKey=AAAA;BlobEndpoint=http://127.0.0.1:1/a;" };
    const storage = open({
      connections: { g: { type: "google_cloud_platform", extra }, a: { type: "wasb", extra: azurite } },
      env: {},
    });
    await expect(storage.buckets("gs://g@").create("abc")).rejects.toMatchObject({
      code: "InvalidArgument",
      detail: expect.stringContaining("project"),
    });
    await expect(storage.buckets("abfs://a@").create("abc", { region: "x" })).rejects.toMatchObject({
      code: "Unsupported",
    });
    const unknown = storage.buckets("gs://g@").create("abc", { regoin: "x" } as never);
    await expect(unknown).rejects.toMatchObject({ code: "InvalidArgument", detail: expect.stringContaining("regoin") });
  });
});
