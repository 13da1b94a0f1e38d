/** `get`, `json`, `writeJson`, `update`, and the bodies of the Fetch API. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, expect, test } from "vitest";
import { openStorage } from "../../../src/index.js";

const root = mkdtempSync(join(tmpdir(), "stowage-get-"));
const storage = openStorage({ fileRoot: root, env: {} });
afterAll(async () => {
  await storage.close();
  rmSync(root, { recursive: true, force: true });
});

const BASES = ["memory://get/d", `file://${root}/d`];

test.each(BASES)("get returns metadata and bytes of one version, by every way of reading: %s", async (base) => {
  const path = `${base}/a.json`;
  const { etag } = await storage.write(path, '{"a": "é"}');
  await using opened = await storage.get(path);
  const { info } = opened;
  expect(info).toMatchObject({ size: 11, etag, contentType: "application/json" });
  expect(await (await storage.get(path)).json()).toEqual({ a: "é" });
  expect(await (await storage.get(path)).text()).toBe('{"a": "é"}');
  expect(String(Buffer.from(await (await storage.get(path)).bytes()))).toBe('{"a": "é"}');
  expect(String(await buffer(await storage.get(path)))).toBe('{"a": "é"}');
  expect(await new Response((await storage.get(path)).stream()).json()).toEqual({ a: "é" });
  expect(await (await storage.get(path, { start: 2, end: 3 })).text()).toBe("a");
  await expect(storage.get(`${base}/none`)).rejects.toMatchObject({ code: "NotFound", op: "read" });
  await expect(storage.get(path, { ifMatch: '"other"' })).rejects.toMatchObject({ code: "PreconditionFailed" });
});

test("an object is read once; a second read, and one after cancel, is refused", async () => {
  await storage.write("memory://get/once", "x");
  const object = await storage.get("memory://get/once");
  await object.text();
  await expect(object.text()).rejects.toMatchObject({ code: "InvalidArgument" });
  const other = await storage.get("memory://get/once");
  await other.cancel();
  await expect(other.bytes()).rejects.toMatchObject({ code: "InvalidArgument" });
});

test("compressed data is decoded, within its limit", async () => {
  await storage.write("memory://get/x.json.gz", '{"a":1}', { compression: "infer" });
  const decoded = await storage.get("memory://get/x.json.gz", { compression: "infer" });
  expect(await decoded.json()).toEqual({ a: 1 });
  const small = await storage.get("memory://get/x.json.gz", { compression: "infer", maxDecodedBytes: 3 });
  await expect(small.text()).rejects.toMatchObject({ code: "TooLarge", path: "memory://get/x.json.gz" });
});

test("data that is no JSON, and no UTF-8, is Corrupt; no message shows it", async () => {
  await storage.write("memory://get/bad", "secret{");
  const error = await storage.json("memory://get/bad").catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "Corrupt", path: "memory://get/bad" });
  expect(String(error)).not.toContain("secret");
  await storage.write("memory://get/bytes", new Uint8Array([0xff]));
  await expect(storage.json("memory://get/bytes")).rejects.toMatchObject({ code: "Corrupt" });
});

const port = {
  "~standard": {
    version: 1 as const,
    vendor: "test",
    validate: (value: unknown) =>
      typeof (value as { port?: unknown }).port === "number"
        ? { value: { port: String((value as { port: number }).port) } }
        : { issues: [{ message: "expected a number", path: ["port", { key: 0 }] }] },
  },
};

test("a schema checks and changes the value; what does not fit is Corrupt with the place", async () => {
  await storage.writeJson("memory://get/port.json", { port: 80 });
  const value: { port: string } = await storage.json("memory://get/port.json", { schema: port });
  expect(value).toEqual({ port: "80" });
  await storage.writeJson("memory://get/port.json", { port: "80" });
  const wrong = storage.json("memory://get/port.json", { schema: port });
  await expect(wrong).rejects.toMatchObject({ code: "Corrupt", message: /port\.0: expected a number/ });
});

test("writeJson sets the content type, takes conditions, and refuses what JSON cannot represent", async () => {
  await storage.writeJson("memory://get/typed", [1], { ifAbsent: true });
  expect(await storage.stat("memory://get/typed")).toMatchObject({ contentType: "application/json", size: 3 });
  await expect(storage.writeJson("memory://get/typed", 1, { ifAbsent: true })).rejects.toMatchObject({
    code: "AlreadyExists",
  });
  const circle: unknown[] = [];
  circle.push(circle);
  for (const value of [undefined, () => 1, 1n, circle])
    await expect(storage.writeJson("memory://get/typed", value)).rejects.toMatchObject({ code: "InvalidArgument" });
  expect(await storage.json("memory://get/typed")).toEqual([1]);
});

test("bodies of the Fetch API bring their content type; an error page and a used body are refused", async () => {
  const at = "memory://get/fetched";
  const response = (body: string | null, init?: ResponseInit) => new Response(body, init);
  await storage.write(at, response("a", { headers: { "content-type": "text/x-own" } }));
  expect(await storage.stat(at)).toMatchObject({ size: 1, contentType: "text/x-own" });
  await storage.write(at, response("a", { headers: { "content-type": "text/x-own" } }), { contentType: "text/css" });
  expect(await storage.stat(at)).toMatchObject({ contentType: "text/css" });
  await storage.write(at, response(null));
  expect(await storage.stat(at)).toMatchObject({ size: 0 });
  await storage.write(at, new Request("http://a.example", { method: "POST", body: "abc" }));
  expect(await storage.text(at)).toBe("abc");
  await storage.write(at, new URLSearchParams({ a: "1 2" }));
  expect(await storage.text(at)).toBe("a=1+2");
  expect(await storage.stat(at)).toMatchObject({ contentType: "application/x-www-form-urlencoded;charset=UTF-8" });
  await storage.write(at, new Blob(["x"], { type: "text/x-blob" }));
  expect(await storage.stat(at)).toMatchObject({ size: 1, contentType: "text/x-blob" });
  const used = response("b");
  await used.text();
  for (const body of [response("not found", { status: 404 }), used])
    await expect(storage.write(at, body)).rejects.toMatchObject({ code: "InvalidArgument" });
  expect(await storage.text(at)).toBe("x");
});

test.each(BASES)("update creates, changes, leaves, and keeps the attributes: %s", async (base) => {
  const path = `${base}/count`;
  const next = async (now: { text(): Promise<string> } | undefined) => String(Number((await now?.text()) ?? 0) + 1);
  await storage.update(path, next);
  await storage.update(path, next);
  expect(await storage.text(path)).toBe("2");
  expect(await storage.update(path, () => undefined)).toBeUndefined();
  expect(await storage.text(path)).toBe("2");
  await expect(storage.update(path, () => Promise.reject(new Error("mine")))).rejects.toThrow(/^mine$/);
  await expect(storage.update(path, next, { ifMatch: "x" } as never)).rejects.toMatchObject({
    code: "InvalidArgument",
  });
  await expect(storage.update(path, next, { attempts: 0 })).rejects.toMatchObject({ code: "InvalidArgument" });
  await expect(storage.update(path, "next" as never)).rejects.toMatchObject({ code: "InvalidArgument" });
  expect(await storage.text(path)).toBe("2");
});

test("update keeps attributes and tags, unless it is given others", async () => {
  const path = "memory://get/kept";
  const kept = { contentType: "text/css", cacheControl: "no-store", metadata: { a: "1" }, tags: { t: "1" } };
  await storage.write(path, "1", kept);
  await storage.update(path, () => "2");
  expect(await storage.stat(path, { tags: true })).toMatchObject({ ...kept, size: 1 });
  await storage.update(path, () => "3", { cacheControl: "max-age=1", tags: {} });
  expect(await storage.stat(path, { tags: true })).toMatchObject({ ...kept, cacheControl: "max-age=1", tags: {} });
});

test.each(BASES)("many updates at once lose nothing; the last attempt's conflict is thrown: %s", async (base) => {
  const path = `${base}/busy`;
  const next = async (now: { text(): Promise<string> } | undefined) => String(Number((await now?.text()) ?? 0) + 1);
  await Promise.all(Array.from({ length: 20 }, () => storage.update(path, next, { attempts: 100 })));
  expect(await storage.text(path)).toBe("20");
  const meddled = storage.update(
    path,
    async () => {
      await storage.write(path, "other");
      return "mine";
    },
    { attempts: 2 },
  );
  await expect(meddled).rejects.toMatchObject({ code: "PreconditionFailed" });
  expect(await storage.text(path)).toBe("other");
});

test("update calls the function once for its own failure, and not again for one of a missing bucket", async () => {
  let calls = 0;
  const failing = storage.update("memory://get/own", () => {
    calls += 1;
    return storage.text("memory://get/absent");
  });
  await expect(failing).rejects.toMatchObject({ code: "NotFound", path: "memory://get/absent" });
  expect(calls).toBe(1);
});

test("update ends when its signal aborts while the function runs", async () => {
  const stop = new AbortController();
  const hanging = storage.update("memory://get/hanging", () => new Promise<string>(() => stop.abort("enough")), {
    signal: stop.signal,
  });
  await expect(hanging).rejects.toBe("enough");
});

test("an undefined option of update, writeJson or replace changes no attribute", async () => {
  const path = "memory://get/undefined";
  await storage.write(path, "1", { cacheControl: "a", tags: { t: "1" }, metadata: { m: "1" } });
  await storage.update(path, () => "2", { cacheControl: undefined, tags: undefined, metadata: undefined });
  const kept = { cacheControl: "a", tags: { t: "1" }, metadata: { m: "1" } };
  expect(await storage.stat(path, { tags: true })).toMatchObject(kept);
  await storage.writeJson(path, 1, { contentType: undefined });
  expect(await storage.stat(path)).toMatchObject({ contentType: "application/json" });
});

test("a copy onto itself with other attributes is refused, not ignored", async () => {
  await storage.write("memory://get/itself", "1");
  const copy = storage.copy("memory://get/itself", "memory://get/itself", { replace: { cacheControl: "a" } });
  await expect(copy).rejects.toMatchObject({ code: "InvalidArgument", message: /setAttributes/ });
});

test.each<[string, object]>([
  ["tags in a Map", { tags: new Map([["a", "b"]]) }],
  ["tags as text", { tags: "abc" }],
  ["tags as a number", { tags: 5 }],
  ["metadata in Headers", { metadata: new Headers({ a: "b" }) }],
  ["metadata in a list", { metadata: ["a"] }],
  ["a content type outside ASCII", { contentType: "text/ä" }],
])("%s would be lost, and are refused", async (_, init) => {
  await expect(storage.write("memory://get/typed-wrong", "1", init)).rejects.toMatchObject({ code: "InvalidArgument" });
  expect(await storage.exists("memory://get/typed-wrong")).toBe(false);
});
