/** What is wrong with a call is said by name before any request: options that do not exist, bodies that are used up. */
import { execFileSync } from "node:child_process";
import { createReadStream, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { build } from "esbuild";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isStorageError } from "../../../src/errors.js";
import type { Driver } from "../../../src/fs/driver/driver.js";
import { memory } from "../../../src/fs/drivers/memory.js";
import { createObjects, createStorage } from "../../../src/fs/open.js";
import type { Storage } from "../../../src/fs/storage.js";
import { openStorage } from "../../../src/open.js";
import { StoragePath } from "../../../src/path.js";
import { all } from "../../support/all.js";

let root: string;
let storage: Storage;
const at = "memory://b/k";

beforeEach(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "stowage-refusals-")));
  storage = openStorage({ env: {}, fileRoot: root });
  await storage.write(at, "old");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const message = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (error: unknown) => (isStorageError(error, "InvalidArgument") ? error.message : `other: ${error}`),
  );
const of = <T>(options: T) => options as never;

describe("an option that does not exist", () => {
  const calls: [string, (storage: Storage) => Promise<unknown>, string][] = [
    [
      "write",
      (s) => s.write(at, "new", of({ ifabsent: true })),
      'unknown option "ifabsent" of write; did you mean ifAbsent?',
    ],
    ["write", (s) => s.write(at, "new", of({ ifNoneMatch: "*" })), "did you mean ifAbsent?"],
    ["write", (s) => s.write(at, "new", of({ metaData: {} })), "did you mean metadata?"],
    ["writable", (s) => s.writable(at, of({ ifAbsentt: true })).close(), "did you mean ifAbsent?"],
    ["read", (s) => all(s.read(at, of({ parralel: 2 }))), "did you mean parallel?"],
    ["readable", (s) => all(s.readable(at, of({ ende: 2 })) as never), "did you mean end?"],
    ["bytes", (s) => s.bytes(at, of({ length: 2 })), 'unknown option "length" of read (known: start, end,'],
    ["text", (s) => s.text(at, of({ encoding: "utf8" })), 'unknown option "encoding" of read'],
    ["stat", (s) => s.stat(at, of({ versionId: "1" })), "did you mean version?"],
    ["exists", (s) => s.exists(at, of({ versionID: "1" })), "did you mean version?"],
    ["ranges", (s) => s.ranges(at, [], of({ ifmatch: "1" })), "did you mean ifMatch?"],
    ["list", (s) => all(s.list("memory://b", of({ recursiv: true }))), "did you mean recursive?"],
    ["glob", (s) => all(s.glob("memory://b/*", of({ follow_links: true }))), "did you mean followLinks?"],
    ["copy", (s) => s.copy(at, "memory://b/l", of({ overwrite: false })), "did you mean ifAbsent?"],
    ["move", (s) => s.move(at, "memory://b/l", of({ recurse: true })), "did you mean recursive?"],
    ["copy", (s) => s.copy(at, "memory://b/l", of({ cacheControl: "no-cache" })), "mean replace: { cacheControl }?"],
    ["move", (s) => s.move(at, "memory://b/l", of({ tags: {} })), "did you mean replace: { tags }?"],
    ["sync", (s) => s.sync("memory://b", "memory://c", of({ cacheControl: "no-cache" })), "replace: { cacheControl }?"],
    ["delete", (s) => s.delete(at, of({ versionId: "1" })), "did you mean version?"],
    [
      "delete -r",
      (s) => s.delete("memory://b/d", of({ recursive: true, prefix: "x" })),
      'unknown option "prefix" of delete',
    ],
    ["signedUrl", (s) => s.signedUrl(at, of({ responseContentDisposition: "x" })), "did you mean responseHeaders?"],
    ["signedUrl", (s) => s.signedUrl(at, of({ expires: 5 })), "did you mean expiresIn?"],
  ];
  it.each(calls)("of %s is refused by name, before anything is done", async (_, call, words) => {
    let asked = 0;
    const open = memory().open;
    const counted = async (...place: Parameters<typeof open>): Promise<Driver> => {
      asked += 1;
      return open(...place);
    };
    const own = openStorage({ env: {}, drivers: [{ schemes: ["memory"], open: counted }] });
    expect(await message(call(own))).toContain(words);
    expect(asked).toBe(0);
  });

  it("of openStorage is refused, too; one that is undefined counts as left out", async () => {
    expect(() => openStorage(of({ connection: {} }))).toThrow("did you mean connections?");
    expect(() => createStorage(of({ drivers: [], codec: [] }))).toThrow("did you mean codecs?");
    await storage.write(at, "new", of({ ifabsent: undefined }));
    expect(await storage.text(at)).toBe("new");
  });

  it("options that are none are InvalidArgument, inherited names are no options", async () => {
    expect(await message(all(storage.read(at, of("utf8"))))).toContain("must be an object");
    expect(await message(storage.text(at, of(null)))).toContain("must be an object");
    expect(await message(storage.stat(at, of({ toString: 1 })))).toContain('unknown option "toString"');
  });
});

