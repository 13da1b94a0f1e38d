import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { chmod, link, mkdir, readFile, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isStorageError } from "../../../../src/errors.js";
import { BatchDeleteError } from "../../../../src/fs/driver/driver.js";
import { file } from "../../../../src/fs/drivers/file/index.js";
import type { ByteStream } from "../../../../src/streams.js";
import { TestDriver } from "../../../support/test-driver.js";

let outside: string;
let root: string;
let files: TestDriver;
/** The key of a name below the root. */
let at: (name: string) => string;

beforeEach(async () => {
  outside = realpathSync(mkdtempSync(join(tmpdir(), "stowage-file-")));
  root = join(outside, "root");
  await mkdir(root);
  files = await TestDriver.open(file(root).open);
  at = (name) => `${root}/${name}`.slice(1);
});
afterEach(() => rmSync(outside, { recursive: true, force: true }));

const code = (error: unknown) => (isStorageError(error) ? error.code : error);
const refusal = (work: Promise<unknown>) => work.then(() => "no error", code);
const everything = () => readdirSync(outside, { recursive: true }).map(String).sort();
const descriptors = () => readdirSync("/dev/fd").length;

async function* failing(data: string, error: Error): ByteStream {
  yield Buffer.from(data);
  throw error;
}

describe("a read", () => {
  it("has one chunk up to 1 MiB, and chunks of 256 KiB beyond", async () => {
    const chunksOf = async (size: number) => {
      await writeFile(join(root, "x"), Buffer.alloc(size, 1));
      const sizes: number[] = [];
      for await (const { byteLength } of (await files.open(at("x"))).body) sizes.push(byteLength);
      return sizes;
    };
    expect(await chunksOf(2 ** 20)).toEqual([2 ** 20]);
    expect(await chunksOf(2 ** 20 + 1)).toEqual([...Array(4).fill(2 ** 18), 1]);
  });
});

