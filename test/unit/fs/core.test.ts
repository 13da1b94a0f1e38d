/** A Storage of named parts has these parts, and says what it lacks. */
import { describe, expect, test } from "vitest";
import { gzip, zstd } from "../../../src/codecs/formats.js";
import {
  allowedTypes,
  connectionsFromRecord,
  contentTypeOf,
  createObjects,
  createStorage,
  file,
  keyTemplates,
  memory,
  Objects,
  readAliases,
  Storage,
  StoragePath,
  serializers,
  type XComFeatures,
  XComObjectStorageBackend,
} from "../../../src/core.js";
import { s3, s3Objects } from "../../../src/fs/drivers/s3/keys.js";
import { s3Objects as objectsByConnection, s3 as s3ByConnection } from "../../../src/fs/drivers/s3/static.js";
import { openStorage } from "../../../src/open.js";
import { schemesOf } from "../../../src/path.js";
import { collect } from "../../../src/streams.js";
import { defineSerializer } from "../../../src/xcom/serializer.js";
import { describeOn, useBucket } from "../../servers/use.js";

const PATH = "s3://it@bucket/key";
const KEYS = { accessKeyId: "id", secretAccessKey: "not so secret" };

/** A Storage on S3 whose one connection has this extra. */
function onS3(connection: { login?: string; password?: string; extra?: Record<string, unknown> }, env = {}) {
  const connections = connectionsFromRecord({ it: { type: "aws", ...connection } });
  return createStorage({ drivers: [s3ByConnection()], connections, env });
}