describe("text that ends in a slash is a directory", () => {
  const words = "a path that ends in a slash is a directory; name the object below it";
  const calls: [string, (storage: Storage, at: string | URL) => Promise<unknown>][] = [
    ["write", (s, at) => s.write(at, "1")],
    ["writeJson", (s, at) => s.writeJson(at, 1)],
    ["writable", (s, at) => s.writable(at).close()],
    ["update", (s, at) => s.update(at, () => "1")],
    ["setAttributes", (s, at) => s.setAttributes(at, { contentType: "text/plain" })],
    ["signedUrl PUT", (s, at) => s.signedUrl(at, { method: "PUT" })],
    ["signedPost", (s, at) => s.signedPost(at, { maxBytes: 1 })],
  ];
  it.each(calls)("to %s, which refuses it before any request", async (_, call) => {
    await storage.write("memory://b/dir", "old");
    expect(await message(call(storage, "memory://b/dir/"))).toContain(`memory://b/dir: InvalidArgument (${words})`);
    expect(await message(call(storage, new URL("file:///dir/")))).toContain(words);
    expect(await message(call(storage.at("memory://b"), "dir/"))).toContain(words);
    expect(await storage.text("memory://b/dir")).toBe("old");
  });

  it("a read takes it as the object, and a form with prefix as the directory", async () => {
    await storage.write("memory://b/dir", "old");
    expect(await storage.text("memory://b/dir/")).toBe("old");
    expect(await storage.exists("memory://b/dir//")).toBe(true);
    await expect(storage.signedPost("memory://b/dir/", { maxBytes: 1, prefix: true })).rejects.toMatchObject({
      code: "Unsupported",
    });
  });

  it("a path object names its key exactly", async () => {
    await storage.write(StoragePath.of({ scheme: "memory", bucket: "b", key: "marker/" }), "");
    expect((await all(storage.list("memory://b", { recursive: true }))).map(({ key }) => key)).toEqual([
      "k",
      "marker/",
    ]);
  });
});

it("expiresIn is seconds, and the refusal of a time such as 15m says so", async () => {
  const work = storage.signedUrl(at, { expiresIn: "15m" as never });
  expect(await message(work)).toContain("expiresIn must be seconds, such as 900, from 1 to 604800; not 15m");
});

it("startAfter is a key or an entry, nothing else", async () => {
  for (const startAfter of [null, 1, {}, { path: "b" }])
    expect(await message(all(storage.list("memory://b", { startAfter: startAfter as never })))).toContain(
      "startAfter of list must be a key or an entry of a listing",
    );
});

describe("a flag", () => {
  const calls: [string, (value: never) => Promise<unknown>][] = [
    ["recursive of delete", (recursive) => storage.delete("memory://b", { recursive, emptyBucket: true })],
    ["emptyBucket of delete", (emptyBucket) => storage.delete("memory://b", { recursive: true, emptyBucket })],
    ["ifAbsent of write", (ifAbsent) => storage.write(at, "new", { ifAbsent })],
    ["ifAbsent of copy", (ifAbsent) => storage.copy(at, "memory://b/l", { ifAbsent })],
    ["recursive of move", (recursive) => storage.move("memory://b", "memory://c", { recursive })],
    [
      "followLinks of copy",
      (followLinks) => storage.copy("memory://b", "memory://c", { recursive: true, followLinks }),
    ],
    ["recursive of list", (recursive) => all(storage.list("memory://b", { recursive }))],
    ["versions of list", (versions) => all(storage.list("memory://b", { versions }))],
    ["followLinks of glob", (followLinks) => all(storage.glob("memory://b/*", { followLinks }))],
  ];
  it.each(calls)("%s is true or false, nothing else", async (name, call) => {
    for (const value of ["false", "true", 0, 1, null])
      expect(await message(call(value as never))).toContain(`${name} must be true or false`);
    expect(await storage.text(at)).toBe("old");
    expect(await storage.exists("memory://b/l")).toBe(false);
  });
});

