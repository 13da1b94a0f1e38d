import { createSign, generateKeyPairSync } from "node:crypto";
import { Storage } from "@google-cloud/storage";
import fc from "fast-check";
import { expect, test } from "vitest";
import { signGcs } from "../../../../src/fs/signing/gcs-v4.js";

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const PEM = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const EMAIL = "signer+1@project.iam.gserviceaccount.com";

const official = new Storage({ projectId: "p", credentials: { client_email: EMAIL, private_key: PEM } });

test("V4 addresses equal those of the official client on random keys, methods and lifetimes", async () => {
  const request = fc.record({
    key: fc.string({ unit: "binary", minLength: 1, maxLength: 40 }).filter((key) => !/[\r\n]/.test(key)),
    bucket: fc.constantFrom("bucket", "bucket-1.example.com"),
    method: fc.constantFrom("GET" as const, "PUT" as const),
    expiresIn: fc.integer({ min: 1, max: 604_800 }),
    seconds: fc.integer({ min: 2_000_000_000, max: 4_000_000_000 }),
    payer: fc.option(fc.constantFrom("paying-project", "other:project"), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(request, async ({ key, bucket, method, expiresIn, seconds, payer }) => {
      const now = seconds * 1000;
      const [theirs] = await official
        .bucket(bucket)
        .file(key)
        .getSignedUrl({
          version: "v4",
          action: method === "GET" ? "read" : "write",
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
        email: EMAIL,
        endpoint: { protocol: "https:", host: "storage.googleapis.com", base: "" },
        sign: async (text) => createSign("RSA-SHA256").update(text).sign(privateKey),
      });
      expect(ours).toBe(theirs);
    }),
    { numRuns: 300 },
  );
});

test("an address of another endpoint keeps its protocol, port and path", async () => {
  const signed = await signGcs({
    method: "GET",
    bucket: "b",
    key: "a b/c",
    expiresIn: 60,
    now: 0,
    payer: undefined,
    email: EMAIL,
    endpoint: { protocol: "http:", host: "127.0.0.1:4443", base: "/base" },
    sign: async () => Buffer.from("00ff", "hex"),
  });
  expect(signed).toMatch(/^http:\/\/127\.0\.0\.1:4443\/base\/b\/a%20b\/c\?X-Goog-Algorithm=.*&X-Goog-Signature=00ff$/);
});
