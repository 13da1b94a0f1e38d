/** DBOS workflows whose inputs, outputs, steps, events and messages are objects. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DBOS, DBOSClient } from "@dbos-inc/dbos-sdk";
import type pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { claimsLayout } from "../../../src/claims.js";
import { openStorage } from "../../../src/index.js";
import { dbosReferences, offloadSerializer } from "../../../src/runtimes/dbos.js";
import { fsck, sweep } from "../../../src/xcom.js";
import { jsonLines } from "../../support/command.js";
import { commandInProcess } from "../../support/in-process.js";
import { openPool, type Postgres, startPostgres } from "../../support/postgres.js";

const storage = openStorage({ env: {} });
const folder = mkdtempSync(join(tmpdir(), "stowage-dbos-"));
const PATH = `file://${folder}/values`;
const LARGE = "a large value ".repeat(20_000);
const serializer = offloadSerializer({ storage, path: PATH });
let postgres: Postgres;
let pool: pg.Pool;

const upper = DBOS.registerStep(async (text: string) => text.toUpperCase(), { name: "upper" });
const work = DBOS.registerWorkflow(
  async (text: string) => {
    const large = await upper(text);
    await DBOS.setEvent("large", large);
    const message = await DBOS.recv<string>("topic", 30);
    return { large, message };
  },
  { name: "work" },
);
const small = DBOS.registerWorkflow(async (text: string) => upper(text), { name: "small" });

beforeAll(async () => {
  postgres = await startPostgres();
  pool = openPool(postgres.url);
  pool.on("connect", (client) => client.on("error", () => {}));
  pool.on("error", () => {});
  DBOS.setConfig({ name: "stowage", systemDatabaseUrl: postgres.url, serializer, logLevel: "error" });
  await DBOS.launch();
});
afterAll(async () => {
  await DBOS.shutdown();
  await pool?.end();
  await postgres?.stop();
  await storage.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The longest text of a column, with the name that stands beside it. */
async function longest(table: string, column: string): Promise<number> {
  const { rows } = await pool.query(`select max(length(${column})) as longest from dbos.${table}`);
  return Number(rows[0].longest ?? 0);
}

async function objects(): Promise<number> {
  let found = 0;
  for await (const _ of storage.list(PATH, { recursive: true })) found += 1;
  return found;
}

test("input, step, event, message and result are objects, and come back whole", async () => {
  const handle = await DBOS.startWorkflow(work, { workflowID: "one" })(LARGE);
  expect(await DBOS.getEvent("one", "large", 30)).toBe(LARGE.toUpperCase());
  await DBOS.send("one", `${LARGE}!`, "topic");
  expect(await handle.getResult()).toEqual({ large: LARGE.toUpperCase(), message: `${LARGE}!` });
  expect((await handle.getStatus())?.input).toEqual([LARGE]);
  expect(await objects()).toBeGreaterThanOrEqual(4);
  const { rows } = await pool.query(
    `select table_name, column_name from information_schema.columns where table_schema = 'dbos' and data_type = 'text'`,
  );
  for (const { table_name: table, column_name: column } of rows)
    expect([table, column, (await longest(table, column)) < 2000]).toEqual([table, column, true]);
});

test("equal values share an object; small ones stay in the rows", async () => {
  const before = await objects();
  expect(await (await DBOS.startWorkflow(small)("short")).getResult()).toBe("SHORT");
  expect(await objects()).toBe(before);
  await (await DBOS.startWorkflow(small)(LARGE)).getResult();
  await (await DBOS.startWorkflow(small)(LARGE)).getResult();
  expect(await objects()).toBeLessThanOrEqual(before + 2);
});

test("a client with the same serializer sends and reads large values", async () => {
  const client = await DBOSClient.create({ systemDatabaseUrl: postgres.url, serializer });
  const handle = await DBOS.startWorkflow(work, { workflowID: "two" })("x");
  await client.send("two", LARGE, "topic");
  expect(await handle.getResult()).toEqual({ large: "X", message: LARGE });
  expect(await client.retrieveWorkflow("one").getResult()).toMatchObject({ large: LARGE.toUpperCase() });
  await client.destroy();
});

test("the references of all tables keep their objects from a sweep; what deleted workflows leave goes", async () => {
  const sources = [dbosReferences((text, values) => pool.query(text, values))];
  const layout = claimsLayout({ refreshAfter: "12h" });
  const inAWeek = { storage, path: PATH, sources, layout };
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 7 * 86_400_000 });
  try {
    const all = await objects();
    expect(await sweep(inAWeek)).toMatchObject({ considered: all, referenced: all, orphaned: 0, unknown: 0 });
    const report = await fsck({ ...inAWeek, deep: true });
    expect(report).toMatchObject({ missing: 0, damaged: 0, size: 0, foreign: 0, layout: 0, orphan: 0 });
    expect(report.checked).toBeGreaterThanOrEqual(all);
    const command = (...args: string[]) => commandInProcess(args, { env: { DATABASE_URL: postgres.url } });
    const checked = await command("fsck", "--json", "--deep", "--dbos", "--schema", "dbos", PATH);
    expect([checked.code, jsonLines(checked.stdout).at(-1)]).toEqual([0, expect.objectContaining({ orphan: 0 })]);
    const other = await command("fsck", "--dbos", "--schema", "other", PATH);
    expect([other.code, other.stderr]).toEqual([1, expect.stringMatching(/the schema other has no table/)]);
    await (await DBOS.startWorkflow(small, { workflowID: "deleted" })(`${LARGE}deleted`)).getResult();
    await DBOS.deleteWorkflow("deleted");
    vi.setSystemTime(Date.now() + 7 * 86_400_000);
    const swept = await command("sweep", "--json", "--delete", "--dbos", postgres.url, "--refresh-after", "12h", PATH);
    expect([swept.code, jsonLines(swept.stdout).at(-1)?.deleted]).toEqual([0, expect.any(Number)]);
    expect(await objects()).toBe(all);
  } finally {
    vi.useRealTimers();
  }
  const client = await DBOSClient.create({ systemDatabaseUrl: postgres.url, serializer });
  expect(await client.retrieveWorkflow("one").getResult()).toMatchObject({ large: LARGE.toUpperCase() });
  await client.destroy();
});

test("a result that is gone is NotFound, never the reference", async () => {
  await (await DBOS.startWorkflow(small, { workflowID: "gone" })(`${LARGE}gone`)).getResult();
  for await (const { path } of storage.list(PATH, { recursive: true })) await storage.delete(path);
  const client = await DBOSClient.create({ systemDatabaseUrl: postgres.url, serializer });
  await expect(client.retrieveWorkflow("gone").getResult()).rejects.toThrow(/NotFound/);
  await client.destroy();
});

test("the name of the inner serializer is kept, and one without methods is refused", () => {
  expect(serializer.name()).toBe("stowage+superjson");
  expect(() => offloadSerializer({ storage, path: PATH, inner: {} as never })).toThrow(/InvalidArgument/);
});