describe("a write", () => {
  it("makes the directories it needs and leaves nothing beside the file", async () => {
    await files.write(at("a/b/c.txt"), "hello");
    expect(everything()).toEqual(["root", "root/a", "root/a/b", "root/a/b/c.txt"]);
    expect(await readFile(join(root, "a/b/c.txt"), "utf8")).toBe("hello");
  });

  it("makes the root itself when it is missing", async () => {
    rmSync(root, { recursive: true });
    expect(await files.keys(at(""))).toEqual([]);
    await files.write(at("x"), "1");
    expect(await files.text(at("x"))).toBe("1");
  });

  it("W10: keeps the old file and removes the temporary one when the body fails", async () => {
    await files.write(at("x"), "old");
    const error = new Error("the source broke");
    await expect(files.write(at("x"), failing("new, but only hal", error))).rejects.toBe(error);
    expect(await files.text(at("x"))).toBe("old");
    expect(everything()).toEqual(["root", "root/x"]);
  });

  it("W11: stores nothing when the signal aborts while the body is read", async () => {
    const abort = new AbortController();
    const reason = new Error("enough");
    const body = (async function* () {
      yield Buffer.from("some");
      abort.abort(reason);
    })();
    await expect(files.write(at("x"), body, { signal: abort.signal })).rejects.toBe(reason);
    expect(everything()).toEqual(["root"]);
  });

  it("W07: keeps the order of small and large chunks", async () => {
    const sizes = [1, 10, 70_000, 3, 300_000, 65_535, 65_536, 200_000, 5, 262_144, 262_143, 2];
    const chunks = sizes.map((size, i) => Buffer.alloc(size, i + 1));
    const seen: number[] = [];
    await files.write(
      at("x"),
      (async function* () {
        // One buffer that is used again for each chunk, as file readers do.
        const shared = Buffer.alloc(300_000);
        for (const chunk of chunks) {
          chunk.copy(shared);
          yield shared.subarray(0, chunk.length);
        }
      })(),
      { onProgress: (bytes) => seen.push(bytes) },
    );
    expect((await readFile(join(root, "x"))).equals(Buffer.concat(chunks))).toBe(true);
    expect(seen.at(-1)).toBe(sizes.reduce((a, b) => a + b));
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  it("keeps the permission bits of the file it replaces; a new file has those of the umask", async () => {
    await files.write(at("new"), "1");
    expect((await stat(join(root, "new"))).mode & 0o777).toBe(0o666 & ~process.umask());
    await chmod(join(root, "new"), 0o640);
    await files.write(at("new"), "2");
    expect((await stat(join(root, "new"))).mode & 0o777).toBe(0o640);
    const before = process.umask(0o077);
    try {
      await files.write(at("new"), "3");
      await files.write(at("private"), "3");
    } finally {
      process.umask(before);
    }
    expect((await stat(join(root, "new"))).mode & 0o777).toBe(0o640);
    expect((await stat(join(root, "private"))).mode & 0o777).toBe(0o600);
  });

  it("L11: of `a` beside `a/…` is Unsupported in both orders, and what is there stays", async () => {
    await files.write(at("a"), "1");
    expect(await refusal(files.write(at("a/b"), "2"))).toBe("Unsupported");
    expect(await refusal(files.write(at("a/b/c"), "2"))).toBe("Unsupported");
    await files.write(at("d/e"), "3");
    expect(await refusal(files.write(at("d"), "4"))).toBe("Unsupported");
    expect(await refusal(files.write(at("d"), "4", { ifAbsent: true }))).toBe("Unsupported");
    expect(await files.keys(at(""))).toEqual([at("a"), at("d/e")]);
    expect(await refusal(files.stat(at("a/b")))).toSatisfy((error) => (error as { code: string }).code === "ENOTDIR");
  });

  it("takes the place of no pipe or device, which a rename would take away from the whole machine", async () => {
    await once(spawn("mkfifo", [join(root, "pipe")]), "exit");
    expect(await refusal(files.write(at("pipe"), "1"))).toBe("Unsupported");
    expect(await refusal(files.write(at("pipe"), "1", { ifAbsent: true }))).toBe("AlreadyExists");
    expect((await stat(join(root, "pipe"))).isFIFO()).toBe(true);
    expect(readdirSync(root)).toEqual(["pipe"]);
  });

  it("L15: may take the name of a directory that deletes have emptied", async () => {
    await files.write(at("a/b"), "1");
    await files.delete(at("a/b"));
    await files.write(at("a"), "2");
    expect(await files.text(at("a"))).toBe("2");
  });

  it("W20: with metadata is Unsupported; W19: the content type is that of the suffix", async () => {
    expect(await refusal(files.write(at("x"), "1", { metadata: { a: "b" } }))).toBe("Unsupported");
    await files.write(at("x.json"), "1", { contentType: "text/plain" });
    expect((await files.stat(at("x.json"))).contentType).toBe("application/json");
    await files.write(at("x"), "1");
    expect((await files.stat(at("x"))).contentType).toBe("application/octet-stream");
  });
});

describe("conditions", () => {
  it("C02, C03: of many create-only writes exactly one succeeds, also across storages", async () => {
    const others = await Promise.all(Array.from({ length: 4 }, () => TestDriver.open(file(root).open)));
    const results = await Promise.all(
      others.flatMap((other, i) =>
        [0, 1].map((j) =>
          other.write(at("once"), `${i}${j}`, { ifAbsent: true }).then(
            () => `${i}${j}`,
            (error) => (code(error) === "AlreadyExists" ? undefined : error),
          ),
        ),
      ),
    );
    const winners = results.filter((result) => result !== undefined);
    expect(winners).toHaveLength(1);
    expect(await files.text(at("once"))).toBe(winners[0]);
    expect(everything()).toEqual(["root", "root/once"]);
  });

  it("C02: a create-only write that cannot succeed does not read its body", async () => {
    await files.write(at("x"), "1");
    let pulled = false;
    const body = (async function* () {
      pulled = true;
      yield Buffer.from("2");
    })();
    expect(await refusal(files.write(at("x"), body, { ifAbsent: true }))).toBe("AlreadyExists");
    expect(pulled).toBe(false);
  });

  it("C08: a counter with ifMatch counts every success", async () => {
    await files.write(at("n"), "0");
    const add = async () => {
      for (;;) {
        const { info, body } = await files.open(at("n"));
        const chunks: Uint8Array[] = [];
        for await (const chunk of body) chunks.push(chunk);
        const next = String(Number(Buffer.concat(chunks)) + 1);
        const done = await refusal(files.write(at("n"), next, { ifMatch: info.etag }));
        if (done === "no error") return;
        expect(done).toBe("PreconditionFailed");
      }
    };
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        for (let i = 0; i < 5; i++) await add();
      }),
    );
    expect(await files.text(at("n"))).toBe("20");
  });

  it("C09: every write of the same bytes has another etag, which stat and list repeat", async () => {
    const etags = new Set<string>();
    for (let i = 0; i < 30; i++) {
      const { etag } = await files.write(at("x"), "same");
      expect((await files.stat(at("x"))).etag).toBe(etag);
      etags.add(etag!);
    }
    expect(etags.size).toBe(30);
    expect((await files.items(at("x")))[0]!.etag).toBe([...etags].at(-1));
    await files.write(at("y"), "1", { ifAbsent: true });
    const { etag } = await files.stat(at("y"));
    await link(join(root, "y"), join(root, "y2"));
    await chmod(join(root, "y"), 0o600);
    expect((await files.stat(at("y"))).etag).toBe(etag);
  });

  it("C09: writes stamp times of their own, finer than a millisecond", async () => {
    const times = new Set<bigint>();
    for (let i = 0; i < 30; i++) {
      await files.write(at(`t${i}`), "");
      times.add((await stat(join(root, `t${i}`), { bigint: true })).mtimeNs % 1_000_000n);
    }
    // With the kernel's tick, or whole milliseconds, these would repeat.
    expect(times.size).toBeGreaterThan(25);
  });

  it("C06, C07, C11: a stale etag or a missing file is PreconditionFailed", async () => {
    const { etag } = await files.write(at("x"), "1");
    await files.write(at("x"), "2");
    expect(await refusal(files.write(at("x"), "3", { ifMatch: etag! }))).toBe("PreconditionFailed");
    expect(await refusal(files.write(at("none"), "3", { ifMatch: etag! }))).toBe("PreconditionFailed");
    expect(await refusal(files.open(at("x"), { ifMatch: etag! }))).toBe("PreconditionFailed");
    expect(await refusal(files.copy(at("x"), at("y"), { ifMatch: etag! }))).toBe("PreconditionFailed");
    expect(await files.text(at("x"))).toBe("2");
    expect(everything()).toEqual(["root", "root/x"]);
  });
});

