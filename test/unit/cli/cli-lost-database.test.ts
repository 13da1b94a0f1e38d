/** A Postgres that ends the connection of a command: a typed failure, with what was done, and never a crash. */
import { mkdtempSync, readdirSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { beforeEach, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import { run } from "../../../src/cli/program.js";
import { postgresQuery } from "../../../src/cli/xcom/rows.js";
import { openStorage } from "../../../src/index.js";
import { jsonLines } from "../../support/command.js";
import { collectedIo } from "../../support/in-process.js";
import { describeOnPostgres } from "../../support/postgres.js";

const COUNT = 40;

await describeOnPostgres("a connection that Postgres ends", (database) => {
  let root: string;
  let [from, to, url] = ["", "", ""];
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), "stowage-lost-"));
    [from, to, url] = [`file://${root}/old`, `file://${root}/new`, `${database.url}?application_name=lost`];
    await database.pool.query("DROP TABLE IF EXISTS xcom; CREATE TABLE xcom (id serial PRIMARY KEY, value jsonb)");
    const storage = openStorage({ env: {} });
    const backend = new XComObjectStorageBackend({ storage, path: from, threshold: 0 });
    for (let i = 0; i < COUNT; i++) {
      const text = String(await backend.storeValue({ dagId: "d", runId: "r", taskId: `t${i}` }, "k", { i }));
      utimesSync(text.slice("file://".length), 0, 1_000_000_000);
      await database.pool.query("INSERT INTO xcom (value) VALUES ($1)", [JSON.stringify(text)]);
    }
    await storage.close();
    return () => rmSync(root, { recursive: true, force: true });
  });

  /** Ends the command's connection, and waits until the client has seen it. */
  async function end(): Promise<void> {
    const own = "FROM pg_stat_activity WHERE application_name = 'lost'";
    await database.pool.query(`SELECT pg_terminate_backend(pid) ${own}`);
    while ((await database.pool.query(`SELECT 1 ${own}`)).rows.length > 0);
    await new Promise((done) => setTimeout(done, 50));
  }

  /** Runs a command whose connection ends when it prints its first line. */
  async function cut(args: string[]) {
    const { io, stderr } = collectedIo({ cwd: root });
    let stdout = "";
    const stream = new Writable({
      write(chunk, _, done) {
        const isFirst = stdout === "";
        stdout += chunk;
        if (isFirst) end().then(() => done(), done);
        else done();
      },
    });
    const code = await run(args, { ...io, stdout: { ...io.stdout, stream } });
    return { code, stdout, stderr: stderr() };
  }

  test("fails the next statement by its own reason", async () => {
    const { query, close } = await postgresQuery(url);
    expect((await query("SELECT 1 AS one", [])).rows).toEqual([{ one: 1 }]);
    await end();
    await expect(query("SELECT 1 AS one", [])).rejects.toMatchObject({ code: "57P01" });
    await close();
  });

  test("ends a migration that was copying, which says what it has done and can be repeated", async () => {
    const args = ["migrate", from, to, "--database", url, "--json"];
    const { code, stdout, stderr } = await cut(args);
    expect(code).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: "Unavailable", retryable: true } });
    expect(jsonLines(stdout).at(-1)).toMatchObject({ action: "migration", copied: COUNT, rewritten: 0, stopped: true });
    const { io, data } = collectedIo({ cwd: root });
    expect(await run(["migrate", from, to, "--database", url], io)).toBe(0);
    expect(String(data())).toContain(`0 objects copied, 0 B; ${COUNT} already there; ${COUNT} rows changed`);
  });

  test("is none of a sweep that has read all rows: it moves what is left", async () => {
    await database.pool.query("DELETE FROM xcom WHERE id > 1");
    const args = ["sweep", from, "--database", url, "--json", "--max-share", "1", "--trash", to];
    const { code, stdout, stderr } = await cut(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(jsonLines(stdout).at(-1)).toMatchObject({ action: "swept", moved: COUNT - 1, failed: 0 });
    expect(readdirSync(`${root}/new/d/r`)).toHaveLength(COUNT - 1);
  });
});

test("a sweep that is interrupted says what it has moved", async () => {
  const root = mkdtempSync(join(tmpdir(), "stowage-interrupted-"));
  const storage = openStorage({ env: {} });
  const backend = new XComObjectStorageBackend({ storage, path: `file://${root}/old`, threshold: 0 });
  for (let i = 0; i < COUNT; i++) {
    const text = String(await backend.storeValue({ dagId: "d", runId: "r", taskId: `t${i}` }, "k", { i }));
    utimesSync(text.slice("file://".length), 0, 1_000_000_000);
  }
  await storage.close();
  const { io, data } = collectedIo({ cwd: root, input: `file://${root}/old/d/r/none/k\n` });
  const controller = new AbortController();
  const stream = new Writable({
    write(chunk, _, done) {
      controller.abort();
      (io.stdout.stream as Writable).write(chunk, done);
    },
  });
  const args = ["sweep", "old", "--refs", "-", "--trash", "trash", "--max-share", "1", "--concurrency", "3", "--json"];
  const code = await run(args, { ...io, signal: controller.signal, stdout: { ...io.stdout, stream } });
  expect(code).toBe(1);
  const sums = jsonLines(String(data())).at(-1) as { moved: number };
  expect(sums).toMatchObject({ action: "swept", stopped: true });
  const filesIn = (folder: string) =>
    readdirSync(`${root}/${folder}`, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
  expect(sums.moved).toBe(COUNT - filesIn("old"));
  // A copy whose original is still there is taken by the next run.
  expect(filesIn("trash")).toBeGreaterThanOrEqual(sums.moved);
  expect(filesIn("trash")).toBeLessThanOrEqual(sums.moved + 3);
  rmSync(root, { recursive: true, force: true });
});
