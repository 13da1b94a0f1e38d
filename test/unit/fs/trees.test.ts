/** Operations over many entries: nothing is left out without a word, links are not followed unasked, nothing is lost. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from "node:fs";
import { appendFile, link, lstat, mkdir, readFile, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BatchError, failure, isBatchError, isStorageError } from "../../../src/errors.js";
import type { Driver, OpenDriver } from "../../../src/fs/driver/driver.js";
import { file } from "../../../src/fs/drivers/file/index.js";
import { memory } from "../../../src/fs/drivers/memory.js";
import type { Storage } from "../../../src/fs/storage.js";
import { openStorage } from "../../../src/open.js";
import { StoragePath } from "../../../src/path.js";

let root: string;
let storage: Storage;
let url: (name: string) => string;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "stowage-trees-")));
  storage = openStorage({ env: {}, fileRoot: root });
  url = (name) => `file://${root}/${name}`;
});
afterEach(async () => {
  await storage.close();
  rmSync(root, { recursive: true, force: true });
});

async function failed(work: Promise<unknown>): Promise<BatchError> {
  const error = await work.then(
    () => "it succeeded",
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BatchError);
  return error as BatchError;
}
const code = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (error: unknown) => (isStorageError(error) ? error.code : error),
  );
const short = (path: string) => path.replace(`file://${root}/`, "");
const namesIn = ({ failures }: BatchError) => failures.map(({ path }) => short(path)).sort();

async function rows(at: string, init = {}): Promise<string[]> {
  const found: string[] = [];
  for await (const { path, type, detail } of storage.list(at, init))
    found.push(`${short(String(path))} ${type}${detail === undefined ? "" : `: ${detail}`}`);
  return found;
}

/** A folder with one of everything. */
async function oddTree(): Promise<void> {
  await mkdir(join(root, "t/sub"), { recursive: true });
  await mkdir(join(root, "behind"));
  await writeFile(join(root, "t/a"), "a");
  await writeFile(join(root, "t/sub/z"), "z");
  await writeFile(join(root, "behind/f"), "behind");
  await writeFile(join(root, "t/back\\slash"), "1");
  await writeFile(Buffer.concat([Buffer.from(`${root}/t/caf`), Buffer.of(0xe9)]), "1");
  await symlink("a", join(root, "t/to-file"));
  await symlink("../behind", join(root, "t/to-dir"));
  await symlink("nowhere", join(root, "t/dangling"));
  await symlink("/etc/hostname", join(root, "t/out"));
  await symlink("..", join(root, "t/sub/loop"));
  await once(spawn("mkfifo", [join(root, "t/pipe")]), "exit");
}

const UNNAMEABLE = ["t/back\\slash", "t/caf\\xe9"];
const OTHERS = ["t/dangling", "t/out", "t/pipe", "t/sub/loop", "t/to-dir"];

it("onStep receives each object of a recursive copy or move once, and nothing of what failed", async () => {
  for (const name of ["a", "d/b", "d/c"]) await storage.write(`memory://steps/from/${name}`, name);
  await storage.write("memory://steps/to/d/c", "there");
  const steps: [string, number | undefined][] = [];
  const onStep = ({ path, size }: { path: StoragePath; size: number | undefined }) => {
    steps.push([String(path), size]);
  };
  const init = { recursive: true, ifAbsent: true, onStep };
  await expect(storage.copy("memory://steps/from", "memory://steps/to", init)).rejects.toThrow(/not copied/);
  expect(steps.sort()).toEqual([
    ["memory://steps/to/a", 1],
    ["memory://steps/to/d/b", 3],
  ]);
  await storage.move("memory://steps/from", "memory://steps/moved", { recursive: true, onStep });
  expect(steps).toHaveLength(5);
});

