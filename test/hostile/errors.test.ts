/** Documents that say that something failed, deeply nested ones, and refusals that are not about the time. */
import { describe, expect, test } from "vitest";
import { isStorageError, StorageError } from "../../src/errors.js";
import { CLOUDS, type Cloud, codeOf, on, type Reply } from "./support.js";

const [s3, gcs, azure] = CLOUDS as [Cloud, Cloud, Cloud];

describe("errors of Google's servers", () => {
  /** As Google's storage-testbench answers: the document of one error is the message of another. */
  const nested = (status: number) => ({
    error: { code: status, message: { error: { errors: [{ domain: "global", message: "planted" }] } }, errors: [{}] },
  });
  const odd: [string, (status: number) => unknown][] = [
    ["a nested document", nested],
    ["a number for a message", (code) => ({ error: { code, message: 5 } })],
    ["a list for a message", (code) => ({ error: { code, message: ["a"] } })],
    ["null for a message", (code) => ({ error: { code, message: null } })],
    ["an object for a reason", () => ({ error: { errors: [{ reason: { a: 1 } }] } })],
    ["null for the errors", () => ({ error: { errors: null, message: "x" } })],
    ["a text for the errors", () => ({ error: { errors: "x" } })],
    ["null for an error", () => ({ error: { errors: [null] } })],
    ["a text for the error", () => ({ error: "invalid_grant" })],
    ["null for the document", () => null],
    ["a list for the document", () => [1]],
  ];
  const cases = odd.flatMap(([what, document]) => [408, 429, 503].map((status) => [what, status, document] as const));

  test.each(cases)("%s with status %i is tried again", async (_, status, document) => {
    const { subject, asked } = await on(gcs, (_asked, count) =>
      count === 1 ? { status, body: JSON.stringify(document(status)) } : gcs.good.stat,
    );
    expect(await subject.stat("k")).toMatchObject({ size: 10 });
    expect(asked.length).toBe(2);
  });

  test.each(odd)("%s leaves the status to say what it is", async (_, document) => {
    const { subject } = await on(gcs, () => ({ status: 404, body: JSON.stringify(document(404)) }));
    expect(await codeOf(subject, subject.stat("k"))).toBe("NotFound");
  });

  test("the words of a nested document are told", async () => {
    const { subject } = await on(gcs, () => ({ status: 400, body: JSON.stringify(nested(400)) }));
    await expect(subject.stat("k")).rejects.toThrow("planted");
  });
});

describe("XML", () => {
  const deep = (levels: number) => `${"<a>".repeat(levels)}${"</a>".repeat(levels)}`;
  const listing = (inside: string): Reply => ({
    body: `<ListBucketResult><IsTruncated>false</IsTruncated>${inside}</ListBucketResult>`,
  });

  test("of 16 levels is read, of more refused", async () => {
    const { subject } = await on(s3, (_, count) => listing(deep(count === 1 ? 15 : 16)));
    expect(await subject.keys("")).toEqual([]);
    expect(await codeOf(subject, subject.keys(""))).toBe("Corrupt");
  });

  test.each([
    ["280 KiB of levels", deep(40_000)],
    [
      "a name of 1 MiB around many elements",
      `<${"n".repeat(2 ** 20)}>${"<b/>".repeat(50_000)}</${"n".repeat(2 ** 20)}>`,
    ],
  ])("%s end at once, as an answer and as an error", async (_, inside) => {
    for (const cloud of [s3, azure]) {
      const { subject } = await on(cloud, (_asked, count) =>
        count === 1 ? listing(inside) : { status: 400, body: `<Error>${inside}</Error>` },
      );
      const start = performance.now();
      expect(await codeOf(subject, subject.keys(""))).toBe("Corrupt");
      expect(await codeOf(subject, subject.keys(""))).toBe("InvalidArgument");
      // Quadratic, this takes a minute.
      expect(performance.now() - start).toBeLessThan(5000);
    }
  });

  test.each(["<html><IsTruncated/></html>", "<Error><IsTruncated>false</IsTruncated></Error>", "<R/>", "{}", ""])(
    "%s is no listing",
    async (body) => {
      const { subject } = await on(s3, () => ({ body }));
      expect(await codeOf(subject, subject.keys(""))).toBeDefined();
    },
  );

  test("a listing under any root is one, as other servers write it", async () => {
    const { subject } = await on(s3, () => ({
      body: "<ListObjectsV2Output><IsTruncated>false</IsTruncated></ListObjectsV2Output>",
    }));
    expect(await subject.keys("")).toEqual([]);
  });
});

describe("the clock", () => {
  const HOUR = 3_600_000;
  const late = () => new Date(Date.now() + HOUR).toUTCString();
  const sentAt = (headers: Record<string, unknown>) => {
    const [, y, m, d, h, min, s] =
      /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(String(headers["x-amz-date"])) ?? [];
    return y === undefined ? Date.parse(String(headers["x-ms-date"])) : Date.parse(`${y}-${m}-${d}T${h}:${min}:${s}Z`);
  };

  test.each([
    ["s3", s3, { body: "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>" }],
    ["s3", s3, { body: "<Error><Code>InvalidAccessKeyId</Code><Message>no such key</Message></Error>" }],
    ["azure", azure, { headers: { "x-ms-error-code": "AuthorizationPermissionMismatch" } }],
  ])("of %s is not learned from a refusal that is about something else", async (_, cloud, reply: Reply) => {
    const { subject, asked } = await on(cloud, (_asked, count) =>
      count === 1 ? { status: 403, ...reply, headers: { ...reply.headers, date: late() } } : cloud.good.read,
    );
    expect(await codeOf(subject, subject.text("k"))).toMatch(/PermissionDenied|Unauthenticated/);
    expect(asked.length).toBe(1);
    await subject.text("k");
    expect(Math.abs(sentAt(asked[1]!.headers) - Date.now())).toBeLessThan(60_000);
  });

  test.each([
    ["s3", s3, { body: "<Error><Code>RequestTimeTooSkewed</Code></Error>" }],
    ["s3", s3, { body: "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>" }],
    ["azure", azure, { headers: { "x-ms-error-code": "AuthenticationFailed" } }],
  ])("of %s is learned from one that is about the time", async (_, cloud, reply: Reply) => {
    const { subject, asked } = await on(cloud, (_asked, count) =>
      count === 1 ? { status: 403, ...reply, headers: { ...reply.headers, date: late() } } : cloud.good.read,
    );
    await subject.text("k");
    expect(sentAt(asked[1]!.headers) - Date.now()).toBeGreaterThan(HOUR / 2);
  });
});

test("only errors of this library, and of its other copies, are StorageErrors", () => {
  class Foreign extends Error {
    override readonly name = "StorageError";
    readonly code = "NotFound";
  }
  expect(isStorageError(new Foreign())).toBe(false);
  expect(isStorageError(Object.assign(new Error("x"), { name: "StorageError", code: "NotFound" }))).toBe(false);
  const ours = new StorageError({ code: "NotFound" });
  expect(isStorageError(ours)).toBe(true);
  const copy = Object.assign(new Error("x"), { code: "NotFound", [Symbol.for("stowage.StorageError")]: true });
  expect(isStorageError(copy, "NotFound")).toBe(true);
});
