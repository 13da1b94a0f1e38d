/** Sweep and fsck of claims: which objects, which references, and what two writers of one value may do meanwhile. */
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Claims, claimReferences, claimsLayout } from "../../src/claims.js";
import { openStorage } from "../../src/index.js";
import { dbosReferences } from "../../src/runtimes/dbos.js";
import { langgraphReferences } from "../../src/runtimes/langgraph.js";
import { type FsckProblem, fsck, type ReferenceSource, sweep } from "../../src/xcom.js";
import { all } from "../support/all.js";
import { jsonLines } from "../support/command.js";
import { commandInProcess } from "../support/in-process.js";
import { describeOnPostgres } from "../support/postgres.js";

const HOUR = 3_600_000;
const storage = openStorage({ env: {} });
const root = mkdtempSync(join(tmpdir(), "stowage-claims-sweep-"));
afterAll(async () => {
  await storage.close();
  rmSync(root, { recursive: true, force: true });
});

let made = 0;
// A base with a space and a bracket: no path in other text ends there.
const place = () => `memory://claims/a (b) ${made++}/c`;

const layout = claimsLayout({ refreshAfter: "12h" });

describe("in memory", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-03-01T00:00:00Z") }));
  afterEach(() => void vi.useRealTimers());
  const later = (hours: number) => vi.setSystemTime(Date.now() + hours * HOUR);

  test("what no reference names is swept, in every form of name; files of others stay", async () => {
    const path = place();
    const claims = new Claims({ storage, path, threshold: 10, refreshAfter: "12h" });
    const packed = new Claims({ storage, path, threshold: 10, compression: "gzip" });
    const [kept, inner, zipped] = [
      await claims.encode("a value that is kept"),
      await claims.value({ rows: "a value inside of another" }, { unique: true, scope: ["t", "a/b"] }),
      await packed.encode("a value that is compressed"),
    ];
    for (const text of ["gone one", "gone two"]) await claims.put(Buffer.from(text), { unique: text.endsWith("two") });
    await storage.write(`${path}/notes.txt`, "of another program");
    later(48);
    const rows = [kept, JSON.stringify({ deep: [{ job: inner }] }), zipped, "plain text", "", "{"];
    const sources = [claimReferences(rows)];
    const dry = await sweep({ storage, path, sources, layout });
    expect(dry).toMatchObject({ listed: 6, unknown: 1, considered: 5, referenced: 3, orphaned: 2 });
    const problems: FsckProblem[] = [];
    const onProblem = (problem: FsckProblem) => void problems.push(problem);
    const report = await fsck({ storage, path, sources, layout, deep: true, onProblem });
    expect(report).toMatchObject({ checked: 3, orphan: 2, others: 1, missing: 0, damaged: 0, size: 0 });
    const swept = await sweep({ storage, path, sources, layout, delete: true });
    expect(swept).toMatchObject({ deleted: 2, failed: 0 });
    expect(await claims.decode(kept)).toBe("a value that is kept");
    expect(await claims.resolve(inner)).toEqual({ rows: "a value inside of another" });
    expect(await all(storage.list(path, { recursive: true }))).toHaveLength(4);
  });

  test("an object that is stored again while a sweep runs is written again, and stays", async () => {
    const path = place();
    const claims = new Claims({ storage, path, threshold: 10, refreshAfter: "12h" });
    const kept = await claims.encode("a value that is kept");
    const text = await claims.encode("a value of two jobs");
    later(48);
    const racing: ReferenceSource = {
      name: "rows",
      async *references() {
        yield* claimReferences([kept]).references();
        // The row of this one is written after the rows were read.
        expect(await claims.encode("a value of two jobs")).toBe(text);
      },
    };
    const report = await sweep({ storage, path, sources: [racing], layout, delete: true });
    expect(report).toMatchObject({ orphaned: 1, deleted: 0, changed: 1 });
    expect(await claims.decode(text)).toBe("a value of two jobs");
  });

  test("nothing is deleted unless the grace is as long as objects are not written again", async () => {
    const path = place();
    const sources = [claimReferences(["x"])];
    const swept = (layout: ReturnType<typeof claimsLayout>, more: object) =>
      sweep({ storage, path, sources: [...sources], layout, delete: true, ...more });
    await expect(swept(claimsLayout(), {})).rejects.toThrow(/refreshAfter/);
    await expect(swept(claimsLayout({ refreshAfter: "2d" }), {})).rejects.toThrow(/172800000/);
    await expect(swept(claimsLayout({ refreshAfter: "2d" }), { graceMs: 0, force: true })).rejects.toThrow(/172800000/);
    // Nothing is there that would need a reference.
    for (const one of [claimsLayout({ refreshAfter: "1d" }), claimsLayout({ unique: true })])
      await expect(swept(one, {})).resolves.toMatchObject({ listed: 0, deleted: 0 });
    expect(() => claimsLayout({ refreshAfter: "soon" })).toThrow(/InvalidArgument/);
  });

  test("with `unique`, objects that values share are left alone", async () => {
    const path = place();
    const claims = new Claims({ storage, path, threshold: 10 });
    const mine = await claims.encode("a value of its own", { unique: true });
    await claims.encode("a value of its own, gone", { unique: true });
    await claims.encode("a value that is shared");
    later(48);
    const report = await sweep({
      storage,
      path,
      sources: [claimReferences([mine])],
      layout: claimsLayout({ unique: true }),
    });
    expect(report).toMatchObject({ listed: 3, unknown: 1, considered: 2, orphaned: 1 });
  });

  test("a check finds objects of another size and other bytes, and references to other paths", async () => {
    const path = place();
    const claims = new Claims({ storage, path, threshold: 10 });
    const texts = ["a value that is cut", "a value that is swapped", "a value that is whole", "one that is gone"];
    const rows = await Promise.all(texts.map((text) => claims.encode(text)));
    const urlOf = (row: string) => claims.reference(row)!.url;
    await storage.write(urlOf(rows[0]!), "a value");
    await storage.write(urlOf(rows[1]!), "a value that is SWAPPED");
    await storage.delete(urlOf(rows[3]!));
    const foreign = await new Claims({ storage, path: place(), threshold: 0 }).encode("elsewhere");
    const problems: FsckProblem[] = [];
    const sources = [claimReferences([...rows, foreign], "jobs")];
    const onProblem = (problem: FsckProblem) => void problems.push(problem);
    const report = await fsck({ storage, path, sources, layout: claimsLayout(), deep: true, onProblem });
    expect(report).toMatchObject({ checked: 4, size: 1, damaged: 1, missing: 1, foreign: 1, orphan: 0, layout: 0 });
    const kinds = problems.map(({ reference, problem, where }) => [reference.slice(-64), problem, where]);
    expect(kinds).toContainEqual([urlOf(rows[0]!).slice(-64), "size", "jobs:1"]);
    expect(kinds).toContainEqual([urlOf(rows[1]!).slice(-64), "damaged", "jobs:2"]);
  });

  test("a reference that cannot be read ends both, also inside of other values", async () => {
    const path = place();
    const claims = new Claims({ storage, path, threshold: 0 });
    const good = await claims.encode("good");
    const wrong = [
      good.replace('"v":1', '"v":2'),
      good.replace('"size":4', '"size":-4'),
      `[${good.replace('"v":1', '"v":9')}]`,
    ];
    for (const row of wrong)
      for (const operation of [sweep, fsck])
        await expect(
          (operation as typeof sweep)({ storage, path, sources: [claimReferences([good, row], "jobs")], layout }),
        ).rejects.toThrow(/Corrupt.*jobs:2/);
  });

  test("names that a server could change are no objects of ours", () => {
    const digest = "0".repeat(64);
    for (const key of [
      `../d/sha256/${digest}`,
      `a//d/sha256/${digest}`,
      `a/./d/sha256/${digest}`,
      "d/sha256/",
      `d/sha256/${digest}.txt`,
    ])
      expect([key, layout.parse(key)]).toEqual([key, undefined]);
    expect(layout.parse(`v0/ns/default/wt/type/d/sha256/${digest}`)).toMatchObject({ sha256: digest });
  });
});

