/** The Azure driver beside Azure's own client, and by its requests. */
import { inspect } from "node:util";
import {
  AccountSASPermissions,
  AccountSASResourceTypes,
  AccountSASServices,
  type ContainerClient,
  generateAccountSASQueryParameters,
  StorageSharedKeyCredential,
} from "@azure/storage-blob";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { forEachConcurrent } from "../../../../src/concurrency.js";
import type { BatchDeleteError, OperationContext } from "../../../../src/fs/driver/driver.js";
import { collect } from "../../../../src/streams.js";
import { ODD_NAMES } from "../../../../src/testing/index.js";
import { azureClient } from "../../../servers/index.mjs";
import { describeOn, type ServerOf, useBucket } from "../../../servers/use.js";
import { openDriver } from "../../../support/azure.js";
import { answer, type FaultProxy, faultProxy } from "../../../support/faults.js";
import { through } from "../../../support/proxy.js";
import type { TestDriver } from "../../../support/test-driver.js";

const MIB = 2 ** 20;
const patterned = (size: number) => Buffer.alloc(size, "0123456789abcdef-");
const CALL: OperationContext = { op: "read", ifAbsent: false, ifMatch: false };
const caught = (work: Promise<unknown>) => work.catch((error: unknown) => error);

await describeOn("azurite", "the Azure driver beside @azure/storage-blob", (server: ServerOf<"azurite">) => {
  const bucket = useBucket(server);
  let container: ContainerClient;
  let ours: TestDriver;
  beforeAll(async () => {
    container = (await azureClient(server)).getContainerClient(bucket().name);
    ours = await openDriver(bucket().name, server.connection);
  });
  afterAll(() => ours.driver.close());

  it.each([...ODD_NAMES, "a//b", "/c", "d/", "a".repeat(1000)])(
    "K01 M10: both read, list, copy and delete the same key %j",
    async (key) => {
      await container.getBlockBlobClient(`sdk/${key}`).upload(key, Buffer.byteLength(key));
      expect(await ours.text(`sdk/${key}`)).toBe(key);
      await ours.write(`we/${key}`, key);
      expect(String(await container.getBlobClient(`we/${key}`).downloadToBuffer())).toBe(key);
      await ours.copy(`we/${key}`, `sdk/${key}copy`, { bucket: bucket().name });
      expect(await ours.keys("sdk/")).toEqual([`sdk/${key}`, `sdk/${key}copy`].sort());
      await ours.delete(`sdk/${key}`, `sdk/${key}copy`);
      await ours.delete(`we/${key}`);
      expect(await ours.keys("")).toEqual([]);
    },
  );

  it("W20: metadata, content type and etag are the same for both", async () => {
    const metadata = { plain: "a value", _x1: "x=1; y", quoted: 'a"b\\c' };
    const contentType = "text/x-ours; charset=utf-8";
    const receipt = await ours.write("we", "hello", { metadata, contentType });
    const properties = await container.getBlobClient("we").getProperties();
    expect(properties).toMatchObject({ metadata, contentType, etag: receipt.etag, contentLength: 5 });
    const options = { metadata, blobHTTPHeaders: { blobContentType: "a/b" } };
    const { etag } = await container.getBlockBlobClient("sdk").upload("hello", 5, options);
    const info = await ours.stat("sdk");
    expect(info).toMatchObject({ key: "sdk", size: 5, metadata, contentType: "a/b", etag });
    // Azurite states the tier of a blob in the response to HEAD only.
    const { storageClass, ...rest } = info;
    expect(storageClass).toBe("Hot");
    expect((await ours.open("sdk")).info).toEqual(rest);
    expect(Math.abs(info.modified!.getTime() - Date.now())).toBeLessThan(60_000);
    await ours.delete("we", "sdk");
  });

  it("W20: metadata that no header can carry comes back as it was; a name that Azure does not take is refused", async () => {
    const metadata = { text: "é 😀", looks: "=?UTF-8?B?w6k=?=", spaces: "  a  b " };
    await ours.write("meta", "x", { metadata });
    expect((await ours.stat("meta")).metadata).toEqual(metadata);
    await ours.copy("meta", "meta2", { bucket: bucket().name });
    expect((await ours.open("meta2")).info.metadata).toEqual(metadata);
    for (const name of ["with-dash", "1st", ""]) {
      await expect(ours.write("never", "x", { metadata: { [name]: "x" } })).rejects.toMatchObject({
        code: "InvalidArgument",
      });
    }
    expect(await ours.keys("never")).toEqual([]);
    await ours.delete("meta", "meta2");
  });

  it("W08: blocks that we commit are one object to the SDK, and the reverse; those of others are not ours", async () => {
    const data = patterned(17 * MIB + 3);
    const blob = container.getBlockBlobClient("parts");
    const theirs = Buffer.from("x".repeat(30)).toString("base64");
    await blob.stageBlock(theirs, "theirs", 6);
    await ours.write("parts", data, { contentType: "a/b", metadata: { k: "v" } });
    expect(await blob.getProperties()).toMatchObject({ contentType: "a/b", metadata: { k: "v" } });
    expect(data.equals(await blob.downloadToBuffer())).toBe(true);
    await blob.uploadData(data, { blockSize: 4 * MIB, maxSingleShotSize: MIB });
    const { info, body } = await ours.open("parts");
    expect(data.equals(await collect(body, { size: info.size }))).toBe(true);
    await ours.delete("parts");
  });

  it("the mark by which a conditional write knows itself is not shown", async () => {
    await ours.write("marked", "x", { ifAbsent: true, metadata: { a: "b" } });
    expect((await ours.stat("marked")).metadata).toEqual({ a: "b" });
    await ours.delete("marked");
  });

  it("R11 R12: a missing object and a missing container are NotFound", async () => {
    const nowhere = await openDriver("no-such-bucket-here", server.connection);
    const calls = [
      () => ours.stat("no"),
      () => ours.open("no"),
      () => nowhere.open("no"),
      () => nowhere.write("no", "x"),
      () => nowhere.keys(""),
      () => nowhere.delete("no"),
    ];
    for (const call of calls) expect(ours.driver.codeOf(await caught(call()), CALL)).toBe("NotFound");
    const { failures } = (await caught(nowhere.delete("no", "neither"))) as BatchDeleteError;
    expect(failures.map(({ key, error }) => [key, ours.driver.codeOf(error, CALL)])).toEqual([
      ["no", "NotFound"],
      ["neither", "NotFound"],
    ]);
    await nowhere.driver.close();
  });

  it("a SAS serves for everything but signing, whole or as a URL", async () => {
    const { account, accountKey, endpoint } = server;
    const sas = generateAccountSASQueryParameters(
      {
        expiresOn: new Date(Date.now() + 3600_000),
        permissions: AccountSASPermissions.parse("rwdlacx"),
        resourceTypes: AccountSASResourceTypes.parse("sco").toString(),
        services: AccountSASServices.parse("b").toString(),
      },
      new StorageSharedKeyCredential(account, accountKey),
    ).toString();
    const features = [
      { account_host: endpoint, account_name: account, sas_token: `?${sas}` },
      { account_name: account, sas_token: `${endpoint}?${sas}` },
    ];
    for (const extra of features) {
      const subject = await openDriver(bucket().name, { type: "wasb", extra });
      await subject.write("sas +é", patterned(9 * MIB));
      await subject.copy("sas +é", "sas2", { bucket: bucket().name });
      expect(await subject.keys("sas")).toEqual(["sas +é", "sas2"]);
      expect(await subject.text("sas2", { start: 0, end: 5 })).toBe("01234");
      // One by one: Azurite 3.37.0 answers 500 to any container's batch under an account's SAS, the SDK's too.
      for (const key of ["sas +é", "sas2"]) await subject.delete(key);
      expect(await subject.keys("sas")).toEqual([]);
      const refused = await caught(subject.driver.signedUrl("x", { method: "GET", expiresIn: 60 }));
      expect(refused).toMatchObject({ code: "Unsupported" });
      const shown = inspect(await caught(subject.stat("missing")), { depth: 9, showHidden: true });
      expect(shown).not.toContain(new URLSearchParams(sas).get("sig"));
      await subject.driver.close();
    }
  });

  it("a wrong key is refused, and no message shows it; anonymous access is refused what is private", async () => {
    const wrong = Buffer.alloc(64, "wrong-secret").toString("base64");
    const extra = { account_host: server.endpoint, account_name: server.account };
    const mistaken = await openDriver(bucket().name, { type: "wasb", extra: { ...extra, account_key: wrong } });
    const anonymous = await openDriver(bucket().name, { type: "wasb", extra: { ...extra, anon: true } });
    const error = await caught(mistaken.open("x"));
    // Azurite says AuthorizationFailure, the service AuthenticationFailed.
    expect(["PermissionDenied", "Unauthenticated"]).toContain(mistaken.driver.codeOf(error, CALL));
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(wrong);
    expect(["NotFound", "PermissionDenied", "Unauthenticated"]).toContain(
      anonymous.driver.codeOf(await caught(anonymous.open("x")), CALL),
    );
    await Promise.all([mistaken.driver.close(), anonymous.driver.close()]);
  });

  it("signs a GET and a PUT that anybody can send until they expire, for that method and object only", async () => {
    const type = { "x-ms-blob-type": "BlockBlob" };
    const { url: put } = await ours.driver.signedUrl("signed +é%41", { method: "PUT", expiresIn: 60 });
    expect((await fetch(put, { method: "PUT", body: "by url", headers: type })).status).toBe(201);
    expect((await fetch(put)).status).toBe(403);
    const { url: get } = await ours.driver.signedUrl("signed +é%41", { method: "GET", expiresIn: 60 });
    expect(await (await fetch(get)).text()).toBe("by url");
    expect((await fetch(get, { method: "DELETE" })).status).toBe(403);
    expect((await fetch(get, { method: "PUT", body: "x", headers: type })).status).toBe(403);
    expect((await fetch(get.replace("signed", "other"))).status).toBe(403);
    const { url: brief } = await ours.driver.signedUrl("signed +é%41", { method: "GET", expiresIn: 1 });
    await new Promise((resolve) => setTimeout(resolve, 2100));
    expect((await fetch(brief)).status).toBe(403);
    await ours.delete("signed +é%41");
  });
});

