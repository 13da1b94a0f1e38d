/** `fsck`: which references lead nowhere, or to something damaged. */
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, describe, expect, test, vi } from "vitest";
import { BatchError, failure } from "../../../src/errors.js";
import { openStorage } from "../../../src/index.js";
import {
  airflowReferences,
  airflowRewriter,
  type FsckProblem,
  fsck,
  lineReferences,
  memoryRows,
  type ReferenceSource,
  rowReferences,
  sweep,
  XComObjectStorageBackend,
} from "../../../src/xcom.js";
import { all } from "../../support/all.js";
import { jsonLines } from "../../support/command.js";
import { commandInProcess } from "../../support/in-process.js";
import { describeOnPostgres } from "../../support/postgres.js";
import { world } from "../../support/xcom-world.js";

const DAY = 86_400_000;
/** Runs while the clock is a week ahead, so that all objects are old. */
async function inAWeek(work: () => Promise<void>): Promise<void> {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 7 * DAY });
  try {
    await work();
  } finally {
    vi.useRealTimers();
  }
}

const root = mkdtempSync(join(tmpdir(), "stowage-fsck-"));
const storage = openStorage({ env: {} });
const BASE = `file://${root}/xcom`;
const backend = new XComObjectStorageBackend({ storage, path: BASE, threshold: 0, compression: "gzip" });
const owner = (taskId: string) => ({ dagId: "dag", runId: "run", taskId });
afterAll(async () => {
  await storage.close();
  rmSync(root, { recursive: true, force: true });
});

async function stored(taskId: string): Promise<string> {
  return (await backend.storeValue(owner(taskId), "return_value", { task: taskId })) as string;
}

async function checked(lines: string[], options: object = {}) {
  const problems: FsckProblem[] = [];
  const onProblem = (problem: FsckProblem) => void problems.push(problem);
  const report = await fsck({ storage, sources: [lineReferences(lines, "refs")], onProblem, ...options });
  return { report, problems: problems.map(({ reference, where, problem }) => [reference, where, problem]) };
}

test("missing objects are named with their row; values and whole objects are not", async () => {
  const [good, gone] = [await stored("good"), await stored("gone")];
  await storage.delete(gone);
  const rows = memoryRows();
  await rows.set({ ...owner("good"), key: "return_value" }, good);
  await rows.set({ ...owner("gone"), key: "return_value", mapIndex: 3 }, gone);
  await rows.set({ ...owner("text"), key: "return_value" }, "s3://bucket/not-an-xcom.txt");
  await rows.set({ ...owner("number"), key: "return_value" }, 5);
  const problems: FsckProblem[] = [];
  const sources = [rowReferences(rows)];
  const report = await fsck({ storage, sources, onProblem: (problem) => void problems.push(problem) });
  expect(report).toMatchObject({ checked: 2, values: 1, missing: 1, damaged: 0, unchecked: 0, elsewhere: 0 });
  expect(problems).toMatchObject([{ reference: gone, where: "dag run gone[3] return_value", problem: "missing" }]);
});

test("deep reads every object: other bytes, no JSON and another digest are damage", async () => {
  const [good, cut, noJson] = [await stored("good"), await stored("cut"), await stored("nojson")];
  await storage.write(cut, "no gzip");
  await storage.write(noJson, "{", { compression: "gzip" });
  const digesting = new XComObjectStorageBackend({ storage, path: BASE, threshold: 0, digest: true });
  const changed = (await digesting.storeValue(owner("changed"), "return_value", 1)) as string;
  await storage.write(changed, "2");
  const all = [good, cut, noJson, changed];
  expect((await checked(all)).report).toMatchObject({ checked: 4, damaged: 0 });
  const { report, problems } = await checked(all, { deep: true });
  expect(report).toMatchObject({ checked: 4, damaged: 3 });
  expect(problems.map(([reference]) => reference).sort()).toEqual([cut, noJson, changed].sort());
});

