/** Bad input where there is no server: a typed error, the old object as it was, and nothing left behind. For clouds see faults/input.test.ts. */
import { mkdtemp, readdir, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Storage } from "../../src/fs/storage.js";
import { openStorage } from "../../src/open.js";
import { StoragePath } from "../../src/path.js";
import { all } from "../support/all.js";
import { type Leaks, watchLeaks } from "../support/leaks.js";

const CHUNK = new Uint8Array(64 * 1024).fill(7);
/** Turns of the event loop; a write of these chunks takes fewer. */
const MOST = 1_000_000;

async function* chunks(count: number, error?: Error): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) yield CHUNK;
  if (error) throw error;
}

describe.each(["memory", "file"])("bad input on %s", (scheme) => {
  let root: string;
  let storage: Storage;
  let leaks: Leaks;
  let base: StoragePath;

  beforeEach(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), "stowage-input-")));
    leaks = watchLeaks();
    storage = openStorage({ fileRoot: root, env: {} });
    base = scheme === "file" ? StoragePath.parse(`file://${root}/b`) : StoragePath.parse("memory://bucket/b");
    await storage.write(base.join("x"), "old");
  });
  afterEach(async () => {
    expect(await storage.text(base.join("x"))).toBe("old");
    const names = (await all(storage.list(base))).map(({ path }) => path.name);
    expect(names).toEqual(["x"]);
    await storage.close();
    if (scheme === "file") expect(await readdir(root, { recursive: true })).toEqual(["b", join("b", "x")]);
    expect(await leaks.found()).toEqual([]);
    await rm(root, { recursive: true });
  });
  const at = () => base.join("x");

  test.each([1, 3, 300])("W09: a size that lies about %i chunks", async (count) => {
    for (const size of [count * CHUNK.length - 1, count * CHUNK.length + 1]) {
      const write = storage.write(at(), chunks(count), { size });
      await expect(write).rejects.toMatchObject({ name: "StorageError", code: "InvalidArgument" });
    }
  });

  test.each([0, 1, 300])("W10: a body that throws after %i chunks", async (count) => {
    const error = new Error("source");
    await expect(storage.write(at(), chunks(count, error))).rejects.toBe(error);
  });

  test("F33 W11: an abort at any await of a write, whatever turn it comes in", { timeout: 120_000 }, async () => {
    const ends = new Set<string>();
    let step = 1;
    for (let turns = 0; turns < MOST && !ends.has("done"); turns += step) {
      step = Math.ceil(turns / 10) || 1;
      const controller = new AbortController();
      const write = storage.write(at(), chunks(8), { signal: controller.signal });
      const end = write.then(
        () => "done",
        (error: unknown) => error,
      );
      for (let i = 0; i < turns; i++) await turn();
      controller.abort("enough");
      ends.add(String(await end));
      if (ends.has("done")) await storage.write(at(), "old");
      else expect(await storage.text(at())).toBe("old");
    }
    expect([...ends].sort()).toEqual(["done", "enough"]);
  });

  test("F33: an abort at any await of a read", async () => {
    for (let turns = 0; turns < 20; turns++) {
      const controller = new AbortController();
      const read = storage.text(at(), { signal: controller.signal }).catch((error: unknown) => error);
      for (let i = 0; i < turns; i++) await turn();
      controller.abort("enough");
      expect(["old", "enough"]).toContain(await read);
    }
  });

  test("R12: in a bucket or folder that is not there nothing is found, and reading makes none", async () => {
    const nowhere = scheme === "file" ? StoragePath.parse(`file://${root}/no/y`) : StoragePath.parse("memory://no/y");
    for (const call of [storage.stat(nowhere), storage.bytes(nowhere), storage.copy(nowhere, base.join("y"))]) {
      await expect(call).rejects.toMatchObject({ code: "NotFound" });
    }
    expect(await storage.exists(nowhere)).toBe(false);
  });

  test("K01: a key of 1,025 bytes", async () => {
    const { scheme: same, bucket, key } = base;
    const long = StoragePath.of({ scheme: same, bucket, key: `${key}/${"k".repeat(1025 - key.length - 1)}` });
    expect(Buffer.byteLength(long.key)).toBe(1025);
    for (const call of [
      storage.write(long, "1"),
      storage.bytes(long),
      storage.delete(long),
      storage.copy(at(), long),
    ]) {
      await expect(call).rejects.toMatchObject({ code: "InvalidArgument" });
    }
  });

  test.each(["\ud800", "a\udc00b", "a\u0000b"])("K02: the name %j", (name) => {
    const { scheme: same, bucket, key } = base;
    expect(() => StoragePath.of({ scheme: same, bucket, key: `${key}/${name}` })).toThrow("InvalidArgument");
    expect(() => base.join(name)).toThrow("InvalidArgument");
  });

  test("`..` and `.` lead nowhere in files, and are names in memory", async () => {
    if (scheme === "memory") return expect(await storage.exists(base.join("../b/x"))).toBe(false);
    for (const name of ["../x", "a/../../x", "./x", ".."]) {
      const path = StoragePath.of({ scheme: "file", bucket: "", key: `${base.key}/${name}` });
      for (const call of [() => storage.write(path, "1"), () => storage.bytes(path), () => storage.delete(path)]) {
        await expect((async () => call())(), name).rejects.toMatchObject({ code: "InvalidArgument" });
      }
    }
  });

  test("R08: a read past the end is empty, of a missing object NotFound", async () => {
    for (const start of [3, 4, 1e12]) expect(await storage.bytes(at(), { start, end: start + 5 })).toHaveLength(0);
    await expect(storage.bytes(base.join("y"), { start: 5 })).rejects.toMatchObject({ code: "NotFound" });
  });
});
