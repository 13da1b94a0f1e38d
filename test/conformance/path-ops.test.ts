/**
 * What ObjectStoragePath does, side by side with ours: every operation that Python's vectors show is called by its
 * counterpart in docs/fsspec.md, in the same order and on the same objects, and gives the same or a named difference.
 */
import { mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { transform } from "esbuild";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Storage } from "../../src/fs/storage.js";
import { openStorage } from "../../src/open.js";
import { StoragePath } from "../../src/path.js";
import { describeOn, useBucket } from "../servers/use.js";
import { all } from "../support/all.js";
import { blocksOf } from "../support/docs.js";
import vectors from "../vectors/path_ops.json" with { type: "json" };

type Result = unknown;
const VECTORS = vectors.ops as { op: string; result: Result }[];
const page = await readFile(new URL("../../docs/fsspec.md", import.meta.url), "utf8");

interface Recipes {
  isDirectory(storage: Storage, at: StoragePath): Promise<boolean>;
  walk(storage: Storage, at: StoragePath): AsyncGenerator<[StoragePath, string[], string[]]>;
  touch(storage: Storage, at: StoragePath): Promise<void>;
  rmdirEmpty(storage: Storage, at: StoragePath): Promise<void>;
  readBlock(storage: Storage, at: StoragePath, offset: number, length: number): Promise<Uint8Array>;
}

/** The functions that the page shows, as it shows them. */
async function recipes(): Promise<Recipes> {
  const [block] = await blocksOf("docs/fsspec.md");
  const { code } = await transform(block!.code, { loader: "ts" });
  return import(`data:text/javascript;base64,${Buffer.from(code).toString("base64")}`);
}
const { isDirectory, walk, touch, rmdirEmpty, readBlock } = await recipes();

/** Python's exceptions, and the codes that stand for them. */
const CODES: Record<string, string> = {
  FileNotFoundError: "NotFound",
  FileExistsError: "AlreadyExists",
  NoCredentialsError: "Unauthenticated",
};

/** Python's result in our words: paths without what comes before the bucket, exceptions by their codes. */
function theirs(value: Result): Result {
  if (typeof value === "string") return value.replace(/^[a-z0-9]+:\/\/.*?(?=ops2?\/)/, "");
  if (Array.isArray(value)) return value.map(theirs);
  if (typeof value !== "object" || value === null) return value;
  const { error } = value as { error?: string };
  if (error !== undefined) return { error: CODES[error] ?? error };
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, theirs(inner)]));
}

const pythonBytes = (data: Uint8Array) => `b'${Buffer.from(data).toString().replaceAll("\n", "\\n")}'`;

class Bench {
  constructor(
    readonly storage: Storage,
    readonly root: StoragePath,
    /** What it is called in the vectors. */
    readonly name = "ops",
  ) {}

  at(name: string): StoragePath {
    return this.root.join(name);
  }
  /** A path as the vectors have it, without store and bucket. */
  shown(path: StoragePath): string {
    return `${this.name}/${path.relativeTo(this.root)}`;
  }
  async entries(entries: AsyncIterable<{ path: StoragePath }>): Promise<string[]> {
    return (await all(entries)).map(({ path }) => this.shown(path)).sort();
  }
  list = (name: string) => this.entries(this.storage.list(this.at(name)));
  glob = (pattern: string) => this.entries(this.storage.glob(this.at(pattern)));
  exists = (...names: string[]) => Promise.all(names.map((name) => this.storage.exists(this.at(name))));
  /** exists, is_file and is_dir. */
  async kinds(name: string): Promise<boolean[]> {
    const [file, directory] = [
      await this.storage.exists(this.at(name)),
      await isDirectory(this.storage, this.at(name)),
    ];
    return [file || directory, file, directory];
  }
  text = (name: string) => this.storage.text(this.at(name));
  async block(name: string, start: number, end?: number): Promise<string> {
    return pythonBytes(await this.storage.bytes(this.at(name), { start, end }));
  }
  async lines(name: string, offset: number, length: number): Promise<string> {
    return pythonBytes(await readBlock(this.storage, this.at(name), offset, length));
  }
}