describe("a read", () => {
  it("R01, R02, R03, R07, R10: yields the range, clamped to the file", async () => {
    await files.write(at("x"), "0123456789");
    await files.write(at("empty"), "");
    expect(await files.text(at("x"), { start: 3, end: 7 })).toBe("3456");
    expect(await files.text(at("x"), { start: 8 })).toBe("89");
    expect(await files.text(at("x"), { start: 8, end: 99 })).toBe("89");
    expect(await files.text(at("x"), { start: 10, end: 99 })).toBe("");
    expect(await files.text(at("empty"))).toBe("");
    expect((await files.open(at("x"), { start: 3, end: 4 })).info.size).toBe(10);
  });

  it("R22: of a file that is replaced meanwhile stays in its version, chunk buffers are the reader's own", async () => {
    const old = Buffer.alloc(1_000_000, "a");
    await files.write(at("x"), old);
    const { body } = await files.open(at("x"));
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) {
      if (chunks.length === 0) await files.write(at("x"), Buffer.alloc(1_000_000, "b"));
      chunks.push(chunk);
    }
    expect(Buffer.concat(chunks).equals(old)).toBe(true);
  });

  it("R14, R15, R17: leaves no descriptor open, left early or never begun", async () => {
    await files.write(at("big"), Buffer.alloc(2_000_000, 1));
    await files.write(at("small"), "1");
    const before = descriptors();
    for (let i = 0; i < 20; i++) {
      for await (const _ of (await files.open(at("big"))).body) break;
      await (await files.open(at("big"))).body[Symbol.asyncIterator]().return!();
      await files.open(at("small"));
      await refusal(files.open(at("big"), { ifMatch: '"stale"' }));
      await refusal(files.copy(at("big"), at("small"), { ifAbsent: true }));
    }
    expect(descriptors()).toBe(before);
  });

  it("R13: of a directory, a named pipe or nothing is NotFound, without hanging", async () => {
    await mkdir(join(root, "d"));
    expect(await refusal(files.open(at("d")))).toBe("NotFound");
    expect(await refusal(files.stat(at("d")))).toBe("NotFound");
    await once(spawn("mkfifo", [join(root, "pipe")]), "exit");
    expect(await refusal(files.open(at("pipe")))).toBe("NotFound");
    const missing = await files.open(at("none")).catch((error: unknown) => error);
    const call = { op: "read", ifAbsent: false, ifMatch: false } as const;
    expect(files.driver.codeOf(missing, call)).toBe("NotFound");
    expect(await files.keys(at(""))).toEqual([]);
  });
});