describe("a tree with odd entries", () => {
  beforeEach(oddTree);

  it("is copied, and what cannot be is named with its reason", async () => {
    const error = await failed(storage.copy(url("t"), "memory://m/t", { recursive: true }));
    expect(namesIn(error)).toEqual([...UNNAMEABLE, ...OTHERS].sort());
    expect(error).toMatchObject({ op: "copy", failureCount: 7, completed: 3, bytes: 3, retryable: false });
    expect(error.path).toBe(url("t"));
    expect(JSON.parse(JSON.stringify(error)).failures).toHaveLength(7);
    expect(await storage.text("memory://m/t/sub/z")).toBe("z");
    expect(await storage.text("memory://m/t/to-file")).toBe("a");
  });

  it("is moved, what cannot be stays and is named", async () => {
    const error = await failed(storage.move(url("t"), url("u"), { recursive: true }));
    expect(namesIn(error)).toEqual([...UNNAMEABLE, ...OTHERS].sort());
    expect(await readFile(join(root, "u/a"), "utf8")).toBe("a");
    expect(existsSync(join(root, "t/a"))).toBe(false);
    expect((await lstat(join(root, "t/to-dir"))).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(root, "behind/f"), "utf8")).toBe("behind");
  });

  it("is deleted with its links and pipes, never what the links lead to; what has no key is named", async () => {
    const error = await failed(storage.delete(url("t"), { recursive: true }));
    expect(namesIn(error)).toEqual(UNNAMEABLE);
    expect(error).toMatchObject({ op: "delete", failureCount: 2 });
    expect(readdirSync(join(root, "t")).sort()).toHaveLength(3);
    expect(readFileSync(join(root, "behind/f"), "utf8")).toBe("behind");
    expect(existsSync("/etc/hostname")).toBe(true);
  });

  it("is listed: links and special files as `other`, and what has no key in an error at the end", async () => {
    const found: string[] = [];
    const listing = (async () => {
      for await (const { path, type, detail } of storage.list(url("t"), { recursive: true }))
        found.push(`${short(String(path))} ${type}${detail === undefined ? "" : `: ${detail}`}`);
    })();
    expect(namesIn(await failed(listing))).toEqual(UNNAMEABLE);
    expect(found).toEqual([
      "t/a file",
      "t/dangling other: a link that leads nowhere",
      "t/out other: a link that leads out of the root",
      "t/pipe other: a named pipe",
      "t/sub/loop other: a link to a directory",
      "t/sub/z file",
      "t/to-dir other: a link to a directory",
      "t/to-file file",
    ]);
  });

  it("a glob names what it could not look at, if that could have matched", async () => {
    const glob = async (pattern: string) => {
      const found: string[] = [];
      for await (const { path } of storage.glob(url(pattern))) found.push(short(String(path)));
      return found;
    };
    expect(await glob("t/z*")).toEqual([]);
    expect(await glob("t/to-*")).toEqual(["t/to-dir", "t/to-file"]);
    expect(namesIn(await failed(glob("t/caf*")))).toEqual(["t/caf\\xe9"]);
    expect(namesIn(await failed(glob("**/*")))).toEqual(UNNAMEABLE);
  });

  it("goes through links to directories only when told, and never round in a circle", async () => {
    rmSync(Buffer.concat([Buffer.from(`${root}/t/caf`), Buffer.of(0xe9)]) as never);
    rmSync(join(root, "t/back\\slash"));
    const found = await rows(url("t"), { recursive: true, followLinks: true });
    expect(found).toContain("t/to-dir/f file");
    expect(found).toContain("t/sub/loop other: a link to a directory that it lies in");
    const error = await failed(storage.copy(url("t"), "memory://m/t", { recursive: true, followLinks: true }));
    expect(namesIn(error)).toEqual(["t/dangling", "t/out", "t/pipe", "t/sub/loop"]);
    expect(await storage.text("memory://m/t/to-dir/f")).toBe("behind");
    const move = storage.move(url("t"), "memory://m/u", { recursive: true, followLinks: true });
    expect(await code(move)).toBe("InvalidArgument");
    const skipped: string[] = [];
    const onSkipped = (path: StoragePath) => void skipped.push(short(String(path)));
    for await (const _ of storage.glob(url("t/*/f"), { onSkipped })) expect.unreachable();
    expect(skipped).toEqual(["t/to-dir"]);
    for await (const { path } of storage.glob(url("t/*/f"), { followLinks: true }))
      expect(short(String(path))).toBe("t/to-dir/f");
  });

  it("a chain of links that lead to each other ends", async () => {
    await mkdir(join(root, "p"));
    await mkdir(join(root, "q"));
    await symlink("../q", join(root, "p/q"));
    await symlink("../p", join(root, "q/p"));
    await writeFile(join(root, "q/f"), "1");
    expect(await rows(url("p"), { recursive: true, followLinks: true })).toEqual([
      "p/q/f file",
      "p/q/p other: a link to a directory that it lies in",
    ]);
  });
});

it("a socket is named", async () => {
  const server = createServer().listen(join(root, "socket"));
  await once(server, "listening");
  expect(await rows(`file://${root}`)).toEqual(["socket other: a socket"]);
  server.close();
});

const unprivileged = process.getuid?.() !== 0;
it.runIf(unprivileged)("a folder that may not be read does not end a listing, and is named", async () => {
  for (const name of ["d/closed/x", "d/open/x"]) await storage.write(url(name), "1");
  execFileSync("chmod", ["000", join(root, "d/closed")]);
  const error = await failed(rows(url("d"), { recursive: true }));
  expect(namesIn(error)).toEqual(["d/closed/"]);
  execFileSync("chmod", ["755", join(root, "d/closed")]);
});

