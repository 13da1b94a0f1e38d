/** A Storage of named parts has these parts, and says what it lacks. */
import { describe, expect, test } from "vitest";
import { fromS3Keys, openS3WithKeys } from "../src/fs/drivers/s3/index.js";
import { connectionsFromRecord, contentTypeOf, gzip, memoryDrivers, openStorage, zstd } from "../src/lean.js";

const PATH = "s3://it@bucket/key";
const KEYS = { accessKeyId: "id", secretAccessKey: "not so secret" };

/** A Storage on S3 whose one connection has this extra. */
function onS3(connection: { login?: string; password?: string; extra?: Record<string, unknown> }, env = {}) {
  const connections = connectionsFromRecord({ it: { type: "aws", ...connection } });
  return openStorage({ drivers: { s3: openS3WithKeys }, connections, env });
}

describe("drivers", () => {
  test("a scheme that was not given is refused, with those that were", async () => {
    const storage = openStorage({ drivers: { memory: memoryDrivers() } });
    await expect(storage.stat("s3://bucket/key")).rejects.toThrow(/InvalidArgument .*s3:\/\/, there are memory/);
  });
  test("schemes with the same driver are one provider, whose copies stay inside", async () => {
    const memory = memoryDrivers();
    const storage = openStorage({ drivers: { memory, mine: memory } });
    await storage.write("memory://a/key", "text");
    const passed: number[] = [];
    await storage.copy("memory://a/key", "mine://b/key", { onProgress: (bytes) => passed.push(bytes) });
    expect(await storage.text("memory://b/key")).toBe("text");
    expect(passed).toEqual([]);
  });
  test("openS3WithKeys signs with the keys of a connection, and of the environment without one", async () => {
    const given = onS3({ login: "of-connection", password: "x" });
    expect(await given.sign(PATH)).toContain("X-Amz-Credential=of-connection%2F");
    const found = onS3({}, { AWS_ACCESS_KEY_ID: "of-environment", AWS_SECRET_ACCESS_KEY: "x" });
    expect(await found.sign("s3://bucket/key")).toContain("X-Amz-Credential=of-environment%2F");
  });
  test.each([
    ["profile", { profile_name: "it" }],
    ["assume-role", { role_arn: "arn:aws:iam::1:role/it" }],
    ["default", {}],
  ])("openS3WithKeys refuses credentials of the kind %s and names openS3", async (kind, extra) => {
    const refused = onS3({ extra }).stat(PATH);
    await expect(refused).rejects.toThrow(new RegExp(`Unsupported .*of the kind ${kind}; use openS3`));
  });
  test("fromS3Keys asks AWS in the region without an endpoint, else the endpoint with the bucket in the path", async () => {
    const signed = (place: object) =>
      openStorage({ drivers: { s3: fromS3Keys({ ...KEYS, ...place }) } }).sign("s3://bucket/key");
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
    const storage = openStorage({
      drivers: { s3: openS3WithKeys },
      env: { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" },
    });
    await expect(storage.sign(PATH)).rejects.toThrow(/stat s3:\/\/it@bucket\/key: InvalidArgument \(no connection of this id in: .*given none/);
  });
});

describe("codecs and content types", () => {
  const storage = openStorage({ drivers: { memory: memoryDrivers() }, codecs: [gzip] });
  test("a codec that was not given is refused by name and by suffix, for reading and for writing", async () => {
    const none = openStorage({ drivers: { memory: memoryDrivers() } });
    await none.write("memory://bucket/a.zst", "text");
    await expect(none.text("memory://bucket/a.zst", { compression: "infer" })).rejects.toThrow(
      /Unsupported .*zstd.*no codec/,
    );
    const named = storage.write("memory://bucket/a", "text", { compression: "zstd" });
    await expect(named).rejects.toThrow(/InvalidArgument .*"zstd": there is gzip/);
    const inferred = storage.write("memory://bucket/a.zst", "text", { compression: "infer" });
    await expect(inferred).rejects.toThrow(/Unsupported .*zstd, and there is gzip/);
    await expect(storage.exists("memory://bucket/a.zst")).resolves.toBe(false);
  });
  test("a suffix that stands for no codec is read as it is", async () => {
    await storage.write("memory://bucket/a.json", "{}", { compression: "infer" });
    expect(await storage.text("memory://bucket/a.json", { compression: "infer" })).toBe("{}");
  });
  test("codecs that were given are found", async () => {
    const both = openStorage({ drivers: { memory: memoryDrivers() }, codecs: [gzip, zstd] });
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
    const typed = openStorage({ drivers: { memory: memoryDrivers() }, contentTypeOf });
    for (const [on, type] of [
      [typed, "application/json"],
      [storage, "application/octet-stream"],
    ] as const) {
      await on.write("memory://bucket/b.json", "{}");
      expect((await on.stat("memory://bucket/b.json")).contentType).toBe(type);
    }
  });
});