describe("a listing", () => {
  it("L06: comes in the order of UTF-8 bytes, directories where the keys below them sort", async () => {
    const names = ["a-b", "a/x", "a/y/z", "a.b", "a0", "\uFFFDz", "😀", "é", "e\u0301", "Z", "a b", "a%2Fb"];
    for (const name of names) await files.write(at(name), "1");
    const expected = names.map(at).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(await files.keys(at(""))).toEqual(expected);
    const level = await files.items(at(""), { delimiter: "/" });
    expect(level.filter(({ type }) => type === "directory").map(({ key }) => key)).toEqual([at("a/")]);
    expect(level.map(({ key }) => key)).toEqual([
      ...new Set(expected.map((key) => (key.startsWith(at("a/")) ? at("a/") : key))),
    ]);
  });

  it("L04, L05: takes a prefix as a string and starts after a key, inside a directory too", async () => {
    for (const name of ["a/b", "a/bc/d", "a/be", "ab", "b/c"]) await files.write(at(name), "1");
    expect(await files.keys(at("a/b"))).toEqual(["a/b", "a/be"].map(at).toSpliced(1, 0, at("a/bc/d")));
    expect(await files.keys(at("a"))).toEqual(["a/b", "a/bc/d", "a/be", "ab"].map(at));
    expect(await files.keys(at(""), { startAfter: at("a/bc/d") })).toEqual(["a/be", "ab", "b/c"].map(at));
    expect(await files.keys(at(""), { startAfter: at("a/bc/zzz") })).toEqual(["a/be", "ab", "b/c"].map(at));
    expect(await files.keys(at("none/at/all"))).toEqual([]);
    expect(await files.keys(at("a/b/c/"))).toEqual([]);
  });

  it("hides unfinished writes and directories without a file below them", async () => {
    await mkdir(join(root, "empty/deeper"), { recursive: true });
    await mkdir(join(root, "full/deeper"), { recursive: true });
    await writeFile(join(root, "full/deeper/x"), "1");
    await writeFile(join(root, "empty/deeper/.stowage-tmp-0123456789abcdef"), "1");
    expect(await files.keys(at(""), { delimiter: "/" })).toEqual([at("full/")]);
    expect(await files.keys(at(""))).toEqual([at("full/deeper/x")]);
    expect(await refusal(files.write(at(".stowage-tmp-x"), "1"))).toBe("InvalidArgument");
  });

  it("L02: comes in pages of at most 1000, none lost, none doubled", async () => {
    const names = Array.from({ length: 2001 }, (_, i) => `${String(i).padStart(4, "0")}`);
    await Promise.all(names.map((name) => writeFile(join(root, name), "")));
    const pages: number[] = [];
    const keys: string[] = [];
    const options = { delimiter: undefined, startAfter: undefined, versions: false, signal: undefined };
    for await (const page of files.driver.list(at(""), options)) {
      pages.push(page.length);
      keys.push(...page.map(({ key }) => key));
    }
    expect(pages).toEqual([1000, 1000, 1]);
    expect(keys).toEqual(names.map(at));
  });
});

