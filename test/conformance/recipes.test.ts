/** The recipes for concurrent writers in docs/guides/concurrency.md, with concurrent writers. */
import { setTimeout } from "node:timers/promises";
import { transform } from "esbuild";
import { describe, expect, test } from "vitest";
import { isStorageError } from "../../src/errors.js";
import type { Storage } from "../../src/fs/storage.js";
import { describeOn, useBucket } from "../servers/use.js";
import { FILE, MEMORY, openFile, openMemory, openOn, SERVERS } from "../support/backends.js";
import { blocksOf } from "../support/docs.js";

const WRITERS = 10;
type Increment = (counter: string) => Promise<number>;

/** Returns the documented function, on `storage`. */
async function documented(storage: Storage): Promise<Increment> {
  const block = (await blocksOf("docs/guides/concurrency.md")).find(({ code }) => code.includes("function increment"));
  const text = /^async function increment[\s\S]*?^}$/m.exec(block?.code ?? "")?.[0] ?? "";
  const { code } = await transform(text, { loader: "ts" });
  return new Function("storage", "isStorageError", "setTimeout", `${code}\nreturn increment;`)(
    storage,
    isStorageError,
    setTimeout,
  );
}

/** Each writer of a store has a Storage of its own, as a process would; in memory and on files they share one. */
async function counts(counter: string, storages: readonly Storage[]): Promise<void> {
  const functions = await Promise.all(storages.map(documented));
  const values = await Promise.all(functions.flatMap((increment) => [increment(counter), increment(counter)]));
  const expected = Array.from({ length: 2 * storages.length }, (_, i) => i + 1);
  expect(values.sort((a, b) => a - b)).toEqual(expected);
  expect(await storages[0]!.text(counter)).toBe(String(expected.length));
}

describe("the documented counter loses no increment of ten writers", () => {
  test(MEMORY.name, async () => {
    const { storage, base, cleanup } = await openMemory();
    await counts(String(base.join("counter")), Array(WRITERS).fill(storage));
    await cleanup?.();
  });
  test(FILE.name, async () => {
    const { storage, base, cleanup } = await openFile();
    await counts(String(base.join("counter")), Array(WRITERS).fill(storage));
    await cleanup?.();
  });
});

for (const backend of SERVERS.filter(({ lacks }) => !lacks.includes("conditions"))) {
  await describeOn(backend.server, `the documented counter on ${backend.name}`, (server) => {
    const bucket = useBucket(server);
    test("loses no increment of ten writers", { timeout: 120_000 }, async () => {
      const opened = await Promise.all(
        Array.from({ length: WRITERS }, () => openOn(backend, server.connection, bucket())),
      );
      await counts(
        String(opened[0]!.base.join("counter")),
        opened.map(({ storage }) => storage),
      );
      await Promise.all(opened.map(({ cleanup }) => cleanup?.()));
    });
  });
}
