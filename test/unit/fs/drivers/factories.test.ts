/** The factories of the providers: what they take, and what they refuse before anything is sent. */
import { S3Client } from "@aws-sdk/client-s3";
import { BlobServiceClient } from "@azure/storage-blob";
import { Storage as GoogleStorage } from "@google-cloud/storage";
import { describe, expect, it } from "vitest";
import type { Driver, DriverFactory } from "../../../../src/fs/driver/driver.js";
import { azure } from "../../../../src/fs/drivers/azure/index.js";
import { gcs } from "../../../../src/fs/drivers/gcs/index.js";
import { s3 } from "../../../../src/fs/drivers/s3/index.js";
import { s3 as s3ByKeys, s3Objects } from "../../../../src/fs/drivers/s3/keys.js";
import { openStorage } from "../../../../src/open.js";
import { schemesOf } from "../../../../src/path.js";
import { describeOn, type ServerOf, useBucket } from "../../../servers/use.js";
import { SHARED, TestDriver } from "../../../support/test-driver.js";

const KEYS = { accessKeyId: "id", secretAccessKey: "secret" };
const URL_OF = "https://acc.blob.core.windows.net";

describe("factories", () => {
  it.each<[string, DriverFactory[], string[]]>([
    ["s3", [s3(), s3(KEYS), s3.fromClient(new S3Client()), s3ByKeys(KEYS)], schemesOf("s3")],
    ["gcs", [gcs(), gcs({ keyfile: {} }), gcs.fromClient(new GoogleStorage())], schemesOf("gs")],
    [
      "azure",
      [azure(), azure({ account: "a", key: "" }), azure.fromClient(new BlobServiceClient(URL_OF))],
      schemesOf("azure"),
    ],
  ])("of %s serve its schemes, and only those of the connection look one up", (_, made, schemes) => {
    expect(made.map((one) => one.schemes)).toEqual(made.map(() => schemes));
    expect(made.map(({ open }) => open.ownCredentials)).toEqual([undefined, ...made.slice(1).map(() => true)]);
  });

  it.each<[string, () => unknown, RegExp]>([
    ["a misspelled key of S3", () => s3({ ...KEYS, regoin: "x" } as never), /regoin.*region/],
    ["no secret", () => s3({ accessKeyId: "id" } as never), /secretAccessKey/],
    ["undefined for keys", () => s3(undefined as never), /options of s3/],
    ["a provider of its own", () => s3({ ...KEYS, provider: "mine" as never }), /"mine".*minio/],
    ["the same of single objects", () => s3Objects({ ...KEYS, provider: "toString" as never }), /"toString"/],
    ["the same of a client", () => s3.fromClient(new S3Client(), { provider: "mine" as never }), /"mine"/],
    ["an option of a client", () => s3.fromClient(new S3Client(), { region: "x" } as never), /region.*s3\.fromClient/],
    ["something else than a client", () => s3.fromClient({} as never), /S3Client/],
    ["nothing for a client", () => s3.fromClient(undefined as never), /S3Client/],
    ["two ways to sign in to Azure", () => azure({ account: "a", key: "x", sas: "y" }), /exactly one/],
    ["no way to sign in to Azure", () => azure({ account: "a" }), /exactly one/],
    ["no account", () => azure({ key: "x" } as never), /account/],
    ["a misspelled key of Azure", () => azure({ account: "a", sass: "x" } as never), /sass.*sas/],
    ["no client of Azure", () => azure.fromClient(undefined as never), /BlobServiceClient/],
    ["an option of Azure's", () => azure.fromClient(new BlobServiceClient(URL_OF), { scope: "x" } as never), /scope/],
    ["no way to sign in to Google", () => gcs({}), /exactly one/],
    ["a misspelled key of Google's", () => gcs({ keyFile: "x" } as never), /keyFile/],
    ["no client of Google's", () => gcs.fromClient({} as never), /Storage of @google-cloud/],
  ])("%s is InvalidArgument", (_, make, why) => {
    expect(make).toThrow(expect.objectContaining({ code: "InvalidArgument", message: expect.stringMatching(why) }));
  });

  it("a token of Google's goes with requests, and cannot sign", async () => {
    const token = async () => ({ token: "T", expiresAt: Date.now() + 3_600_000 });
    const driver = (await gcs({ token }).open("b", undefined, SHARED)) as Driver;
    await expect(driver.signedUrl("k", { method: "GET", expiresIn: 9 })).rejects.toMatchObject({ code: "Unsupported" });
  });
});

await describeOn("minio", "s3(keys)", (server: ServerOf<"minio">) => {
  const bucket = useBucket(server);

  it.each([
    ["of the door", s3],
    ["of the small door", s3ByKeys],
  ])("%s writes, reads and lists under any connection id", async (_, make) => {
    const { endpoint, accessKey: accessKeyId, secretKey: secretAccessKey } = server;
    const factory = make({ accessKeyId, secretAccessKey, endpoint, provider: "minio" });
    await using storage = openStorage({ drivers: [factory], env: {} });
    const path = `s3://nobody@${bucket().name}/factory/a`;
    await storage.write(path, "1");
    expect(await storage.text(path)).toBe("1");
    await storage.delete(path);
  });

  it("of single objects has no listing", async () => {
    const { endpoint, accessKey: accessKeyId, secretKey: secretAccessKey } = server;
    const driver = await s3Objects({ accessKeyId, secretAccessKey, endpoint }).open(bucket().name, undefined, SHARED);
    expect(driver).not.toHaveProperty("list");
    await driver.close();
  });
});

await describeOn("azurite", "azure(keys)", (server: ServerOf<"azurite">) => {
  const bucket = useBucket(server);

  it("writes and reads with the account's key, and signs", async () => {
    const key = /AccountKey=([^;]+)/.exec(server.connectionString)?.[1];
    const { account, endpoint } = server;
    const subject = await TestDriver.open(azure({ account, key, endpoint }).open, bucket().name);
    await subject.write("factory", "1");
    expect(await subject.text("factory")).toBe("1");
    expect((await subject.driver.signedUrl("factory", { method: "GET", expiresIn: 60 })).url).toContain("sig=");
    await subject.delete("factory");
    await subject.driver.close();
  });
});
