import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { OperationContext } from "../../../../src/fs/driver/driver.js";
import { addressOf } from "../../../../src/fs/drivers/s3/client.js";
import { type S3Options, s3Options } from "../../../../src/fs/drivers/s3/connection.js";
import { codeOf, isErrorBody } from "../../../../src/fs/drivers/s3/errors.js";
import { metadataHeaders, metadataOf } from "../../../../src/fs/drivers/s3/object.js";
import { HttpError, IncompleteBodyError } from "../../../../src/fs/http/errors.js";

describe("the address of a bucket", () => {
  const at = (
    bucket: string,
    place: Partial<Pick<S3Options, "endpoint" | "addressing">> = {},
    region = "eu-west-1",
  ) => {
    const { origin, path } = addressOf({ endpoint: undefined, addressing: "auto", ...place }, bucket, region);
    return `${origin.protocol}//${origin.host}${path}`;
  };

  it("is in AWS's host where the name allows it, else in the path", () => {
    expect(at("my-bucket")).toBe("https://my-bucket.s3.eu-west-1.amazonaws.com/");
    expect(at("my.bucket")).toBe("https://s3.eu-west-1.amazonaws.com/my.bucket/");
    expect(at("UPPER_case")).toBe("https://s3.eu-west-1.amazonaws.com/UPPER_case/");
    expect(at("my-bucket", {}, "cn-north-1")).toBe("https://my-bucket.s3.cn-north-1.amazonaws.com.cn/");
  });

  it("is what the connection says at an endpoint, whose path stays in front", () => {
    const endpoint = "http://127.0.0.1:9000/store";
    expect(at("b-1", { endpoint, addressing: "path" })).toBe("http://127.0.0.1:9000/store/b-1/");
    expect(at("b-1", { endpoint, addressing: "virtual" })).toBe("http://b-1.127.0.0.1:9000/store/");
    expect(() => at("not_a_label", { endpoint, addressing: "virtual" })).toThrow(
      expect.objectContaining({ code: "InvalidArgument" }),
    );
  });

  it("never leaves the endpoint, whatever the bucket is called", () => {
    const endpoint = "https://s3.example.com";
    const names = fc.oneof(fc.string(), fc.constantFrom("a/../b", "evil.com#", "u@evil.com", "a:1", "a\\b"));
    fc.assert(
      fc.property(names, (bucket) => {
        const url = new URL(at(bucket, { endpoint }));
        return url.host === "s3.example.com" || url.host.endsWith(".s3.example.com");
      }),
    );
  });

  it("without a connection is AWS's own", () => {
    expect(s3Options(undefined, {})).toMatchObject({ provider: "aws", endpoint: undefined, addressing: "auto" });
  });
});

describe("metadata in headers", () => {
  const values = fc.dictionary(
    fc.stringMatching(/^[a-z0-9-]{1,20}$/),
    fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.string(),
      fc.constantFrom("=?UTF-8?Q?=C3=A9?=", "=?", "?=", "=?x?B?", " ", "a =?UTF-8?B?w6k=?= b"),
    ),
  );

  it("W20: every value comes back, and every header is plain ASCII without spaces at its ends", () => {
    fc.assert(
      fc.property(values, (metadata) => {
        const headers = metadataHeaders(metadata);
        for (const value of Object.values(headers)) expect(value).toMatch(/^([!-~]([ -~]*[!-~])?)?$/);
        expect(metadataOf(headers) ?? {}).toEqual({ ...metadata });
      }),
      { numRuns: 500 },
    );
  });

  it("values that others encoded are decoded: quoted-printable, several words, other charsets; nonsense stays", () => {
    const of = (value: string) => metadataOf({ "x-amz-meta-a": value })?.a;
    expect(of("=?UTF-8?Q?caf=C3=A9_x?=")).toBe("café x");
    expect(of("=?utf-8?B?w6k=?= =?utf-8?b?w7w=?=")).toBe("éü");
    expect(of("=?ISO-8859-1?Q?=E9?=")).toBe("é");
    expect(of("=?no-such-charset?Q?x?=")).toBe("=?no-such-charset?Q?x?=");
  });
});

describe("the category of a failure", () => {
  const call: OperationContext = { op: "read", ifAbsent: false, ifMatch: false };
  const of = (status: number, code: string | undefined, more: Partial<OperationContext> = {}) =>
    codeOf(new HttpError("answer", "GET", status, code, ""), { ...call, ...more });

  it.each([
    [404, "NoSuchKey", {}, "NotFound"],
    [404, "NoSuchBucket", { op: "write", ifMatch: true }, "NotFound"],
    [404, "NoSuchKey", { op: "write", ifMatch: true }, "PreconditionFailed"],
    [404, undefined, { op: "stat" }, "NotFound"],
    [405, "MethodNotAllowed", { op: "read" }, "NotFound"],
    [405, "MethodNotAllowed", { op: "write" }, "InvalidArgument"],
    [412, "PreconditionFailed", { op: "write", ifAbsent: true }, "AlreadyExists"],
    [412, "PreconditionFailed", { op: "write", ifMatch: true }, "PreconditionFailed"],
    [409, "ConditionalRequestConflict", { op: "write", ifAbsent: true }, "AlreadyExists"],
    [403, "AccessDenied", {}, "PermissionDenied"],
    [403, "SignatureDoesNotMatch", {}, "Unauthenticated"],
    [400, "ExpiredToken", {}, "Unauthenticated"],
    [503, "SlowDown", {}, "Throttled"],
    [429, undefined, {}, "Throttled"],
    [500, "InternalError", {}, "Unavailable"],
    [400, "EntityTooLarge", { op: "write" }, "TooLarge"],
    [400, "BadDigest", { op: "write" }, "Corrupt"],
    [501, "NotImplemented", {}, "Unsupported"],
    [400, "KeyTooLongError", { op: "write" }, "InvalidArgument"],
  ] as const)("%i %s on %o is %s", (status, code, more, expected) => {
    expect(of(status, code, more)).toBe(expected);
  });

  it("of a line is Timeout or Unavailable", () => {
    expect(codeOf(new HttpError("timeout", "GET", 0, "IDLE_TIMEOUT", ""), call)).toBe("Timeout");
    expect(codeOf(new HttpError("network", "GET", 0, "ECONNRESET", ""), call)).toBe("Unavailable");
    expect(codeOf(new IncompleteBodyError("stalled", 1, 2), call)).toBe("Timeout");
    expect(codeOf(new IncompleteBodyError("short", 1, 2), call)).toBe("Unavailable");
  });

  it("F4: an error is found behind white space and a declaration, and not in an object's own text", () => {
    expect(isErrorBody('\n \n<?xml version="1.0"?>\n<Error><Code>x</Code></Error>')).toBe(true);
    expect(isErrorBody("<CopyObjectResult><Error/></CopyObjectResult>")).toBe(false);
    expect(isErrorBody("<Errors/>")).toBe(false);
  });
});