test("the command: --claims reads references from a file", async () => {
  const path = `file://${root}/claims`;
  const claims = new Claims({ storage, path, threshold: 0 });
  const [kept, gone] = [await claims.encode("kept"), await claims.encode("gone")];
  for (const row of [kept, gone]) {
    const time = new Date(Date.now() - 48 * HOUR);
    utimesSync(claims.reference(row)!.url.slice("file://".length), time, time);
  }
  writeFileSync(join(root, "refs.jsonl"), `${kept}\n`);
  const run = (...args: string[]) => commandInProcess(args, { cwd: root });
  const refs = ["--claims", "--refs", "refs.jsonl", path];
  const checked = await run("fsck", "--json", "--deep", ...refs);
  expect([checked.code, jsonLines(checked.stdout).at(-1)]).toEqual([
    1,
    expect.objectContaining({ checked: 1, orphan: 1 }),
  ]);
  expect((await run("sweep", "--delete", ...refs)).code).toBe(2);
  expect((await run("sweep", "--refresh-after", "12h", "--refs", "refs.jsonl", path)).code).toBe(2);
  expect((await run("sweep", "--claims", "--database", "x.db", path)).code).toBe(2);
  expect((await run("fsck", "--dbos")).code).toBe(2);
  const swept = await run("sweep", "--json", "--delete", "--refresh-after", "12h", ...refs);
  expect([swept.code, jsonLines(swept.stdout).at(-1)]).toEqual([
    0,
    expect.objectContaining({ deleted: 1, referenced: 1 }),
  ]);
  expect(await claims.decode(kept)).toBe("kept");
});