describe("a signal", () => {
  const calls: [string, (signal: never) => Promise<unknown>][] = [
    ["text", (signal) => storage.text(at, { signal })],
    ["write", (signal) => storage.write(at, "new", { signal })],
    ["delete", (signal) => storage.delete(at, { signal })],
    ["list", (signal) => all(storage.list("memory://b", { signal }))],
    ["copy", (signal) => storage.copy(at, "memory://b/l", { signal })],
    ["update", (signal) => storage.update(at, () => "new", { signal })],
    ["stat", (signal) => storage.stat(at, { signal })],
    ["get", (signal) => storage.get(at, { signal })],
    ["glob", (signal) => all(storage.glob("memory://b/*", { signal }))],
    ["sync", (signal) => storage.sync("memory://b", "memory://c", { signal })],
    ["setAttributes", (signal) => storage.setAttributes(at, { contentType: "a/b" }, { signal })],
  ];
  it.each(calls)("of %s is an AbortSignal, nothing else", async (_, call) => {
    for (const value of ["now", 5000, {}, new AbortController(), null])
      expect(await message(call(value as never))).toContain("must be an AbortSignal");
    expect(await storage.text(at)).toBe("old");
  });
  it("may be of another realm", async () => {
    const other = { aborted: false, throwIfAborted() {}, addEventListener() {}, removeEventListener() {} };
    expect(await storage.text(at, { signal: other as never })).toBe("old");
  });
});

describe("a body that is used up", () => {
  async function ended(): Promise<Readable> {
    const stream = Readable.from(["content"]);
    for await (const _ of stream);
    return stream;
  }
  async function begun(): Promise<Readable> {
    const stream = createReadStream(join(root, "source"), { highWaterMark: 4 });
    await new Promise<void>((done) => stream.once("readable", () => done()));
    stream.read(2);
    return stream;
  }
  async function response(): Promise<ReadableStream> {
    const answer = new Response("content");
    await answer.text();
    return answer.body!;
  }
  function locked(): ReadableStream {
    const { body } = new Response("content");
    body!.getReader();
    return body!;
  }
  beforeEach(() => writeFileSync(join(root, "source"), "some content"));

  it.each([
    ["a Node stream that has ended", ended],
    ["a file stream that was read in part", begun],
    ["a body of a Response that was taken", response],
    ["a web stream with a reader", locked],
  ])("%s is refused and the object stays", async (_, body) => {
    expect(await message(storage.write(at, (await body()) as never))).toContain("a stream can be read once");
    expect(await storage.text(at)).toBe("old");
  });

  it("a generator that was written before is refused; an array can be written twice", async () => {
    async function* later() {
      yield "content";
    }
    function* now() {
      yield "content";
    }
    for (const generator of [later(), now()]) {
      await storage.write("memory://b/first", generator);
      expect(await message(storage.write(at, generator))).toContain("make a new one for each write");
      expect(await storage.text(at)).toBe("old");
    }
    const list = ["content"];
    await storage.write(at, list);
    await storage.write(at, list);
  });

  it("fresh streams are stored", async () => {
    const through = new PassThrough();
    through.end("content");
    for (const body of [Readable.from(["content"]), new Response("content").body!, new Blob(["content"]), through]) {
      await storage.write(at, body as never);
      expect(await storage.text(at)).toBe("content");
    }
  });

  it("a detached ArrayBuffer, a view of one and a chunk of one are InvalidArgument", async () => {
    const detached = () => {
      const buffer = new Uint8Array([1, 2, 3]).buffer;
      const view = new Uint8Array(buffer, 1);
      structuredClone(buffer, { transfer: [buffer] });
      return { buffer, view };
    };
    for (const body of [detached().buffer, detached().view, [detached().view], new DataView(new ArrayBuffer(1))])
      expect(await message(storage.write(at, body as never))).toMatch(
        body instanceof DataView ? "done" : /is detached/,
      );
  });
});

it("an empty text of a header is refused by every call that sets one, and no response states one", async () => {
  const empty = { contentType: "" };
  const calls = [
    storage.write(at, "new", empty),
    storage.writeJson(at, 1, empty),
    storage.update(at, () => "new", empty),
    storage.setAttributes(at, empty),
    storage.copy(at, "memory://b/l", { replace: empty }),
    storage.signedUrl(at, { method: "PUT", ...empty }),
    storage.signedUrl(at, { responseHeaders: empty }),
    createObjects({ drivers: [memory()] }).write(at, "new", empty),
  ];
  for (const said of await Promise.all(calls.map(message))) expect(said).toContain("contentType is empty");
  expect(await storage.text(at)).toBe("old");
  await storage.write(at, new Response("new", { headers: { "content-type": "" } }));
  expect((await storage.stat(at)).contentType).toBe("application/octet-stream");
});