test("with a path, references to other places are foreign; those of the base and of other bases are counted", async () => {
  const here = await stored("here");
  const there = here.replace("/xcom/", "/other/");
  const { report, problems } = await checked([here, there, "s3://b/text.txt"], { path: BASE });
  expect(report).toMatchObject({ checked: 1, foreign: 1, elsewhere: 0, values: 1, missing: 0 });
  expect(problems).toEqual([[there, "refs:2", "foreign"]]);
  const also = [`file://${root}/other`];
  expect((await checked([here, there], { path: BASE, also })).report).toMatchObject({ foreign: 0, elsewhere: 1 });
  const folder = { path: `${BASE}/dag`, base: BASE };
  const aside = here.replace("/xcom/dag/", "/xcom/aside/");
  expect((await checked([here, aside], folder)).report).toMatchObject({ checked: 1, foreign: 0, elsewhere: 1 });
  // Without a path, every place is looked at.
  expect((await checked([here, there])).report).toMatchObject({ checked: 2, missing: 1, foreign: 0, listed: 0 });
});

test("a path with another connection or scheme is foreign, unless it is named; its object is no orphan", async () => {
  await using storage = openStorage();
  const path = "memory://bucket/xcom";
  const other = new XComObjectStorageBackend({ storage, path, threshold: 0 });
  const reference = (await other.storeValue(owner("t"), "k", 1)) as string;
  const renamed = reference.replace("memory://", "memory://lake@");
  await inAWeek(async () => {
    const plain = await checked([renamed], { storage, path });
    expect(plain.report).toMatchObject({ foreign: 1, orphan: 0, checked: 0, listed: 1 });
    const named = await checked([renamed], { storage, path, as: ["memory://lake@bucket/xcom"] });
    expect(named.report).toMatchObject({ foreign: 0, orphan: 0, checked: 1, missing: 0 });
    const alias = { "xcom_lake://": path };
    const aliased = reference.replace(`${path}/`, "xcom_lake://");
    expect((await checked([aliased], { storage, path, aliases: alias })).report).toMatchObject({
      checked: 1,
      orphan: 0,
    });
  });
});

test("below the path, a name of no layout is a problem, not a value", async () => {
  const strange = [`${BASE}/dag/run/task/what.json`, BASE];
  const { report, problems } = await checked([await stored("known"), ...strange], { path: BASE });
  expect(report).toMatchObject({ checked: 1, layout: 2, values: 0, missing: 0 });
  expect(problems).toEqual(strange.map((text, i) => [text, `refs:${i + 2}`, "layout"]));
});

test("objects without a reference are orphans once they are older than the grace; other files are not", async () => {
  await using storage = openStorage();
  const path = "memory://bucket/xcom";
  const backend = new XComObjectStorageBackend({ storage, path, threshold: 0 });
  const [kept, orphan] = [
    (await backend.storeValue(owner("kept"), "k", 1)) as string,
    (await backend.storeValue(owner("orphan"), "k", 1)) as string,
  ];
  await storage.write(`${path}/notes.txt`, "of another program");
  expect((await checked([kept], { storage, path })).report).toMatchObject({ listed: 3, others: 1, orphan: 0 });
  await inAWeek(async () => {
    const { report, problems } = await checked([`{"in": "${kept}"}`, kept], { storage, path });
    expect(report).toMatchObject({ listed: 3, others: 1, orphan: 1, checked: 1 });
    expect(problems).toEqual([[orphan, "", "orphan"]]);
    expect((await checked([kept], { storage, path, graceMs: 8 * DAY })).report.orphan).toBe(0);
    // What the check names is what a sweep would remove.
    const swept = await sweep({ storage, path, sources: [lineReferences([kept])] });
    expect(swept).toMatchObject({ orphaned: 1, unknown: 1 });
    expect((await checked([kept], { storage })).report).toMatchObject({ listed: 0, orphan: 0 });
  });
});

