import { inspect } from "node:util";
import { beforeEach, describe, expect, it } from "vitest";
import { isStorageError, StorageError } from "../../../src/errors.js";
import type { Driver, OpenDriver } from "../../../src/fs/driver/driver.js";
import { memory } from "../../../src/fs/drivers/memory.js";
import type { Storage } from "../../../src/fs/storage.js";
import { openStorage } from "../../../src/open.js";
import { StoragePath } from "../../../src/path.js";
import { all } from "../../support/all.js";

let storage: Storage;
beforeEach(() => {
  storage = openStorage({ env: {} });
});

const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "resolved",
    (error: unknown) => (isStorageError(error) ? error.code : error),
  );

async function keys(entries: AsyncIterable<{ path: StoragePath }>): Promise<string[]> {
  return (await all(entries)).map(({ path }) => path.key).sort();
}

async function* chunks(...parts: (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if (part instanceof Error) throw part;
    yield Buffer.from(part);
  }
}

describe("a target that ends in a slash", () => {
  it("is a directory, in which a copy and a move keep the source's name", async () => {
    await storage.write("memory://b/a.csv", "1");
    await storage.copy("memory://b/a.csv", "memory://b/dir/");
    await storage.copy("memory://b/a.csv", "memory://c/");
    await storage.at("memory://b").move("a.csv", "moved/");
    expect(await keys(storage.list("memory://b", { recursive: true }))).toEqual(["dir/a.csv", "moved/a.csv"]);
    expect(await keys(storage.list("memory://c", { recursive: true }))).toEqual(["a.csv"]);
  });
  it("makes no difference to a recursive copy", async () => {
    await storage.write("memory://b/from/a.csv", "1");
    await storage.copy("memory://b/from/", "memory://b/to/", { recursive: true });
    expect(await storage.text("memory://b/to/a.csv")).toBe("1");
  });
});

describe("errors", () => {
  it("say op, path, code and detail in this order", async () => {
    const error = await storage.stat("memory://b/none").catch((e: unknown) => e);
    expect(error).toBeInstanceOf(StorageError);
    expect(error).toMatchObject({ op: "stat", path: "memory://b/none", code: "NotFound", retryable: false });
    expect(String(error)).toMatch(/^StorageError: stat memory:\/\/b\/none: NotFound/);
  });

  it("never repeat a password that somebody wrote into a URL", async () => {
    const error = await storage.stat("s3://me:hunter2@b/k").catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "InvalidArgument" });
    expect(inspect(error) + JSON.stringify(error)).not.toContain("hunter2");
  });

  it.each([
    ["wrong scheme", () => storage.stat("ftp://b/k")],
    ["empty key", () => storage.write("memory://b/", "x")],
    [
      "key of 1,025 bytes",
      () => storage.stat(StoragePath.of({ scheme: "memory", bucket: "b", key: "é".repeat(512) + "x" })),
    ],
    ["negative start", () => storage.bytes("memory://b/k", { start: -1 })],
    ["reversed range", () => storage.bytes("memory://b/k", { start: 5, end: 4 })],
    ["fractional range", () => storage.bytes("memory://b/k", { end: 1.5 })],
    ["unknown codec", () => storage.write("memory://b/k", "x", { compression: "brotli" as never })],
    ["ifAbsent with ifMatch", () => storage.write("memory://b/k", "x", { ifAbsent: true, ifMatch: "1" })],
    ["metadata with a line break", () => storage.write("memory://b/k", "x", { metadata: { a: "b\nc" } })],
    ["metadata above 2 KiB", () => storage.write("memory://b/k", "x", { metadata: { a: "b".repeat(2049) } })],
    ["signing for eight days", () => storage.signedUrl("memory://b/k", { expiresIn: 8 * 86_400 })],
    ["whole bucket without emptyBucket", () => storage.delete("memory://b/", { recursive: true })],
    ["body of numbers", () => storage.write("memory://b/k", [1, 2, 3] as never)],
    ["an unknown connection", () => storage.stat("memory://nobody@b/k")],
  ])("%s is InvalidArgument", async (_, act) => {
    expect(await code(act())).toBe("InvalidArgument");
  });

  it("a range of compressed data is Unsupported", async () => {
    expect(await code(storage.bytes("memory://b/k.gz", { start: 1, compression: "infer" }))).toBe("Unsupported");
  });
});

describe("write", () => {
  it("lets the error of the caller's own body through untouched and keeps the old object", async () => {
    const own = new TypeError("mine");
    await storage.write("memory://b/k", "old");
    for (const compression of [null, "gzip"] as const) {
      expect(await storage.write("memory://b/k", chunks("a", own), { compression }).catch((e: unknown) => e)).toBe(own);
    }
    expect(await storage.text("memory://b/k")).toBe("old");
  });

  it.each([2, 4])("a size of %i for three bytes fails and keeps the old object", async (size) => {
    await storage.write("memory://b/k", "old");
    expect(await code(storage.write("memory://b/k", chunks("ab", "c"), { size }))).toBe("InvalidArgument");
    expect(await code(storage.write("memory://b/k", "abc", { size }))).toBe("InvalidArgument");
    expect(await storage.text("memory://b/k")).toBe("old");
  });

  it("rejects with the reason of a signal, before and while it runs", async () => {
    const before = AbortSignal.abort("before");
    expect(await storage.write("memory://b/k", "x", { signal: before }).catch((e: unknown) => e)).toBe("before");
    const stop = new AbortController();
    const stuck = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) };
    const writing = storage.write("memory://b/k", stuck, { signal: stop.signal });
    stop.abort("while");
    expect(await writing.catch((e: unknown) => e)).toBe("while");
    expect(await storage.exists("memory://b/k")).toBe(false);
  });

  it("infers codec and content type from the suffix", async () => {
    await storage.write("memory://b/a.json.gz", "{}", { compression: "infer" });
    expect([...(await storage.bytes("memory://b/a.json.gz"))].slice(0, 2)).toEqual([0x1f, 0x8b]);
    expect(await storage.text("memory://b/a.json.gz", { compression: "infer" })).toBe("{}");
    expect((await storage.stat("memory://b/a.json.gz")).contentType).toBe("application/gzip");
  });
});