describe("nothing outside the root", () => {
  it("is reached by any key: segments that could are refused before the disk is touched", async () => {
    for (const name of ["../x", "a/../../x", "./x", "a//x", "a/", "", "a\\..\\x", "a/\0", "a/."]) {
      const key = `${root.slice(1)}/${name}`;
      expect(await refusal(files.write(key, "1")), JSON.stringify(name)).toBe("InvalidArgument");
      expect(await refusal(files.open(key))).toBe("InvalidArgument");
      await expect(files.delete(key)).rejects.toBeInstanceOf(BatchDeleteError);
    }
    expect(await refusal(files.write(`${root.slice(1)}-evil/x`, "1"))).toBe("PermissionDenied");
    expect(await refusal(files.open("etc/passwd"))).toBe("PermissionDenied");
    expect(await refusal(files.keys("etc/"))).toBe("PermissionDenied");
    expect(await refusal(files.keys(""))).toBe("PermissionDenied");
    expect(await refusal(files.keys(at("../")))).toBe("InvalidArgument");
    expect(await refusal(files.write(root.slice(1), "1"))).toBe("InvalidArgument");
    expect(everything()).toEqual(["root"]);
  });

  it("appears for random hostile keys", async () => {
    const piece = fc.constantFrom("..", ".", "", "a", "/", "\\", "\0", "%2e%2e", "~", "root", "..;", " ", "…");
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 8 }), fc.boolean(), async (pieces, below) => {
        const key = `${below ? `${root.slice(1)}/` : ""}${pieces.join("/")}`;
        await files.write(key, "1").catch(() => {});
        await files.delete(key).catch(() => {});
        expect(readdirSync(outside)).toEqual(["root"]);
      }),
      { numRuns: 150 },
    );
  });

  it("is written, read, listed, copied or deleted through a symbolic link", async () => {
    await mkdir(join(outside, "secret"));
    await writeFile(join(outside, "secret/x"), "secret");
    await symlink(join(outside, "secret"), join(root, "dir"));
    await symlink(join(outside, "secret/x"), join(root, "leaf"));
    await symlink("../secret/none", join(root, "dangling"));
    expect(await refusal(files.open(at("dir/x")))).toBe("PermissionDenied");
    expect(await refusal(files.open(at("leaf")))).toBe("PermissionDenied");
    expect(await refusal(files.stat(at("leaf")))).toBe("PermissionDenied");
    expect(await refusal(files.write(at("dir/y"), "1"))).toBe("PermissionDenied");
    expect(await refusal(files.write(at("dir/new/y"), "1"))).toBe("PermissionDenied");
    expect(await refusal(files.copy(at("leaf"), at("z")))).toBe("PermissionDenied");
    expect(await refusal(files.keys(at("dir/")))).toBe("PermissionDenied");
    await expect(files.delete(at("dir/x"))).rejects.toBeInstanceOf(BatchDeleteError);
    expect(await files.keys(at(""))).toEqual([]);
    expect(await files.keys(at(""), { delimiter: "/" })).toEqual([]);
    expect(readdirSync(join(outside, "secret"))).toEqual(["x"]);

    await files.write(at("leaf"), "mine");
    await files.write(at("dangling"), "mine");
    await files.delete(at("dir"));
    expect(readFileSync(join(outside, "secret/x"), "utf8")).toBe("secret");
    expect(await files.keys(at(""))).toEqual([at("dangling"), at("leaf")]);
  });
});

