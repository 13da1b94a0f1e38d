/** What the caller's own `S3Client` is made to send, seen by a request handler in the place of the network. */
import { Readable } from "node:stream";
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { expect, it } from "vitest";
import { s3 } from "../../../../src/fs/drivers/s3/index.js";
import { TestDriver } from "../../../support/test-driver.js";

interface Sent {
  method: string;
  hostname: string;
  path: string;
  query: Record<string, string>;
  headers: Record<string, string>;
  body?: unknown;
}
interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body?: string;
}

const KEYS = { accessKeyId: "ID", secretAccessKey: "SECRET" };
const STORED = { headers: { etag: '"e"', "content-length": "0" } };
const DATA = { headers: { etag: '"e"', "last-modified": "Sun, 01 Feb 2026 00:00:00 GMT", "content-length": "2" } };

async function on(
  bucket: string,
  config: S3ClientConfig,
  answers: (sent: Sent, count: number) => Answer | Promise<Answer>,
) {
  const sent: Sent[] = [];
  const requestHandler = {
    async handle(request: Sent) {
      sent.push(request);
      if (request.body instanceof Readable) for await (const _ of request.body);
      const { status = 200, headers = {}, body = "" } = await answers(request, sent.length);
      return { response: { statusCode: status, headers, body: Readable.from(body ? [Buffer.from(body)] : []) } };
    },
  };
  const client = new S3Client({
    ...{ region: "eu-central-1", credentials: KEYS, maxAttempts: 1 },
    ...config,
    requestHandler: requestHandler as never,
  });
  return { sent, client, subject: await TestDriver.open(s3.fromClient(client).open, bucket) };
}

it.each([
  ["bkt", {}, "bkt.s3.eu-central-1.amazonaws.com", "/k"],
  ["bkt.with.dots", {}, "s3.eu-central-1.amazonaws.com", "/bkt.with.dots/k"],
  ["bkt", { useFipsEndpoint: true }, "bkt.s3-fips.eu-central-1.amazonaws.com", "/k"],
  ["bkt", { useDualstackEndpoint: true }, "bkt.s3.dualstack.eu-central-1.amazonaws.com", "/k"],
  ["bkt", { endpoint: "http://127.0.0.1:9/base", forcePathStyle: true }, "127.0.0.1", "/base/bkt/k"],
  [
    "arn:aws:s3:eu-central-1:123456789012:accesspoint:mine",
    {},
    "mine-123456789012.s3-accesspoint.eu-central-1.amazonaws.com",
    "/k",
  ],
])("requests for %s with %j go where the client says", async (bucket, config, hostname, path) => {
  const { subject, sent } = await on(bucket, config, () => STORED);
  await subject.write("k", "x");
  expect(sent).toMatchObject([{ method: "PUT", hostname, path }]);
  expect(sent[0]!.headers.authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=ID\/\d+\/eu-central-1\/s3\/aws4_request/,
  );
  expect(sent[0]!.headers.host).toMatch(new RegExp(`^${hostname}`));
});

it("the environment's endpoint counts, as in the client's own commands", async () => {
  process.env.AWS_ENDPOINT_URL_S3 = "http://127.0.0.1:9";
  try {
    const { subject, sent } = await on("bkt", { forcePathStyle: true }, () => STORED);
    await subject.write("k", "x");
    expect(sent).toMatchObject([{ hostname: "127.0.0.1", path: "/bkt/k" }]);
  } finally {
    delete process.env.AWS_ENDPOINT_URL_S3;
  }
});