describe("with a path, the listing answers", () => {
  const path = "s3://conn@bucket/xcom";
  const looksIn = (calls: string[]) => calls.filter((call) => /^(stat|read) /.test(call));
  const filled = async (count: number) => {
    const { storage, calls } = world();
    const backend = new XComObjectStorageBackend({ storage, path, threshold: 0 });
    const references: string[] = [];
    for (let i = 0; i < count; i++)
      references.push((await backend.storeValue(owner(`t${i}`), "k", `${i}`.padStart(20))) as string);
    const check = async (sources: readonly ReferenceSource[], options: object = {}) => {
      calls.length = 0;
      const problems: FsckProblem[] = [];
      const onProblem = (problem: FsckProblem) => void problems.push(problem);
      const report = await fsck({ storage, sources, path, onProblem, ...options });
      return { report, looks: looksIn(calls), problems: problems.map((each) => [each.reference, each.problem]) };
    };
    const below = (reference: string) => reference.slice("s3://conn@bucket/".length);
    return { storage, backend, references, check, below };
  };

  test("for every reference: no request for an object, also of young ones and of references that occur twice", async () => {
    const { references, check } = await filled(40);
    const twice = [...references, ...references, "a value"];
    const { report, looks } = await check([lineReferences(twice), lineReferences(references)]);
    expect(looks).toEqual([]);
    expect(report).toMatchObject({ checked: 120, bytes: 120 * 22, listed: 40, values: 1, missing: 0, orphan: 0 });
    const aliased = references.map((one) => one.replace(`${path}/`, "old://"));
    const named = references.map((one) => one.replace("conn@", "other@"));
    const options = { aliases: { "old://": path }, as: [path.replace("conn@", "other@")] };
    const other = await check([lineReferences([...aliased, ...named])], options);
    expect([other.report.checked, other.report.foreign, other.looks]).toEqual([80, 0, []]);
  });

  test("but a missing object is looked for once more, and one that was written meanwhile is found", async () => {
    const { storage, backend, references, check, below } = await filled(10);
    await storage.delete(references[3]!);
    let late = "";
    const source: ReferenceSource = {
      name: "rows",
      async *references() {
        late = (await backend.storeValue(owner("late"), "k", "late")) as string;
        for (const text of [...references, late]) yield { text, where: "row" };
      },
    };
    const { report, looks, problems } = await check([source]);
    expect(looks.sort()).toEqual([references[3]!, late].map((one) => `stat ${below(one)}`).sort());
    expect(report).toMatchObject({ checked: 11, missing: 1, listed: 9 });
    expect(problems).toEqual([[references[3], "missing"]]);
  });

  test("and a size that is not the stated one is looked at once more: it may have been written again", async () => {
    const { storage, references, check, below } = await filled(3);
    const [same, changed, wrong] = references as [string, string, string];
    const source: ReferenceSource = {
      name: "rows",
      async *references() {
        await storage.write(changed, '"another"');
        yield { text: same, where: "row", plainSize: 22 };
        yield { text: changed, where: "row", plainSize: 9 };
        yield { text: wrong, where: "row", plainSize: 21 };
      },
    };
    const { report, looks, problems } = await check([source]);
    expect(looks.sort()).toEqual([changed, wrong].map((one) => `stat ${below(one)}`).sort());
    expect(problems).toEqual([[wrong, "size"]]);
    expect(report).toMatchObject({ checked: 3, bytes: 22 + 9 + 22 });
  });

  test("what onProblem throws ends the check, and is no problem of the object", async () => {
    const { storage, references } = await filled(1);
    const source: ReferenceSource = {
      name: "rows",
      async *references() {
        yield { text: references[0]!, where: "row", plainSize: 21 };
      },
    };
    const thrown = failure("NotFound", "of the caller");
    const onProblem = vi.fn(() => Promise.reject(thrown));
    await expect(fsck({ storage, sources: [source], onProblem })).rejects.toBe(thrown);
    expect(onProblem).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ problem: "size" }));
  });

  test("not for a deep check, which reads every object", async () => {
    const { references, check } = await filled(2);
    const { report, looks } = await check([lineReferences(references)], { deep: true });
    expect([report.checked, looks.filter((call) => call.startsWith("read")).length]).toEqual([2, 2]);
  });

  test("of what could not be listed, every reference is looked at", async () => {
    const { references, storage, check } = await filled(2);
    const folder = `${path}/dag/run`;
    const blind = new Proxy(storage, {
      get(target, name) {
        const found: unknown = Reflect.get(target, name);
        const list = async function* () {
          const error = failure("PermissionDenied", "").at("list", folder);
          yield* [];
          throw new BatchError({
            op: "list",
            path,
            what: "not listed",
            failures: [{ path: folder, error }],
            failureCount: 1,
            completed: 0,
            retryable: false,
          });
        };
        return name === "list" ? list : typeof found === "function" ? found.bind(target) : found;
      },
    });
    const { report, looks } = await check([lineReferences(references)], { storage: blind });
    expect(looks).toHaveLength(2);
    expect(report).toMatchObject({ checked: 2, missing: 0, unchecked: 1, listed: 0 });
  });
});

