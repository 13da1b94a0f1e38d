/** What is said where an optional package is not installed. */
import { describe, expect, test, vi } from "vitest";
import { mendOf } from "../../../../src/cli/doctor/finding.js";
import { failure, StorageError } from "../../../../src/errors.js";
import { openStorage } from "../../../../src/open.js";
import { StoragePath } from "../../../../src/path.js";

const missing = vi.hoisted(() => () => {
  throw Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
});
vi.mock("@aws-sdk/credential-providers", missing);
vi.mock("@azure/identity", missing);
vi.mock("google-auth-library", missing);

describe("without the package that finds credentials, the error says what to install and what needs no package", () => {
  test.each([
    [
      "s3://bucket/key",
      {},
      /the default credential chain needs a package: npm install @aws-sdk\/credential-providers; .*AWS_SECRET_/,
    ],
    ["gs://bucket/key", {}, /npm install google-auth-library; .*is_anonymous/],
    ["az://box/key", { AZURE_STORAGE_ACCOUNT_NAME: "a" }, /npm install @azure\/identity; .*AZURE_STORAGE_ACCOUNT_KEY/],
  ])("%s", async (path, env, words) => {
    await using storage = openStorage({ env });
    const error = await storage.text(path).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: "Unsupported", retryable: false });
    expect(error.message).toMatch(words);
  });
});

test("where no credentials were found, the doctor does not advise to renew them", () => {
  const path = StoragePath.parse("s3://bucket/key");
  const none = failure("Unauthenticated", "no credentials from the profile: CredentialsProviderError: no");
  const refused = failure("Unauthenticated", "InvalidAccessKeyId");
  expect(none).toBeInstanceOf(StorageError);
  expect(mendOf(none, "list", path, "stowage")).toMatch(/AWS_ACCESS_KEY_ID/);
  expect(mendOf(refused, "list", path, "stowage")).toMatch(/renew/);
});