await describeOn("azurite", "requests of the Azure driver", (server: ServerOf<"azurite">) => {
  const bucket = useBucket(server);
  let proxy: FaultProxy;
  let ours: TestDriver;
  beforeAll(async () => {
    proxy = await faultProxy(server.endpoint);
    ours = await openDriver(bucket().name, through(server, proxy).connection);
  });
  beforeEach(() => proxy.clear());
  afterAll(async () => {
    expect(proxy.pending()).toEqual([]);
    await ours.driver.close();
    await proxy.close();
  });

  it("W06: 8 MiB is one request, a byte more is two blocks and a list", async () => {
    await ours.write("a", patterned(8 * MIB));
    expect(proxy.operations()).toEqual({ write: 1 });
    proxy.clear();
    await ours.write("a", patterned(8 * MIB + 1));
    expect(proxy.operations()).toEqual({ part: 2, commit: 1 });
    await ours.delete("a");
  });

  it("L02 D03: 1,001 keys are two pages and four batches, all known by their keys", { timeout: 120_000 }, async () => {
    const keys = Array.from({ length: 1001 }, (_, i) => `n/${String(i).padStart(4, "0")}&<é`);
    await forEachConcurrent(keys, { concurrency: 16 }, (key) => ours.write(key, ""));
    proxy.clear();
    expect(await ours.keys("n/")).toEqual(keys);
    expect(proxy.operations()).toEqual({ list: 2 });
    proxy.clear();
    await ours.delete(...keys, "n/never-was");
    expect(proxy.operations()).toEqual({ deleteBatch: 4 });
    expect(await ours.keys("n/")).toEqual([]);
  });

  it.each(["a/../b", "./a", "a/.", "a./b", "a.", "a\\b", "a\u0001", "a\nb", "a\u0085"])(
    "K07: the key %j, which the service would change, is refused before any request",
    async (key) => {
      const sign = ours.driver.signedUrl(key, { method: "GET", expiresIn: 60 });
      const calls = [
        ours.write(key, "x"),
        ours.open(key),
        ours.stat(key),
        ours.delete(key),
        ours.delete("x", key),
        sign,
      ];
      for (const call of [...calls, ours.copy(key, "x"), ours.copy("x", key)]) {
        await expect(call).rejects.toMatchObject({ code: "InvalidArgument" });
      }
      expect(proxy.requests).toEqual([]);
    },
  );

  it("the encryption scope goes with everything that stores data, and with nothing else", async () => {
    const connection = through(server, proxy).connection;
    const subject = await openDriver(bucket().name, connection, { encryption_scope: "scope1" });
    await caught(subject.write("a", "x"));
    await caught(subject.write("b", patterned(9 * MIB)));
    await caught(subject.copy("a", "c", { bucket: bucket().name }));
    await caught(subject.text("a"));
    await caught(subject.keys(""));
    await caught(subject.delete("a", "b", "c"));
    const scoped = proxy.requests.filter(({ headers }) => headers["x-ms-encryption-scope"] === "scope1");
    const kinds = (requests: typeof proxy.requests) => new Set(requests.map(({ operation }) => operation));
    expect(kinds(scoped)).toEqual(new Set(["write", "part", "commit", "copy"]));
    expect(proxy.requests.every((one) => kinds(scoped).has(one.operation) === scoped.includes(one))).toBe(true);
    await subject.driver.close();
  });

  it("R23: a version is named to stat, read and delete, alone and in a batch", async () => {
    const version = "2026-01-02T03:04:05.1234567Z";
    const headers = { etag: '"e"', "x-ms-version-id": version, "last-modified": new Date(0).toUTCString() };
    proxy.plant({ on: { operation: "stat" }, fault: answer(200, { headers: { ...headers, "content-length": "3" } }) });
    proxy.plant({ on: { operation: "read" }, fault: answer(200, { headers, body: "old" }) });
    const info = await ours.driver.stat("v", { version, signal: undefined });
    expect(info).toMatchObject({ version, etag: '"e"' });
    expect(await ours.text("v", { version })).toBe("old");
    await ours.driver.delete([{ key: "v", version }], { signal: undefined });
    expect(proxy.requests.map(({ url }) => url.searchParams.get("versionid"))).toEqual([version, version, version]);
    proxy.plant({ on: { operation: "write" }, fault: answer(201, { headers }) });
    expect(await ours.write("v", "x")).toEqual({ etag: '"e"', version });
  });

  it("R23: versions are listed newest first within a key, over the pages too", async () => {
    const row = (name: string, version: string, current = "") =>
      `<Blob><Name>${name}</Name><VersionId>${version}</VersionId>${current}<Properties><Content-Length>1</Content-Length>` +
      "<Last-Modified>Fri, 02 Jan 2026 03:04:05 GMT</Last-Modified><Etag>0x1</Etag></Properties></Blob>";
    const page = (rows: string, next: string) =>
      `<?xml version="1.0"?><EnumerationResults><Blobs>${rows}</Blobs><NextMarker>${next}</NextMarker></EnumerationResults>`;
    const current = "<IsCurrentVersion>true</IsCurrentVersion>";
    proxy.plant({ fault: answer(200, { body: page(row("a", "2026-01") + row("a", "2026-02"), "m") }) });
    proxy.plant({ fault: answer(200, { body: page(row("a", "2026-03", current) + row("b", "2026-01"), "") }) });
    const items = await ours.items("", { versions: true });
    expect(items.map(({ key, version, latest }) => [key, version, latest])).toEqual([
      ["a", "2026-03", true],
      ["a", "2026-02", false],
      ["a", "2026-01", false],
      ["b", "2026-01", false],
    ]);
    expect(items[0]).toMatchObject({ etag: '"0x1"', size: 1, modified: new Date("2026-01-02T03:04:05Z") });
    expect(proxy.requests.map(({ url }) => url.searchParams.get("include"))).toEqual(["versions", "versions"]);
  });

  it("L12: names that XML cannot write are decoded, and directories of a hierarchical namespace are no objects", async () => {
    const known = "<Content-Length>1</Content-Length><Last-Modified>Sun, 01 Feb 2026 00:00:00 GMT</Last-Modified>";
    const body = `\ufeff<?xml version="1.0"?><EnumerationResults><Blobs>
      <Blob><Name Encoded="true">a%EF%BF%BF%25b</Name><Properties><Etag>"x"</Etag>${known}</Properties></Blob>
      <Blob><Name>a%25b</Name><Properties><Etag>"x"</Etag>${known}</Properties></Blob>
      <Blob><Name>dir</Name><Properties><ResourceType>directory</ResourceType></Properties></Blob>
      </Blobs><NextMarker /></EnumerationResults>`;
    proxy.plant({ fault: answer(200, { body }) });
    expect(await ours.keys("")).toEqual(["a%25b", "a\uffff%b"]);
  });

  it("a copy that takes its time is waited for; one that is not waited for leaves nothing of itself", async () => {
    const begun = { "x-ms-copy-id": "id", "x-ms-copy-status": "pending", etag: '"1"' };
    const ended = { "x-ms-copy-id": "id", "x-ms-copy-status": "success", etag: '"2"' };
    const source = { fault: answer(200, { headers: { etag: '"0"' } }) };
    proxy.plant(source, { fault: answer(202, { headers: begun }) }, { fault: answer(200, { headers: begun }) });
    proxy.plant({ fault: answer(200, { headers: ended }) });
    expect(await ours.copy("a", "b", { bucket: "other" })).toEqual({ etag: '"2"' });
    expect(proxy.operations()).toEqual({ copy: 1, stat: 3 });
    expect(proxy.requests[1]!.headers["x-ms-copy-source"]).toMatch(/\/other\/a$/);
    proxy.clear();
    const stop = new AbortController();
    const aborted = { "x-ms-copy-id": "id", "x-ms-copy-status": "aborted", etag: '"3"' };
    proxy.plant(source, { fault: answer(202, { headers: begun }) }, { fault: answer(204) });
    proxy.plant({ fault: answer(200, { headers: aborted }) }, { fault: answer(202) });
    const copy = ours.copy("a", "b", { bucket: "other", signal: stop.signal });
    setTimeout(() => stop.abort("enough"), 100);
    expect(await caught(copy)).toBe("enough");
    expect(proxy.requests.slice(2).map(({ method, headers }) => [method, headers["if-match"]])).toEqual([
      ["PUT", undefined],
      ["HEAD", undefined],
      ["DELETE", '"3"'],
    ]);
  });
});