await describeOnPostgres("tables of runtimes", (database) => {
  const query = (text: string, values: unknown[]) => database.pool.query(text, values);
  const reference = (name: string) => {
    const sha256 = Buffer.from(name).toString("hex").padEnd(64, "0");
    const url = `s3://lake@b/p/d/sha256/${sha256}`;
    return { url, text: JSON.stringify({ $stowage: { v: 1, url, sha256, size: 5 } }) };
  };

  test("every text, JSON and binary column of every table is read, over many pages, with and without a key", async () => {
    const one = (name: string) => reference(name).text;
    await database.pool.query(`CREATE SCHEMA "we""ird"`);
    const at = (table: string) => `"we""ird"."${table}"`;
    await database.pool.query(`CREATE TABLE ${at("workflow_status")} (id text PRIMARY KEY, input text, n int)`);
    await database.pool.query(
      `CREATE TABLE ${at("operation_outputs")} (id int, kind text, output jsonb, PRIMARY KEY (id, kind))`,
    );
    await database.pool.query(`CREATE TABLE ${at("events")} (value bytea, list text[])`);
    await database.pool.query(
      `INSERT INTO ${at("workflow_status")} VALUES ('a', $1, 1), ('b', 'text', 2), ('c', NULL, 3)`,
      [one("i")],
    );
    await database.pool.query(
      `INSERT INTO ${at("operation_outputs")}
         SELECT n, 'k', jsonb_build_object('in', replace($1, '00000', lpad(n::text, 5, '0'))::jsonb) FROM generate_series(1, 4500) AS n`,
      [`{"x": 1}`],
    );
    const outputs = Array.from({ length: 4500 }, (_, n) => one(`o${n}`));
    await database.pool.query(
      `UPDATE ${at("operation_outputs")} SET output = t.v::jsonb FROM (SELECT v, i FROM unnest($1::text[]) WITH ORDINALITY AS u(v, i)) AS t WHERE id = t.i`,
      [outputs],
    );
    await database.pool.query(`INSERT INTO ${at("events")} VALUES ($1, ARRAY[$2]), ($3, NULL)`, [
      Buffer.from(one("bytes")),
      one("list"),
      Buffer.from([0xff, 0x00]),
    ]);
    const found = await all(dbosReferences(query, { schema: 'we"ird' }).references());
    const texts = new Set(found.map(({ text }) => text));
    for (const name of ["i", "bytes", ...Array.from({ length: 4500 }, (_, n) => `o${n}`)])
      expect(texts.has(reference(name).url)).toBe(true);
    expect([...texts].some((text) => text.includes(reference("list").url))).toBe(true);
    expect(found.find(({ text }) => text === reference("i").url)).toMatchObject({
      where: "workflow_status",
      plainSize: 5,
    });
    expect(found.some(({ text }) => text === "text")).toBe(false);
    // What moves from the others to these is read after them.
    expect(found.at(-1)?.where).toBe("workflow_status");
    expect(found[0]?.where).toBe("events");
  });

  test("a message that becomes a step's output meanwhile is found there", async () => {
    await database.pool.query("CREATE SCHEMA moving");
    await database.pool.query("CREATE TABLE moving.notifications (id int PRIMARY KEY, message text)");
    for (const table of ["workflow_status", "operation_outputs"])
      await database.pool.query(`CREATE TABLE moving.${table} (id int PRIMARY KEY, value text)`);
    await database.pool.query("INSERT INTO moving.notifications VALUES (1, $1)", [reference("m").text]);
    let hasMoved = false;
    const moving = async (text: string, values: unknown[]) => {
      const result = await database.pool.query(text, values);
      // As soon as one of the two tables was read.
      if (/^SELECT CASE.*(operation_outputs|notifications)/.test(text) && !hasMoved) {
        hasMoved = true;
        await database.pool.query("INSERT INTO moving.operation_outputs SELECT id, message FROM moving.notifications");
        await database.pool.query("DELETE FROM moving.notifications");
      }
      return result;
    };
    const found = await all(dbosReferences(moving, { schema: "moving" }).references());
    expect(hasMoved && found.length > 0).toBe(true);
  });

  test("another database, a table that may not be read and a row that cannot be read end it", async () => {
    await expect(all(langgraphReferences(query).references())).rejects.toThrow(/NotFound.*checkpoints/);
    for (const table of ["checkpoints", "checkpoint_blobs", "checkpoint_writes"])
      await database.pool.query(`CREATE TABLE ${table} (id int PRIMARY KEY, value text)`);
    await database.pool.query("CREATE TABLE other (value text)");
    await database.pool.query("INSERT INTO other VALUES ($1)", [reference("other").text]);
    expect(await all(langgraphReferences(query).references())).toEqual([]);
    await database.pool.query("INSERT INTO checkpoint_blobs VALUES (1, $1)", [
      reference("x").text.replace('"v":1', '"v":3'),
    ]);
    await expect(all(langgraphReferences(query).references())).rejects.toThrow(/Corrupt.*checkpoint_blobs/);
    await database.pool.query(
      "CREATE ROLE reader; GRANT USAGE ON SCHEMA public TO reader; GRANT SELECT ON checkpoints TO reader",
    );
    const client = await database.pool.connect();
    await client.query("SET ROLE reader");
    const reading = all(langgraphReferences((text, values) => client.query(text, values)).references());
    await expect(reading).rejects.toMatchObject({ code: "PermissionDenied" });
    client.release(true);
    expect(() => dbosReferences(undefined as never)).toThrow(/InvalidArgument/);
    expect(() => dbosReferences(query, { schema: "" })).toThrow(/InvalidArgument/);
  });
});