interface Step {
  /** As the vectors call it, without the store. */
  op: string;
  /** The row of the page. */
  row: string;
  run?: (context: Bench) => Promise<Result>;
  /** What is different here, on these stores or on all; without `run`, why there is no counterpart. */
  differs?: { why: string; ours?: Result; on?: readonly string[] };
}

const none = async (work: Promise<unknown>): Promise<null> => {
  await work;
  return null;
};
const copy = (b: Bench, from: string, to: string, recursive = false) =>
  none(b.storage.copy(b.at(from), b.at(to), { recursive }));
const moved = async (b: Bench, from: string, to: string) => {
  await b.storage.move(b.at(from), b.at(to));
  return { path: b.shown(b.at(to)), connId: b.root.connectionId ?? null };
};
const noEntries = { why: "what is no directory lists nothing", ours: [] };
const noDirectories = { why: "directories are no objects of their own" };

/** In an order in which they can be run; each store has its vectors of most of them. */
const STEPS: readonly Step[] = [
  { op: "mkdir parents", row: "mkdir()", differs: noDirectories },
  { op: "exists/is_file/is_dir file", row: "is_file()", run: (b) => b.kinds("r/a.txt") },
  { op: "exists/is_file/is_dir dir", row: "is_dir()", run: (b) => b.kinds("r/d") },
  { op: "exists missing", row: "exists()", run: (b) => b.kinds("r/zz") },
  { op: "iterdir", row: "iterdir()", run: (b) => b.list("r") },
  {
    op: "iterdir conn",
    row: "conn_id",
    run: async (b) => (await all(b.storage.list(b.at("r")))).map(({ path }) => path.connectionId ?? null),
  },
  { op: "iterdir of file", row: "iterdir()", run: (b) => b.list("r/a.txt"), differs: noEntries },
  { op: "iterdir missing", row: "iterdir()", run: (b) => b.list("r/zz"), differs: noEntries },
  { op: "glob *", row: "glob(pattern)", run: (b) => b.glob("r/*") },
  {
    op: "glob **",
    row: "glob(pattern)",
    run: (b) => b.glob("r/**"),
    differs: {
      why: "the directory where it starts is left out",
      ours: ["a.txt", "d", "d/.hid", "d/b.txt", "d/e", "d/e/c.txt"].map((name) => `ops/r/${name}`),
    },
  },
  { op: "glob **/*", row: "glob(pattern)", run: (b) => b.glob("r/**/*") },
  { op: "glob *.txt", row: "glob(pattern)", run: (b) => b.glob("r/*.txt") },
  { op: "glob **/*.txt", row: "glob(pattern)", run: (b) => b.glob("r/**/*.txt") },
  { op: "glob d/*", row: "glob(pattern)", run: (b) => b.glob("r/d/*") },
  { op: "glob d/[a-b].txt", row: "glob(pattern)", run: (b) => b.glob("r/d/[a-b].txt") },
  { op: "glob d/?.txt", row: "glob(pattern)", run: (b) => b.glob("r/d/?.txt") },
  { op: "glob d/.*", row: "glob(pattern)", run: (b) => b.glob("r/d/.*") },
  { op: "glob nothing*", row: "glob(pattern)", run: (b) => b.glob("r/nothing*") },
  { op: "rglob *.txt", row: "rglob(pattern)", run: (b) => b.glob("r/**/*.txt") },
  {
    op: "walk",
    row: "walk()",
    run: async (b) => (await all(walk(b.storage, b.at("r")))).map(([at, ...inside]) => [b.shown(at), ...inside]),
  },
  { op: "size", row: "size()", run: async (b) => (await b.storage.stat(b.at("r/a.txt"))).size },
  { op: "size missing", row: "size()", run: async (b) => (await b.storage.stat(b.at("r/zz"))).size },
  {
    op: "size dir",
    row: "size()",
    run: async (b) => (await b.storage.stat(b.at("r/d"))).size,
    differs: { why: "a directory has no size", ours: { error: "NotFound" } },
  },
  {
    op: "stat keys",
    row: "stat()",
    run: async (b) => {
      const { size, modified, etag } = await b.storage.stat(b.at("r/a.txt"));
      return [size, modified instanceof Date, etag!.length > 0];
    },
    differs: { why: "our own names, and nothing that is made up", ours: [12, true, true] },
  },
  {
    op: "stat dir",
    row: "stat()",
    run: (b) => b.storage.stat(b.at("r/d")),
    differs: { why: "a directory has nothing to tell", ours: { error: "NotFound" } },
  },
  { op: "stat missing", row: "stat()", run: (b) => b.storage.stat(b.at("r/zz")) },
  {
    op: "checksum stable",
    row: "checksum()",
    run: async (b) => {
      const [one, two] = await Promise.all([b.storage.stat(b.at("r/a.txt")), b.storage.stat(b.at("r/a.txt"))]);
      return one.etag === two.etag;
    },
  },
  { op: "checksum type", row: "checksum()", differs: { why: "an etag is text, opaque and the store's own" } },
  { op: "ukey type", row: "ukey()", differs: { why: "a hash of the etag" } },
  { op: "read_block 0,5", row: "read_block(offset, length)", run: (b) => b.block("r/a.txt", 0, 5) },
  { op: "read_block 0,None", row: "read_block(offset, length)", run: (b) => b.block("r/a.txt", 0) },
  { op: "read_block 0,3,\\n", row: "read_block(offset, length, delimiter)", run: (b) => b.lines("r/a.txt", 0, 3) },
  { op: "read_block 3,3,\\n", row: "read_block(offset, length, delimiter)", run: (b) => b.lines("r/a.txt", 3, 3) },
  {
    op: "read_block past",
    row: "read_block(offset, length)",
    run: (b) => b.block("r/a.txt", 100, 105),
    differs: { why: "it is empty on every store", ours: "b''", on: ["file"] },
  },
  {
    op: "samefile self",
    row: "samefile(other)",
    run: async (b) => b.at("r/a.txt").equals(b.at("r/a.txt")),
    differs: { why: "Python raises KeyError on clouds", ours: true, on: ["s3", "abfs"] },
  },
  {
    op: "samefile other",
    row: "samefile(other)",
    run: async (b) => b.at("r/a.txt").equals(b.at("r/d/b.txt")),
    differs: { why: "Python raises KeyError on clouds", ours: false, on: ["s3", "abfs"] },
  },
  { op: "samefile str", row: "samefile(other)", differs: { why: "text is no path; parse it" } },
  { op: "read_text", row: "read_text()", run: (b) => b.text("r/a.txt") },
  { op: "open r read", row: 'open("r")', run: (b) => b.text("r/a.txt") },
  { op: "open default mode", row: 'open("r")', differs: { why: "there is no file object" } },
  { op: "copy file→file", row: "copy(target)", run: (b) => copy(b, "r/a.txt", "r/copy.txt") },
  { op: "copy exists", row: "copy(target)", run: (b) => b.text("r/copy.txt") },
  { op: "copy file→existing dir", row: "copy(target)", run: (b) => copy(b, "r/a.txt", "r/d/a.txt") },
  { op: "after", row: "glob(pattern)", run: (b) => b.glob("r/**/*") },
  { op: "copy_into dir", row: "copy_into(directory)", run: (b) => copy(b, "r/a.txt", "r/d/e/a.txt") },
  { op: "copy_into file", row: "copy_into(directory)", differs: { why: "a key below an object's key is a key" } },
  { op: "copy dir recursive", row: "copy(target, recursive=True)", run: (b) => copy(b, "r/d", "r/dcopy", true) },
  { op: "after2", row: "glob(pattern)", run: (b) => b.glob("r/**/*") },
  { op: "copy missing", row: "copy(target)", run: (b) => copy(b, "r/zz", "r/yy") },
  {
    op: "move file",
    row: "move(target)",
    run: (b) => none(b.storage.move(b.at("r/copy.txt"), b.at("r/moved.txt"))),
  },
  { op: "moved", row: "move(target)", run: (b) => b.exists("r/copy.txt", "r/moved.txt") },
  { op: "rename abs", row: "rename(target)", run: (b) => moved(b, "r/moved.txt", "r/ren.txt") },
  { op: "renamed", row: "rename(target)", run: (b) => b.exists("r/moved.txt", "r/ren.txt") },
  { op: "rename relative", row: "rename(target)", differs: { why: "there is no directory to start from" } },
  { op: "state", row: "iterdir()", run: (b) => b.list("r") },
  { op: "replace", row: "replace(target)", run: (b) => moved(b, "r/a.txt", "r/a2.txt") },
  { op: "replaced", row: "replace(target)", run: (b) => b.exists("r/a.txt", "r/a2.txt") },
  {
    op: "unlink missing",
    row: "unlink()",
    run: async (b) => {
      await b.storage.stat(b.at("r/zz"));
      await b.storage.delete(b.at("r/zz"));
    },
  },
  { op: "unlink missing_ok", row: "unlink()", run: (b) => none(b.storage.delete(b.at("r/zz"))) },
  { op: "unlink dir", row: "unlink()", differs: { why: "not run in Python" } },
  { op: "touch", row: "touch()", run: (b) => none(touch(b.storage, b.at("r/t0"))) },
  {
    op: "touch exist_ok False",
    row: "touch(exist_ok=False)",
    run: (b) => b.storage.write(b.at("r/t0"), "", { ifAbsent: true }),
  },
  { op: "touch empty size", row: "touch()", run: async (b) => (await b.storage.stat(b.at("r/t0"))).size },
  { op: "mkdir exists", row: "mkdir()", differs: noDirectories },
  { op: "rmdir nonempty", row: "rmdir()", run: (b) => none(b.storage.delete(b.at("r/dcopy"), { recursive: true })) },
  {
    op: "rmdir recursive False",
    row: "rmdir(recursive=False)",
    run: async (b) => {
      const refused = await rmdirEmpty(b.storage, b.at("r/d")).catch((error: Error) => error.message);
      return { error: refused?.includes("is not empty") ? "OSError" : refused };
    },
  },
  { op: "state2", row: "glob(pattern)", run: (b) => b.glob("r/**/*") },
  { op: "resolve", row: "resolve()", run: async (b) => b.shown(b.at("r/x")) },
  { op: "absolute", row: "absolute()", run: async (b) => b.shown(b.at("r/d")) },
  { op: "match", row: "match()", differs: { why: "text only" } },
  {
    op: "sign",
    row: "sign()",
    run: async (b) => typeof (await b.storage.signedUrl(b.at("r/a2.txt"))).url === "string" && "str",
  },
];

