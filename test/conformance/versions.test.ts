/** R23: earlier values of objects, where a bucket keeps them. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Storage } from "../../src/fs/storage.js";
import { openStorage } from "../../src/open.js";
import { describeOn, useBucket } from "../servers/use.js";
import { all } from "../support/all.js";

const KEEPING = [
  { server: "minio", scheme: "s3", marks: true },
  { server: "fake-gcs", scheme: "gs", marks: false },
] as const;

for (const { server: name, scheme, marks } of KEEPING) {
  await describeOn(name, `versions on ${scheme}`, (server) => {
    const bucket = useBucket(server, { versioned: true });
    let storage: Storage;
    const at = (key: string) => `${scheme}://it@${bucket().name}/${key}`;

    beforeAll(() => {
      storage = openStorage({ connections: { it: server.connection }, env: {} });
    });
    afterAll(() => storage.close());

    const versions = (key: string) => all(storage.list(at(key), { versions: true, recursive: true }));
    /** Writes one value after the other; the version of each. */
    async function history(key: string, ...values: string[]): Promise<string[]> {
      const receipts = [];
      for (const value of values) receipts.push((await storage.write(at(key), value)).version ?? "");
      return receipts;
    }

    test("a receipt names the version, which stat and every kind of read find", async () => {
      const [first = ""] = await history("a/x", "first", "second!");
      const version = { version: first };
      expect(await storage.text(at("a/x"))).toBe("second!");
      expect(await storage.stat(at("a/x"), version)).toMatchObject({ size: 5, version: first });
      expect(await storage.exists(at("a/x"), version)).toBe(true);
      expect(await storage.text(at("a/x"), version)).toBe("first");
      expect(await storage.text(at("a/x"), { ...version, start: 1, end: 3 })).toBe("ir");
      expect(await storage.text(at("a/x"), { ...version, parallel: 2 })).toBe("first");
      const [range] = await storage.ranges(at("a/x"), [{ start: 3 }], version);
      expect(Buffer.from(range ?? []).toString()).toBe("st");
    });

    test("a listing has the newest first, each with what a read by its version returns", async () => {
      const written = await history("b/x", "1", "22", "333");
      const found = await versions("b");
      expect(found.map(({ version }) => version)).toEqual(written.toReversed());
      expect(found.map(({ size }) => size)).toEqual([3, 2, 1]);
      expect(found.map(({ latest }) => latest)).toEqual([true, false, false]);
      for (const { path, version, size } of found) {
        expect(await storage.bytes(path, { version })).toHaveLength(size ?? -1);
      }
    });

    test("an earlier value of an object that was replaced and deleted can be put back", async () => {
      const [first = ""] = await history("c/x", "precious", "mistake");
      await storage.delete(at("c/x"));
      expect(await storage.exists(at("c/x"))).toBe(false);
      const found = await versions("c");
      expect(found.filter(({ deleted }) => deleted)).toHaveLength(marks ? 1 : 0);
      const before = found.filter(({ deleted }) => !deleted).at(-1);
      expect(before?.version).toBe(first);
      await storage.write(at("c/x"), storage.read(at("c/x"), { version: first }));
      expect(await storage.text(at("c/x"))).toBe("precious");
    });

    test("deleting one version leaves the others; a deleted one, and one that never was, is NotFound", async () => {
      const [first = "", second = ""] = await history("d/x", "first", "second");
      await storage.delete(at("d/x"), { version: first });
      await expect(storage.bytes(at("d/x"), { version: first })).rejects.toMatchObject({ code: "NotFound" });
      await expect(storage.stat(at("d/x"), { version: first })).rejects.toMatchObject({ code: "NotFound" });
      expect(await storage.text(at("d/x"))).toBe("second");
      expect((await versions("d")).map(({ version }) => version)).toEqual([second]);
    });
  });
}

describe.each(["memory://b/x", "file"])("no versions on %s", (where) => {
  test("what asks for one is Unsupported, and changes nothing", async () => {
    const storage = openStorage({ env: {}, fileRoot: import.meta.dirname });
    const at = where === "file" ? `file://${import.meta.filename}` : where;
    if (where !== "file") await storage.write(at, "kept");
    const size = (await storage.stat(at)).size;
    const list = async () => {
      for await (const _ of storage.list(at.replace(/\/[^/]*$/, ""), { versions: true }));
    };
    const version = "1";
    const calls = [
      () => storage.stat(at, { version }),
      () => storage.bytes(at, { version }),
      () => storage.delete(at, { version }),
      list,
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: "Unsupported" });
    expect((await storage.stat(at)).size).toBe(size);
    await storage.close();
  });
});