describe("a link that is named itself", () => {
  beforeEach(async () => {
    await storage.write(url("real/f"), "content");
    await symlink("real", join(root, "latest"));
  });

  it("rm -r takes the link away, and nothing behind it", async () => {
    await storage.delete(url("latest"), { recursive: true });
    expect(existsSync(join(root, "latest"))).toBe(false);
    expect(await storage.text(url("real/f"))).toBe("content");
  });

  it("mv -r renames the link, and nothing behind it", async () => {
    await storage.move(url("latest"), url("d/newest"), { recursive: true });
    expect(readlinkSync(join(root, "d/newest"))).toBe("real");
    expect(existsSync(join(root, "latest"))).toBe(false);
    expect(await storage.text(url("real/f"))).toBe("content");
    await symlink("../real", join(root, "d/other"));
    const taken = storage.move(url("d/other"), url("d/newest"), { recursive: true, ifAbsent: true });
    expect(await code(taken)).toBe("AlreadyExists");
    expect(await code(storage.move(url("d/other"), "memory://m/x", { recursive: true }))).toBe("Unsupported");
    expect(await storage.text(url("d/other/f"))).toBe("content");
  });

  it("is followed by a copy and a listing", async () => {
    await storage.copy(url("latest"), "memory://m/x", { recursive: true });
    expect(await storage.text("memory://m/x/f")).toBe("content");
    expect(await rows(url("latest"))).toEqual(["latest/f file"]);
  });
});

describe("a link that is moved onto its own way", () => {
  beforeEach(async () => {
    await storage.write(url("d/real"), "precious");
    await symlink("d", join(root, "dl"));
    await symlink("d/real", join(root, "link"));
    await symlink(join(root, "d/real"), join(root, "absolute"));
    await symlink("dl/real", join(root, "through"));
    await symlink("link", join(root, "first"));
    await symlink("nowhere", join(root, "dangling"));
  });

  it.each([
    ["link", "d/real"],
    ["absolute", "d/real"],
    ["link", "dl/real"],
    ["through", "d/real"],
    ["through", "dl"],
    ["first", "link"],
    ["first", "d/real"],
    ["dangling", "nowhere"],
  ])("%s to %s is refused, and nothing has changed", async (from, to) => {
    const text = readlinkSync(join(root, from));
    for (const ifAbsent of [false, true])
      expect(await code(storage.move(url(from), url(to), { recursive: true, ifAbsent }))).toBe("InvalidArgument");
    expect(readlinkSync(join(root, from))).toBe(text);
    expect(readlinkSync(join(root, "dl"))).toBe("d");
    expect(await storage.text(url("d/real"))).toBe("precious");
    expect(await storage.text(url("first"))).toBe("precious");
  });

  it("a circle of links, and a link onto itself, stay as they are", async () => {
    await symlink("b", join(root, "a"));
    await symlink("a", join(root, "b"));
    expect(await code(storage.move(url("a"), url("b"), { recursive: true }))).toBe("InvalidArgument");
    expect(readlinkSync(join(root, "b"))).toBe("a");
    await storage.move(url("a"), url("c"), { recursive: true });
    await storage.move(url("link"), url("link"), { recursive: true });
    expect([readlinkSync(join(root, "c")), readlinkSync(join(root, "link"))]).toEqual(["b", "d/real"]);
  });
});

describe("a tree with links to files beside them", () => {
  const COUNT = 40;
  const [first, last] = ["a-link", "z-link"];
  beforeEach(async () => {
    for (let i = 0; i < COUNT; i++) {
      await storage.write(url(`v/lib${i}.so`), `${i}`);
      for (const name of [first, last]) await symlink(`lib${i}.so`, join(root, `v/${name}${i}`));
      await symlink(`${first}${i}`, join(root, `v/chain${i}`));
    }
  });

  it.each(["file", "memory"])(
    "is moved whole, to %s",
    async (scheme) => {
      const to = scheme === "file" ? url("w") : "memory://m/w";
      await storage.move(url("v"), to, { recursive: true });
      expect(readdirSync(join(root, "v"))).toEqual([]);
      for (let i = 0; i < COUNT; i++)
        for (const name of [`lib${i}.so`, `${first}${i}`, `${last}${i}`, `chain${i}`])
          expect(await storage.text(`${to}/${name}`)).toBe(`${i}`);
    },
    30_000,
  );

  it("names a link that cannot be moved once, and leaves it", async () => {
    await storage.write("memory://m/w/a-link0", "taken");
    const error = await failed(storage.move(url("v"), "memory://m/w", { recursive: true, ifAbsent: true }));
    expect(error).toMatchObject({ code: "AlreadyExists", failureCount: 1, completed: 4 * COUNT - 1 });
    expect(readdirSync(join(root, "v"))).toEqual(["a-link0"]);
  }, 30_000);
});