const STORES = ["s3", "file", "abfs"] as const;
type Store = (typeof STORES)[number];
const vectorOf = (store: Store, op: string) => VECTORS.find((one) => one.op === `${store} ${op}`);

describe("docs/fsspec.md", () => {
  test("every operation of Python's vectors on one store has its step here", () => {
    const known = new Set(STEPS.map(({ op }) => op));
    const seen = VECTORS.flatMap(({ op }) => /^(?:s3|file|abfs) (.+)$/.exec(op)?.[1] ?? []);
    expect(seen.filter((op) => !known.has(op))).toEqual([]);
  });

  test.each([...new Set(STEPS.map(({ row }) => row))])("has a row for %s", (row) => {
    expect(page.split("\n").filter((line) => line.startsWith("| `") && line.split("|")[1]!.includes(row))).not.toEqual(
      [],
    );
  });
});

/** What came out: the value, or the code of the error. */
const outcome = (run: Promise<Result>): Promise<Result> =>
  run.catch((error: { code?: string }) => {
    if (error.code === undefined) throw error;
    return { error: error.code };
  });

/** Runs all steps, in order, on objects like Python's. */
function sideBySide(store: Store, context: () => Bench): void {
  beforeAll(async () => {
    const files = { "r/a.txt": "hello\nworld\n", "r/d/b.txt": "b", "r/d/e/c.txt": "c", "r/d/.hid": "h" };
    for (const [name, text] of Object.entries(files)) await context().storage.write(context().at(name), text);
  });

  test.each(STEPS.filter(({ run }) => run))("$op", async ({ op, run, differs }) => {
    const ours = await outcome(run!(context()));
    const vector = vectorOf(store, op);
    if (!vector) return;
    const isDifferent = differs && (differs.on ?? STORES).includes(store);
    if (isDifferent) {
      expect(ours).toEqual(differs.ours);
      // A difference that is none any more must not stand in the page.
      expect(theirs(vector.result)).not.toEqual(differs.ours);
    } else {
      expect(sorted(ours)).toEqual(sorted(theirs(vector.result)));
    }
  });
}