it("a directory bucket is read in a session of its own, and listed in its own order", async () => {
  const session = `<CreateSessionResult><Credentials><SessionToken>TOKEN</SessionToken><SecretAccessKey>s</SecretAccessKey><AccessKeyId>SESSION</AccessKeyId><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></CreateSessionResult>`;
  const row = (key: string) =>
    `<Contents><Key>${key}</Key><Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>`;
  const page = `<ListBucketResult><IsTruncated>false</IsTruncated>${row("b")}${row("a")}</ListBucketResult>`;
  const { subject, sent } = await on("mine--euc1-az1--x-s3", { region: "eu-central-1" }, ({ query, method }) => {
    if (query.session !== undefined) return { body: session };
    if (method === "POST") return { body: "<DeleteResult/>" };
    return { body: page };
  });
  expect(await subject.keys("")).toEqual(["b", "a"]);
  const { hostname, headers } = sent.at(-1)!;
  expect(hostname).toBe("mine--euc1-az1--x-s3.s3express-euc1-az1.eu-central-1.amazonaws.com");
  expect(headers["x-amz-s3session-token"]).toBe("TOKEN");
  expect(headers.authorization).toMatch(/Credential=SESSION\/\d+\/eu-central-1\/s3express\//);
  await subject.delete("a", "b");
  expect(sent.at(-1)!.headers).toHaveProperty("x-amz-checksum-crc32");
  expect(sent.at(-1)!.headers).not.toHaveProperty("content-md5");
});

it("retries are those of this library, whatever the client's setting", async () => {
  const { subject, sent } = await on("bkt", {}, (_, count) => (count < 3 ? { status: 503 } : STORED));
  await subject.write("k", "x");
  expect(sent).toHaveLength(3);
});

it("keys that have ended are renewed once, and the request is signed with the new ones", async () => {
  let asked = 0;
  const credentials = async () => ({
    ...KEYS,
    accessKeyId: `ID${++asked}`,
    expiration: new Date(Date.now() + 3_600_000),
  });
  const expired = { status: 400, body: "<Error><Code>ExpiredToken</Code></Error>" };
  const { subject, sent } = await on("bkt", { credentials }, (_, count) => (count === 1 ? expired : STORED));
  await subject.write("k", "x");
  expect(sent.map(({ headers }) => /Credential=(\w+)/.exec(headers.authorization!)?.[1])).toEqual(["ID1", "ID2"]);
});

it.each([
  [true, ["bkt.s3.eu-central-1.amazonaws.com", "bkt.s3.us-west-2.amazonaws.com"]],
  [false, ["bkt.s3.eu-central-1.amazonaws.com"]],
])("a bucket of another region is followed if the client does: %s", async (followRegionRedirects, hosts) => {
  const moved = { status: 301, headers: { "x-amz-bucket-region": "us-west-2" } };
  const { subject, sent } = await on("bkt", { followRegionRedirects }, (_, count) => (count === 1 ? moved : STORED));
  await subject.write("k", "x").catch(() => {});
  expect(sent.map(({ hostname }) => hostname)).toEqual(hosts);
});

it("the client's own middleware does not see the requests", async () => {
  const { subject, client, sent } = await on("bkt", {}, () => STORED);
  client.middlewareStack.add((next) => (args) => next(args), { step: "finalizeRequest", name: "mine" });
  client.middlewareStack.add(
    () => async () => {
      throw new Error("seen");
    },
    { step: "deserialize", name: "other" },
  );
  await subject.write("k", "x");
  expect(sent).toHaveLength(1);
});

it("checksums are left out where the client leaves them out", async () => {
  const config = { requestChecksumCalculation: "WHEN_REQUIRED", responseChecksumValidation: "WHEN_REQUIRED" } as const;
  const { subject, sent } = await on("bkt", config, ({ method }) =>
    method === "GET" ? { ...DATA, body: "ab" } : STORED,
  );
  await subject.write("k", "x");
  expect(await subject.text("k")).toBe("ab");
  expect(sent.flatMap(({ headers }) => Object.keys(headers)).join()).not.toMatch(/checksum/);
});

it("a client without keys is Unauthenticated before a request, and the error holds nothing of it", async () => {
  const credentials = async () => {
    throw Object.assign(new Error("no keys here\nSECRET"), { name: "CredentialsProviderError" });
  };
  const opening = on("bkt", { credentials }, () => STORED);
  await expect(opening).rejects.toMatchObject({ code: "Unauthenticated" });
  await expect(opening).rejects.not.toThrow("SECRET");
});

it("requests wait for the client's connections without being taken for silent ones", async () => {
  let inside = 0;
  let most = 0;
  const { subject, client } = await on("bkt", {}, async () => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setTimeout(resolve, 5));
    inside--;
    return STORED;
  });
  Object.assign(client.config.requestHandler, { httpHandlerConfigs: () => ({ httpsAgent: { maxSockets: 2 } }) });
  await Promise.all(Array.from({ length: 9 }, (_, i) => subject.write(`k${i}`, "x")));
  expect(most).toBe(2);
});

it("a long body goes out in pieces, an early refusal ends it", async () => {
  const { subject, sent } = await on("bkt", {}, () => STORED);
  await subject.write("k", Buffer.alloc(3 * 2 ** 20));
  expect(sent[0]!.body).toBeInstanceOf(Readable);
  expect(sent[0]!.headers["content-length"]).toBe(String(3 * 2 ** 20));
});
