/** An error of the caller's own callback ends the call, and reaches the caller as it is. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Storage } from "../../../src/fs/storage.js";
import { openStorage } from "../../../src/open.js";

let root: string;
let storage: Storage;

beforeEach(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "stowage-callbacks-")));
  storage = openStorage({ env: {}, fileRoot: root });
  for (const base of [`file://${root}/from`, "memory://from"])
    for (const name of ["a", "b/c", "d"]) await storage.write(`${base}/${name}`, name);
});
afterEach(async () => {
  await storage.close();
  rmSync(root, { recursive: true, force: true });
});

/** Also thrown values that are no errors, and errors that look like those of the library. */
const THROWN = [new Error("boo"), "boo", new TypeError("boo"), Object.assign(new Error("boo"), { code: "ENOENT" })];

/** Returns what a call rejects with, if its callback throws each of these. */
async function rejections(call: (boo: () => never) => Promise<unknown>): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const thrown of THROWN) {
    const boo = (): never => {
      throw thrown;
    };
    found.push(
      await call(boo).then(
        () => "it succeeded",
        (reason: unknown) => reason,
      ),
    );
  }
  return found;
}

async function expectThrown(call: (boo: () => never) => Promise<unknown>): Promise<void> {
  for (const [i, rejection] of (await rejections(call)).entries()) expect(rejection).toBe(THROWN[i]);
}

it("onProgress of a write, of a body in memory and of one that comes in chunks", async () => {
  const chunks = async function* () {
    yield new Uint8Array(10);
    yield new Uint8Array(10);
  };
  for (const path of [`file://${root}/x`, "memory://x/x"]) {
    await expectThrown((onProgress) => storage.write(path, "text", { onProgress }));
    await expectThrown((onProgress) => storage.write(path, chunks(), { onProgress }));
    await expectThrown((onProgress) => storage.writeJson(path, {}, { onProgress }));
  }
});

it("onProgress of a copy and a move, and of a tree", async () => {
  for (const [from, to] of [
    [`file://${root}/from`, "memory://to"],
    ["memory://from", `file://${root}/to`],
  ] as const) {
    await expectThrown((onProgress) => storage.copy(`${from}/a`, `${to}/a`, { onProgress }));
    await expectThrown((onProgress) => storage.move(`${from}/a`, `${to}/a`, { onProgress }));
    await expectThrown((onProgress) => storage.copy(from, to, { recursive: true, onProgress }));
    await expectThrown((onProgress) => storage.move(from, to, { recursive: true, onProgress }));
    await expectThrown((onProgress) => storage.sync(from, to, { checksum: true, onProgress }));
    expect(await storage.text(`${from}/a`)).toBe("a");
  }
});

it("onStep of a tree, between providers and inside one", async () => {
  for (const to of ["memory://to", `file://${root}/to`]) {
    const from = `file://${root}/from`;
    await expectThrown((onStep) => storage.copy(from, to, { recursive: true, onStep }));
    await expectThrown((onStep) => storage.move(from, to, { recursive: true, onStep }));
    expect(await storage.text(`${from}/a`)).toBe("a");
  }
});

it("onStep of a sync: of a copy, a delete, and a dry run", async () => {
  const from = `file://${root}/from`;
  await expectThrown(async (onStep) => {
    await storage.delete("memory://copied", { recursive: true, emptyBucket: true });
    await storage.sync(from, "memory://copied", { concurrency: 1, onStep });
  });
  await expectThrown((onStep) => storage.sync(from, "memory://dry", { dryRun: true, onStep }));
  await storage.sync(from, "memory://deleted");
  await expectThrown(async (boo) => {
    await storage.write("memory://deleted/old", "1");
    const onStep = ({ action }: { action: string }) => void (action === "delete" && boo());
    await storage.sync(from, "memory://deleted", { delete: true, onStep });
  });
  expect(await storage.exists("memory://deleted/old")).toBe(false);
});

it("no further object is begun after it", async () => {
  for (let n = 0; n < 200; n++) await storage.write(`memory://many/${n}`, "1");
  const thrown = new Error("boo");
  let steps = 0;
  const onStep = () => {
    if (++steps === 10) throw thrown;
  };
  await expect(storage.copy("memory://many", "memory://to", { recursive: true, onStep })).rejects.toBe(thrown);
  expect(steps).toBeLessThan(100);
});

it("one that is no function is refused before any work", async () => {
  const refused = { code: "InvalidArgument", detail: expect.stringMatching(/^on\w+ of \w+ must be a function$/) };
  const wrong = "print" as never;
  await expect(storage.write("memory://x/x", "1", { onProgress: wrong })).rejects.toMatchObject(refused);
  await expect(storage.copy("memory://from/a", "memory://x/x", { onStep: wrong })).rejects.toMatchObject(refused);
  await expect(storage.sync("memory://from", "memory://x", { onStep: wrong })).rejects.toMatchObject(refused);
  expect(await storage.exists("memory://x/x")).toBe(false);
});
