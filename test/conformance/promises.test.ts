/** What Storage itself owes, whatever the driver is. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { codecs } from "../../src/codecs/index.js";
import { failure } from "../../src/errors.js";
import { BatchDeleteError, type Driver, type DriverReadOptions } from "../../src/fs/driver/driver.js";
import { memory } from "../../src/fs/drivers/memory.js";
import { createStorage } from "../../src/fs/open.js";
import type { Storage } from "../../src/fs/storage.js";
import { openStorage } from "../../src/open.js";
import { single } from "../../src/streams.js";
import { all } from "../support/all.js";

let changes: (driver: Driver) => Partial<Driver>;
let storage: Storage;

beforeEach(() => {
  const open = memory().open;
  changes = () => ({});
  const changed = async (...place: Parameters<typeof open>) => {
    const driver = await open(...place);
    return { ...driver, ...changes(driver) };
  };
  storage = openStorage({ env: {}, drivers: [{ schemes: ["memory"], open: changed }] });
});

describe("Storage", () => {
  it("M07 hands ifAbsent of a copy to the driver", async () => {
    await storage.write("memory://b/from", "new");
    await storage.write("memory://b/to", "old");
    const copy = storage.copy("memory://b/from", "memory://b/to", { ifAbsent: true });
    await expect(copy).rejects.toMatchObject({ code: "AlreadyExists", op: "copy" });
    expect(await storage.text("memory://b/to")).toBe("old");
  });

  it("an abort rejects with the reason of the signal, whatever the driver says", async () => {
    const reason = new Error("enough");
    const abort = new AbortController();
    changes = () => ({
      async stat() {
        abort.abort(reason);
        throw new Error("the socket was closed");
      },
    });
    await expect(storage.stat("memory://b/x", { signal: abort.signal })).rejects.toBe(reason);
  });

  it("exists does not say no where it may not look", async () => {
    changes = () => ({ stat: () => Promise.reject(failure("PermissionDenied", "no")) });
    await expect(storage.exists("memory://b/x")).rejects.toMatchObject({ code: "PermissionDenied" });
  });

  it("D04 names the keys that a recursive delete could not delete, and deletes the others", async () => {
    changes = (driver) => ({
      async delete(doomed, options) {
        const kept = doomed.filter(({ key }) => key === "d/kept");
        await driver.delete(
          doomed.filter((one) => !kept.includes(one)),
          options,
        );
        const error = failure("PermissionDenied", "no");
        if (kept.length > 0) throw new BatchDeleteError(kept.map(({ key }) => ({ key, error })));
      },
    });
    for (const name of ["a", "kept", "z"]) await storage.write(`memory://b/d/${name}`, "1");
    const deleted = storage.delete("memory://b/d", { recursive: true });
    await expect(deleted).rejects.toMatchObject({
      code: "PermissionDenied",
      message: expect.stringContaining("d/kept"),
    });
    const left = (await all(storage.list("memory://b/d"))).map(({ path }) => path.key);
    expect(left).toEqual(["d/kept"]);
  });

  describe("M09 a move to another store keeps a source that is not what was copied:", () => {
    const seen = { etag: "1", modified: new Date(5000) };
    it.each([
      [
        "the same version, told with another time",
        { ...seen, version: "7" },
        { ...seen, version: "7", modified: new Date(0) },
        true,
      ],
      ["another version of the same etag and time", { ...seen, version: "7" }, { ...seen, version: "8" }, false],
      ["no versions, the same etag, another second", seen, { ...seen, modified: new Date(6000) }, false],
      ["no versions, the same etag, the same second", seen, { ...seen, modified: new Date(5999) }, true],
      ["another etag", { ...seen, version: "7" }, { ...seen, version: "7", etag: "2" }, false],
    ])("%s", async (_, copied, found, isMoved) => {
      const info = { key: "a", size: 1 };
      changes = () => ({
        read: async () => ({ info: { ...info, ...copied }, body: single(Buffer.from("x")) }),
        stat: async () => ({ ...info, ...found }),
      });
      await storage.write("memory://b/a", "x");
      const root = await mkdtemp(join(tmpdir(), "stowage-move-"));
      const target = `file://${root}/a`;
      const outcome = await storage.move("memory://b/a", target).then(
        () => true,
        (error: { code: string }) => error.code,
      );
      expect(outcome).toBe(isMoved || "ObjectChanged");
      await rm(root, { recursive: true });
    });
  });

  describe("R15 lets a body go that its decoder does not read:", () => {
    const decoders: Record<string, () => AsyncIterable<Uint8Array>> = {
      "one that throws when it is called": () => {
        throw failure("Corrupt", "at the call");
      },
      "one that throws before it reads": async function* () {
        yield* [];
        throw failure("Corrupt", "at the first pull");
      },
    };
    it.each(Object.entries(decoders))("%s", async (_, decode) => {
      let left = 0;
      const { open } = memory();
      const watching = async (...place: Parameters<typeof open>) => {
        const driver = await open(...place);
        const body = {
          next: async () => ({ done: true as const, value: undefined }),
          [Symbol.asyncIterator]: () => body,
        };
        const watched = Object.assign(body, { return: async () => ({ done: true as const, value: void left++ }) });
        const read: Driver["read"] = async (key, options) => ({ ...(await driver.read(key, options)), body: watched });
        return { ...driver, read };
      };
      const codec = { ...codecs.get("gzip"), decode };
      const lean = createStorage({ drivers: [{ schemes: ["memory"], open: watching }], codecs: [codec], env: {} });
      await lean.write("memory://b/a.gz", "x");
      const reads = [() => lean.text("memory://b/a.gz", { compression: "infer" }), () => firstOf(lean)];
      for (const read of reads) await expect(read()).rejects.toMatchObject({ code: "Corrupt" });
      expect(left).toBe(2);
    });

    async function firstOf(lean: Storage): Promise<unknown> {
      for await (const chunk of lean.read("memory://b/a.gz", { compression: "infer" })) return chunk;
      return undefined;
    }
  });

  it("F6 asks for the version that it has begun to read when a line breaks", async () => {
    const asked: DriverReadOptions[] = [];
    changes = (driver) => ({
      codeOf: () => "Unavailable",
      async read(key, options) {
        const { info, body } = await driver.read(key, options);
        return { info, body: asked.push(options) === 1 ? breaking() : body };
      },
    });
    await storage.write("memory://b/x", "0123456789");
    const { etag } = await storage.stat("memory://b/x");
    expect(await storage.text("memory://b/x")).toBe("0123456789");
    expect(asked).toMatchObject([{ ifMatch: undefined }, { start: 4, ifMatch: etag }]);
  });
});

async function* breaking(): AsyncGenerator<Uint8Array> {
  yield* single(Buffer.from("0123"));
  throw new Error("the line is gone");
}