it("links that stay inside the root are read and listed as the file they lead to, loops are left alone", async () => {
  await files.write(at("data/x"), "1");
  await symlink("data/x", join(root, "latest"));
  await symlink("..", join(root, "data/loop"));
  await symlink("self", join(root, "self"));
  expect(await files.text(at("latest"))).toBe("1");
  expect(await files.text(at("data/loop/data/x"))).toBe("1");
  const items = await files.items(at(""));
  expect(items.map(({ key }) => key)).toEqual([at("data/x"), at("latest")]);
  expect(items[1]!.etag).toBe((await files.stat(at("latest"))).etag);
  const { etag } = await files.write(at("latest"), "2", { ifMatch: items[1]!.etag! });
  expect((await files.stat(at("latest"))).etag).toBe(etag);
  expect(await files.text(at("data/x"))).toBe("1");
});

it("D02, D06: a delete of what is missing, twice named or a directory succeeds", async () => {
  await files.write(at("a/b"), "1");
  await files.delete(at("a/b"), at("a/b"), at("a"), at("none"), at("none/at/all"));
  expect(await files.keys(at(""))).toEqual([]);
});

it("M03: a copy onto itself keeps the bytes", async () => {
  await files.write(at("x"), Buffer.alloc(700_000, 7));
  await files.copy(at("x"), at("x"));
  expect((await files.stat(at("x"))).size).toBe(700_000);
});

it("versions and signing are Unsupported, a bucket is refused", async () => {
  expect(await refusal(files.open(at("x"), { version: "1" }))).toBe("Unsupported");
  expect(await refusal(files.items(at(""), { versions: true }))).toBe("Unsupported");
  expect(await refusal(files.driver.signedUrl(at("x"), { method: "GET", expiresIn: 1 }))).toBe("Unsupported");
  await expect(TestDriver.open(file(root).open, "host")).rejects.toMatchObject({ code: "InvalidArgument" });
});

it("the time of modification is the file's", async () => {
  await files.write(at("x"), "1");
  expect(Math.abs((await files.stat(at("x"))).modified!.getTime() - Date.now())).toBeLessThan(5000);
  await utimes(join(root, "x"), 1_000_000_000, 1_000_000_000);
  expect((await files.stat(at("x"))).modified!.toISOString()).toBe("2001-09-09T01:46:40.000Z");
});

it("F31: what the system answers has a code", () => {
  const call = { op: "write", ifAbsent: false, ifMatch: false } as const;
  const codes = Object.entries({
    ENOSPC: "Unavailable",
    EDQUOT: "Unavailable",
    EMFILE: "Unavailable",
    EIO: "Unavailable",
    EACCES: "PermissionDenied",
    EROFS: "PermissionDenied",
    ELOOP: "PermissionDenied",
    ENOENT: "NotFound",
    ENAMETOOLONG: "InvalidArgument",
    EXDEV: "Unsupported",
    EFBIG: "TooLarge",
  });
  for (const [errno, expected] of codes) {
    expect(files.driver.codeOf(Object.assign(new Error(errno), { code: errno }), call), errno).toBe(expected);
  }
});

it("a name longer than the file system takes is InvalidArgument", async () => {
  const error = await files.write(at("n".repeat(300)), "1").catch((error: unknown) => error);
  expect(files.driver.codeOf(error, { op: "write", ifAbsent: false, ifMatch: false })).toBe("InvalidArgument");
  expect(everything()).toEqual(["root"]);
});
