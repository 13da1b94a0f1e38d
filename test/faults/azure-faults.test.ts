import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BatchDeleteError, type OperationContext } from "../../src/fs/driver/driver.js";
import { codeOf } from "../../src/fs/drivers/azure/errors.js";
import { HttpError } from "../../src/fs/http/errors.js";
import { collect } from "../../src/streams.js";
import { describeOn, type ServerOf, useBucket } from "../servers/use.js";
import { openDriver } from "../support/azure.js";
import { failed } from "../support/failed.js";
import {
  answer,
  answerAfter,
  changeBody,
  during,
  type FaultProxy,
  faultProxy,
  loseAnswer,
  truncateBody,
  wholeInstead,
} from "../support/faults.js";
import { through } from "../support/proxy.js";
import type { TestDriver } from "../support/test-driver.js";

const MIB = 2 ** 20;
const ABSENT: OperationContext = { op: "write", ifAbsent: true, ifMatch: false };
const PLAIN: OperationContext = { op: "write", ifAbsent: false, ifMatch: false };

const listing = (rows: string) => `<EnumerationResults><Blobs>${rows}</Blobs></EnumerationResults>`;
const fault = (status: number, code: string) => answer(status, { headers: { "x-ms-error-code": code } });

await describeOn("azurite", "the Azure driver under faults", (server: ServerOf<"azurite">) => {
  const bucket = useBucket(server);
  let proxy: FaultProxy;
  let ours: TestDriver;
  beforeEach(async () => {
    proxy = await faultProxy(server.endpoint);
    ours = await openDriver(bucket().name, through(server, proxy).connection);
  });
  afterEach(async () => {
    expect(proxy.pending()).toEqual([]);
    await ours.driver.close();
    await proxy.close();
  });
  const key = (name: string) => `${name}-${Math.random()}`;

  describe.each([
    ["in one request", "write", "small"],
    ["in blocks", "commit", Buffer.alloc(9 * MIB, "abc")],
  ] as const)("a create-only write %s", (_, operation, data) => {
    it.each([
      ["F22: whose answer is lost", loseAnswer()],
      ["F25: whose 500 hid its success", answerAfter(500)],
      ["F25: whose 503 hid its success", answerAfter(503)],
    ])("%s succeeds, and there is one whole object", async (_, planted) => {
      const name = key("f22");
      proxy.plant({ on: { operation }, fault: planted });
      const { etag } = await ours.write(name, data, { ifAbsent: true });
      const { info, body } = await ours.open(name);
      expect(info.etag).toBe(etag);
      expect(Buffer.from(data).equals(await collect(body))).toBe(true);
    });

    it("F25: that never happened, where another has written the very same, is AlreadyExists", async () => {
      const name = key("taken");
      await ours.write(name, data);
      const { etag } = await ours.stat(name);
      proxy.plant({ on: { operation }, fault: answer(500) });
      const error = await failed(ours.write(name, data, { ifAbsent: true }));
      expect(ours.driver.codeOf(error, ABSENT)).toBe("AlreadyExists");
      expect((await ours.stat(name)).etag).toBe(etag);
    });

    it("of which nothing can be known is CommitUnknown", async () => {
      const blind = { on: ({ method }: { method: string }) => method !== "PUT", times: 3, fault: answer(500) };
      proxy.plant({ on: { operation }, fault: loseAnswer() }, blind);
      const write = ours.write(key("unknown"), data, { ifAbsent: true });
      await expect(write).rejects.toMatchObject({ code: "CommitUnknown" });
    });
  });

  it("F22: a write with ifMatch whose answer is lost succeeds; of a stale etag it is PreconditionFailed", async () => {
    const name = key("match");
    const { etag } = await ours.write(name, "1");
    proxy.plant({ on: { operation: "write" }, fault: loseAnswer() });
    await ours.write(name, "2", { ifMatch: etag });
    expect(await ours.text(name)).toBe("2");
    // Of an object that was written in this very second, nothing tells what came before it.
    proxy.plant({ on: { operation: "write" }, fault: loseAnswer() });
    await expect(ours.write(name, "2", { ifMatch: etag })).rejects.toMatchObject({ code: "CommitUnknown" });
    await sleep(3000);
    proxy.plant({ on: { operation: "write" }, fault: loseAnswer() });
    const stale = await failed(ours.write(name, "2", { ifMatch: etag }));
    expect(ours.driver.codeOf(stale, { ...PLAIN, ifMatch: true })).toBe("PreconditionFailed");
  });

  it("blocks that another writer's commit has discarded make the write Unavailable, and the other's object stays", async () => {
    const name = key("discarded");
    const theirs = Buffer.alloc(9 * MIB, "theirs");
    const other = await openDriver(bucket().name, server.connection);
    proxy.plant({ on: { operation: "commit" }, fault: during(() => other.write(name, theirs)) });
    const error = await failed(ours.write(name, Buffer.alloc(9 * MIB)));
    expect(error).toMatchObject({ status: 400, code: "InvalidBlockList" });
    expect(ours.driver.codeOf(error, PLAIN)).toBe("Unavailable");
    expect(theirs.equals(await collect((await ours.open(name)).body))).toBe(true);
    await other.driver.close();
  });

  it("M07: a create-only copy whose answer was lost is CommitUnknown, since nothing tells whose the copy is", async () => {
    const name = key("copy");
    await ours.write(name, "x");
    proxy.plant({ on: { operation: "copy" }, fault: loseAnswer() });
    const copy = ours.copy(name, `${name}2`, { bucket: bucket().name, ifAbsent: true });
    await expect(copy).rejects.toMatchObject({ code: "CommitUnknown" });
    const again = await failed(ours.copy(name, `${name}2`, { bucket: bucket().name, ifAbsent: true }));
    expect(ours.driver.codeOf(again, { ...ABSENT, op: "copy" })).toBe("AlreadyExists");
  });

  it("D04: a batch names the keys that failed, each with its own error; passing failures are tried again", async () => {
    const names = ["forbidden", "slow", "missing", "fine", "unanswered"];
    for (const name of ["slow", "unanswered"]) await ours.write(name, "x");
    const part = (id: number, status: number, code: string) =>
      `--batch\r\nContent-Type: application/http\r\nContent-ID: ${id}\r\n\r\nHTTP/1.1 ${status} x\r\nx-ms-error-code: ${code}\r\n\r\n\r\n`;
    const body = [
      part(0, 403, "AuthorizationPermissionMismatch"),
      part(1, 503, "ServerBusy"),
      part(2, 404, "BlobNotFound"),
      part(3, 202, ""),
      "--batch--",
    ].join("");
    proxy.plant({ on: { operation: "deleteBatch" }, fault: answer(202, { body }) });
    const error = (await failed(ours.delete(...names))) as BatchDeleteError;
    expect(error).toBeInstanceOf(BatchDeleteError);
    expect(error.failures.map(({ key: name }) => name)).toEqual(["forbidden"]);
    expect(ours.driver.codeOf(error.failures[0]?.error, { ...PLAIN, op: "delete" })).toBe("PermissionDenied");
    expect(proxy.operations()).toMatchObject({ deleteBatch: 1, delete: 2 });
    expect(await ours.keys("slow")).toEqual([]);
    expect(await ours.keys("unanswered")).toEqual([]);
  });

  it.each([
    ["F27: a page that repeats", "<EnumerationResults><NextMarker>m</NextMarker></EnumerationResults>"],
    ["a row without its name", "<EnumerationResults><Blobs><Blob></Blob></Blobs></EnumerationResults>"],
    ["F28: malformed XML", "<EnumerationResults><Blobs>"],
    ["another document", "<html></html>"],
    ["a name that is not UTF-8", listing('<Blob><Name Encoded="true">%ff</Name></Blob>')],
    ["a row without a name", listing("<Blob><VersionId>1</VersionId></Blob>")],
    ["a document with a DTD", '<!DOCTYPE x [<!ENTITY a "b">]><EnumerationResults>&a;</EnumerationResults>'],
  ])("%s in a listing is Corrupt, and the listing ends", async (_, body) => {
    proxy.plant({ on: { operation: "list" }, times: Number.POSITIVE_INFINITY, fault: answer(200, { body }) });
    await expect(ours.keys("")).rejects.toMatchObject({ code: "Corrupt" });
    expect(proxy.requests.length).toBeLessThanOrEqual(2);
  });

  it("L10: a page without rows but with a marker goes on", async () => {
    const name = key("page");
    await ours.write(name, "x");
    proxy.plant({
      on: { operation: "list" },
      fault: changeBody(() => "<EnumerationResults><Blobs/><NextMarker>abc</NextMarker></EnumerationResults>"),
    });
    proxy.plant({
      on: { operation: "list" },
      fault: changeBody(
        () =>
          "<EnumerationResults><Blobs><Blob><Name>a</Name><Properties><Content-Length>1</Content-Length><Last-Modified>Sun, 01 Feb 2026 00:00:00 GMT</Last-Modified></Properties></Blob></Blobs></EnumerationResults>",
      ),
    });
    expect(await ours.keys("")).toEqual(["a"]);
    expect(proxy.requests.at(-1)?.url.searchParams.get("marker")).toBe("abc");
  });

  it("F8 F16: a body that is cut, or that is not the range, is an error and never data", async () => {
    const name = key("cut");
    await ours.write(name, Buffer.alloc(100_000, "x"));
    proxy.plant({ on: { operation: "read" }, fault: truncateBody(50_000) });
    const cut = await failed(ours.open(name).then(({ body }) => collect(body)));
    expect(ours.driver.codeOf(cut, { ...PLAIN, op: "read" })).toBe("Unavailable");
    proxy.plant({ on: { operation: "read" }, fault: wholeInstead(Buffer.alloc(100_000, "x")) });
    await expect(ours.open(name, { start: 2, end: 4 })).rejects.toMatchObject({ code: "Unsupported" });
  });

  it("F20: a redirect is not followed, and sends nothing to another host", async () => {
    const elsewhere = answer(307, { headers: { location: "http://127.0.0.1:9/else" } });
    proxy.plant({ on: { operation: "read" }, fault: elsewhere });
    expect(await failed(ours.open("x"))).toMatchObject({ status: 307, attempts: 1 });
  });

  it("F17: a clock that is wrong is corrected by the server's", async () => {
    const date = new Date(Date.now() + 600_000).toUTCString();
    proxy.plant({ on: { operation: "write" }, fault: answer(403, { headers: { date } }) });
    await ours.write(key("clock"), "x");
    const dates = proxy.requests.map(({ headers }) => Date.parse(String(headers["x-ms-date"])));
    expect(dates[1]! - dates[0]!).toBeGreaterThan(590_000);
  });

  it.each([
    [409, "BlobAlreadyExists", ABSENT, "AlreadyExists"],
    [412, "ConditionNotMet", ABSENT, "AlreadyExists"],
    [412, "ConditionNotMet", PLAIN, "PreconditionFailed"],
    [412, "SourceConditionNotMet", ABSENT, "PreconditionFailed"],
    [412, "LeaseIdMissing", PLAIN, "PreconditionFailed"],
    [403, "AuthenticationFailed", PLAIN, "Unauthenticated"],
    [403, "AuthorizationPermissionMismatch", PLAIN, "PermissionDenied"],
    [409, "PublicAccessNotPermitted", PLAIN, "PermissionDenied"],
    [409, "BlobImmutableDueToPolicy", PLAIN, "PermissionDenied"],
    [409, "ContainerBeingDeleted", PLAIN, "NotFound"],
    [404, "CannotVerifyCopySource", PLAIN, "NotFound"],
    [403, "CannotVerifyCopySource", PLAIN, "PermissionDenied"],
    [409, "BlobArchived", PLAIN, "Unsupported"],
    [413, "RequestBodyTooLarge", PLAIN, "TooLarge"],
    [400, "MetadataTooLarge", PLAIN, "TooLarge"],
    [400, "Md5Mismatch", PLAIN, "Corrupt"],
    [400, "InvalidHeaderValue", PLAIN, "InvalidArgument"],
  ] as const)("%i %s is told as what it means, after one try", async (status, code, call, expected) => {
    proxy.plant({ on: { operation: "write" }, fault: fault(status, code) });
    const error = await failed(ours.write("x", "x"));
    expect(error).toMatchObject({ status, code, attempts: 1 });
    expect(ours.driver.codeOf(error, call)).toBe(expected);
  });
});

it("F2: what passes is told so when it did not", () => {
  const of = (status: number, code: string) => codeOf(new HttpError("answer", "PUT", status, code, ""), PLAIN);
  expect(of(503, "ServerBusy")).toBe("Throttled");
  expect(of(500, "OperationTimedOut")).toBe("Timeout");
  expect(of(500, "InternalError")).toBe("Unavailable");
  expect(codeOf(new Error("other"), PLAIN)).toBe("Unavailable");
});