/** Python promises no order. */
function sorted(value: Result): Result {
  return Array.isArray(value) && value.every((one) => typeof one === "string") ? [...value].sort() : value;
}

await describeOn("minio", "S3 beside Python", (server) => {
  const bucket = useBucket(server);
  const storage = openStorage({ connections: { minio: server.connection }, env: {} });
  afterAll(() => storage.close());
  sideBySide("s3", () => new Bench(storage, StoragePath.parse(`s3://minio@${bucket().name}/ops`)));
});

await describeOn("azurite", "Azure beside Python", (server) => {
  const bucket = useBucket(server);
  const storage = openStorage({ connections: { az: server.connection }, env: {} });
  afterAll(() => storage.close());
  sideBySide("abfs", () => new Bench(storage, StoragePath.parse(`abfs://az@${bucket().name}/ops`)));
});

describe("files beside Python", () => {
  let folder: string;
  const storage = openStorage({ env: {} });
  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), "stowage-ops-")));
  });
  afterAll(async () => {
    await storage.close();
    await rm(folder, { recursive: true });
  });
  sideBySide("file", () => new Bench(storage, StoragePath.parse(`file://${folder}/ops`)));
});

interface Crossing {
  op: string;
  run: (places: Record<"ops" | "ops2" | "az" | "file", Bench>) => Promise<Result>;
  /** Instead of Python's result. */
  differs?: { why: string; ours: Result };
}