test("a size that the reference states is compared: plain at once, compressed when it is read", async () => {
  const plainly = new XComObjectStorageBackend({ storage, path: BASE, threshold: 0 });
  const plain = (await plainly.storeValue(owner("plain"), "k", "12345")) as string;
  const packed = (await backend.storeValue(owner("packed"), "k", "12345")) as string;
  const stating = (plainSize: number): ReferenceSource => ({
    name: "stated",
    async *references() {
      for (const text of [plain, packed]) yield { text, where: "row", plainSize };
    },
  });
  const problemsOf = async (plainSize: number, deep: boolean) => {
    const { problems } = await checked([], { sources: [stating(plainSize)], deep });
    return problems.map(([reference, , problem]) => [reference, problem]);
  };
  expect(await problemsOf(7, true)).toEqual([]);
  expect(await problemsOf(8, false)).toEqual([[plain, "size"]]);
  expect((await problemsOf(8, true)).sort()).toEqual(
    [
      [plain, "size"],
      [packed, "size"],
    ].sort(),
  );
});

test("a place that cannot be listed is unchecked; a refused look is no missing object", async () => {
  const unknown = "s3://nobody@bucket/xcom/dag/run/task/write-00000000-0000-4000-8000-000000000000/key.json";
  const { report, problems } = await checked([unknown]);
  expect(report).toMatchObject({ checked: 1, unchecked: 1, missing: 0 });
  expect(problems).toEqual([[unknown, "refs:1", "unchecked"]]);
});

test("a source that fails ends the check; options that do not exist are refused", async () => {
  async function* failing() {
    yield await stored("one");
    throw new Error("the database went away");
  }
  await expect(fsck({ storage, sources: [lineReferences(failing())] })).rejects.toThrow("went away");
  const lost = [{ base: BASE }, { as: [BASE] }, { also: [BASE] }, { path: BASE, base: `${BASE}/dag` }];
  const values = [{ graceMs: -1 }, { layout: {} }, { layout: null }];
  for (const wrong of [{ sources: [] }, { concurrency: 0 }, { dep: true }, ...lost, ...values])
    await expect(fsck({ storage, sources: [lineReferences([])], ...wrong } as never)).rejects.toMatchObject({
      code: "InvalidArgument",
    });
});