describe("signal", () => {
  it("can serve many calls at once without a warning", async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error) => warnings.push(warning);
    process.on("warning", listen);
    const { signal } = new AbortController();
    await Promise.all(
      Array.from({ length: 64 }, (_, i) => storage.write(`memory://b/${i}`, chunks("a", "b"), { signal })),
    );
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", listen);
    expect(warnings).toEqual([]);
  });
});

describe("writable", () => {
  it("stores on close, twice the same receipt", async () => {
    const writer = storage.writable("memory://b/k");
    await writer.write("one ");
    await writer.write(Buffer.from("two"));
    expect(await storage.exists("memory://b/k")).toBe(false);
    const receipt = await writer.close();
    expect(await writer.close()).toEqual(receipt);
    expect(await storage.text("memory://b/k")).toBe("one two");
    expect(await code(writer.write("three"))).toBe("InvalidArgument");
    expect(await code(writer.abort())).toBe("InvalidArgument");
  });

  it("stores nothing when it is aborted or left without close", async () => {
    const writer = storage.writable("memory://b/k");
    await writer.write("one");
    await writer.abort();
    await writer.abort();
    await expect(
      (async () => {
        await using left = storage.writable("memory://b/k");
        await left.write("two");
        throw new RangeError("left");
      })(),
    ).rejects.toThrow("left");
    expect(await storage.exists("memory://b/k")).toBe(false);
  });

  it("takes a web stream by pipeTo", async () => {
    await storage.write("memory://b/a", "streamed");
    await storage.readable("memory://b/a").pipeTo(storage.writable("memory://b/b"));
    expect(await storage.text("memory://b/b")).toBe("streamed");
  });

  it("tells a waiting producer that the write failed", async () => {
    await storage.write("memory://b/k", "old");
    const writer = storage.writable("memory://b/k", { ifAbsent: true });
    const outcome = (async () => {
      for (let i = 0; i < 10; i++) await writer.write("x");
      await writer.close();
    })();
    expect(await code(outcome)).toBe("AlreadyExists");
    expect(await storage.text("memory://b/k")).toBe("old");
  });
});

describe("trees", () => {
  beforeEach(async () => {
    for (const key of ["a", "a/1", "a/b/2", "ab/3"]) await storage.write(`memory://b/${key}`, key);
  });

  it("D05 a recursive delete spares siblings that begin with the same letters", async () => {
    await storage.delete("memory://b/a", { recursive: true });
    expect(await keys(storage.list("memory://b/", { recursive: true }))).toEqual(["ab/3"]);
  });

  it("a recursive copy keeps a directory a directory, in another store too", async () => {
    await storage.copy("memory://b/a", "memory://c/x/y", { recursive: true });
    expect(await keys(storage.list("memory://c/", { recursive: true }))).toEqual(["x/y/1", "x/y/b/2"]);
    await storage.move("memory://b/a", "memory://b/z", { recursive: true });
    expect(await keys(storage.list("memory://b/", { recursive: true }))).toEqual(["a", "ab/3", "z/1", "z/b/2"]);
  });

  it("a tree copied into itself is refused, and an empty one is NotFound", async () => {
    expect(await code(storage.copy("memory://b/a", "memory://b/a/c", { recursive: true }))).toBe("InvalidArgument");
    expect(await code(storage.copy("memory://b/none", "memory://b/c", { recursive: true }))).toBe("NotFound");
  });

  it("M03 moving an object onto itself loses nothing", async () => {
    await storage.move("memory://b/a/1", "memory://b/a/1");
    expect(await storage.text("memory://b/a/1")).toBe("a/1");
  });

  it("a move between two connections that lead to one object keeps it", async () => {
    const drivers = [{ ...memory(), schemes: ["m", "n"] }];
    const two = openStorage({ env: {}, connections: { x: { type: "generic" } }, drivers });
    await two.write("m://b/k", "only copy");
    expect(await code(two.move("m://b/k", "n://x@b/k"))).toBe("ObjectChanged");
    expect(await two.text("m://b/k")).toBe("only copy");
  });

  it("lists one level with its directories, exact paths that can be read", async () => {
    const entries = (await all(storage.list("memory://b/a"))).map(({ path, type }) => [String(path), type]);
    expect(entries).toEqual([
      ["memory://b/a/1", "file"],
      ["memory://b/a/b", "directory"],
    ]);
  });
});

describe("openStorage", () => {
  it("gives two Storages nothing in common", async () => {
    await storage.write("memory://b/k", "mine");
    expect(await openStorage({ env: {} }).exists("memory://b/k")).toBe(false);
  });

  it("opens each bucket once, and forgets an opening that failed", async () => {
    let opened = 0;
    const open: OpenDriver = () => {
      opened += 1;
      if (opened === 1) throw new Error("not yet");
      return { stat: async () => ({ key: "k", size: opened }), close: async () => {} } as unknown as Driver;
    };
    const own = openStorage({ env: {}, drivers: [{ schemes: ["own"], open: open }] });
    await expect(own.stat("own://b/k")).rejects.toThrow("not yet");
    await Promise.all([own.stat("own://b/k"), own.stat("own://b/k2")]);
    expect(opened).toBe(2);
    await own.close();
    expect(await code(own.stat("own://b/k"))).toBe("InvalidArgument");
  });
});
