/** What an error says is safe to log. */
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { BatchError, StorageError } from "../../src/errors.js";

describe("a secret in a path or in what a server says", () => {
  const SECRET = "s3cr3t/+%2B=";
  test.each([
    ["a SAS", `https://a.blob.core.windows.net/c/b?sv=2024&sig=${SECRET}&se=2026`],
    ["a signature of S3", `https://b.s3.amazonaws.com/k?X-Amz-Signature=${SECRET}`],
    ["a credential of S3", `s3://b/k?a=1&x-amz-credential=${SECRET}`],
    ["a session token", `https://b/k?X-Amz-Security-Token=${SECRET}&b=2`],
    ["a signature of GCS", `https://storage.googleapis.com/b/k?X-Goog-Signature=${SECRET}`],
    ["a password", `s3://AKIA:${SECRET.replace("/", "")}@bucket/key`],
  ])("is redacted: %s", (_, text) => {
    const hidden = text.includes("@") ? SECRET.replace("/", "") : SECRET;
    const one = new StorageError({ code: "NotFound", op: "stat", path: text, detail: `the server says: no ${text}` });
    const failures = [{ path: one.path, error: one }];
    const many = new BatchError({
      op: "copy",
      path: text,
      what: "not copied",
      failures,
      failureCount: 1,
      completed: 0,
      retryable: false,
    });
    for (const shown of [one, many].flatMap((error) => [
      String(error),
      error.message,
      JSON.stringify(error),
      inspect(error),
    ])) {
      expect(shown).not.toContain(hidden);
      expect(shown).toContain("[redacted]");
    }
  });
  test.each(["s3://conn@bucket/a?b=1&c", "gs://bucket/what?signal=1", "s3://conn@bucket/run:a@b/x", "file:///a:b@c"])(
    "anything else stays: %s",
    (path) => {
      expect(new StorageError({ code: "NotFound", op: "stat", path }).path).toBe(path);
    },
  );
});