describe("the command", () => {
  test("prints problems and a sum, and exits with 1; all well is 0", async () => {
    const [good, gone] = [await stored("a"), await stored("b")];
    await storage.delete(gone);
    writeFileSync(join(root, "refs.txt"), `${good}\r\n\n${gone}\n`);
    const run = (...args: string[]) => commandInProcess(["fsck", ...args], { cwd: root, input: `${good}\n` });
    const found = await run("--refs", "refs.txt");
    expect(found.stdout).toContain(`missing    ${gone}`);
    expect(found.stdout).toContain("2 references");
    expect(found.code).toBe(1);
    const json = jsonLines((await run("--json", "--refs", "refs.txt")).stdout);
    expect(json[0]).toMatchObject({ reference: gone, problem: "missing", where: "refs.txt:3" });
    expect(json.at(-1)).toMatchObject({ checked: 2, missing: 1 });
    expect((await run("--deep", "--refs", "-")).code).toBe(0);
    expect((await run("--refs", "none.txt")).code).toBe(1);
    expect((await run()).code).toBe(2);
    expect((await run("--also", "x", "--refs", "-")).code).toBe(2);
  });

  test("with a path it names foreign references and orphans, one a line, and exits with 1", async () => {
    const folder = mkdtempSync(join(root, "both-"));
    const path = `file://${folder}`;
    const here = new XComObjectStorageBackend({ storage, path, threshold: 0 });
    const [kept, orphan] = [
      (await here.storeValue(owner("kept"), "k", 1)) as string,
      (await here.storeValue(owner("orphan"), "k", 1)) as string,
    ];
    const foreign = await stored("foreign");
    const run = (lines: string[], ...args: string[]) =>
      commandInProcess(["fsck", "--refs", "-", path, ...args], { cwd: root, input: lines.join("\n") });
    expect((await run([kept, orphan], "--json")).code).toBe(0);
    for (const one of [kept, orphan]) {
      const time = new Date(Date.now() - 7 * DAY);
      utimesSync(one.slice("file://".length), time, time);
    }
    const { stdout, code } = await run([kept], "--json");
    expect(code).toBe(1);
    expect(jsonLines(stdout)[0]).toMatchObject({ reference: orphan, problem: "orphan" });
    expect((await run([kept], "--grace", "8d")).code).toBe(0);
    expect((await run([kept, orphan, foreign], "--json")).code).toBe(1);
    const shown = await run([kept, foreign, `${path}/strange.json`]);
    expect(shown.stdout).toMatch(/foreign .*layout .*strange.*1 foreign; 1 without a known layout/s);
    expect(shown.stdout).toContain("1 object without a reference");
    const also = await run([kept, orphan, foreign], "--also", BASE);
    expect([also.code, also.stdout.includes("1 are elsewhere")]).toEqual([0, true]);
  });
});

test("a database of SQLite without a table of XComs is refused, also with nothing but archives of one", async () => {
  for (const names of [[], ["_airflow_deleted__xcom__1", "variable"]]) {
    const query = async (text: string) => {
      if (text.includes("pg_catalog")) throw Object.assign(new Error("no such table"), { code: "ERR_SQLITE_ERROR" });
      return { rows: (text.includes("sqlite_master") ? names : ["main"]).map((name) => ({ name })) };
    };
    const checking = fsck({ storage: openStorage({ env: {} }), sources: [airflowReferences(query)] });
    await expect(checking).rejects.toMatchObject({
      code: "NotFound",
      detail: "there is no table xcom in the schema main: name the database of Airflow, as its login sees it",
    });
  }
});

