import { describe, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import { isStorageError } from "../../../src/errors.js";
import { openStorage } from "../../../src/open.js";
import { StoragePath } from "../../../src/path.js";
import { parseObjectKey } from "../../../src/xcom/keys/layout.js";
import { pythonInt, settingsFromEnv } from "../../../src/xcom/settings.js";
import { BASE, make, OWNER, TI, UUID } from "../../support/xcom-world.js";

const ID = "0b5e1b1e-0000-4000-8000-000000000001";
const PLACE = `${OWNER.dagId}/${OWNER.runId}/${OWNER.taskId}`;

describe("where a value goes", () => {
  test("X01 it becomes an object from the threshold on, in bytes of Python's text", async () => {
    const value = { ключ: ["é😀", 1.5, null] };
    const python = '{"\\u043a\\u043b\\u044e\\u0447": ["\\u00e9\\ud83d\\ude00", 1.5, null]}'.length;
    for (const [threshold, inline] of [
      [-1, true],
      [0, false],
      [python - 1, false],
      [python, false],
      [python + 1, true],
    ] as const) {
      const { backend, calls } = make({ threshold });
      const row = await backend.storeValue(OWNER, "k", value);
      expect(typeof row === "string").toBe(!inline);
      expect(calls).toHaveLength(inline ? 0 : 1);
      expect(await backend.loadValue(row)).toEqual(value);
    }
  });

  test("exactly one request each stores, loads and purges; none what is in the row", async () => {
    const { backend, calls } = make({ compression: "gzip" });
    const row = await backend.storeValue(OWNER, "k", [1, 2]);
    await backend.loadValue(row, { owner: OWNER });
    expect(await backend.purge(row, { owner: OWNER })).toBe(true);
    expect(calls.map((call) => call.split(" ")[0])).toEqual(["write", "read", "delete"]);
    expect(await backend.purge([1, 2])).toBe(false);
    expect(await backend.loadValue("s3://conn@bucket/xcom/some/text")).toBe("s3://conn@bucket/xcom/some/text");
    expect(calls).toHaveLength(3);
  });

  test("the object is the UTF-8 text of JSON.stringify, compressed as its suffix says", async () => {
    const value = { é: ["😀", 1, 2.5e-9], u: undefined };
    for (const compression of [null, "gzip", "zip"] as const) {
      const { backend, storage } = make({ compression });
      const row = (await backend.storeValue(OWNER, "k", value)) as string;
      expect(await storage.text(row, { compression: "infer" })).toBe(JSON.stringify(value));
      if (compression) expect((await storage.bytes(row)).subarray(0, 2)).not.toEqual(Buffer.from("{"));
    }
  });

  test("a value above what is written in one go is the same", async () => {
    const rows = Array.from({ length: 40_000 }, (_, id) => ({ id, name: `é${id}`, text: "x".repeat(20) }));
    const { backend, storage } = make({ compression: "gzip" });
    const row = (await backend.storeValue(OWNER, "k", rows)) as string;
    expect(await storage.text(row, { compression: "infer" })).toBe(JSON.stringify(rows));
    expect(await backend.loadValue(row)).toStrictEqual(rows);
  });

  test("ti: with the task instance known, storing again overwrites; without, every write is its own object", async () => {
    const { backend } = make();
    const known = { ...OWNER, tiId: TI };
    const first = await backend.storeValue(known, "a/b é", 1);
    expect(first).toBe(`${BASE}/${PLACE}/ti-${TI}/a%2Fb%20%C3%A9.json`);
    expect(await backend.storeValue({ ...OWNER, tiId: TI.toUpperCase() }, "a/b é", 2)).toBe(first);
    expect(await backend.loadValue(first)).toBe(2);
    const [one, other] = [await backend.storeValue(OWNER, "k", 1), await backend.storeValue(OWNER, "k", 1)];
    expect(one).not.toBe(other);
    expect(String(one).replace(UUID, "*")).toBe(`${BASE}/${PLACE}/write-*/k.json`);
  });

  test("X08 mapped tasks do not share an object, although their index is no part of the path", async () => {
    const { backend } = make({ layout: "uuid" });
    const rows = await Promise.all([0, 1].map((mapIndex) => backend.storeValue({ ...OWNER, mapIndex }, "k", mapIndex)));
    expect(await Promise.all(rows.map((row) => backend.loadValue(row)))).toEqual([0, 1]);
  });

  test("X10 long ids are shortened so that base and path fit into 1024 bytes, and are still the owner's", async () => {
    const { backend } = make();
    const long = { dagId: "é".repeat(400), runId: "r".repeat(250), taskId: `g/${"t".repeat(500)}` };
    const row = (await backend.storeValue(long, "k".repeat(300), 1)) as string;
    expect(Buffer.byteLength(row)).toBeLessThanOrEqual(1024);
    expect(await backend.loadValue(row, { owner: long })).toBe(1);
    await expect(backend.loadValue(row, { owner: OWNER })).rejects.toMatchObject({ code: "PermissionDenied" });
    const deep = new XComObjectStorageBackend({
      storage: openStorage({ env: {} }),
      path: `memory://b/${"p".repeat(1000)}`,
      threshold: 0,
    });
    await expect(deep.storeValue(OWNER, "k", 1)).rejects.toThrow(/shorter base/);
  });

  test("difference 5: Azure's other schemes print abfs, which stock Airflow opens", async () => {
    for (const scheme of ["azblob", "az", "wasb", "wasbs", "abfs"]) {
      const { backend } = make({ path: `${scheme}://conn@container/xcom` });
      const row = await backend.storeValue(OWNER, "k", 1);
      expect(row).toMatch(/^abfs:\/\/conn@container\/xcom\/my_dag\//);
      expect(await backend.loadValue(row)).toBe(1);
    }
  });

  test("the base may be a path, a bucket, or a bucket without connection", async () => {
    for (const path of [
      StoragePath.parse(BASE),
      "s3://conn@bucket",
      "s3://bucket/",
      "memory://xcom",
      "file:///srv/x",
    ]) {
      const { backend } = make({ path });
      const row = await backend.storeValue(OWNER, "k", { a: 1 });
      expect(String(row).startsWith(String(path).replace(/\/$/, ""))).toBe(true);
      expect(await backend.loadValue(row, { owner: OWNER })).toEqual({ a: 1 });
    }
  });
});

describe("X11 numbers and values that a row cannot carry", () => {
  test.each([[2n ** 64n], [-(2n ** 53n)], [Number.NaN], [Number.POSITIVE_INFINITY], [{ a: [-Infinity, 1n] }]])(
    "%s becomes an object below the threshold, and comes back exactly",
    async (value) => {
      const { backend, calls } = make({ threshold: 1_000_000 });
      const row = await backend.storeValue(OWNER, "k", value);
      expect(calls).toHaveLength(1);
      const back = await backend.loadValue(row);
      expect(back).toEqual(typeof value === "object" ? { a: [-Infinity, 1] } : value);
    },
  );

  test("with the threshold -1 such a value is refused before any request, with the fix", async () => {
    const { backend, calls } = make({ threshold: -1 });
    await expect(backend.storeValue(OWNER, "k", [2n ** 64n])).rejects.toThrow(/InvalidArgument.*threshold >= 0/);
    expect(calls).toEqual([]);
  });

  test("numbers beyond 2^53 that are no bigint, and -0, are floats on both sides", async () => {
    const { backend, storage } = make();
    const value = [1e20, 2 ** 60, -0, 1e21];
    const row = (await backend.storeValue(OWNER, "k", value)) as string;
    expect(await storage.text(row)).toBe("[1e+20,1.152921504606847e+18,-0.0,1e+21]");
    expect(await backend.loadValue(row)).toStrictEqual(value);
  });

  test("what is in the row is JSON: undefined is dropped, a small bigint is a number, a Map is an object", async () => {
    const { backend } = make({ threshold: -1 });
    const row = await backend.storeValue(OWNER, "k", { a: undefined, b: 1n, c: new Map([["d", 1]]) });
    expect(row).toStrictEqual({ b: 1, c: { d: 1 } });
  });
});

describe("bad input is refused before any request", () => {
  test.each([
    [{ dagId: "" }, "dagId"],
    [{ runId: "a//b" }, "runId"],
    [{ runId: "/abs" }, "runId"],
    [{ taskId: "a/../b" }, "taskId"],
    [{ taskId: "." }, "taskId"],
    [{ dagId: null }, "dagId"],
    [{ dagId: "a\nb" }, "dagId"],
    [{ dagId: "\ud800" }, "dagId"],
    [{ tiId: "42" }, "tiId"],
  ])("difference 4: %j", async (ids, name) => {
    const { backend, calls } = make();
    const stored = backend.storeValue({ ...OWNER, ...ids } as typeof OWNER, "k", 1);
    await expect(stored).rejects.toMatchObject({
      code: "InvalidArgument",
      op: "storeValue",
      message: expect.stringContaining(name),
    });
    expect(calls).toEqual([]);
  });

  test("a value that is not JSON is refused, also where nothing would be stored", async () => {
    for (const threshold of [-1, 0, 1000]) {
      const { backend, calls } = make({ threshold });
      await expect(backend.storeValue(OWNER, "k", { f: () => 1 })).rejects.toThrow(
        /InvalidArgument \(value\.f: a function/,
      );
      expect(calls).toEqual([]);
    }
  });

  test.each([
    [{ threshold: 1.5 }, /threshold/],
    [{ threshold: "1000" }, /threshold/],
    [{ compression: "gz" }, /unknown compression "gz" \(expected one of zip/],
    [{ compression: "snappy" }, /expected one of/],
    [{ compression: "infer" }, /expected one of/],
    [{ layout: "flat" }, /layout must be ti or uuid/],
    [{ onMissing: "null" }, /onMissing/],
    [{ maxDecodedBytes: 0 }, /maxDecodedBytes/],
    [{ encoding: "pickle" }, /encoding/],
    [{ path: "" }, /path is missing/],
    [{ path: "/tmp/x" }, /scheme/],
    [{ path: "s3://user:secret@bucket/x" }, /connection id/],
    [{ storage: undefined }, /openStorage/],
  ])("the option %j is refused when the backend is made", (options, message) => {
    expect(() => make(options as never)).toThrow(message);
    expect(() => make(options as never)).toThrow(/InvalidArgument/);
    expect(() => make(options as never)).not.toThrow(/secret/);
  });

  test("a signal that is aborted already stops every method with its reason", async () => {
    const { backend, calls } = make();
    const signal = AbortSignal.abort(new Error("stop"));
    await expect(backend.storeValue(OWNER, "k", 1, { signal })).rejects.toThrow("stop");
    await expect(backend.loadValue(`${BASE}/${PLACE}/${ID}`, { signal })).rejects.toThrow("stop");
    await expect(backend.purge(`${BASE}/${PLACE}/${ID}`, { signal })).rejects.toThrow("stop");
    expect(calls).toEqual([]);
  });
});

describe("reading a reference", () => {
  test("X05 X06 missing, truncated and corrupt objects are typed errors", async () => {
    const { backend, storage } = make();
    const at = `${BASE}/${PLACE}/${ID}`;
    await expect(backend.loadValue(at)).rejects.toMatchObject({ code: "NotFound", path: at });
    await storage.write(at, '{"a":');
    await expect(backend.loadValue(at)).rejects.toMatchObject({ code: "Corrupt", op: "loadValue", path: at });
    await storage.write(`${at}.gz`, '{"a":1}', { compression: "gzip" });
    const data = await storage.bytes(`${at}.gz`);
    await storage.write(`${at}.gz`, data.subarray(0, -3));
    await expect(backend.loadValue(`${at}.gz`)).rejects.toMatchObject({ code: "Corrupt" });
  });

  test("a compressed object that is missing is looked for once more, as late writers need", async () => {
    const { backend, storage, calls } = make();
    const at = `${BASE}/${PLACE}/${ID}.gz`;
    const loading = backend.loadValue(at);
    setTimeout(() => void storage.write(at, "[1]", { compression: "gzip" }), 100);
    expect(await loading).toEqual([1]);
    expect(calls.filter((call) => call.startsWith("read"))).toHaveLength(2);
  });

  test("waiting for a late writer ends with the reason of the signal", async () => {
    const { backend } = make();
    const stop = new AbortController();
    const loading = backend.loadValue(`${BASE}/${PLACE}/${ID}.gz`, { signal: stop.signal });
    setTimeout(() => stop.abort(new Error("enough")), 50);
    await expect(loading).rejects.toThrow("enough");
  });

  test("onMissing: reference gives Airflow's answer", async () => {
    const { backend, storage } = make({ onMissing: "reference" });
    const at = `${BASE}/${PLACE}/${ID}`;
    expect(await backend.loadValue(at)).toBe(at);
    await storage.write(at, "not json");
    expect(await backend.loadValue(at)).toBe(at);
  });

  test("a value that loadValue would refuse for its size is not stored", async () => {
    const { backend, storage } = make({ maxDecodedBytes: 1000, threshold: 0 });
    expect(await backend.loadValue(await backend.storeValue(OWNER, "k", "é".repeat(499)))).toHaveLength(499);
    await expect(backend.storeValue(OWNER, "big", "é".repeat(500))).rejects.toMatchObject({ code: "TooLarge" });
    for await (const { path } of storage.list(backend.path, { recursive: true })) expect(path.name).not.toMatch(/^big/);
  });

  test("a decoded object above maxDecodedBytes is TooLarge, compressed or not", async () => {
    for (const compression of [null, "gzip"] as const) {
      const { backend, storage } = make({ maxDecodedBytes: 1000, compression });
      const row = `${BASE}/${PLACE}/${ID}${compression ? ".gz" : ""}`;
      await storage.write(row, JSON.stringify("x".repeat(2000)), { compression });
      await expect(backend.loadValue(row)).rejects.toMatchObject({ code: "TooLarge" });
    }
  });

  test("X04 the reference of another task is PermissionDenied when the owner is known, for load and purge", async () => {
    const { backend, calls } = make();
    const row = await backend.storeValue(OWNER, "k", 1);
    const other = { ...OWNER, taskId: "other" };
    calls.length = 0;
    await expect(backend.loadValue(row, { owner: other })).rejects.toMatchObject({ code: "PermissionDenied" });
    await expect(backend.purge(row, { owner: other })).rejects.toMatchObject({ code: "PermissionDenied" });
    expect(calls).toEqual([]);
    expect(await backend.loadValue(row, { owner: { ...OWNER, mapIndex: 3, tiId: TI } })).toBe(1);
  });

  test.each(["s3://other@bucket/xcom", "s3://bucket/xcom"])(
    "X04 the same place under %s is InvalidArgument, with the fix",
    async (theirs) => {
      const { backend, calls } = make();
      const loading = backend.loadValue(`${theirs}/${PLACE}/${ID}`);
      await expect(loading).rejects.toThrow(`give the backend the path ${theirs}`);
      await expect(loading).rejects.toMatchObject({ code: "InvalidArgument" });
      expect(calls).toEqual([]);
      expect(await backend.loadValue(`${theirs}/notes`)).toBe(`${theirs}/notes`);
    },
  );

  test.each([
    `s3://conn@bucket/xcom-evil/${PLACE}/${ID}`,
    `s3://conn@bucket2/xcom/${PLACE}/${ID}`,
    `s3://conn@bucket/xcom/${PLACE}/../${ID}`,
    `s3://conn@bucket/xcom/d//t/${ID}`,
    `s3://conn@bucket/xcom/d/t/${ID}`,
    `s3://conn@bucket/xcom/${PLACE}/${ID}/`,
    `s3://conn@bucket/xcom/${PLACE}/${ID}.EXE`,
    `s3://conn@bucket/xcom/${PLACE}/${ID.toUpperCase()}`,
    `s3://conn@bucket/xcom/${PLACE}/ti-${ID}/a b.json`,
    `s3://conn@bucket/xcom/${PLACE}/ti-${ID}/k.TXT`,
    `s3://conn@bucket/xcom/${PLACE}/xx-${ID}/k.json`,
    `s3://conn@bucket/xcom/d\n/r/t/${ID}`,
    `s3://conn@bucket/xcom/\ud800/r/t/${ID}`,
    ` s3://conn@bucket/xcom/${PLACE}/${ID}`,
    `S3://conn@bucket/xcom/${PLACE}/${ID}`,
    `s3a://conn@bucket/xcom/${PLACE}/${ID}`,
  ])("X04 %j is a value", async (text) => {
    const { backend, calls } = make();
    expect(await backend.loadValue(text)).toBe(text);
    expect(await backend.purge(text)).toBe(false);
    expect(calls).toEqual([]);
  });

  test("X03 both layouts are read, whichever is written, and ids may have several segments", async () => {
    const nested = { dagId: "team/d", runId: "r", taskId: "g.t" };
    for (const layout of ["ti", "uuid"] as const) {
      const { storage, backend } = make({ layout });
      const row = await backend.storeValue(nested, "k", { layout });
      const reader = new XComObjectStorageBackend({ storage, path: BASE, layout: layout === "ti" ? "uuid" : "ti" });
      expect(await reader.loadValue(row, { owner: nested })).toEqual({ layout });
      // `team` and `d/r` would be other ids that make the same path: a path cannot tell them apart.
      await expect(reader.loadValue(row, { owner: { ...nested, dagId: "team" } })).rejects.toMatchObject({
        code: "PermissionDenied",
      });
    }
  });

  test("X07 purging twice is a success twice", async () => {
    const { backend, storage } = make();
    const row = (await backend.storeValue(OWNER, "k", 1)) as string;
    expect(await backend.purge(row)).toBe(true);
    expect(await backend.purge(row)).toBe(true);
    expect(await storage.exists(row)).toBe(false);
  });

  test("a reference inside a value is not followed", async () => {
    const { backend } = make();
    const inner = await backend.storeValue(OWNER, "k", 1);
    const outer = await backend.storeValue(OWNER, "k2", { inner });
    expect(await backend.loadValue(outer)).toEqual({ inner });
    expect(await backend.loadValue({ inner })).toEqual({ inner });
  });

  test("a megabyte of hostile text is decided in milliseconds", async () => {
    const { backend } = make({ threshold: 10_000_000 });
    const started = performance.now();
    for (const text of [
      `${BASE}/${"a/".repeat(500_000)}`,
      `s3://${"@".repeat(1_000_000)}`,
      `${BASE}/${".".repeat(1_000_000)}`,
      " ".repeat(1_000_000),
    ]) {
      expect(await backend.loadValue(text)).toBe(text);
      await backend.storeValue(OWNER, "k", text);
    }
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe("settings from the environment", () => {
  const PREFIX = "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_";

  test.each([
    ["10", 10],
    [" 10 ", 10],
    ["+5", 5],
    ["-2", -1],
    ["1_000", 1000],
    ["1e3", 1000],
    ["10.0", 10],
    ["10.", 10],
    [".5e1", 5],
    ["1_0.0", 10],
    ["٣٠", 30],
    ["𝟏𝟚𝟯", 123],
    ["１２", 12],
    ["9".repeat(400), Number.MAX_SAFE_INTEGER],
    ["", undefined],
    ["10.5", undefined],
    ["0x10", undefined],
    ["abc", undefined],
    ["7 # c", undefined],
    ["1__0", undefined],
    ["_1", undefined],
    ["1_", undefined],
    ["1e400", undefined],
    ["nan", undefined],
    ["inf", undefined],
    ["1 0", undefined],
    ["+", undefined],
  ])("the threshold %j is %j", (text, wanted) => {
    expect(pythonInt(text)).toBe(wanted);
  });

  test("what is not set has Airflow's default, and an empty compression is none", () => {
    const path = "s3://conn@b/x";
    expect(settingsFromEnv({ [`${PREFIX}PATH`]: path })).toEqual({ path, threshold: -1, compression: null });
    const env = { [`${PREFIX}PATH`]: path, [`${PREFIX}THRESHOLD`]: "5", [`${PREFIX}COMPRESSION`]: "" };
    expect(settingsFromEnv(env)).toEqual({ path, threshold: 5, compression: null });
    expect(settingsFromEnv({ ...env, [`${PREFIX}COMPRESSION`]: "zstd" }).compression).toBe("zstd");
  });

  test("a missing or empty path is refused: Airflow would write into the working directory", () => {
    for (const env of [{}, { [`${PREFIX}PATH`]: "" }])
      expect(() => XComObjectStorageBackend.fromEnv(env)).toThrow(/_PATH is not set/);
  });

  test("fromEnv opens its own storage, with the connections of that environment", async () => {
    const backend = XComObjectStorageBackend.fromEnv({
      [`${PREFIX}PATH`]: "memory://b/x",
      [`${PREFIX}THRESHOLD`]: "0",
    });
    const row = await backend.storeValue(OWNER, "k", [1]);
    expect(await backend.loadValue(row)).toEqual([1]);
    const unknown = XComObjectStorageBackend.fromEnv({
      [`${PREFIX}PATH`]: "s3://nobody@b/x",
      [`${PREFIX}THRESHOLD`]: "0",
    });
    const error = await unknown.storeValue(OWNER, "k", [1]).catch((thrown: unknown) => thrown);
    expect(isStorageError(error)).toBe(true);
    expect(String(error)).toContain("nobody");
  });
});

test("places are read in linear time and need at least three ids", () => {
  expect(parseObjectKey(`d/r/t/${ID}`)).toEqual({ layout: "uuid", owner: "d/r/t", tail: ID });
  expect(parseObjectKey(`a/d/r/t/write-${ID}/k.json.zst`)).toEqual({
    layout: "ti",
    owner: "a/d/r/t",
    tail: `write-${ID}/k.json.zst`,
  });
  expect(parseObjectKey(`d/r/write-${ID}/k.json`)).toBeUndefined();
});
