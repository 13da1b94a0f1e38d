import { createSign, generateKeyPairSync } from "node:crypto";
import { Storage } from "@google-cloud/storage";
import fc from "fast-check";
import { expect, test } from "vitest";
import { signGcs, signGcsPost } from "../../../../src/fs/signing/gcs-v4.js";

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const PEM = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const EMAIL = "signer+1@project.iam.gserviceaccount.com";

const official = new Storage({ projectId: "p", credentials: { client_email: EMAIL, private_key: PEM } });

function sorted(url: string): [string, string[]] {
  const [path = "", query = ""] = url.split("?", 2);
  return [path, query.split("&").sort()];
}

test("V4 addresses equal those of the official client on random keys, methods and lifetimes", async () => {
  const request = fc.record({
    key: fc.string({ unit: "binary", minLength: 1, maxLength: 40 }).filter((key) => !/[\r\n]/.test(key)),
    bucket: fc.constantFrom("bucket", "bucket-1.example.com"),
    method: fc.constantFrom("GET" as const, "PUT" as const, "DELETE" as const),
    contentType: fc.option(fc.constantFrom("text/plain; charset=utf-8", "a/b"), { nil: undefined }),
    contentLength: fc.option(fc.nat(), { nil: undefined }),
    disposition: fc.option(fc.constant('attachment; filename="a b"'), { nil: undefined }),
    expiresIn: fc.integer({ min: 1, max: 604_800 }),
    seconds: fc.integer({ min: 2_000_000_000, max: 4_000_000_000 }),
    payer: fc.option(fc.constantFrom("paying-project", "other:project"), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(request, async ({ key, bucket, method, expiresIn, seconds, payer, ...more }) => {
      const now = seconds * 1000;
      const { contentType, contentLength, disposition } = more;
      const range = contentLength === undefined ? {} : { "x-goog-content-length-range": `0,${contentLength}` };
      const [theirs] = await official
        .bucket(bucket)
        .file(key)
        .getSignedUrl({
          version: "v4",
          action: ({ GET: "read", PUT: "write", DELETE: "delete" } as const)[method],
          ...(contentType !== undefined && { contentType }),
          ...(disposition !== undefined && { responseDisposition: disposition }),
          extensionHeaders: range,
          accessibleAt: now,
          expires: now + expiresIn * 1000,
          ...(payer !== undefined && { queryParams: { userProject: payer } }),
        });
      const ours = await signGcs({
        method,
        bucket,
        key,
        expiresIn,
        now,
        payer,
        headers: { ...range, ...(contentType !== undefined && { "content-type": contentType }) },
        more: disposition === undefined ? [] : [["response-content-disposition", disposition]],
        email: EMAIL,
        endpoint: { protocol: "https:", host: "storage.googleapis.com", base: "" },
        sign: async (text) => createSign("RSA-SHA256").update(text).sign(privateKey),
      });
      // The signature is of the sorted query; the official client does not send it sorted.
      expect(sorted(ours)).toEqual(sorted(theirs));
    }),
    { numRuns: 300 },
  );
});

test("the fields of a form equal those of the official client", async () => {
  const expires = new Date(Math.ceil(Date.now() / 1000) * 1000 + 600_000);
  const [theirs] = await official
    .bucket("bucket")
    .file("up/é")
    .generateSignedPostPolicyV4({ expires, conditions: [["content-length-range", 1, 10]] });
  const date = theirs.fields["x-goog-date"]!;
  const now = Date.parse(date.replace(/(....)(..)(..T..)(..)(..Z)/, "$1-$2-$3:$4:$5"));
  const policy = JSON.parse(String(Buffer.from(theirs.fields.policy!, "base64"))) as { conditions: unknown[] };
  const own = policy.conditions.filter((condition) => !JSON.stringify(condition).includes("x-goog-"));
  const ours = await signGcsPost({
    conditions: own,
    expires: new Date(JSON.parse(String(Buffer.from(theirs.fields.policy!, "base64"))).expiration),
    now,
    email: EMAIL,
    sign: async (text) => createSign("RSA-SHA256").update(text).sign(privateKey),
  });
  const { "x-goog-signature": _, policy: ourPolicy, ...fields } = ours;
  expect(theirs.fields).toMatchObject(fields);
  const decoded = JSON.parse(String(Buffer.from(ourPolicy!, "base64"))) as {
    conditions: unknown[];
    expiration: string;
  };
  expect(new Date(decoded.expiration)).toEqual(new Date((policy as unknown as { expiration: string }).expiration));
  const texts = (conditions: unknown[]) => conditions.map((condition) => JSON.stringify(condition)).sort();
  expect(texts(decoded.conditions)).toEqual(texts(policy.conditions));
});

test("an address of another endpoint keeps its protocol, port and path", async () => {
  const signed = await signGcs({
    method: "GET",
    bucket: "b",
    key: "a b/c",
    expiresIn: 60,
    now: 0,
    payer: undefined,
    headers: {},
    more: [],
    email: EMAIL,
    endpoint: { protocol: "http:", host: "127.0.0.1:4443", base: "/base" },
    sign: async () => Buffer.from("00ff", "hex"),
  });
  expect(signed).toMatch(/^http:\/\/127\.0\.0\.1:4443\/base\/b\/a%20b\/c\?X-Goog-Algorithm=.*&X-Goog-Signature=00ff$/);
});