await describeOnPostgres("Airflow's database", (database) => {
  test("without a table of XComs it is another one, and refused; an empty table is fine", async () => {
    await database.pool.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    const query = (text: string, values: unknown[]) => database.pool.query(text, values);
    for (const source of [airflowReferences(query), airflowRewriter(query)])
      await expect(all(source.references())).rejects.toMatchObject({
        code: "NotFound",
        detail: expect.stringContaining("no table xcom in the schema public"),
      });
    await database.pool.query("CREATE TABLE xcom (value jsonb)");
    expect(await all(airflowReferences(query).references())).toEqual([]);
    await database.pool.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
  });

  test("every attempt and every archive counts, over many pages, and nothing else", async () => {
    const tables = ["xcom_v1", "xcom_v2", "_airflow_deleted__xcom__20260101", "xcom_other", "variable"];
    for (const table of tables) await database.pool.query(`CREATE TABLE "${table}" (value jsonb)`);
    const fill = (table: string, count: number) =>
      database.pool.query(
        `INSERT INTO "${table}" SELECT to_jsonb('s3://b/' || '${table}' || '/é/' || n) FROM generate_series(1, ${count}) AS n`,
      );
    await fill("xcom_v1", 10);
    await fill("xcom_v2", 4500);
    await fill("_airflow_deleted__xcom__20260101", 3);
    await fill("xcom_other", 5);
    await database.pool.query(
      `INSERT INTO xcom_v1 VALUES ('5'), ('"text"'), ('{"a": "s3://b/c"}'), (NULL), ('"s3://b/xcom_v1/é/1"')`,
    );
    // As Airflow's: of several columns and types. Archives have none.
    await database.pool.query(
      "ALTER TABLE xcom_v2 ADD run uuid DEFAULT gen_random_uuid(), ADD task text DEFAULT 'té', ADD n serial",
    );
    await database.pool.query("ALTER TABLE xcom_v2 ADD PRIMARY KEY (task, run, n)");
    const found: string[] = [];
    const inside: string[] = [];
    const source = airflowReferences((text, values) => database.pool.query(text, values));
    for await (const { text, isInside } of source.references()) (isInside ? inside : found).push(text);
    expect(inside).toEqual(["s3://b/c"]);
    expect(found).toHaveLength(4514);
    expect(new Set(found).size).toBe(4513);
    expect(found.filter((text) => text.includes("xcom_other"))).toEqual([]);
    expect(found).toContain("s3://b/_airflow_deleted__xcom__20260101/é/3");
  });

  test("archives of many blocks are read whole, and rows that move to a new one meanwhile are found there", {
    timeout: 60_000,
  }, async () => {
    await database.pool.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    const fill = (table: string, start: string, count: number) =>
      database.pool.query(
        `CREATE TABLE ${table} AS SELECT n, to_jsonb('${start}' || n || repeat('x', 200)) AS value FROM generate_series(1, ${count}) AS n`,
      );
    await fill("xcom", "s3://b/", 4500);
    await database.pool.query("ALTER TABLE xcom ADD PRIMARY KEY (n)");
    await fill("_airflow_deleted__xcom__2", "s3://c/", 30_000);
    const reading = airflowReferences((text, values) => database.pool.query(text, values)).references();
    const found = new Set<string>();
    for await (const { text } of reading) {
      if (found.size === 0) {
        await database.pool.query("CREATE TABLE _airflow_deleted__xcom__3 AS SELECT * FROM xcom");
        await database.pool.query("DELETE FROM xcom");
      }
      found.add(text);
    }
    expect([...found].filter((text) => text.startsWith("s3://c/"))).toHaveLength(30_000);
    expect([...found].filter((text) => text.startsWith("s3://b/"))).toHaveLength(4500);
  });

  test("pickled values that Airflow 3.0's migration has archived count, in every protocol", async () => {
    await database.pool.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    const columns = "(run int, key text, value bytea, PRIMARY KEY (run, key))";
    const paths = ["s3://b/x/é", `s3://b/${"long/".repeat(80)}key`, "gs://b/nested"];
    // `pickle.dumps(path, protocol)` of Python: 4, 2, and of a list in 4.
    const framed = (path: string) => {
      const bytes = Buffer.from(path);
      const length = bytes.length < 256 ? Buffer.from([0x8c, bytes.length]) : Buffer.from([0x58, 0, 0, 0, 0]);
      if (bytes.length >= 256) length.writeUInt32LE(bytes.length, 1);
      return Buffer.concat([length, bytes]);
    };
    const pickles = [
      Buffer.concat([Buffer.from("8004951400000000000000", "hex"), framed(paths[0]!), Buffer.from("942e", "hex")]),
      Buffer.concat([Buffer.from("8002", "hex"), framed(paths[1]!), Buffer.from("71002e", "hex")]),
      Buffer.concat([Buffer.from("80045d94", "hex"), framed(paths[2]!), Buffer.from("94612e", "hex")]),
      Buffer.from("80044b052e", "hex"),
    ];
    for (const table of ["_xcom_archive", "_airflow_deleted___xcom_archive__1"]) {
      await database.pool.query(`CREATE TABLE ${table} ${columns}`);
      for (const [i, value] of pickles.entries())
        await database.pool.query(`INSERT INTO ${table} VALUES (${i}, 'k', $1)`, [value]);
    }
    await database.pool.query(`CREATE TABLE xcom AS SELECT '"s3://b/c"'::jsonb AS value`);
    const source = airflowReferences((text, values) => database.pool.query(text, values));
    const found = await all(source.references());
    for (const path of paths)
      expect(found.filter(({ text }) => text === path).map(({ where }) => where)).toEqual([
        "_airflow_deleted___xcom_archive__1",
        "_xcom_archive",
      ]);
    // They are not JSON: migrate counts them and leaves them alone.
    const rewritten = await all(airflowRewriter((text, values) => database.pool.query(text, values)).references());
    expect(rewritten.filter(({ isInside }) => !isInside).map(({ where }) => where)).toEqual(["xcom"]);
    expect(rewritten.filter(({ isInside }) => isInside).map(({ text }) => text)).toEqual(expect.arrayContaining(paths));
  });

  test("a database that goes away in the middle ends it", async () => {
    await database.pool.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    await database.pool.query(
      "CREATE TABLE xcom AS SELECT n, to_jsonb('s3://b/' || n) AS value FROM generate_series(1, 5000) AS n",
    );
    await database.pool.query("ALTER TABLE xcom ADD PRIMARY KEY (n)");
    const client = new pg.Client({ connectionString: database.url });
    client.on("error", () => {});
    await client.connect();
    const { rows } = await client.query("SELECT pg_backend_pid() AS pid");
    await using storage = openStorage();
    const base = "memory://b/xcom";
    const backend = new XComObjectStorageBackend({ storage, path: base, threshold: 0 });
    await backend.storeValue({ dagId: "d", runId: "r", taskId: "t" }, "k", 1);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 30 * 86_400_000 });
    let pages = 0;
    const source = airflowReferences(async (text, values) => {
      if (text.includes("AS reference")) pages += 1;
      if (pages === 2) await database.pool.query("SELECT pg_terminate_backend($1)", [rows[0].pid]);
      return client.query(text, values);
    });
    try {
      const sweeping = sweep({ storage, path: base, sources: [source], delete: true, maxShare: 1 });
      await expect(sweeping).rejects.toMatchObject({ code: "Unavailable" });
      expect(pages).toBe(2);
    } finally {
      vi.useRealTimers();
    }
    expect(await all(storage.list(base, { recursive: true }))).toHaveLength(1);
  });

  test("a table that this login may not read ends it: its references would be overlooked", async () => {
    await database.pool.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    await database.pool.query(`CREATE TABLE xcom AS SELECT '"s3://b/c"'::jsonb AS value`);
    await database.pool.query("CREATE TABLE _airflow_deleted__xcom__4 AS SELECT * FROM xcom");
    await database.pool.query(
      "CREATE ROLE reader; GRANT USAGE ON SCHEMA public TO reader; GRANT SELECT ON xcom TO reader",
    );
    const client = await database.pool.connect();
    await client.query("SET ROLE reader");
    const reading = all(airflowReferences((text, values) => client.query(text, values)).references());
    await expect(reading).rejects.toMatchObject({ code: "PermissionDenied" });
    client.release(true);
  });
});