const across = (from: Bench, a: string, to: Bench, b: string, recursive = false) =>
  none(from.storage.copy(from.at(a), to.at(b), { recursive }));

/** In the order of the vectors, whose lists have no names of their own. */
const CROSSINGS: readonly Crossing[] = [
  { op: "cross s3→s3(other conn) file→file", run: ({ ops, ops2 }) => across(ops, "x/f.txt", ops2, "y/f2.txt") },
  { op: "  list", run: ({ ops2 }) => ops2.glob("**") },
  {
    op: "  list",
    run: async ({ ops, ops2 }) => {
      // Python puts the source's whole key below a bucket's root, and drops the slash at the end of a target.
      await across(ops, "x/f.txt", ops2, "x/f.txt");
      await across(ops, "x/f.txt", ops2, "slash");
      return ops2.glob("**");
    },
  },
  { op: "  read", run: ({ ops2 }) => ops2.text("y/f2.txt") },
  { op: "cross s3→abfs dir→dir", run: ({ ops, az }) => across(ops, "x/dir", az, "x/dir", true) },
  { op: "cross s3→abfs missing", run: ({ ops, az }) => across(ops, "x/nope", az, "x/nope") },
  {
    op: "cross s3→abfs dir→file",
    run: async ({ ops, az }) => {
      await az.storage.write(az.at("one"), "1");
      await across(ops, "x/dir", az, "one", true);
      return [await az.text("one"), await az.text("one/g.txt")];
    },
    differs: { why: "a key below an object's key is a key", ours: ["1", "G"] },
  },
  { op: "cross s3→file file", run: ({ ops, file }) => across(ops, "x/f.txt", file, "z/f.txt") },
  {
    op: "  list",
    run: async ({ ops, file }) => {
      await across(ops, "x/dir", file, "z/dir", true);
      return file.glob("z/**");
    },
  },
  { op: "cross file→s3 dir recursive", run: ({ file, ops }) => across(file, "z/dir", ops, "x/fromdir", true) },
  {
    op: "  list",
    run: async ({ file, ops }) => {
      await across(file, "z/f.txt", ops, "x/from_file.txt");
      return ["ops/x", ...(await ops.glob("x/**"))];
    },
  },
  {
    op: "  src/dst",
    run: async ({ ops, az }) => {
      await ops.storage.move(ops.at("x/from_file.txt"), az.at("moved.txt"));
      return [...(await ops.exists("x/from_file.txt")), ...(await az.exists("moved.txt"))];
    },
  },
  {
    op: "cross replace s3→s3 other conn",
    run: async ({ ops, ops2 }) => {
      await ops.storage.move(ops.at("x/f.txt"), ops2.at("y/rr.txt"));
      return { path: ops2.shown(ops2.at("y/rr.txt")), connId: ops2.root.connectionId };
    },
    differs: { why: "the target's own credentials write", ours: { path: "ops2/y/rr.txt", connId: "minio2" } },
  },
  {
    op: "  state",
    run: async ({ ops, ops2 }) => [await ops.list("x"), await ops2.list("y")],
    differs: {
      why: "Python lists from its cache what was there before",
      ours: [
        ["ops/x/dir", "ops/x/fromdir"],
        ["ops2/y/f2.txt", "ops2/y/rr.txt"],
      ],
    },
  },
  {
    op: "copy to same store other bucket",
    run: ({ ops, ops2 }) => {
      const { bucket } = ops2.root;
      const target = StoragePath.of({ scheme: "s3", connectionId: "minio", bucket, key: "same" });
      return none(ops.storage.copy(ops.at("x/dir/g.txt"), target));
    },
  },
  {
    op: "copy str dst without conn",
    run: ({ ops, ops2 }) => none(ops.storage.copy(ops.at("x/dir/g.txt"), `s3://${ops2.root.bucket}/nobody`)),
  },
];

