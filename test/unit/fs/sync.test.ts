/** `sync` brings one tree to the state of another. */
import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { isBatchError } from "../../../src/errors.js";
import type { SyncOptions, SyncStep } from "../../../src/fs/sync.js";
import { StoragePath } from "../../../src/path.js";
import { useStorages } from "../../support/storages.js";

const openStorage = useStorages();
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stowage-sync-"));
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(folder, { recursive: true, force: true });
});

const FROM = "memory://a/from";
const TO = "memory://b/to";

/** A storage with three objects at FROM. */
async function filled() {
  const storage = openStorage({ env: {} });
  for (const name of ["x", "d/y", "d/z"]) await storage.write(`${FROM}/${name}`, `content of ${name}`);
  return storage;
}

async function keys(storage: ReturnType<typeof openStorage>, base: string): Promise<string[]> {
  const found: string[] = [];
  const { length } = new URL(base).pathname;
  for await (const { path } of storage.list(base, { recursive: true })) found.push(path.key.slice(length));
  return found;
}

describe("a name that is a file in one tree and a directory in the other", () => {
  const fill = (storage: ReturnType<typeof openStorage>, base: string, names: string[]) =>
    Promise.all(names.map((name) => storage.write(`${base}/${name}`, name)));

  test("is brought to the state of the source, both ways and at any depth, and then stays", async () => {
    const storage = openStorage({ env: {} });
    const to = `file://${folder}/to`;
    await fill(storage, to, ["a", "b/x/y/z", "b/w", "c", "keep"]);
    await fill(storage, FROM, ["a/1", "a/2/3", "b", "c/d/e", "keep"]);
    await new Promise((resolve) => setTimeout(resolve, 5));
    const steps: string[] = [];
    const onStep = ({ action, path }: SyncStep) => void steps.push(`${action} ${path.name}`);
    expect(await storage.sync(FROM, to, { delete: true, onStep })).toMatchObject({ copied: 5, deleted: 4 });
    expect(await keys(storage, to)).toEqual(["a/1", "a/2/3", "b", "c/d/e", "keep"]);
    for (const name of ["a/1", "a/2/3", "b", "c/d/e"]) expect(await storage.text(`${to}/${name}`)).toBe(name);
    expect(steps.toSorted()).toEqual(
      ["copy 1", "copy 3", "copy b", "copy e", "copy keep", "delete a", "delete c", "delete w", "delete z"].toSorted(),
    );
    expect(await storage.sync(FROM, to, { delete: true })).toMatchObject({ copied: 0, deleted: 0 });
    expect(await storage.sync(FROM, to, { delete: true, dryRun: true })).toMatchObject({ copied: 0, deleted: 0 });
  });

  test("stays as it is without delete, and where an excluded file is in the way", async () => {
    const storage = openStorage({ env: {} });
    const to = `file://${folder}/to`;
    await fill(storage, to, ["a", "b/x"]);
    await fill(storage, FROM, ["a/1", "b"]);
    for (const init of [{}, { delete: true, exclude: ["/a", "x"] }, { delete: true, include: ["/a/1"] }]) {
      const work = storage.sync(FROM, to, init as SyncOptions);
      await expect(work).rejects.toThrow(/not copied: from\/.*: Unsupported/);
      expect(await keys(storage, to)).toEqual(["a", "b/x"]);
    }
  });

  test("an object store that has both is no reason to delete either", async () => {
    const storage = openStorage({ env: {} });
    const to = `file://${folder}/to`;
    await fill(storage, to, ["a"]);
    await fill(storage, FROM, ["a", "a/1"]);
    await expect(storage.sync(FROM, to, { delete: true })).rejects.toThrow(/not copied: from\/a\/1: Unsupported/);
    expect(await storage.text(`${to}/a`)).toBe("a");
  });
});

