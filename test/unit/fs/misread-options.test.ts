/** Options of another shape than the documented one, which would be read as something else. */
import { expect, test } from "vitest";
import { s3Options } from "../../../src/fs/drivers/s3/connection.js";
import { openStorage } from "../../../src/index.js";

test.each<[unknown, RegExp]>([
  [[{ from: 0, to: 2 }], /unknown option "from" of ranges/],
  [[[0, 2]], /a range must be \{ start, end \}, not \[0,2\]/],
  [[null], /a range must be \{ start, end \}, not null/],
  [{ start: 0, end: 2 }, /ranges must be an array of \{ start, end \}/],
  [undefined, /ranges must be an array of \{ start, end \}/],
])("ranges of %j are refused", async (ranges, message) => {
  const storage = openStorage({ env: {} });
  await storage.write("memory://b/k", "0123456789");
  await expect(storage.ranges("memory://b/k", ranges as never)).rejects.toMatchObject({
    code: "InvalidArgument",
    message: expect.stringMatching(message),
  });
  expect(await storage.ranges("memory://b/k", [{ start: 8 }, {}])).toHaveLength(2);
});

test.each([["/etc/connections.json"], [null], [[]], [5]])("connections of %j are refused", (connections) => {
  expect(() => openStorage({ env: {}, connections: connections as never })).toThrow(
    /connections must be a record by id, a function, or a source such as connectionsFromFile\(path\)/,
  );
});

test("the kind of a server whose endpoint comes from the environment comes from there, too", () => {
  const env = { AWS_ENDPOINT_URL_S3: "http://127.0.0.1:9000", STOWAGE_S3_PROVIDER: "MinIO" };
  expect(s3Options(undefined, env).provider).toBe("minio");
  expect(s3Options(undefined, { ...env, STOWAGE_S3_PROVIDER: "" }).provider).toBe("generic");
  const extra = { endpoint_url: "http://127.0.0.1:9001" };
  expect(s3Options({ type: "aws", extra } as never, env).provider).toBe("generic");
  expect(s3Options({ type: "aws", extra: { provider: "ceph" } } as never, env).provider).toBe("ceph");
  expect(() => s3Options(undefined, { ...env, STOWAGE_S3_PROVIDER: "mini" })).toThrow(
    /STOWAGE_S3_PROVIDER must be one of aws, .*did you mean minio\?/,
  );
});
