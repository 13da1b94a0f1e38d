/** XComs without a metadata database: listed, exported, and made rows again. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import type { OpenDriver } from "../../../src/fs/driver/driver.js";
import { memory } from "../../../src/fs/drivers/memory.js";
import { createStorage } from "../../../src/fs/open.js";
import { openStorage as openEverything } from "../../../src/open.js";
import { importExported, importReferences } from "../../../src/xcom/import.js";
import { withRetention } from "../../../src/xcom/layers/retention.js";
import { memoryRows } from "../../../src/xcom/rows/memory.js";
import type { RowKey, XComRows } from "../../../src/xcom/rows/rows.js";
import { sqlRows } from "../../../src/xcom/rows/sql.js";
import { listStoredXComs, type StoredFilter, type StoredXCom } from "../../../src/xcom/stored.js";
import { XCom } from "../../../src/xcom/xcom.js";
import { describeOn, useBucket } from "../../servers/use.js";
import { all } from "../../support/all.js";
import { jsonLines, stowage } from "../../support/command.js";
import { type Postgres, startPostgres, whyNoPostgres } from "../../support/postgres.js";
import { OWNER, TI, type World, world } from "../../support/xcom-world.js";

const BASE = "s3://conn@b/xcom";
const OWNER_D = { dagId: "d", runId: "r", taskId: "t" };
const BIG = { text: "x".repeat(500) };

describe("XComs in storage", () => {
  let here: World;
  beforeEach(() => {
    here = world();
  });
  const backend = (more: object = {}) =>
    new XComObjectStorageBackend({ storage: here.storage, path: BASE, threshold: 0, ...more });
  const listed = (filter: StoredFilter = {}, path = BASE) =>
    all(listStoredXComs({ storage: here.storage, path, base: BASE }, filter));

  test("are told whole by their paths", async () => {
    const owner = { ...OWNER, dagId: "team/sales", tiId: TI };
    const reference = await backend({ compression: "gzip", digest: false }).storeValue(owner, "a/b c", BIG);
    expect(await listed()).toEqual([
      {
        path: expect.objectContaining({ bucket: "b" }),
        base: expect.objectContaining({ key: "xcom" }),
        dagId: "team/sales",
        runId: OWNER.runId,
        taskId: OWNER.taskId,
        key: "a/b c",
        layout: "ti",
        instance: `ti-${TI}`,
        codec: "gzip",
        size: expect.any(Number),
        modified: expect.any(Date),
      },
    ]);
    expect(String((await listed())[0]!.path)).toBe(reference);
  });
  test("have their key also where the name tells a digest", async () => {
    await backend({ digest: true }).storeValue(OWNER, "k", BIG);
    expect((await listed()).map(({ key }) => key)).toEqual(["k"]);
  });
  test("of a retention class are found as those of their Dag, whatever narrows the list", async () => {
    const classes = withRetention({
      path: BASE,
      backend: (path) => backend({ path }),
      rules: [{ class: "week", key: "big" }],
    });
    for (const key of ["big", "small"]) await classes.storeValue(OWNER, key, BIG);
    await classes.storeValue({ ...OWNER, dagId: "other" }, "big", BIG);
    here.calls.length = 0;
    for (const filter of [{ dagId: OWNER.dagId }, { ...OWNER }, { taskId: OWNER.taskId, dagId: OWNER.dagId }]) {
      const found = await listed(filter);
      expect(found.map(({ dagId, key }) => `${dagId} ${key}`).sort()).toEqual(["my_dag big", "my_dag small"]);
    }
    expect(here.calls.filter((call) => call === "list xcom/")).toHaveLength(3);
    expect(await listed({ dagId: "none" })).toEqual([]);
  });
  test("without a base each id is one segment", async () => {
    await backend().storeValue(OWNER, "k", BIG);
    const [found] = await all(listStoredXComs({ storage: here.storage, path: `${BASE}/my_dag` }));
    expect(found).toMatchObject({ dagId: "my_dag", base: { key: "xcom" } });
  });

  describe("become rows again", () => {
    const rows = (): XComRows => memoryRows();
    const rebuilt = async (into: XComRows, more: object = {}) =>
      importReferences(into, listStoredXComs({ storage: here.storage, path: BASE, base: BASE }), more);

    test("whose values are those that were stored", async () => {
      const old = new XCom({ rows: memoryRows(), backend: backend() });
      for (const key of ["a", "b"]) await old.set({ ...OWNER, key }, { ...BIG, key });
      const into = rows();
      expect(await rebuilt(into)).toEqual({ rows: 2, skipped: [], failed: [] });
      const xcom = new XCom({ rows: into, backend: backend() });
      for (const key of ["a", "b"]) expect(await xcom.get({ ...OWNER, key })).toEqual({ ...BIG, key });
    });
    test("of the newest object of a task and key, and the others are named", async () => {
      const first = await backend().storeValue(OWNER, "k", 1);
      await new Promise((resolve) => setTimeout(resolve, 5));
      const second = await backend().storeValue(OWNER, "k", 2);
      const into = rows();
      const { skipped } = await rebuilt(into);
      expect(skipped).toEqual([{ from: first, why: expect.stringContaining("newer object") }]);
      expect((await into.get({ ...OWNER, key: "k" }))?.value).toBe(second);
    });
    test.each([false, true])(
      "of the newest object, whatever the order of the listing (replace: %s)",
      async (replace) => {
        const times = Array.from({ length: 24 }, (_, i) => i);
        const one = (time: number, dagId: string): StoredXCom => ({
          ...({ ...OWNER, dagId, key: "k", layout: "ti", instance: "", codec: undefined, size: 1 } as const),
          ...{ modified: new Date(time), path: backend().path.join(dagId, String(time)), base: backend().path },
        });
        // Retention classes list the objects of a task in several places, with other tasks between them.
        async function* found(order: readonly number[]) {
          for (const time of order) {
            yield one(time, "a");
            yield one(time, "b");
          }
        }
        for (const order of [times, times.toReversed(), times.toSorted((a, b) => (a % 5) - (b % 5))]) {
          const into = rows();
          const done = await importReferences(into, found(order), { replace });
          expect([done.rows, done.skipped.length]).toEqual([2, 46]);
          for (const dagId of ["a", "b"])
            expect((await into.get({ ...OWNER, dagId, key: "k" }))?.value).toBe(
              String(backend().path.join(dagId, "23")),
            );
        }
      },
    );
    test("and one that cannot be set does not end the rest", async () => {
      const reference = await backend().storeValue(OWNER, "k", 1);
      await backend().storeValue({ ...OWNER, taskId: "zzz" }, "k", 1);
      const into = rows();
      const stuck: XComRows = {
        ...into,
        set: (at, ...rest) => (at.taskId === "zzz" ? into.set(at, ...rest) : Promise.reject(new Error("no"))),
      };
      expect(await rebuilt(stuck)).toMatchObject({ rows: 1, failed: [{ from: reference, error: { message: "no" } }] });
    });
    test("unless there is one, which is replaced only when asked", async () => {
      const reference = await backend().storeValue(OWNER, "k", 1);
      const into = rows();
      await into.set({ ...OWNER, key: "k" }, "mine");
      expect(await rebuilt(into)).toEqual({
        rows: 0,
        skipped: [{ from: reference, why: "there is a row" }],
        failed: [],
      });
      expect((await into.get({ ...OWNER, key: "k" }))?.value).toBe("mine");
      expect(await rebuilt(into, { replace: true })).toEqual({ rows: 1, skipped: [], failed: [] });
      expect((await into.get({ ...OWNER, key: "k" }))?.value).toBe(reference);
    });
    test.each([false, true])("never in place of what another writer sets meanwhile (replace: %s)", async (replace) => {
      const reference = await backend().storeValue(OWNER, "k", 1);
      const into = rows();
      const at = { ...OWNER, key: "k" };
      if (replace) await into.set(at, "old");
      // The other writer comes after the look at the row, and before its row is set.
      const raced: XComRows = {
        ...into,
        get: async (one) => {
          const found = await into.get(one);
          await into.set(at, "newer");
          return found;
        },
      };
      const why = "another writer has set the row meanwhile";
      expect(await rebuilt(raced, { replace })).toEqual({ rows: 0, skipped: [{ from: reference, why }], failed: [] });
      expect((await into.get(at))?.value).toBe("newer");
    });
    test("in the older layout under the key that is named, else not", async () => {
      const reference = await backend({ layout: "uuid" }).storeValue(OWNER, "k", 1);
      const into = rows();
      expect(await rebuilt(into)).toMatchObject({ rows: 0, skipped: [{ from: reference }] });
      expect(await rebuilt(into, { key: "return_value" })).toMatchObject({ rows: 1 });
      expect((await into.get({ ...OWNER, key: "return_value" }))?.value).toBe(reference);
    });
    test("holding no more than the objects of one task", async () => {
      const one = (taskId: string, key: string): StoredXCom => ({
        ...({ dagId: "d", runId: "r", layout: "ti", instance: "", codec: undefined, size: 1 } as const),
        ...{ taskId, key, modified: new Date(), path: backend().path.join(taskId, key), base: backend().path },
      });
      const set: string[] = [];
      const into: XComRows = { ...memoryRows(), set: async ({ taskId }: RowKey) => void set.push(taskId) };
      const seen: number[] = [];
      async function* found() {
        for (const task of ["a", "b", "c"]) {
          for (const key of ["x", "y"]) yield one(task, key);
          seen.push(set.length);
        }
      }
      expect(await importReferences(into, found())).toMatchObject({ rows: 6 });
      expect(seen).toEqual([0, 2, 4]);
    });
  });
});

describe("an export", () => {
  const line = (key: string) => `${JSON.stringify({ ...OWNER_D, key, file: `${key}.json` })}\n`;
  const xcomOf = ({ storage }: Pick<World, "storage">) => {
    const backend = new XComObjectStorageBackend({ storage, path: "memory://xcoms/base", threshold: 100 });
    return new XCom({ rows: memoryRows(), backend });
  };
  const from = (storage: World["storage"]) => ({ storage, path: "memory://exports/out" });

  test("is set line by line, while the rest of its index is still to come", async () => {
    const inner = memory();
    const open: OpenDriver = async (...args) => {
      const driver = await inner.open(...args);
      return {
        ...driver,
        async read(key, options) {
          const { info, body } = await driver.read(key, options);
          return { info, body: key.endsWith("index.jsonl") ? unended(body) : body };
        },
      };
    };
    async function* unended(body: AsyncIterable<Uint8Array>) {
      for await (const chunk of body) yield chunk.subarray(0, chunk.byteLength / 2);
      await new Promise(() => {});
    }
    const storage = createStorage({ drivers: [{ schemes: ["memory"], open }] });
    await storage.write("memory://exports/out/k.json", '{"n":1}');
    await storage.write("memory://exports/out/index.jsonl", line("k").repeat(2));
    const xcom = xcomOf({ storage });
    const stop = new AbortController();
    const importing = importExported(xcom, from(storage), { signal: stop.signal });
    const done = importing.catch((error: unknown) => error);
    await vi.waitFor(async () => expect(await xcom.get({ ...OWNER_D, key: "k" })).toEqual({ n: 1 }));
    stop.abort("enough");
    expect(await done).toBe("enough");
  });
  test("needs no line break at its end, and empty lines are none", async () => {
    const here = world();
    for (const key of ["a", "b"]) await here.storage.write(`memory://exports/out/${key}.json`, `"${key}"`);
    await here.storage.write("memory://exports/out/index.jsonl", `\n${line("a")}\n${line("b").trimEnd()}`);
    const xcom = xcomOf(here);
    expect(await importExported(xcom, from(here.storage))).toEqual({ rows: 2, skipped: [], failed: [] });
    expect(await xcom.get({ ...OWNER_D, key: "b" })).toBe("b");
  });
  test.each([false, true])(
    "gives a row the file that was stored last, in whatever order (replace: %s)",
    async (replace) => {
      const here = world();
      for (const name of ["a", "b", "c"]) await here.storage.write(`memory://exports/out/${name}.json`, `"${name}"`);
      const at = { a: "2026-01-02T00:00:00.000Z", b: "2026-01-03T00:00:00.000Z", c: "2026-01-01T00:00:00.000Z" };
      const dated = (name: keyof typeof at) =>
        `${JSON.stringify({ ...OWNER_D, key: "k", file: `${name}.json`, modified: at[name] })}\n`;
      for (const order of [
        ["a", "b", "c"],
        ["b", "a", "c"],
        ["c", "a", "b"],
      ] as const) {
        await here.storage.write("memory://exports/out/index.jsonl", order.map(dated).join(""));
        const xcom = xcomOf(here);
        if (replace) await xcom.set({ ...OWNER_D, key: "k" }, "old");
        const done = await importExported(xcom, from(here.storage), { replace });
        expect([done.rows, done.skipped.length]).toEqual([1, 2]);
        expect(await xcom.get({ ...OWNER_D, key: "k" })).toBe("b");
      }
    },
  );
  test.each([false, true])(
    "does not replace what another writer sets meanwhile, and leaves no object (replace: %s)",
    async (replace) => {
      const here = world();
      const large = JSON.stringify("x".repeat(500));
      await here.storage.write("memory://exports/out/k.json", large);
      await here.storage.write("memory://exports/out/index.jsonl", line("k"));
      const at = { ...OWNER_D, key: "k" };
      const into = memoryRows();
      const backend = new XComObjectStorageBackend({
        storage: here.storage,
        path: "memory://xcoms/base",
        threshold: 100,
      });
      if (replace) await into.set(at, "old");
      const raced: XComRows = {
        ...into,
        set: async (...args) => {
          await into.set(at, "newer");
          return into.set(...args);
        },
      };
      const done = await importExported(new XCom({ rows: raced, backend }), from(here.storage), { replace });
      expect(done).toMatchObject({ rows: 0, skipped: [{ from: "k.json", why: expect.stringContaining("meanwhile") }] });
      expect((await into.get(at))?.value).toBe("newer");
      expect(await all(here.storage.list("memory://xcoms", { recursive: true }))).toEqual([]);
    },
  );
  test("with a damaged file, and with one that is missing, has the others all the same", async () => {
    const here = world();
    await here.storage.write("memory://exports/out/a.json", "{");
    await here.storage.write("memory://exports/out/c.json", "3");
    await here.storage.write("memory://exports/out/index.jsonl", ["a", "b", "c"].map(line).join(""));
    const xcom = xcomOf(here);
    const done = await importExported(xcom, from(here.storage));
    expect(done).toMatchObject({ rows: 1, failed: [{ from: "a.json" }, { from: "b.json" }] });
    expect(done.failed.map(({ error }) => (error as { code: string }).code)).toEqual(["Corrupt", "NotFound"]);
    expect(await xcom.get({ ...OWNER_D, key: "c" })).toBe(3);
  });
  test.each([
    ["a file that is a number", { ...OWNER_D, key: "k", file: 1 }],
    ["no Dag", { ...OWNER_D, dagId: undefined, key: "k", file: "k.json" }],
    ["a map index that is text", { ...OWNER_D, mapIndex: "1", key: "k", file: "k.json" }],
    ["an array", []],
  ])("whose index has a line with %s is Corrupt", async (_, bad) => {
    const { storage } = world();
    await storage.write("memory://exports/out/index.jsonl", `${JSON.stringify(bad)}\n`);
    const refused = importExported(xcomOf({ storage }), from(storage));
    await expect(refused).rejects.toMatchObject({ code: "Corrupt", op: "import" });
  });
  test("whose index has a line that does not end is TooLarge", async () => {
    const { storage } = world();
    await storage.write("memory://exports/out/index.jsonl", "x".repeat(2 ** 21));
    const refused = importExported(xcomOf({ storage }), from(storage));
    await expect(refused).rejects.toThrow(/^import memory:.*index\.jsonl: TooLarge .*line 1 has more than 1048576 /);
  });
});

const noPostgres = await whyNoPostgres();
if (noPostgres && process.env.CI) throw new Error(noPostgres);

await describeOn("minio", "stowage xcom on MinIO, with no database", (minio) => {
  const bucket = useBucket(minio);
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "stowage-export-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const run = (args: string[], input = "", more: Record<string, string> = {}) => {
    const { type, ...rest } = minio.connection;
    const env = { AIRFLOW_CONN_LAKE: JSON.stringify({ conn_type: type, ...rest }), ...more };
    return stowage(["xcom", ...args], { cwd: folder, input, env });
  };
  const base = (name: string) => `s3://lake@${bucket().name}/${name}`;
  const push = (name: string, task: string, value: string, more: string[] = []) =>
    run(["push", "--base", base(name), "--dag", "sales", "--run", "r1", "--task", task, ...more], value);

  test("ls, export and import bring a run from one place to another", { timeout: 60_000 }, async () => {
    const value = '{"big":12345678901234567890,"text":"héllo"}';
    await push("one", "extract", value, ["--compression", "gzip"]);
    await push("one", "load", "[1]");
    const { stdout } = await run(["ls", "--json", `${base("one")}/sales/r1`]);
    expect(jsonLines(stdout).map(({ taskId, codec }) => [taskId, codec])).toEqual([
      ["extract", "gzip"],
      ["load", undefined],
    ]);
    expect(await run(["export", `${base("one")}/sales/r1`, "--to", "out"])).toMatchObject({ code: 0 });
    const [first] = jsonLines(await readFile(join(folder, "out/index.jsonl"), "utf8"));
    expect(await readFile(join(folder, "out", String(first!.file)), "utf8")).toBe(value);
    if (noPostgres) return;
    const postgres: Postgres = await startPostgres();
    const client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    try {
      const again = ["import", "out", "--base", base("two"), "--into", postgres.url, "--table", "again"];
      expect(await run(again)).toMatchObject({
        code: 0,
        stderr: "",
        stdout: expect.stringContaining("imported 2 rows"),
      });
      expect(await run(again)).toMatchObject({ code: 0, stdout: expect.stringContaining("imported 0 rows") });
      const rows = sqlRows((text, values) => client.query(text, values), { table: "again" });
      const [extract] = await all(rows.list({ taskId: "extract" }));
      expect(extract).toMatchObject({ dagId: "sales", runId: "r1", mapIndex: -1, key: "return_value" });
      expect(extract!.value).toContain(base("two"));
      expect((await run(["pull", String(extract!.value)])).stdout).toBe(`${value}\n`);
      const references = [
        "import",
        base("one"),
        "--into",
        postgres.url,
        "--table",
        "refs",
        "--task",
        "extract",
        "--json",
      ];
      expect(jsonLines((await run(references)).stdout)).toMatchObject([{ action: "imported", rows: 1, skipped: [] }]);
    } finally {
      await client.end();
      await postgres.stop();
    }
  });

  test("a second export into a folder is refused, and two codecs of one key have a file each", {
    timeout: 60_000,
  }, async () => {
    const ti = ["--ti", "019b1c2d-0000-7000-8000-000000000001"];
    await push("codecs", "extract", "1", ti);
    await push("codecs", "extract", "2", [...ti, "--compression", "gzip"]);
    expect(await run(["export", base("codecs"), "--to", "out"])).toMatchObject({ code: 0 });
    const lines = jsonLines(await readFile(join(folder, "out/index.jsonl"), "utf8"));
    const values = await Promise.all(lines.map(({ file }) => readFile(join(folder, "out", String(file)), "utf8")));
    expect(values.sort()).toEqual(["1", "2"]);
    const again = await run(["export", base("codecs"), "--to", "out"]);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining("has an export already") });
    expect(jsonLines(await readFile(join(folder, "out/index.jsonl"), "utf8"))).toEqual(lines);
  });
  test("a value that cannot be read is named, the others are exported, and the exit code is 1", async () => {
    const whole = (await push("damaged", "a", "1", ["--compression", "gzip"])).stdout.trim().replaceAll('"', "");
    await push("damaged", "b", "2");
    const storage = openEverything({ connections: { lake: minio.connection } });
    await storage.write(whole, "no gzip");
    await storage.close();
    const { code, stdout, stderr } = await run(["export", base("damaged"), "--to", "part"]);
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: expect.stringContaining("exported 1 XCom to"),
      stderr: expect.stringContaining("Corrupt"),
    });
    expect(jsonLines(await readFile(join(folder, "part/index.jsonl"), "utf8"))).toMatchObject([{ taskId: "b" }]);
  });
  test.skipIf(noPostgres)("an interrupted export, and a folder beside the base, are not imported", async () => {
    const postgres = await startPostgres();
    try {
      const into = ["--base", base("three"), "--into", postgres.url];
      await mkdir(join(folder, "cut/sales/r1/t"), { recursive: true });
      const name = "write-019b1c2d-0000-7000-8000-000000000001";
      await mkdir(join(folder, `cut/sales/r1/t/${name}`));
      await writeFile(join(folder, `cut/sales/r1/t/${name}/k.json`), "1");
      const refused = await run(["import", "cut", ...into]);
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("is not below the base") });
      await writeFile(join(folder, "cut/index.jsonl.unfinished"), "");
      const cut = await run(["import", "cut", ...into]);
      expect(cut).toMatchObject({ code: 2, stderr: expect.stringContaining("interrupted") });
    } finally {
      await postgres.stop();
    }
  });

  test("import refuses what it cannot do, with 2 and before any request", async () => {
    for (const [args, why] of [
      [["import", base("x"), "--into", "sqlite:///a.db"], "--into is postgresql://"],
      [["import", base("x"), "--into", "https://airflow.example.com"], "set AIRFLOW_API_TOKEN"],
      [["import", "--into", "postgresql://h/d"], "name a path"],
    ] as const) {
      const { code, stderr } = await run([...args]);
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(why) });
    }
  });

  test.skipIf(noPostgres)(
    "import passes over files that lead out of the folder, and a broken index is Corrupt",
    async () => {
      const postgres = await startPostgres();
      try {
        const index = join(folder, "index.jsonl");
        const into = ["import", ".", "--base", base("three"), "--into", postgres.url];
        await writeFile(index, '{"dagId":"d","runId":"r","taskId":"t","key":"k","file":"../secret.json"}\n');
        const { stdout, stderr } = await run(into);
        expect([stdout, stderr]).toEqual([expect.stringContaining("imported 0"), expect.stringContaining("leads out")]);
        await writeFile(index, "{");
        expect(await run(into)).toMatchObject({ code: 1, stderr: expect.stringContaining("Corrupt") });
      } finally {
        await postgres.stop();
      }
    },
  );
});