describe("what is copied", () => {
  test("all of it once, and then nothing; a change of size or a newer source again", async () => {
    const storage = await filled();
    // A copy of the same millisecond would count as changed.
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await storage.sync(FROM, TO)).toEqual({ copied: 3, bytes: 40, deleted: 0, unchanged: 0 });
    expect(await keys(storage, TO)).toEqual(["d/y", "d/z", "x"]);
    expect(await storage.sync(FROM, TO)).toEqual({ copied: 0, bytes: 0, deleted: 0, unchanged: 3 });
    await storage.write(`${FROM}/x`, "longer content of x");
    await new Promise((resolve) => setTimeout(resolve, 5));
    await storage.write(`${FROM}/d/y`, "CONTENT of d/y");
    expect(await storage.sync(FROM, TO)).toMatchObject({ copied: 2, unchanged: 1 });
    expect(await storage.text(`${TO}/d/y`)).toBe("CONTENT of d/y");
    expect(await storage.text(`${TO}/x`)).toBe("longer content of x");
  });

  test("a source whose time has whole seconds is copied again for a copy of the same second", async () => {
    const storage = openStorage({ env: {} });
    await writeFile(join(folder, "x"), "new");
    await storage.write(`${TO}/x`, "old");
    const { modified } = await storage.stat(`${TO}/x`);
    const second = Math.floor(modified!.getTime() / 1000);
    await utimes(join(folder, "x"), second, second);
    expect(await storage.sync(`file://${folder}`, TO)).toMatchObject({ copied: 1 });
    await utimes(join(folder, "x"), second - 1, second - 1);
    expect(await storage.sync(`file://${folder}`, TO)).toMatchObject({ unchanged: 1 });
  });

  test("--checksum compares content, whatever the times", async () => {
    const storage = await filled();
    const written = Date.now();
    await vi.waitUntil(() => Date.now() > written, { interval: 1 });
    await storage.sync(FROM, TO);
    await storage.write(`${TO}/x`, "CONTENT of x");
    expect(await storage.sync(FROM, TO)).toMatchObject({ copied: 0 });
    expect(await storage.sync(FROM, TO, { checksum: true })).toMatchObject({ copied: 1, unchanged: 2 });
    expect(await storage.text(`${TO}/x`)).toBe("content of x");
    await storage.write(`${FROM}/x`, "content of x");
    expect(await storage.sync(FROM, TO, { checksum: true })).toMatchObject({ copied: 0, unchanged: 3 });
  });

  test("include and exclude: a pattern without a slash is a name at any depth; neither copied nor deleted", async () => {
    const storage = await filled();
    await storage.write(`${TO}/d/old`, "1");
    const steps = async (init: SyncOptions) => {
      const found: string[] = [];
      await storage.sync(FROM, TO, {
        ...init,
        dryRun: true,
        onStep: ({ action, path }) => found.push(`${action} ${path.key}`),
      });
      return found.sort();
    };
    expect(await steps({ include: ["y"] })).toEqual(["copy to/d/y"]);
    expect(await steps({ include: ["d/*"], exclude: ["z"], delete: true })).toEqual(["copy to/d/y", "delete to/d/old"]);
    expect(await steps({ exclude: ["d/**"], delete: true })).toEqual(["copy to/x"]);
    for (const directory of ["d", "d/", "./d", "/d"])
      expect(await steps({ exclude: [directory], delete: true }), directory).toEqual(["copy to/x"]);
  });

  test("a folder and back; markers of directories are no files", async () => {
    const storage = await filled();
    await storage.write(StoragePath.of({ scheme: "memory", bucket: "a", key: "from/d/" }), "");
    const local = `file://${folder}/copy`;
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await storage.sync(FROM, local)).toMatchObject({ copied: 3 });
    expect((await readdir(join(folder, "copy/d"))).sort()).toEqual(["y", "z"]);
    expect(await storage.sync(FROM, local)).toMatchObject({ copied: 0, unchanged: 3 });
  });
});