it("a copy and an update drop the empty text that another program has stored", async () => {
  const bucket = memory();
  const open: typeof bucket.open = async (...place) => {
    const driver = await bucket.open(...place);
    return {
      ...driver,
      stat: async (...args) => ({ ...(await driver.stat(...args)), contentEncoding: "" }),
      read: async (key, options) => {
        const { info, body } = await driver.read(key, options);
        return { info: { ...info, contentEncoding: "" }, body };
      },
    };
  };
  const foreign = openStorage({ env: {}, drivers: [{ schemes: ["foreign"], open }] });
  await foreign.write("foreign://b/k", "1");
  await foreign.copy("foreign://b/k", "memory://b/k");
  await foreign.update("foreign://b/k", () => "2");
  await foreign.setAttributes("foreign://b/k", { cacheControl: "no-store" });
  expect((await foreign.stat("memory://b/k")).contentEncoding).toBe(undefined);
});

it("a mistake in a program is never told as something that may pass", async () => {
  const open = memory().open;
  const broken = (error: unknown) =>
    openStorage({
      env: {},
      drivers: [
        {
          schemes: ["memory"],
          open: async (...place) => ({
            ...(await open(...place)),
            stat: () => Promise.reject(error),
          }),
        },
      ],
    });
  const bug = await broken(new TypeError("x is not a function"))
    .stat(at)
    .catch((error) => error);
  expect(bug).toMatchObject({ code: "InvalidArgument", retryable: false });
  const network = new TypeError("fetch failed", { cause: new Error("ECONNRESET") });
  await expect(broken(network).stat(at)).rejects.toMatchObject({ code: "Unavailable", retryable: true });
});

const linux = process.platform === "linux";
describe.runIf(linux)("files whose size says nothing", () => {
  const machine = openStorage({ env: {} });

  it.each(["/proc/self/status", "/proc/filesystems", "/sys/kernel/mm/transparent_hugepage/enabled", "/proc/cpuinfo"])(
    "%s is read and copied to its end",
    async (file) => {
      const expected = readFileSync(file, "utf8").slice(0, 9);
      expect((await machine.text(`file://${file}`)).slice(0, 9)).toBe(expected);
      await machine.copy(`file://${file}`, `file://${root}/copy`);
      expect(readFileSync(join(root, "copy"), "utf8").slice(0, 9)).toBe(expected);
      await machine.copy(`file://${file}`, "memory://m/copy");
      expect((await machine.text("memory://m/copy")).slice(0, 9)).toBe(expected);
      expect(await machine.text(`file://${file}`, { start: 2, end: 6 })).toBe(expected.slice(2, 6));
    },
  );

  it("a file that grows is cut at the size it had; an empty one is empty", async () => {
    writeFileSync(join(root, "log"), Buffer.alloc(600_000, 1));
    const read = storage.read(`file://${root}/log`)[Symbol.asyncIterator]();
    const first = await read.next();
    await appendFile(join(root, "log"), "more");
    let length = first.value!.byteLength;
    for (let step = await read.next(); !step.done; step = await read.next()) length += step.value.byteLength;
    expect(length).toBe(600_000);
    writeFileSync(join(root, "empty"), "");
    expect((await storage.bytes(`file://${root}/empty`)).byteLength).toBe(0);
  });
});

describe("at a limit of 64 descriptors", () => {
  it.each(["whole", "streams", "reads", "copies"])("2,000 %s at once succeed", { timeout: 120_000 }, async (task) => {
    const contents = `
      import { file } from "./src/fs/drivers/file/index.ts";
      import { createStorage } from "./src/fs/open.ts";
      const [, , task, root] = process.argv;
      const storage = createStorage({ drivers: [file(root)] });
      const at = (name) => "file://" + root + "/" + name;
      const parts = async function* () { yield "a"; await new Promise((done) => setTimeout(done, 1)); yield "b"; };
      await storage.write(at("source"), "content");
      await storage.write(at("large"), Buffer.alloc(400_000));
      const tasks = {
        whole: (i) => storage.write(at("d/" + i), "content"),
        streams: (i) => storage.write(at("d/" + i), parts()),
        reads: () => storage.bytes(at("source")),
        copies: (i) => storage.copy(at(i % 2 ? "source" : "large"), at("d/" + i)),
      };
      const ends = await Promise.allSettled(Array.from({ length: 2000 }, (_, i) => tasks[task](i)));
      const codes = new Set(ends.map(({ status, reason }) => reason?.message ?? status));
      console.log([...codes].join());`;
    const outfile = join(root, "program.mjs");
    const stdin = { contents, resolveDir: process.cwd(), loader: "ts" } as const;
    await build({ stdin, bundle: true, platform: "node", format: "esm", outfile, logLevel: "silent" });
    const script = `ulimit -n 64; exec "${process.execPath}" ${outfile} ${task} ${root}`;
    expect(execFileSync("sh", ["-c", script], { encoding: "utf8" })).toBe("fulfilled\n");
    if (task === "streams") expect(readFileSync(join(root, "d/7"), "utf8")).toBe("ab");
    if (task !== "reads") expect(readdirSync(join(root, "d"))).toHaveLength(2000);
  });
});
