import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BatchDeleteError, type OperationContext } from "../../src/fs/driver/driver.js";
import { collect } from "../../src/streams.js";
import { describeOn, type ServerOf, useBucket } from "../servers/use.js";
import { failed } from "../support/failed.js";
import {
  answer,
  answerAfter,
  corruptBody,
  during,
  type FaultProxy,
  faultProxy,
  loseAnswer,
  okWithError,
  skewed,
  stallHeaders,
  truncateBody,
  wholeInstead,
} from "../support/faults.js";
import { through } from "../support/proxy.js";
import { openDriver } from "../support/s3.js";
import type { TestDriver } from "../support/test-driver.js";

const MIB = 2 ** 20;
const ABSENT: OperationContext = { op: "write", ifAbsent: true, ifMatch: false };

const fault = (code: string, more = "") => `<Error><Code>${code}</Code><Message>planted</Message>${more}</Error>`;

await describeOn("minio", "S3 driver under faults", (server: ServerOf<"minio">) => {
  const bucket = useBucket(server);
  let proxy: FaultProxy;
  let ours: TestDriver;
  beforeEach(async () => {
    proxy = await faultProxy(server.endpoint);
    ours = await openDriver(bucket().name, through(server, proxy).connection);
  });
  afterEach(async () => {
    expect(proxy.pending()).toEqual([]);
    expect(await bucket().openUploads()).toEqual([]);
    await ours.driver.close();
    await proxy.close();
  });
  const key = (name: string) => `${name}-${Math.random()}`;

  it.each([500, 503])("F25: a create-only write whose %i hid its success succeeds", async (status) => {
    const name = key("f25");
    proxy.plant({ on: { operation: "write" }, fault: answerAfter(status, { body: fault("InternalError") }) });
    const { etag } = await ours.write(name, "mine", { ifAbsent: true });
    expect((await ours.stat(name)).etag).toBe(etag);
  });

  it("F25: a create-only write whose answer was lost and whose place another has taken is AlreadyExists", async () => {
    const name = key("taken");
    await ours.write(name, "theirs");
    proxy.plant({ on: { operation: "write" }, fault: answer(500, { body: fault("InternalError") }) });
    expect(ours.driver.codeOf(await failed(ours.write(name, "mine", { ifAbsent: true })), ABSENT)).toBe(
      "AlreadyExists",
    );
    expect(await ours.text(name)).toBe("theirs");
  });

  it("a conditional write of which nothing can be known is CommitUnknown", async () => {
    const name = key("unknown");
    proxy.plant({ on: { operation: "write" }, fault: loseAnswer() });
    proxy.plant({ on: { operation: "stat" }, times: 3, fault: answer(500) });
    await expect(ours.write(name, "mine", { ifAbsent: true })).rejects.toMatchObject({ code: "CommitUnknown" });
  });

  it.each([
    ["F22: whose answer is lost", loseAnswer()],
    ["F4: answered 200 with an error", okWithError()],
  ])("a commit %s succeeds, and there is one whole object", async (_, planted) => {
    const name = key("commit");
    const data = Buffer.alloc(9 * MIB, "abc");
    proxy.plant({ on: { operation: "commit" }, fault: planted });
    const receipt = await ours.write(name, data, { ifAbsent: true });
    const { info, body } = await ours.open(name);
    expect(info.etag).toBe(receipt.etag);
    expect(Buffer.from(await collect(body)).equals(data)).toBe(true);
  });

  it("F4: a copy answered 200 with an error is made again", async () => {
    const name = key("copy");
    await ours.write(name, "x");
    proxy.plant({ on: { operation: "copy" }, fault: okWithError("SlowDown") });
    await ours.copy(name, `${name}2`, { bucket: bucket().name });
    expect(await ours.text(`${name}2`)).toBe("x");
  });

  describe("M05: a copy that the service refuses as too large", () => {
    /** What S3 says of a source above 5 GiB; planted, so that 65 MiB will do. */
    const words = "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120";
    const tooLarge = `<Error><Code>InvalidRequest</Code><Message>${words}</Message></Error>`;
    const data = Buffer.alloc(65 * MIB, "0123456789abcdef-");
    const source = "too-large";
    beforeEach(async () => {
      await ours.write(source, data, { contentType: "x/y", metadata: { a: "b" } });
      proxy.clear();
      proxy.plant({ on: { operation: "copy" }, fault: answer(400, { body: tooLarge }) });
    });

    it("goes in parts of a source that is pinned, and keeps what describes it", async () => {
      const { etag } = await ours.stat(source);
      const name = key("parts");
      await ours.copy(source, name, { bucket: bucket().name });
      expect(proxy.operations()).toEqual({ copy: 1, stat: 2, begin: 1, part: 2, commit: 1 });
      const parts = proxy.requests.filter(({ operation }) => operation === "part").map(({ headers }) => headers);
      expect(parts.map((one) => one["x-amz-copy-source-if-match"])).toEqual([etag, etag]);
      expect(parts.map((one) => one["x-amz-copy-source-range"]).sort()).toEqual([
        `bytes=0-${64 * MIB - 1}`,
        `bytes=${64 * MIB}-${65 * MIB - 1}`,
      ]);
      const { info, body } = await ours.open(name);
      expect(info).toMatchObject({ size: data.length, contentType: "x/y", metadata: { a: "b" } });
      expect(Buffer.from(await collect(body, { size: info.size })).equals(data)).toBe(true);
    });

    it("M06: fails when the source is replaced between two parts, and leaves neither a copy nor an upload", async () => {
      const replace = async () =>
        void (await (await openDriver(bucket().name, server.connection)).write(source, "new"));
      proxy.plant({ on: { operation: "part" }, fault: during(replace) });
      const name = key("replaced");
      const error = await failed(ours.copy(source, name, { bucket: bucket().name }));
      expect(ours.driver.codeOf(error, { op: "copy", ifAbsent: false, ifMatch: false })).toBe("PreconditionFailed");
      expect(await failed(ours.stat(name))).toMatchObject({ status: 404 });
    });

    it("fails with the part that failed, without waiting for one that hangs", async () => {
      proxy.plant({ on: { operation: "part" }, fault: stallHeaders() });
      proxy.plant({ on: { operation: "part" }, fault: answer(403, { body: fault("AccessDenied") }) });
      const begun = performance.now();
      expect(await failed(ours.copy(source, key("hangs"), { bucket: bucket().name }))).toMatchObject({ status: 403 });
      expect(performance.now() - begun).toBeLessThan(5_000);
    });
  });

  it("F21: a part whose upload is gone fails at once, and the whole write may be tried again", async () => {
    const gone = answer(404, { body: fault("NoSuchUpload") });
    proxy.plant({ on: { operation: "part" }, fault: gone });
    const error = await failed(ours.write(key("gone"), Buffer.alloc(17 * MIB)));
    expect(error).toMatchObject({ status: 404, attempts: 1 });
    expect(ours.driver.codeOf(error, { ...ABSENT, ifAbsent: false })).toBe("Unavailable");
    expect(proxy.operations()).toMatchObject({ begin: 1, abort: 1 });
  });

  it("F24: a conflict of two writers passes", async () => {
    const name = key("conflict");
    const conflict = answer(409, { body: fault("ConditionalRequestConflict") });
    proxy.plant({ on: { operation: "write" }, times: 2, fault: conflict });
    await ours.write(name, "x", { ifAbsent: true });
    expect(await ours.text(name)).toBe("x");
  });

  it("F17: a clock that is wrong is corrected by the server's, and corrected back", async () => {
    proxy.plant({ on: { operation: "write" }, fault: skewed(3600) });
    const name = key("clock");
    // Now our requests are an hour early, which the server itself refuses, with the right time.
    await ours.write(name, "x");
    await ours.text(name);
    expect(proxy.operations()).toEqual({ write: 3, read: 1 });
  });

  it("F17: a refusal with the right time is final", async () => {
    proxy.plant({ on: { operation: "write" }, fault: skewed(0) });
    const error = await failed(ours.write(key("clock"), "x"));
    expect(ours.driver.codeOf(error, { ...ABSENT, ifAbsent: false })).toBe("Unauthenticated");
    expect(error).toMatchObject({ attempts: 1 });
  });

  it("F20: the region that a refusal names is used from then on; a nonsense one is not", async () => {
    const name = key("region");
    const elsewhere = (region: string) =>
      answer(400, { body: fault("AuthorizationHeaderMalformed", `<Region>${region}</Region>`) });
    proxy.plant({ on: { operation: "write" }, fault: elsewhere("eu-north-7") });
    await ours.write(name, "x");
    await ours.text(name);
    const scopes = proxy.requests.map(({ headers }) => /\/(\w+-\w+-\d)\/s3\//.exec(headers.authorization ?? "")?.[1]);
    expect(scopes).toEqual(["us-east-1", "eu-north-7", "eu-north-7"]);
    proxy.plant({ on: { operation: "write" }, fault: elsewhere("evil.example/") });
    expect(await failed(ours.write(name, "x"))).toMatchObject({ status: 400, attempts: 1 });
  });

  it("F20: a redirect is not followed, and sends nothing to another host", async () => {
    proxy.plant({
      on: { operation: "read" },
      fault: answer(307, { headers: { location: "http://127.0.0.1:9/else" }, body: fault("TemporaryRedirect") }),
    });
    expect(await failed(ours.open("x"))).toMatchObject({ status: 307, attempts: 1 });
  });

  it("F14: bytes that are not those that were stored are Corrupt", async () => {
    const name = key("corrupt");
    await ours.write(name, Buffer.alloc(100_000, "x"));
    proxy.plant({ on: { operation: "read" }, fault: corruptBody(50_000) });
    const { body } = await ours.open(name);
    await expect(collect(body)).rejects.toMatchObject({ code: "Corrupt" });
  });

  it("F8: a body that is cut is Unavailable, not a short success", async () => {
    const name = key("cut");
    await ours.write(name, Buffer.alloc(100_000, "x"));
    proxy.plant({ on: { operation: "read" }, fault: truncateBody(50_000) });
    const error = await failed(ours.open(name).then(({ body }) => collect(body)));
    expect(ours.driver.codeOf(error, { ...ABSENT, op: "read", ifAbsent: false })).toBe("Unavailable");
  });

  it("F16: a server that ignores Range is found out", async () => {
    const name = key("range");
    await ours.write(name, "0123456789");
    proxy.plant({ on: { operation: "read" }, fault: wholeInstead(Buffer.from("0123456789")) });
    await expect(ours.open(name, { start: 2, end: 4 })).rejects.toMatchObject({ code: "Unsupported" });
  });

  it("D04 F28: a bulk delete names the keys that failed; passing failures are tried again, missing keys are none", async () => {
    const failures = [
      ["forbidden", "AccessDenied"],
      ["slow", "SlowDown"],
      ["missing", "NoSuchKey"],
    ].map(([name, code]) => `<Error><Key>${name}</Key><Code>${code}</Code><Message>planted</Message></Error>`);
    const body = `<DeleteResult>${failures.join("")}</DeleteResult>`;
    proxy.plant({ on: { operation: "deleteBatch" }, fault: answer(200, { body }) });
    const error = (await failed(ours.delete("forbidden", "slow", "missing", "fine"))) as BatchDeleteError;
    expect(error).toBeInstanceOf(BatchDeleteError);
    expect(error.failures.map(({ key: name }) => name)).toEqual(["forbidden"]);
    expect(ours.driver.codeOf(error.failures[0]?.error, { ...ABSENT, op: "delete" })).toBe("PermissionDenied");
    expect(proxy.operations()).toEqual({ deleteBatch: 2 });
  });

  it.each([
    [
      "F27: a page that repeats",
      "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>",
    ],
    ["a page without its token", "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"],
    ["a row without its key", "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>"],
    ["F28: malformed XML", "<ListBucketResult><Contents>"],
    ["another document", "<html></html>"],
    [
      "a document with a DTD",
      '<!DOCTYPE x [<!ENTITY a "b">]><ListBucketResult><Prefix>&a;</Prefix></ListBucketResult>',
    ],
  ])("%s in a listing is Corrupt, and the listing ends", async (_, body) => {
    proxy.plant({ on: { operation: "list" }, times: Number.POSITIVE_INFINITY, fault: answer(200, { body }) });
    await expect(ours.keys("")).rejects.toMatchObject({ code: "Corrupt" });
    expect(proxy.requests.length).toBeLessThanOrEqual(2);
  });

  it("L10: a page without keys but with a token goes on", async () => {
    const empty =
      "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>YQ==</NextContinuationToken></ListBucketResult>";
    const last =
      "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents></ListBucketResult>";
    proxy.plant({ fault: answer(200, { body: empty }) }, { fault: answer(200, { body: last }) });
    expect(await ours.keys("")).toEqual(["a"]);
    expect(proxy.requests[1]?.url.searchParams.get("continuation-token")).toBe("YQ==");
  });

  it("F28: an answer of 20 MB of XML is refused in bounded memory", async () => {
    proxy.plant({ on: { operation: "list" }, fault: answer(200, { body: `<ListBucketResult>${"x".repeat(20e6)}` }) });
    await expect(ours.keys("")).rejects.toMatchObject({ code: "TooLarge" });
  });

  it("F18: keys of a profile are found once, and found again when they have expired", async () => {
    const folder = await mkdtemp(join(tmpdir(), "stowage-aws-"));
    const file = join(folder, "credentials");
    const { accessKey, secretKey } = server;
    await writeFile(file, `[worker]\naws_access_key_id=${accessKey}\naws_secret_access_key=${secretKey}\n`);
    process.env.AWS_SHARED_CREDENTIALS_FILE = file;
    const record = through(server, proxy).connection;
    const profile = await openDriver(bucket().name, record, { profile_name: "worker" }, {});
    try {
      const name = key("profile");
      await Promise.all(Array.from({ length: 10 }, (_, i) => profile.write(`${name}-${i}`, "x")));
      proxy.plant({ on: { operation: "write" }, fault: answer(400, { body: fault("ExpiredToken") }) });
      await profile.write(name, "x");
      expect(await ours.text(name)).toBe("x");
    } finally {
      delete process.env.AWS_SHARED_CREDENTIALS_FILE;
      await profile.driver.close();
      await rm(folder, { recursive: true });
    }
  });

  it("A01: no credentials anywhere is Unauthenticated and says where was looked; nothing is sent", async () => {
    const empty = {
      AWS_SHARED_CREDENTIALS_FILE: "/nonexistent",
      AWS_CONFIG_FILE: "/nonexistent",
      AWS_EC2_METADATA_DISABLED: "true",
    };
    Object.assign(process.env, empty);
    const nobody = await openDriver(bucket().name, through(server, proxy).connection, {}, {});
    const error = await failed(nobody.stat("x"));
    for (const name of Object.keys(empty)) delete process.env[name];
    expect(error).toMatchObject({ code: "Unauthenticated", detail: expect.stringContaining("instance metadata") });
    expect(proxy.requests).toEqual([]);
    await nobody.driver.close();
  });

  it("static keys that have expired are Unauthenticated after one try", async () => {
    proxy.plant({ on: { operation: "read" }, fault: answer(400, { body: fault("ExpiredToken") }) });
    const error = await failed(ours.open("x"));
    expect(ours.driver.codeOf(error, { ...ABSENT, op: "read" })).toBe("Unauthenticated");
    expect(error).toMatchObject({ attempts: 1 });
  });
});