describe("what is deleted", () => {
  test("only with delete, only what the source does not have, and nothing of a sibling", async () => {
    const storage = await filled();
    await storage.write(`${TO}/old`, "1");
    await storage.write(`${TO}-sibling/old`, "1");
    expect(await storage.sync(FROM, TO)).toMatchObject({ deleted: 0 });
    expect(await storage.sync(FROM, TO, { delete: true })).toMatchObject({ deleted: 1 });
    expect(await keys(storage, TO)).toEqual(["d/y", "d/z", "x"]);
    expect(await storage.exists(`${TO}-sibling/old`)).toBe(true);
  });

  test("nothing after a failure, and nothing if the source is empty", async () => {
    const storage = openStorage({ env: {} });
    await mkdir(join(folder, "from"));
    await writeFile(join(folder, "from/a"), "1");
    await symlink("nowhere", join(folder, "from/broken"));
    await storage.write(`${TO}/old`, "1");
    const error: unknown = await storage.sync(`file://${folder}/from`, TO, { delete: true }).catch((e) => e);
    expect(isBatchError(error) && error.failures.map(({ path }) => path)).toEqual([`file://${folder}/from/broken`]);
    expect(await keys(storage, TO)).toEqual(["a", "old"]);
    await expect(storage.sync("memory://a/none", TO, { delete: true })).rejects.toMatchObject({ code: "NotFound" });
    expect(await keys(storage, TO)).toEqual(["a", "old"]);
  });

  test.each<[string, SyncOptions]>([
    ["only has markers of directories", {}],
    ["is excluded as a whole", { exclude: ["x", "d"], include: ["x"] }],
  ])("nothing if the source %s", async (why, init) => {
    const storage = why.startsWith("only") ? openStorage({ env: {} }) : await filled();
    await storage.write(StoragePath.of({ scheme: "memory", bucket: "a", key: "from/e/" }), "");
    await storage.write(`${TO}/old`, "1");
    const sync = storage.sync(FROM, TO, { ...init, delete: true });
    await expect(sync).rejects.toMatchObject({ code: "NotFound" });
    expect(await storage.exists(`${TO}/old`)).toBe(true);
  });

  test("a dry run changes nothing and tells all", async () => {
    const storage = await filled();
    await storage.write(`${TO}/old`, "1");
    const steps: SyncStep[] = [];
    const summary = await storage.sync(FROM, TO, { delete: true, dryRun: true, onStep: (step) => steps.push(step) });
    expect(summary).toEqual({ copied: 3, bytes: 40, deleted: 1, unchanged: 0 });
    expect(steps.map(({ action, path }) => `${action} ${path.key}`).sort()).toEqual([
      "copy to/d/y",
      "copy to/d/z",
      "copy to/x",
      "delete to/old",
    ]);
    expect(await keys(storage, TO)).toEqual(["old"]);
  });
});

test("a sync that was cut off leaves whole objects, and goes on where it was", async () => {
  const storage = openStorage({ env: {} });
  for (let n = 0; n < 40; n++) await storage.write(`${FROM}/${n}`, `content ${n}`);
  // A copy of the same millisecond would count as changed.
  await new Promise((resolve) => setTimeout(resolve, 5));
  const abort = new AbortController();
  let done = 0;
  const onStep = () => {
    done += 1;
    if (done === 10) abort.abort(new Error("cut"));
  };
  await expect(storage.sync(FROM, TO, { onStep, signal: abort.signal, concurrency: 2 })).rejects.toThrow("cut");
  const names = await keys(storage, TO);
  expect(names.length).toBeGreaterThanOrEqual(10);
  expect(names.length).toBeLessThan(40);
  for (const name of names) expect(await storage.text(`${TO}/${name}`)).toBe(`content ${name}`);
  const { copied, unchanged } = await storage.sync(FROM, TO);
  expect(copied).toBe(40 - names.length);
  expect(unchanged).toBe(names.length);
});

test.each([
  ["onto itself", FROM, FROM],
  ["into its own source", FROM, `${FROM}/backup`],
  ["of a tree into its parent", `${FROM}/d`, FROM],
])("a sync %s is refused", async (_, from, to) => {
  const storage = await filled();
  await expect(storage.sync(from, to, { delete: true })).rejects.toMatchObject({ code: "InvalidArgument" });
  expect(await keys(storage, FROM)).toEqual(["d/y", "d/z", "x"]);
});

test("a sync into its own source is refused before any request, here to a server that does not exist", async () => {
  const it = { type: "aws", login: "k", password: "s", extra: { endpoint_url: "http://127.0.0.1:1" } };
  const storage = openStorage({ env: {}, connections: { it } });
  await expect(storage.sync("s3://it@bucket/a", "s3://it@bucket/a/b")).rejects.toMatchObject({
    code: "InvalidArgument",
  });
});

test("a sync that deletes is refused where two connections may lead to one bucket, into the source", async () => {
  const storage = openStorage({ env: {} });
  const [from, to] = ["s3://one@bucket/a", "s3://two@bucket/a/b"];
  await expect(storage.sync(from, to, { delete: true })).rejects.toMatchObject({ code: "InvalidArgument" });
});

test.each<[string, SyncOptions]>([
  ["an unknown option", { dry: true } as SyncOptions],
  ["a flag that is text", { delete: "no" as never }],
  ["no lane", { concurrency: 0 }],
  ["a pattern that is none", { include: ["[a"] }],
  ["a list that is text", { exclude: "*.tmp" as never }],
  ["a pattern for all", { exclude: ["./"] }],
  ["delete through links", { delete: true, followLinks: true }],
])("%s is InvalidArgument before anything is listed", async (_, init) => {
  const storage = openStorage({ env: {} });
  await expect(storage.sync("s3://no-such-bucket/a", "s3://no-such-bucket/b", init)).rejects.toMatchObject({
    code: "InvalidArgument",
  });
});