await describeOn("minio", "from store to store, beside Python", async (minio) => {
  await describeOn("azurite", "and Azure", (azurite) => {
    const [ops, ops2, az] = [useBucket(minio), useBucket(minio), useBucket(azurite)];
    const connections = { minio: minio.connection, minio2: minio.connection, az: azurite.connection };
    const env = { AWS_ENDPOINT_URL_S3: minio.endpoint };
    const storage = openStorage({ connections, env });
    let folder: string;
    beforeAll(async () => {
      folder = await realpath(await mkdtemp(join(tmpdir(), "stowage-ops-")));
      // A machine of nobody: AWS's default chain finds no credentials.
      vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
      for (const name of ["AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"]) vi.stubEnv(name, "/nonexistent");
      const { ops } = places();
      for (const [name, text] of Object.entries({ "x/f.txt": "F", "x/dir/g.txt": "G", "x/dir/sub/h.txt": "H" }))
        await storage.write(ops.at(name), text);
    });
    afterAll(async () => {
      vi.unstubAllEnvs();
      await storage.close();
      await rm(folder, { recursive: true });
    });
    const places = () => ({
      ops: new Bench(storage, StoragePath.parse(`s3://minio@${ops().name}`), "ops"),
      ops2: new Bench(storage, StoragePath.parse(`s3://minio2@${ops2().name}`), "ops2"),
      az: new Bench(storage, StoragePath.parse(`abfs://az@${az().name}`), "ops"),
      file: new Bench(storage, StoragePath.parse(`file://${folder}`), "ops"),
    });

    const own = VECTORS.slice(VECTORS.findIndex(({ op }) => op.startsWith("cross")));

    test("every operation of the vectors has its turn", () => {
      expect(CROSSINGS.map(({ op }) => op)).toEqual(own.map(({ op }) => op));
    });

    test.each(CROSSINGS.map((crossing, i) => ({ ...crossing, i })))("$i $op", async ({ i, run, differs }) => {
      const ours = sorted(await outcome(run(places())));
      if (differs) {
        expect(ours).toEqual(differs.ours);
        expect(theirs(own[i]!.result)).not.toEqual(differs.ours);
      } else expect(ours).toEqual(sorted(theirs(own[i]!.result)));
    });
  });
});