describe("trees with links into each other", () => {
  beforeEach(async () => {
    for (const name of ["s/a", "s/dir/a", "s/dir/sub/b", "s/other/c"]) await storage.write(url(name), name);
    await mkdir(join(root, "t"));
  });
  const untouched = async () => {
    for (const name of ["s/dir/a", "s/dir/sub/b", "s/other/c"]) expect(await storage.text(url(name))).toBe(name);
    expect(readdirSync(join(root, "s/other"))).toEqual(["c"]);
  };

  it.each([
    ["the source", "../s", "dir"],
    ["a sibling in the source", "../s/other", "dir"],
    ["the same directory of the source", "../s/dir", "dir"],
  ])("nothing is copied or moved by way of a link of the target to %s", async (_, to, name) => {
    await symlink(to, join(root, "t", name));
    for (const verb of ["copy", "move"] as const) {
      const error = await failed(storage[verb](url("s"), url("t"), { recursive: true }));
      expect(error).toMatchObject({ code: "InvalidArgument", op: verb, failureCount: 2 });
      expect(namesIn(error)).toEqual(["s/dir/a", "s/dir/sub/b"]);
      expect(await storage.text(url("t/a"))).toBe("s/a");
      if (verb === "copy") await untouched();
    }
    expect(await storage.text(url("s/dir/a"))).toBe("s/dir/a");
    expect(await storage.text(url("s/dir/sub/b"))).toBe("s/dir/sub/b");
  });

  it("nor by way of another driver of the same disk", async () => {
    const two = openStorage({
      env: {},
      drivers: [
        { schemes: ["file"], open: file(root).open },
        { schemes: ["local"], open: file("/").open },
      ],
    });
    await symlink("../s", join(root, "t/dir"));
    const error = await failed(two.copy(url("s"), `local://${root}/t`, { recursive: true }));
    expect(namesIn(error)).toEqual(["s/dir/a", "s/dir/sub/b"]);
    await untouched();
    expect(await code(two.copy(url("s"), `local://${root}/s/dir`, { recursive: true }))).toBe("InvalidArgument");
  });

  it("a copy that follows links does not copy the target into itself", async () => {
    await symlink("../t", join(root, "s/l"));
    await symlink("../t/deep", join(root, "s/m"));
    await storage.write(url("t/deep/f"), "f");
    for (let run = 0; run < 3; run++) {
      const error = await failed(storage.copy(url("s"), url("t"), { recursive: true, followLinks: true }));
      expect(error.code).toBe("InvalidArgument");
      expect(namesIn(error).filter((name) => !/^s\/[lm]\//.test(name))).toEqual([]);
    }
    expect(await rows(url("t"), { recursive: true })).toEqual(
      ["t/a", "t/deep/f", "t/dir/a", "t/dir/sub/b", "t/other/c"].map((name) => `${name} file`),
    );
  });

  it("a folder outside that both lead to may be copied onto itself, not into itself", async () => {
    await storage.write(url("o/f"), "f");
    await storage.write(url("o/in/g"), "g");
    await symlink("../o", join(root, "s/l"));
    await symlink("../o", join(root, "t/l"));
    await storage.copy(url("s"), url("t"), { recursive: true, followLinks: true });
    rmSync(join(root, "t/l"));
    await symlink("../o/in", join(root, "t/l"));
    const error = await failed(storage.copy(url("s"), url("t"), { recursive: true, followLinks: true }));
    expect(namesIn(error)).toEqual(["s/l/f", "s/l/in/g"]);
    expect(await rows(url("o"), { recursive: true })).toEqual(["o/f file", "o/in/g file"]);
  });
});

describe("one file under two names", () => {
  beforeEach(async () => {
    await storage.write(url("real/f"), "only copy");
    await symlink("real", join(root, "latest"));
  });

  it.each([
    ["a link to the directory of the target", "real/f", "latest/f"],
    ["a link to the directory of the source", "latest/f", "real/f"],
  ])("a move by way of %s keeps it and says so", async (_, from, to) => {
    await expect(storage.move(url(from), url(to))).rejects.toMatchObject({
      code: "InvalidArgument",
      op: "move",
      message: expect.stringContaining("one file"),
    });
    expect(await storage.text(url("real/f"))).toBe("only copy");
    await storage.copy(url(from), url(to));
    expect(await storage.text(url("real/f"))).toBe("only copy");
    expect(await code(storage.copy(url(from), url(to), { ifAbsent: true }))).toBe("AlreadyExists");
  });

  it("a recursive move onto itself by way of a link keeps everything, in both directions", async () => {
    expect(await code(storage.move(url("real"), url("latest"), { recursive: true }))).toBe("InvalidArgument");
    expect(await storage.text(url("real/f"))).toBe("only copy");
    const inside = storage.copy(url("real"), url("latest/sub"), { recursive: true });
    expect(await code(inside)).toBe("InvalidArgument");
    expect(readdirSync(join(root, "real"))).toEqual(["f"]);
  });

  it("a move onto or from a link to the file, or a hard link, loses nothing", async () => {
    await symlink("real/f", join(root, "leaf"));
    expect(await code(storage.move(url("leaf"), url("real/f")))).toBe("InvalidArgument");
    expect(await storage.text(url("real/f"))).toBe("only copy");
    await link(join(root, "real/f"), join(root, "hard"));
    expect(await code(storage.move(url("real/f"), url("hard")))).toBe("InvalidArgument");
    expect(await storage.text(url("real/f"))).toBe("only copy");
    await storage.move(url("real/f"), url("leaf"));
    expect(await storage.text(url("leaf"))).toBe("only copy");
  });

  it("a move between two drivers that lead to one file keeps it", async () => {
    const two = openStorage({ env: {}, drivers: [file(root), { ...file("/"), schemes: ["local"] }] });
    const move = two.move(url("real/f"), `local://${root}/latest/f`);
    expect(await code(move)).toBe("ObjectChanged");
    expect(await storage.text(url("real/f"))).toBe("only copy");
  });

  const mounts = possible("unshare -rm sh -c 'mkdir -p /tmp/m && mount --bind /tmp /mnt'");
  it.runIf(mounts)("a move by way of a bind mount keeps it", async () => {
    const contents = `
      import { file } from "./src/fs/drivers/file/index.ts";
      import { createStorage } from "./src/fs/open.ts";
      const storage = createStorage({ drivers: [file("/")] });
      const told = await storage.move("file://${root}/real/f", "file:///mnt/f").then(() => "moved", (e) => e.code);
      console.log(told, await storage.text("file://${root}/real/f"));`;
    const outfile = join(root, "program.mjs");
    const stdin = { contents, resolveDir: process.cwd(), loader: "ts" } as const;
    await build({ stdin, bundle: true, platform: "node", format: "esm", outfile, logLevel: "silent" });
    const script = `mount --bind ${root}/real /mnt && exec "${process.execPath}" ${outfile}`;
    const out = execFileSync("unshare", ["-rm", "sh", "-c", script], { encoding: "utf8" });
    expect(out).toBe("InvalidArgument only copy\n");
  });
});

function possible(command: string): boolean {
  try {
    execFileSync("sh", ["-c", command], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe("one object under two names of a store", () => {
  /** As S3 without versions: the etag is of the content, times are whole seconds. */
  function store(name: string, clock: () => number) {
    const open = memory().open;
    return async (_bucket: string, ...rest: [never, never]) => {
      const driver = await open(name, ...rest);
      const plain = <T extends { size?: number; etag?: string; modified?: Date }>(info: T): T => ({
        ...info,
        etag: `"${info.size}"`,
        modified: new Date(Math.floor(clock() / 1000) * 1000),
      });
      const stat: Driver["stat"] = async (key, options) => plain(await driver.stat(key, options));
      const read: Driver["read"] = async (key, options) => {
        const { info, body } = await driver.read(key, { ...options, ifMatch: undefined });
        return { info: plain(info), body };
      };
      return {
        ...driver,
        stat,
        read,
        write: async (...put: Parameters<Driver["write"]>) => driver.write(...put).then(() => ({})),
        copy: (from: { key: string }, ...to: [never, never]) => driver.copy({ ...from, bucket: name }, ...to),
      };
    };
  }

  it.each(["x@b", "other"])("a move from one to the other within a second keeps the only copy (%s)", async (to) => {
    const frozen = store("one", () => 5000) as never;
    const two = openStorage({
      env: {},
      connections: { x: { type: "generic" } },
      drivers: [{ schemes: ["m"], open: frozen }],
    });
    await two.write("m://b/k", "only copy");
    expect(await code(two.move("m://b/k", `m://${to}/k`))).toBe("ObjectChanged");
    expect(await two.text("m://b/k")).toBe("only copy");
  });

  it("a move to another object that looks alike is made", async () => {
    const drivers = [
      { schemes: ["m"], open: store("one", () => 5000) },
      { schemes: ["n"], open: store("two", Date.now) },
    ] as never;
    const two = openStorage({ env: {}, drivers });
    await two.write("m://b/k", "12345");
    await two.write("n://b/k", "54321");
    await two.move("m://b/k", "n://b/k");
    expect(await two.text("n://b/k")).toBe("12345");
    expect(await two.exists("m://b/k")).toBe(false);
  });

  describe("by way of two connections", () => {
    const opened = (open = memory().open) => {
      const connections = { x: { type: "generic" }, y: { type: "generic" } };
      return openStorage({ env: {}, connections, drivers: [{ schemes: ["m"], open }] });
    };
    async function contents(store: Storage): Promise<Record<string, string>> {
      const found: Record<string, string> = {};
      for await (const { path } of store.list("m://b", { recursive: true })) found[path.key] = await store.text(path);
      return found;
    }

    it.each([
      ["n", "n/y"],
      ["n", "n/y/y"],
      ["n/y", "n"],
      ["", "n"],
      ["n/y", ""],
    ])("a tree is neither copied nor moved from %j to %j", async (from, to) => {
      const store = opened();
      for (let i = 0; i < 20; i++)
        for (const directory of ["n", "n/y", "n/y/y"])
          await store.write(`m://b/${directory}/z${i}`, `${directory} ${i}`);
      const before = await contents(store);
      for (const verb of ["copy", "move"] as const) {
        const work = store[verb](`m://x@b/${from}`, `m://y@b/${to}`, { recursive: true });
        expect(await code(work)).toBe("InvalidArgument");
      }
      expect(await contents(store)).toEqual(before);
    });

    it("a tree is moved into another bucket, whatever its keys", async () => {
      const store = opened();
      for (const key of ["n/y/z", "n/z"]) await store.write(`m://b/${key}`, key);
      await store.write("m://c/n/y/z", "other");
      await store.move("m://x@b/n", "m://y@c/n/y", { recursive: true });
      expect(await contents(store)).toEqual({});
      expect(await store.text("m://c/n/y/y/z")).toBe("n/y/z");
    });

    it.each(["x", "y"])(
      "an object that changed since it was listed fails by name (%s)",
      async (to) => {
        const open = memory().open;
        const changing = async (...place: Parameters<typeof open>) => {
          const driver = await open(...place);
          async function* list(...args: Parameters<Driver["list"]>) {
            for await (const page of driver.list(...args)) {
              await driver.copy({ bucket: "b", key: "d/new" }, "d/1", {
                ifAbsent: false,
                ifMatch: undefined,
                signal: undefined,
              });
              yield page;
            }
          }
          return { ...driver, list };
        };
        const store = opened(changing as never);
        for (const name of ["0", "1", "new"]) await store.write(`m://x@b/d/${name}`, name);
        for (const verb of ["copy", "move"] as const) {
          const error = await failed(store[verb]("m://x@b/d", `m://${to}@b/${verb}`, { recursive: true }));
          expect(error).toMatchObject({ code: "ObjectChanged", op: verb, failureCount: 1, completed: 2 });
          expect(error.failures[0]?.path).toBe("m://x@b/d/1");
          expect(await store.text("m://x@b/d/1")).toBe("new");
          await store.copy(`m://x@b/${verb}/new`, "m://x@b/d/new");
        }
      },
      20_000,
    );
  });
});

describe("a source that changes while it is moved is kept", () => {
  const newer = async (name: string, how: "replaced" | "appended") => {
    if (how === "appended") await appendFile(join(root, name), " and more");
    else await storage.write(url(name), "newer");
  };
  function changing(when: "before" | "after", change: () => Promise<unknown>, without: Partial<Driver> = {}) {
    return (open: OpenDriver) =>
      (async (...place: [never, never, never]) => {
        const driver = await open(...place);
        const copy: Driver["copy"] = async (...args) => {
          if (when === "before") await change();
          const copied = await driver.copy(...args);
          if (when === "after") await change();
          return copied;
        };
        return { ...driver, copy, ...without };
      }) as never;
  }

  it.each([
    ["replaced", "before"],
    ["replaced", "after"],
    ["appended", "before"],
    ["appended", "after"],
  ] as const)("a file that is %s %s it is copied", async (how, when) => {
    for (const recursive of [false, true]) {
      await storage.write(url("d/f"), "old");
      const own = openStorage({
        env: {},
        drivers: [{ schemes: ["file"], open: changing(when, () => newer("d/f", how))(file(root).open) }],
      });
      const work = recursive ? own.move(url("d"), url("e"), { recursive }) : own.move(url("d/f"), url("e/f"));
      await expect(work).rejects.toMatchObject({ code: "ObjectChanged", op: "move" });
      expect(await storage.text(url("d/f"))).toBe(how === "appended" ? "old and more" : "newer");
    }
  });

  it("a link is taken away all the same, since what it leads to stays", async () => {
    await storage.write(url("d/f"), "old");
    await symlink("f", join(root, "d/l"));
    const own = openStorage({
      env: {},
      drivers: [{ schemes: ["file"], open: changing("after", () => newer("d/f", "appended"))(file(root).open) }],
    });
    await own.move(url("d/l"), url("e"));
    expect(existsSync(join(root, "d/l"))).toBe(false);
    expect(await storage.text(url("d/f"))).toBe("old and more");
  });

  it.each([
    ["compares and deletes in one step", {}, "before"],
    ["compares and deletes in one step", {}, "after"],
    ["cannot", { deleteIfMatch: undefined as never }, "before"],
    ["cannot", { deleteIfMatch: undefined as never }, "after"],
  ] as const)("an object of a store that %s (%o, %s the copy)", async (_, without, when) => {
    const inMemory = memory().open;
    const plain = openStorage({ env: {}, drivers: [{ schemes: ["m"], open: inMemory }] });
    const change = () => plain.write("m://b/d/k", "newer");
    const own = openStorage({
      env: {},
      drivers: [{ schemes: ["m"], open: changing(when, change, without)(inMemory) }],
    });
    for (const init of [{}, { ifAbsent: true }, { recursive: true }]) {
      const { etag } = await plain.write("m://b/d/k", "old");
      await plain.delete("m://b/e/k");
      const [from, to] = "recursive" in init ? ["m://b/d", "m://b/e"] : ["m://b/d/k", "m://b/e/k"];
      await expect(own.move(from, to, init)).rejects.toMatchObject({ code: "ObjectChanged", op: "move" });
      expect(await plain.text("m://b/d/k")).toBe("newer");
      expect(etag).toBeDefined();
    }
    await plain.write("m://b/d/k", "old");
    const asked = own.move("m://b/d/k", "m://b/e/k", { ifMatch: '"0"' });
    expect(await code(asked)).toBe("PreconditionFailed");
  });

  it("a source that somebody else deletes after the copy is moved", async () => {
    const inMemory = memory().open;
    const plain = openStorage({ env: {}, drivers: [{ schemes: ["m"], open: inMemory }] });
    for (const without of [{}, { deleteIfMatch: undefined as never }]) {
      await plain.write("m://b/k", "k");
      const own = openStorage({
        env: {},
        drivers: [{ schemes: ["m"], open: changing("after", () => plain.delete("m://b/k"), without)(inMemory) }],
      });
      await own.move("m://b/k", "m://b/to");
      expect(await plain.text("m://b/to")).toBe("k");
    }
  });
});

describe("a tree whose entries fail", () => {
  it("is gone through to the end; 1,000 failures are kept and all are counted", async () => {
    const open = memory().open;
    const changed = async (...place: Parameters<typeof open>) => {
      const driver = await open(...place);
      const copy: Driver["copy"] = async (from, to, options) => {
        if (from.key.endsWith("7")) throw failure("Throttled", "slow down");
        return driver.copy(from, to, options);
      };
      return { ...driver, copy };
    };
    const own = openStorage({ env: {}, drivers: [{ schemes: ["memory"], open: changed }] });
    for (let i = 0; i < 11_000; i++) await own.write(`memory://b/d/${i}`, "1");
    const error = await failed(own.copy("memory://b/d", "memory://b/e", { recursive: true }));
    expect(error).toMatchObject({
      code: "Throttled",
      retryable: true,
      failureCount: 1100,
      completed: 9900,
      bytes: 9900,
    });
    expect(error.failures).toHaveLength(1000);
    expect(error.cause).toBeInstanceOf(AggregateError);
    expect(isBatchError(error)).toBe(true);
  });

  it("folder markers become directories, and do not end a copy to files", async () => {
    for (const key of ["d/", "d/a/", "d/a/x", "d/b/", "d/c"]) {
      const path = StoragePath.of({ scheme: "memory", bucket: "m", key });
      await storage.write(path, key.endsWith("/") ? "" : key);
    }
    await storage.copy("memory://m/d", url("to"), { recursive: true });
    expect(readdirSync(join(root, "to"), { recursive: true }).map(String).sort()).toEqual(["a", "a/x", "b", "c"]);
    expect((await stat(join(root, "to/b"))).isDirectory()).toBe(true);
    await storage.move("memory://m/d", url("moved"), { recursive: true });
    const left: string[] = [];
    for await (const { path } of storage.list("memory://m", { recursive: true })) left.push(path.key);
    expect(left).toEqual([]);
  });

  it("a marker with content, and names that no file can have, are named; all others are copied", async () => {
    for (const key of ["d/a/", "d/b//c", "d/e\\f", "d/ok", "d/../x"])
      await storage.write(StoragePath.of({ scheme: "memory", bucket: "m", key }), "content");
    const error = await failed(storage.copy("memory://m/d", url("to"), { recursive: true }));
    expect(error.failures.map(({ path }) => path).sort()).toEqual([
      "memory://m/d/../x",
      "memory://m/d/a/",
      "memory://m/d/b//c",
      "memory://m/d/e\\f",
    ]);
    expect(await storage.text(url("to/ok"))).toBe("content");
  });

  it("a delete in several buckets goes on past one that fails", async () => {
    await storage.write(url("x"), "1");
    await storage.write("memory://m/x", "1");
    const bad = StoragePath.of({ scheme: "file", bucket: "", key: `${root.slice(1)}/a//b` });
    const error = await failed(storage.delete([bad, url("x"), "memory://m/x"]));
    expect(error).toMatchObject({ code: "InvalidArgument", failureCount: 1, completed: 2 });
    expect(await storage.exists("memory://m/x")).toBe(false);
  });

  it("a listing that ends early is told together with what was done", async () => {
    const open = memory().open;
    const changed = async (...place: Parameters<typeof open>) => {
      const driver = await open(...place);
      async function* list(...args: Parameters<Driver["list"]>) {
        yield* driver.list(...args);
        throw failure("Unavailable", "the line dropped");
      }
      return { ...driver, list };
    };
    const own = openStorage({ env: {}, drivers: [{ schemes: ["memory"], open: changed }] });
    await own.write("memory://b/d/x", "1");
    const error = await failed(own.copy("memory://b/d", "memory://b/e", { recursive: true }));
    expect(error).toMatchObject({ code: "Unavailable", retryable: true, completed: 1, failureCount: 1 });
    expect(await failed(own.delete("memory://b/d", { recursive: true }))).toMatchObject({ completed: 1 });
  });
});

describe("a delete of several trees", () => {
  beforeEach(async () => {
    for (const path of ["memory://m/a/1", "memory://n/b/1", url("f/1")]) await storage.write(path, "1");
  });
  const there = async () => {
    const all = ["memory://m/a/1", "memory://n/b/1", url("f/1")];
    return (await Promise.all(all.map((path) => storage.exists(path)))).filter(Boolean).length;
  };

  it.each([
    ["a bucket that may not be emptied", "memory://m", "InvalidArgument"],
    ["an unknown connection", "s3://nobody@b/x", "InvalidArgument"],
    ["a scheme that nobody serves", "strange://b/x", "InvalidArgument"],
    ["a path outside of the folder", "file:///etc/hostname", "PermissionDenied"],
    ["text that is no path", "nothing", "InvalidArgument"],
  ])("%s is refused before anything is deleted", async (_, last, expected) => {
    const work = storage.delete(["memory://m/a", url("f"), last], { recursive: true });
    expect(await code(work)).toBe(expected);
    await expect(work).rejects.not.toBeInstanceOf(BatchError);
    expect(await there()).toBe(3);
  });

  it("a tree that cannot be listed joins the error, and the others are deleted", async () => {
    const open = memory().open;
    const broken = async (...place: Parameters<typeof open>) => {
      const driver = await open(...place);
      async function* list(...args: Parameters<Driver["list"]>) {
        if (args[0] === "bad/") throw failure("Unavailable", "the line dropped");
        yield* driver.list(...args);
      }
      return { ...driver, list };
    };
    const own = openStorage({ env: {}, drivers: [{ schemes: ["m"], open: broken }] });
    for (const order of [
      ["bad", "a", "c"],
      ["a", "bad", "c"],
    ]) {
      for (const name of order) await own.write(`m://b/${name}/1`, "1");
      const paths = order.map((name) => `m://b/${name}`);
      const error = await failed(own.delete(paths, { recursive: true }));
      expect(error).toMatchObject({ code: "Unavailable", op: "delete", failureCount: 1, completed: 2 });
      expect(error.failures[0]?.path).toBe("m://b/bad");
      expect(await own.exists("m://b/c/1")).toBe(false);
    }
    expect(await code(own.delete("m://b/bad", { recursive: true }))).toBe("Unavailable");
  });
});

describe("the folder of a storage", () => {
  it("can be emptied: what is below its root goes, the root stays", async () => {
    await storage.write(url("a/b"), "1");
    await storage.delete(`file://${root}`, { recursive: true });
    expect(await rows(`file://${root}`)).toEqual([]);
  });

  it("loses what killed writers left a week ago, as a listing comes by; a writer of today keeps its own", async () => {
    const [old, young] = [".stowage-tmp-0000000000000000", ".stowage-tmp-1111111111111111"];
    for (const name of [old, young]) await writeFile(join(root, name), "half");
    const long = new Date(Date.now() - 8 * 24 * 3600 * 1000);
    await utimes(join(root, old), long, long);
    expect(await rows(`file://${root}`)).toEqual([]);
    expect(readdirSync(root)).toEqual([young]);
  });
});

describe("a tree of many objects", () => {
  /** A store whose writes all wait until `open` is called. */
  function gated() {
    let running = 0;
    let most = 0;
    let release = () => {};
    let full = () => {};
    const gate = new Promise<void>((done) => {
      release = done;
    });
    const reached = new Promise<void>((done) => {
      full = done;
    });
    const { open } = memory();
    const waiting = async (...place: Parameters<typeof open>) => {
      const driver = await open(...place);
      const write: Driver["write"] = async (...args) => {
        running += 1;
        most = Math.max(most, running);
        if (running === 32) full();
        await gate;
        running -= 1;
        return driver.write(...args);
      };
      return { ...driver, write };
    };
    return { driver: { schemes: ["slow"], open: waiting }, reached, release, most: () => most };
  }

  it("is copied with 32 at a time, and no more", async () => {
    const { driver, reached, release, most } = gated();
    const own = openStorage({ env: {}, drivers: [memory(), driver] });
    for (let i = 0; i < 100; i++) await own.write(`memory://b/d/${i}`, "1");
    const copying = own.copy("memory://b/d", "slow://b/e", { recursive: true });
    await reached;
    release();
    await copying;
    expect(most()).toBe(32);
    await own.close();
  });
});