describe("drivers", () => {
  test("a scheme that was not given is refused, with those that were", async () => {
    const storage = createStorage({ drivers: [memory()] });
    await expect(storage.stat("s3://bucket/key")).rejects.toThrow(
      /InvalidArgument \(no driver registered for scheme "s3" \(registered: memory\)\)/,
    );
  });
  test.each([
    ["no array", { s3: memory() }],
    ["a factory that was not called", [memory]],
    ["a function that opens", [memory().open]],
    ["a scheme instead of schemes", [{ schemes: "mem", open: memory().open }]],
    ["no driver", [{ schemes: ["mem"] }]],
    ["nothing", [undefined]],
    ["left out", undefined],
  ])("that are %s are refused", (_, drivers) => {
    for (const make of [createStorage, createObjects])
      expect(() => make({ drivers: drivers as never })).toThrow(/InvalidArgument \(drivers must be an array .*schemes/);
    if (drivers)
      expect(() => openStorage({ drivers: drivers as never })).toThrow(/InvalidArgument \(drivers must be an array /);
  });
  test("of two that serve one scheme the later does", async () => {
    const [first, second] = [memory(), memory()];
    const storage = createStorage({ drivers: [first, second] });
    await storage.write("memory://bucket/key", "text");
    expect(await createStorage({ drivers: [second] }).text("memory://bucket/key")).toBe("text");
    expect(await createStorage({ drivers: [first] }).exists("memory://bucket/key")).toBe(false);
  });
  test("have the schemes that paths know", () => {
    expect(memory().schemes).toEqual(schemesOf("memory"));
    expect(file("/").schemes).toEqual(schemesOf("file"));
  });
  test("schemes with the same driver are one provider, whose copies stay inside", async () => {
    const storage = createStorage({ drivers: [{ ...memory(), schemes: ["memory", "mine"] }] });
    await storage.write("memory://a/key", "text");
    const passed: number[] = [];
    await storage.copy("memory://a/key", "mine://b/key", { onProgress: (bytes) => passed.push(bytes) });
    expect(await storage.text("memory://b/key")).toBe("text");
    expect(passed).toEqual([]);
  });
  test("s3 of stowage/s3/static signs with the keys of a connection, and of the environment without one", async () => {
    const given = onS3({ login: "of-connection", password: "x" });
    expect((await given.signedUrl(PATH)).url).toContain("X-Amz-Credential=of-connection%2F");
    const found = onS3({}, { AWS_ACCESS_KEY_ID: "of-environment", AWS_SECRET_ACCESS_KEY: "x" });
    expect((await found.signedUrl("s3://bucket/key")).url).toContain("X-Amz-Credential=of-environment%2F");
  });
  test.each([
    ["profile", { profile_name: "it" }],
    ["assume-role", { role_arn: "arn:aws:iam::1:role/it" }],
    ["default", {}],
  ])("s3 of stowage/s3/static refuses credentials of the kind %s and names s3()", async (kind, extra) => {
    const refused = onS3({ extra }).stat(PATH);
    await expect(refused).rejects.toThrow(new RegExp(`Unsupported .*of the kind ${kind}; use s3\\(\\)`));
  });
  test("s3 of stowage/s3/keys asks AWS in the region without an endpoint, else the endpoint with the bucket in the path", async () => {
    const signed = (place: object) =>
      createStorage({ drivers: [s3({ ...KEYS, ...place })] })
        .signedUrl("s3://bucket/key")
        .then(({ url }) => url);
    const amazon = new URL(await signed({ region: "eu-west-1", sessionToken: "token" }));
    expect(amazon.origin + amazon.pathname).toBe("https://bucket.s3.eu-west-1.amazonaws.com/key");
    expect(amazon.searchParams.get("X-Amz-Credential")).toMatch(/^id\/\d+\/eu-west-1\/s3\//);
    expect(amazon.searchParams.get("X-Amz-Security-Token")).toBe("token");
    const own = new URL(await signed({ endpoint: "https://store.example:9000/" }));
    expect(own.origin + own.pathname).toBe("https://store.example:9000/bucket/key");
  });
});

describe("connections", () => {
  test("an id is refused when no source was given, and the default credentials are not tried", async () => {
    const storage = createStorage({
      drivers: [s3ByConnection()],
      env: { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" },
    });
    await expect(storage.signedUrl(PATH)).rejects.toThrow(
      /signedUrl s3:\/\/it@bucket\/key: InvalidArgument \(no connection of this id in: .*left out/,
    );
  });
});

describe("codecs and content types", () => {
  const storage = createStorage({ drivers: [memory()], codecs: [gzip] });
  test("a codec that was not given is refused by name and by suffix, for reading and for writing", async () => {
    const none = createStorage({ drivers: [memory()] });
    await none.write("memory://bucket/a.zst", "text");
    await expect(none.text("memory://bucket/a.zst", { compression: "infer" })).rejects.toThrow(
      /Unsupported .*zstd.*no codec/,
    );
    const named = storage.write("memory://bucket/a", "text", { compression: "zstd" });
    await expect(named).rejects.toThrow(/InvalidArgument .*unknown codec "zstd" \(expected one of gzip/);
    const inferred = storage.write("memory://bucket/a.zst", "text", { compression: "infer" });
    await expect(inferred).rejects.toThrow(/Unsupported .*zstd, and there is gzip/);
    await expect(storage.exists("memory://bucket/a.zst")).resolves.toBe(false);
  });
  test("a suffix that stands for no codec is read as it is", async () => {
    await storage.write("memory://bucket/a.json", "{}", { compression: "infer" });
    expect(await storage.text("memory://bucket/a.json", { compression: "infer" })).toBe("{}");
  });
  test("codecs that were given are found", async () => {
    const both = createStorage({ drivers: [memory()], codecs: [gzip, zstd] });
    for (const [name, magic] of [
      ["a.gz", "1f8b"],
      ["a.zst", "28b52ffd"],
    ]) {
      await both.write(`memory://bucket/${name}`, "text", { compression: "infer" });
      expect(Buffer.from(await both.bytes(`memory://bucket/${name}`)).toString("hex")).toMatch(RegExp(`^${magic}`));
      expect(await both.text(`memory://bucket/${name}`, { compression: "infer" })).toBe("text");
    }
  });
  test("content types are told by suffixes when their table was given", async () => {
    const typed = createStorage({ drivers: [memory()], contentTypeOf });
    for (const [on, type] of [
      [typed, "application/json"],
      [storage, "application/octet-stream"],
    ] as const) {
      await on.write("memory://bucket/b.json", "{}");
      expect((await on.stat("memory://bucket/b.json")).contentType).toBe(type);
    }
  });
});

describe("objects alone", async () => {
  test("a Storage is Objects with all other verbs, on the same drivers", async () => {
    const drivers = [memory()];
    const [objects, storage] = [createObjects({ drivers }), createStorage({ drivers })];
    expect(storage).toBeInstanceOf(Objects);
    expect(objects).not.toBeInstanceOf(Storage);
    await objects.write("memory://bucket/a", "text");
    expect(await storage.text("memory://bucket/a")).toBe("text");
    await storage.delete("memory://bucket/a");
    expect(await objects.exists("memory://bucket/a")).toBe(false);
  });
  await describeOn("minio", "on S3", (server) => {
    const bucket = useBucket(server);
    const opened = (drivers: object, more = {}) => createObjects({ drivers: [s3Objects(keys())], ...drivers, ...more });
    const keys = () => {
      const { accessKey: accessKeyId, secretKey: secretAccessKey, region, endpoint } = server;
      return { accessKeyId, secretAccessKey, region, endpoint };
    };
    const at = (key: string) => StoragePath.of({ scheme: "s3", connectionId: "any", bucket: bucket().name, key });

    test("what is written in one request and in parts is read, looked at and deleted", async () => {
      const objects = opened({});
      for (const size of [0, 1000, 20 * 2 ** 20 + 1]) {
        const data = Buffer.alloc(size, "0123456789abcdef-");
        await objects.write(at("data"), data);
        expect((await objects.stat(at("data"))).size).toBe(size);
        expect(Buffer.compare(await objects.bytes(at("data")), data)).toBe(0);
        let seen = 0;
        for await (const chunk of objects.read(at("data"))) seen += chunk.byteLength;
        expect(seen).toBe(size);
      }
      for (const name of ["data", "missing", "tab\tand\u0001"]) await objects.delete(at(name));
      expect(await objects.exists(at("data"))).toBe(false);
      await objects.close();
    });
    test("keys of its own need no connection; that of stowage/s3/static takes those of the connection, and refuses an unknown id", async () => {
      const own = opened({}, { connections: { name: "nobody", get: () => Promise.reject(new Error("was asked")) } });
      await own.write(at("own"), "text");
      const asked = createObjects({
        drivers: [objectsByConnection()],
        connections: connectionsFromRecord({ any: server.connection }),
      });
      expect(await asked.text(at("own"))).toBe("text");
      const unknown = asked.text(String(at("own")).replace("any@", "other@"));
      await expect(unknown).rejects.toThrow(/InvalidArgument \(no connection of this id in: /);
      await Promise.all([own.close(), asked.close()]);
    });
    test("a key that could not be deleted is named", async () => {
      const objects = opened({}, { drivers: [s3Objects({ ...keys(), secretAccessKey: "wrong" })] });
      const failed = objects.delete(at("one"));
      await expect(failed).rejects.toThrow(/delete .*\/one: Unauthenticated /);
      await objects.close();
    });
    test("an XCom backend stores, loads and purges on it", async () => {
      const storage = opened({}, { codecs: [gzip] });
      const backend = new XComObjectStorageBackend({
        storage,
        path: String(at("xcom")),
        threshold: 0,
        compression: "gzip",
      });
      const row = await backend.storeValue(OWNER, "key", { n: 1 });
      expect(await backend.loadValue(row, { owner: OWNER })).toEqual({ n: 1 });
      expect(await backend.purge(row)).toBe(true);
      expect(await storage.exists(String(row))).toBe(false);
      await storage.close();
    });
  });
});

const OWNER = { dagId: "d", runId: "r", taskId: "t" };

describe("options of the XCom backend", () => {
  const storage = createStorage({ drivers: [memory()] });
  const text = defineSerializer<Date>({
    name: "test.date@1",
    suffix: ".date",
    test: (value): value is Date => value instanceof Date,
    encode: async function* (value) {
      yield Buffer.from(value.toISOString());
    },
    decode: async (body) => new Date(Buffer.from(await collect(body)).toString()),
  });
  const base = { storage, path: "memory://bucket/x", threshold: 0 };
  test.each<[string, object, XComFeatures]>([
    ["keyTemplate", { keyTemplate: "{dag_id}/{run_id}/{task_id}/{key}_{uuid}.json" }, keyTemplates],
    ["readAliases", { readAliases: { "old://": "memory://bucket/old" } }, readAliases],
    ["serializers", { serializers: [text] }, serializers],
    ["allowedTypes", { allowedTypes: ["builtins.*"] }, allowedTypes],
  ])("%s is refused without its part, never ignored, and works with it", async (name, option, part) => {
    const options = { ...base, ...option };
    expect(() => new XComObjectStorageBackend(options)).toThrow(
      `InvalidArgument (option ${name} requires the \`${name}\` feature`,
    );
    const backend = new XComObjectStorageBackend(options, part);
    const row = await backend.storeValue(OWNER, "key", { n: 1 });
    expect(await backend.loadValue(row)).toEqual({ n: 1 });
  });
  test("an object of a serializer is refused without the part of serializers, saying what is missing", async () => {
    const row = await new XComObjectStorageBackend({ ...base, serializers: [text] }, serializers).storeValue(
      OWNER,
      "key",
      new Date(0),
    );
    const load = new XComObjectStorageBackend(base).loadValue(row);
    await expect(load).rejects.toThrow(/Unsupported \(no serializer reads \.date; .*there is none/);
  });
});
